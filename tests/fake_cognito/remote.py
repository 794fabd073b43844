"""The fake server in a process of its own, and the handle that steers it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tests.fake_cognito.faults import Kind
from tests.fake_cognito.pool import ARN, REGION
from tests.fake_cognito.server import ACCESS_KEY

ROOT = Path(__file__).parents[2]


class RemoteCognito:
    """Starts `python -m tests.fake_cognito` with these options; the same methods as `FakeCognito`.

    Args:
        options: of the command line, such as `users=1000`, `latency_ms=80`, `quota=30`, `synthetic=True`.
    """

    def __init__(self, **options: int | float | str | bool) -> None:
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self.endpoint = ""
        self.arn = ARN

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.fake_cognito"]
        for name, value in self._options.items():
            flag = "--" + name.replace("_", "-")
            command += ([flag] if value else []) if isinstance(value, bool) else [flag, str(value)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ}
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.__exit__()
            raise RuntimeError("the fake server did not come up")
        self.endpoint = json.loads(line)["endpoint"]
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None
        return self._process.pid

    def environment(self) -> dict[str, str]:
        """What a child process needs to use this server."""
        return {
            "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": "synthetic-secret-key",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "ARN": self.arn,
        }

    def create(self, username: str, *, status: str = "CONFIRMED", **attributes: str) -> None:
        """Add a user."""
        self._order("create", username, status=status, **attributes)

    def change(self, username: str, *, status: str | None = None, touch: bool = True, **attributes: str) -> None:
        """Set attributes and the status."""
        self._order("change", username, status=status, touch=touch, **attributes)

    def disable(self, username: str) -> None:
        """Disable a user."""
        self._order("disable", username)

    def enable(self, username: str) -> None:
        """Enable a user."""
        self._order("enable", username)

    def delete(self, username: str) -> None:
        """Delete a user."""
        self._order("delete", username)

    def usernames(self) -> list[str]:
        """Everybody in the pool."""
        names: list[str] = self._order("usernames")
        return names

    def shown(self) -> dict[str, dict[str, Any]]:
        """Everybody as the API shows them, by username."""
        users: dict[str, dict[str, Any]] = self._order("shown")
        return users

    def inject(self, kind: Kind, **how: Any) -> None:
        """Add a fault; see tests.fake_cognito.faults."""
        self._order("inject", kind, **how)

    def clear_faults(self) -> None:
        """Forget all faults."""
        self._order("clear_faults")

    def set_behaviour(self, **fields: Any) -> None:
        """Set fields of `Behaviour`."""
        self._order("set_behaviour", **fields)

    def stats(self) -> dict[str, Any]:
        """See `FakeCognito.stats`."""
        found: dict[str, Any] = self._order("stats")
        return found

    def reset_stats(self) -> None:
        """Count from zero."""
        self._order("reset_stats")

    def _order(self, do: str, *args: Any, **kwargs: Any) -> Any:
        connection = http.client.HTTPConnection(self.endpoint.removeprefix("http://"), timeout=10)
        try:
            connection.request("POST", "/_control", json.dumps({"do": do, "args": args, "kwargs": kwargs}))
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(f"{do} was refused: {body.decode()}")
        return json.loads(body)
