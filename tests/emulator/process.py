"""The adapter as a real process, for the tests of this folder."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emulator.aws import EmulatedAws
from tests.support import wait_until

ROOT = Path(__file__).resolve().parents[2]


class Adapter:
    """A running `python -m adapter`. Its logs go to a file, so that nobody has to read along."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str], folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        number = len(list(folder.glob("adapter-*.err")))
        self._err = folder / f"adapter-{number}.err"
        self._out = folder / f"adapter-{number}.out"
        base = {
            name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "AWS_CONFIG_FILE"}
        }
        with self._err.open("wb") as err, self._out.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "adapter", *arguments],
                cwd=folder,
                env={**base, "PYTHONPATH": str(ROOT), **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def logs(self) -> list[dict[str, Any]]:
        """The complete log lines so far."""
        text = self._err.read_text()
        lines = text[: text.rfind("\n") + 1].splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    @property
    def err(self) -> str:
        return self._err.read_text()

    @property
    def out(self) -> str:
        return self._out.read_text()

    def actions(self) -> list[str]:
        return [line["action"] for line in self.logs]

    def wait_for(self, action: str, times: int = 1, timeout_s: float = 60.0) -> list[dict[str, Any]]:
        """Wait until this action was logged so often; returns the lines."""

        def found() -> list[dict[str, Any]]:
            assert self.process.poll() is None or self.actions().count(action) >= times, self.err
            lines = [line for line in self.logs if line["action"] == action]
            return lines if len(lines) >= times else []

        return wait_until(found, timeout_s, f"the log line {action!r}")

    def terminate(self, timeout_s: float = 60.0) -> int:
        """SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def wait(self, timeout_s: float = 60.0) -> int:
        return self.process.wait(timeout_s)


@contextmanager
def adapter(environment: Mapping[str, str], folder: Path, *arguments: str) -> Iterator[Adapter]:
    """Run the adapter for the length of a block; it is killed if it is still there."""
    running = Adapter(list(arguments), environment, folder)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.kill()


def settings(aws: EmulatedAws, arn: str, sink: str, **more: str) -> dict[str, str]:
    """The environment of an adapter that is quick to notice and leaves no fixed port open."""
    return {
        **aws.environment(),
        "ARN": arn,
        "K_SINK": sink,
        "POLL_MIN_SECONDS": "0.05",
        "POLL_MAX_SECONDS": "0.2",
        "MAX_RPS": "100",
        "HEALTH_ADDRESS": "127.0.0.1:0",
        "STATUS_ADDRESS": "off",
        "METRICS_PROMETHEUS_PORT": "0",
        "DELIVERY_BACKOFF_DELAY": "PT0.02S",
        "LOG_LEVEL": "debug",
        **more,
    }


def probe(port: int, path: str, method: str = "GET") -> tuple[int, Any]:
    """Ask the adapter's health server; status 0 while nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if body else None
    except OSError:
        return 0, None
    finally:
        connection.close()


class Users:
    """A user pool and what an administrator does to it."""

    def __init__(self, aws: EmulatedAws, name: str = "pool") -> None:
        self.arn = aws.create_pool(name)
        self.pool_id = self.arn.rpartition("/")[2]
        self._client = aws.client("cognito-idp")

    def create(self, username: str, **attributes: str) -> None:
        self._client.admin_create_user(
            UserPoolId=self.pool_id, Username=username, UserAttributes=_pairs(attributes), MessageAction="SUPPRESS"
        )

    def grow_old(self) -> None:
        """Wait until nobody created so far is new for a baseline, which begins with a whole second."""
        now = int(time.time())
        wait_until(lambda: int(time.time()) > now, what="the next second")

    def update(self, username: str, **attributes: str) -> None:
        self._client.admin_update_user_attributes(
            UserPoolId=self.pool_id, Username=username, UserAttributes=_pairs(attributes)
        )

    def enable(self, username: str, *, on: bool) -> None:
        call = self._client.admin_enable_user if on else self._client.admin_disable_user
        call(UserPoolId=self.pool_id, Username=username)

    def delete(self, username: str) -> None:
        self._client.admin_delete_user(UserPoolId=self.pool_id, Username=username)

    def get(self, username: str) -> dict[str, Any]:
        found: dict[str, Any] = self._client.admin_get_user(UserPoolId=self.pool_id, Username=username)
        return found


def _pairs(attributes: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in attributes.items()]
