"""Runs the commands that docs/credentials.md shows, and writes what they really print into it.

`python -m demo.credentials_guide` rewrites the file, `--check` only compares. The prose is written by hand; generated
are the console blocks (each begins with its command) and the lists between `<!-- changes -->` and `<!-- /changes -->`
(the AWS calls of the command above that changed something). A comment `<!-- set-up: ... -->` before a block prepares
the account. Everything runs on the emulated AWS, with IAM policies enforced. What differs from run to run (ids, dates,
ages) is replaced by AWS's own example values.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from emulator.aws import EmulatedAws
from iam import show
from iam.aws import AccessKey, Aws, connect
from iam.cli import main as iam_command
from iam.options import Edges

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "credentials.md"
POOL_ID = "eu-central-1_AbCdEfGhI"
USER = f"cognito-source-{POOL_ID}"
_KEY_IDS = ("AKIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE", "AKIAIOSFODNN8EXAMPLE", "AKIAI44QH9DHBEXAMPLE")
_BLOCK = re.compile(
    r"(?:<!-- set-up: (?P<setup>.+?) -->\n)?```console\n\$ python -m iam(?P<command>[^\n]*)\n(?P<output>.*?)```"
    r"(?P<changes>\n\n<!-- changes -->\n.*?<!-- /changes -->)?",
    re.DOTALL,
)
_CHANGING = ("Create", "Put", "Update", "Delete", "Attach", "Detach", "Restore", "Tag")


class _Clock:
    """A clock that is ahead by whatever was waited for, and waits for nothing."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.ahead)

    def sleep(self, seconds: float) -> None:
        self.ahead += seconds


class _CommandRecorder:
    """AWS, with the calls remembered."""

    def __init__(self, inner: Aws, calls: list[tuple[str, str]]) -> None:
        self._inner = inner
        self._calls = calls

    def call(self, action: str, resource: str, /, region: str | None = None, **parameters: Any) -> dict[str, Any]:
        self._calls.append((action, resource))
        return self._inner.call(action, resource, region=region, **parameters)

    def signed_by(self, key: AccessKey) -> Aws:
        return _CommandRecorder(self._inner.signed_by(key), [])


