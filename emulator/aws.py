"""The emulated AWS that tests and demo talk to: a moto server of ours in a child process.

`python -m emulator.aws --port N` runs it in the foreground. In a program:

    with EmulatedAws.start() as aws:
        arn = aws.create_pool()
        aws.client("cognito-idp").admin_create_user(...)

The child never outlives its parent: it exits when its standard input closes, even if the parent was killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import click

ACCOUNT = "123456789012"
REGION = "eu-central-1"
#: The account's administrator (see emulator.rules): allowed to do everything, whatever is enforced.
ADMIN_KEY_ID = "AKIAADMINISTRATOR000"
ADMIN_SECRET = "emulated-administrator"  # noqa: S105 (of an emulator on loopback)
#: How long the server may take to come up, in seconds: it imports much of moto, on a busy machine slowly.
START_TIMEOUT_S = 120.0
_ROOT = Path(__file__).resolve().parent.parent


class EmulatorError(RuntimeError):
    """The emulated AWS did not start or did not answer."""


@dataclass
class EmulatedAws:
    """A running emulated AWS. Make one with `EmulatedAws.start()`."""

    endpoint: str
    account: str = ACCOUNT
    process_id: int = 0
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)

    @classmethod
    @contextmanager
    def start(cls, port: int = 0, log: Path | None = None) -> Iterator[EmulatedAws]:
        """Start the server in a child process and stop it at the end of the block.

        Args:
            port: where to listen on 127.0.0.1; 0 picks a free port.
            log: the file that takes what the server prints; None keeps it in a temporary file.

        Raises:
            EmulatorError: it did not come up; the message holds the end of what it printed.
        """
        with log.open("w+b") if log else tempfile.TemporaryFile("w+b") as errors:
            command = [sys.executable, "-m", "emulator.aws", "--port", str(port), "--exit-with-parent"]
            process = subprocess.Popen(
                command,
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_server_environment(os.environ),
                # A Ctrl-C at the terminal goes to the whole group; the server must outlive the clean-up that follows.
                start_new_session=True,
            )
            try:
                yield cls(endpoint=_first_line(process, errors), process_id=process.pid)
            finally:
                process.kill()  # it holds nothing worth an orderly end
                process.wait()
                for stream in (process.stdin, process.stdout):
                    if stream:
                        stream.close()

    def client(self, service: str, region: str = REGION) -> Any:
        """A boto3 client with the administrator's credentials."""
        key = (service, region)
        if key not in self._clients:
            self._clients[key] = self.client_with(service, ADMIN_KEY_ID, ADMIN_SECRET, region=region)
        return self._clients[key]

    def client_with(
        self, service: str, key_id: str, secret: str, token: str | None = None, *, region: str = REGION
    ) -> Any:
        """A boto3 client with a key of your choice, which doesn't retry."""
        import boto3  # takes half a second: the command line doesn't need it
        from botocore.config import Config

        session: Any = boto3.session.Session()  # the stubs know services by their literal names only
        return session.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )

    def environment(self, region: str = REGION) -> dict[str, str]:
        """The variables that make a child process use this AWS as its administrator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ADMIN_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": ADMIN_SECRET,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def reset(self) -> None:
        """Forget every resource, and enforce nothing."""
        self._post("/moto-api/reset")
        self.enforce_iam(on=False)

    def enforce_iam(self, on: bool) -> None:  # noqa: FBT001 (one obvious argument)
        """Check every request but the administrator's: signature, active key, policies against the named resource."""
        self._post("/moto-api/reset-auth", b"0" if on else b"inf")

    def create_pool(self, name: str = "pool", region: str = REGION) -> str:
        """Create a user pool and give its ARN."""
        pool: Mapping[str, str] = self.client("cognito-idp", region).create_user_pool(PoolName=name)["UserPool"]
        return pool["Arn"]

    def _post(self, path: str, body: bytes = b"") -> None:
        headers = {"Content-Type": "text/plain"}  # moto reads a form's body away
        request = urllib.request.Request(self.endpoint + path, body, headers, method="POST")  # noqa: S310 (our own server)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            json.load(answer)


def _server_environment(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if not name.startswith(("AWS_", "MOTO_", "WERKZEUG_"))}
    return kept | {"PYTHONUNBUFFERED": "1", "AWS_EC2_METADATA_DISABLED": "true"}


def _first_line(process: subprocess.Popen[bytes], errors: IO[bytes]) -> str:
    """The endpoint that the server announces."""
    timer = threading.Timer(START_TIMEOUT_S, process.kill)
    timer.start()
    try:
        line = process.stdout.readline() if process.stdout else b""
    finally:
        timer.cancel()
    if not line.startswith(b"http"):
        process.kill()
        process.wait()
        errors.seek(0)
        tail = errors.read()[-2000:].decode(errors="replace").strip()
        raise EmulatorError(
            f"the emulated AWS did not come up (limit {START_TIMEOUT_S:.0f} s): {tail or 'it said nothing'}"
        )
    return line.decode().strip()


def _exit_with_parent() -> None:
    """Wait for the end of standard input, which only the parent holds open, then leave at once."""
    sys.stdin.buffer.read()
    os._exit(0)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--port", default=5000, show_default=True, help="Where to listen on 127.0.0.1; 0 picks a free port.")
@click.option("--exit-with-parent", is_flag=True, help="Exit when standard input closes.")
def main(port: int, *, exit_with_parent: bool) -> None:
    """Run an emulated AWS until interrupted; the first line of its output is its address.

    Everything is allowed at first. To check requests against the IAM policies of their keys, except those signed
    with the key AKIAADMINISTRATOR000 (secret emulated-administrator), POST 0 as text/plain to /moto-api/reset-auth;
    POST inf to allow everything again.
    """
    # Read by moto while it is imported. Without them AmazonECSTaskExecutionRolePolicy is unknown, and a service never
    # becomes steady.
    os.environ |= {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true", "MOTO_ECS_SERVICE_RUNNING": "1"}
    import logging

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    from emulator import rules as emulator_rules

    emulator_rules.apply()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server(
        "127.0.0.1",
        port,
        DomainDispatcherApplication(create_backend_app),
        threaded=True,
        request_handler=MotoRequestHandler,
    )
    os.environ["MOTO_PORT"] = str(server.server_port)
    click.echo(f"http://127.0.0.1:{server.server_port}")
    if exit_with_parent:
        threading.Thread(target=_exit_with_parent, daemon=True).start()
    with suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
