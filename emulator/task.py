"""Starts the adapter as ECS would start the deployed task: its definition's environment, secrets and task role.

The emulated ECS starts no containers, so this does what the agent of Fargate does:
- secrets are read with the execution role's credentials, under the policies that were deployed;
- the task role's credentials come from an address that AWS_CONTAINER_CREDENTIALS_FULL_URI names
  (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html);
- the container's environment holds what the task definition says, and nothing of this machine.
Different are only the addresses: AWS_ENDPOINT_URL names the emulator, HEALTH_ADDRESS a free port, and STATUS_ADDRESS
another one (the image turns the status page off; here somebody may want to look).
"""

from __future__ import annotations

import json
import secrets
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from emulator.aws import REGION, EmulatedAws
from emulator.processes import Child, base_environment

#: `arn:...:secret:NAME:JSON_KEY:VERSION_STAGE:VERSION_ID`: a secret's own ARN has 7 parts.
_SECRET_ARN_PARTS = 7


@dataclass(frozen=True)
class AssumedRole:
    """Temporary credentials of a role."""

    arn: str
    key_id: str
    secret: str
    token: str
    expires: str

    def client(self, aws: EmulatedAws, service: str) -> Any:
        """A client that acts as this role."""
        return aws.client_with(service, self.key_id, self.secret, self.token)


def assume(aws: EmulatedAws, arn: str) -> AssumedRole:
    """The credentials that ECS gets for a role of the task definition."""
    found = aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="ecs-task")["Credentials"]
    expires = found["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ")
    return AssumedRole(arn, found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"], expires)


def resolve_secret(client: Any, value_from: str) -> str:
    """The value that a container's `secrets` entry names."""
    parts = value_from.split(":")
    key, stage, version = [*parts[_SECRET_ARN_PARTS:], "", "", ""][:3]
    which = {"VersionStage": stage or "AWSCURRENT"} | ({"VersionId": version} if version else {})
    text: str = client.get_secret_value(SecretId=":".join(parts[:_SECRET_ARN_PARTS]), **which)["SecretString"]
    return str(json.loads(text)[key]) if key else text


@dataclass(frozen=True)
class Task:
    """A task definition's only container, ready to be started any number of times."""

    definition: Mapping[str, Any]
    environment: Mapping[str, str]
    health_port: int
    status_port: int
    aws: EmulatedAws

    @property
    def container(self) -> Mapping[str, Any]:
        """The container's definition."""
        found: Mapping[str, Any] = self.definition["containerDefinitions"][0]
        return found

    def start(self, log: Path, folder: Path) -> Child:
        """Start the adapter, as the image's entry point and command do, with its output appended to `log`."""
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "adapter", "run", *self.container.get("command", [])[1:]]
        with log.open("ab") as output:
            return Child(command, env=self.environment, output=output, cwd=folder)

    def health(self) -> int:
        """The status of GET /health, 0 without an answer."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{self.health_port}/health", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as fault:
            return fault.code
        except OSError:
            return 0

    def health_check(self, log: Path) -> int:
        """Run the container's own health check and give its exit code."""
        command = [
            sys.executable if part == "python" else part for part in self.container["healthCheck"]["command"][1:]
        ]
        with log.open("ab") as output:
            child = Child(command, env=self.environment, output=output)
            try:
                return child.wait(60)
            finally:
                child.stop()


@contextmanager
def task_of(aws: EmulatedAws, definition_arn: str) -> Iterator[Task]:
    """The deployed task with all that ECS prepares for it; its credentials are served until the block ends."""
    definition = aws.client("ecs").describe_task_definition(taskDefinition=definition_arn)["taskDefinition"]
    (container,) = definition["containerDefinitions"]
    reader = assume(aws, definition["executionRoleArn"]).client(aws, "secretsmanager")
    resolved = {each["name"]: resolve_secret(reader, each["valueFrom"]) for each in container.get("secrets", [])}
    port, status_port = free_port(), free_port()
    with _credentials_server(aws, definition["taskRoleArn"]) as role_variables:
        environment = {
            **base_environment(),
            **{each["name"]: each["value"] for each in container["environment"]},
            **resolved,
            **role_variables,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": aws.endpoint,
            "HEALTH_ADDRESS": f"127.0.0.1:{port}",
            "STATUS_ADDRESS": f"127.0.0.1:{status_port}",
        }
        environment.pop("HOME", None)
        yield Task(definition, environment, port, status_port, aws)


def free_port() -> int:
    """A port of 127.0.0.1 that no process listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _credentials_server(aws: EmulatedAws, role_arn: str) -> Iterator[dict[str, str]]:
    """Serve the task role's credentials as the ECS agent does; gives the variables that name the server."""
    token = secrets.token_urlsafe(24)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != token:
                self.send_error(401)
                return
            role = assume(aws, role_arn)
            body = json.dumps(
                {
                    "RoleArn": role.arn,
                    "AccessKeyId": role.key_id,
                    "SecretAccessKey": role.secret,
                    "Token": role.token,
                    "Expiration": role.expires,
                }
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name that the base class gives it)
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{server.server_port}/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": token,
        }
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