class _Account:
    """The emulated account in which the guide happens."""

    def __init__(self, aws: EmulatedAws) -> None:
        self.aws = aws
        self.pool_id = aws.create_pool().rpartition("/")[2]
        self.clock = _Clock()
        self.calls: list[tuple[str, str]] = []
        self._keys: dict[str, str] = {}
        self._setups: Mapping[str, Callable[[], None]] = {
            "a caller who may only look": lambda: self._become(["iam:Get*", "iam:List*", "iam:Simulate*", "sts:*"]),
            "the administrator": self._administrator,
            "90 days later": lambda: self.clock.sleep(90 * 86_400),
            "somebody gives the user more": self._give_more,
            "that is taken away": self._take_away,
            "a user of a stack": self._stack,
            "an empty secret of a stack": self._stack_secret,
        }

    def run(self, setup: str | None, command: str) -> str:
        """What a command prints, as the guide shows it."""
        if setup:
            self._setups[setup]()
        self.calls = []
        edges = Edges(
            connect=lambda profile, region: _CommandRecorder(connect(profile, region or "eu-central-1"), self.calls),
            clock=self.clock,
        )
        arguments = shlex.split(command.replace(POOL_ID, self.pool_id))
        result = CliRunner().invoke(iam_command, arguments, obj=edges, prog_name="python -m iam")
        code = f"[exit code {result.exit_code}]\n" if result.exit_code else ""
        return self._normal(result.output) + code

    def changes(self) -> str:
        """The calls of the last command that changed something, as a list."""
        changed = [call for call in self.calls if call[0].split(":")[1].startswith(_CHANGING)]
        lines = [f"- `{action}` on `{self._normal(resource).strip()}`" for action, resource in changed]
        looked = sorted({action for action, _ in self.calls} - {action for action, _ in changed})
        return "\n".join(
            [*(lines or ["- nothing"]), "", "It looked with " + ", ".join(f"`{each}`" for each in looked) + "."]
        )

    def _normal(self, text: str) -> str:
        text = text.replace(self.pool_id, POOL_ID)
        for found in re.findall(r"AKIA[A-Z0-9]{16}", text):
            self._keys.setdefault(found, _KEY_IDS[len(self._keys) % len(_KEY_IDS)])
            text = text.replace(found, self._keys[found])
        text = re.sub(r"(secret:[\w/+=.@-]+)-[A-Za-z0-9]{6}(?![\w/-])", r"\1-a1B2c3", text)
        text = re.sub(r"eu-central-1_[0-9a-f]{9}\b", "eu-central-1_0a1b2c3d4", text)
        text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?", "2026-11-23 12:00", text)
        text = re.sub(r"\b(on|by  |due    ) \d{4}-\d\d-\d\d", r"\1 2027-02-21", text)
        text = re.sub(r"\d+ (s|min) old", "1 min old", text)
        return _realigned(text)

    def _administrator(self) -> None:
        os.environ.update(self.aws.environment())

    def _become(self, actions: list[str]) -> None:
        client = self.aws.client("iam")
        client.create_user(UserName="caller")
        statement = {"Effect": "Allow", "Action": [*actions, "secretsmanager:DescribeSecret"], "Resource": "*"}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        client.put_user_policy(UserName="caller", PolicyName="may", PolicyDocument=json.dumps(document))
        key = client.create_access_key(UserName="caller")["AccessKey"]
        os.environ.update(AWS_ACCESS_KEY_ID=key["AccessKeyId"], AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"])

    def _user(self) -> str:
        return USER.replace(POOL_ID, self.pool_id)

    def _give_more(self) -> None:
        statement = {"Effect": "Allow", "Action": "cognito-idp:*", "Resource": "*"}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        self.aws.client("iam").put_user_policy(
            UserName=self._user(), PolicyName="more", PolicyDocument=json.dumps(document)
        )

    def _take_away(self) -> None:
        self.aws.client("iam").delete_user_policy(UserName=self._user(), PolicyName="more")

    def _stack(self) -> None:
        self.aws.client("iam").create_user(UserName="stack-user", Tags=[{"Key": "ManagedBy", "Value": "cdktf"}])

    def _stack_secret(self) -> None:
        self.aws.client("secretsmanager").create_secret(Name="stack/key", Tags=[{"Key": "ManagedBy", "Value": "cdktf"}])


def rewritten(text: str, aws: EmulatedAws) -> str:
    """The guide's text with every block as it comes out now; needs the emulated AWS in the environment."""
    account = _Account(aws)
    aws.enforce_iam(on=True)

    def again(block: re.Match[str]) -> str:
        output = account.run(block["setup"], block["command"])
        setup = f"<!-- set-up: {block['setup']} -->\n" if block["setup"] else ""
        made = f"{setup}```console\n$ python -m iam{block['command']}\n{output}```"
        if block["changes"]:
            made += f"\n\n<!-- changes -->\n{account.changes()}\n<!-- /changes -->"
        return made

    return _BLOCK.sub(again, text)


def _realigned(text: str) -> str:
    """Tables anew: example values are not as long as the true ones."""
    lines = text.splitlines()
    table = [
        number for number, line in enumerate(lines) if line.startswith(("ok  ", "WRONG  ", "    what", "       what"))
    ]
    if table:
        rows = [re.split(r" {2,}", lines[number]) for number in table]
        for number, line in zip(table, show.table(rows).splitlines(), strict=True):
            lines[number] = line
    return "".join(f"{line}\n" for line in lines)


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when the guide is out of date.")
def main(check: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Run the commands of docs/credentials.md and write what they print into it."""
    text = GUIDE.read_text(encoding="utf-8")
    with EmulatedAws.start() as aws:
        os.environ.update(aws.environment())
        fresh = rewritten(text, aws)
    if check and fresh != text:
        click.echo("docs/credentials.md is out of date: run `python -m demo.credentials_guide`", err=True)
        sys.exit(1)
    GUIDE.write_text(fresh, encoding="utf-8")


if __name__ == "__main__":
    main()
