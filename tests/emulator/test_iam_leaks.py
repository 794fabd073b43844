"""The secret key goes nowhere but into the secret: searched for in everything that a command tells or touches."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from emulator.aws import EmulatedAws
from iam import aws as edge
from iam.cli import main
from iam.options import Edges
from tests.emulator.iam_leaks import HostileNetwork, Records, Watch, files_below, forms, leaks, told_by
from tests.emulator.iam_world import NAME, FakeClock

ROOT = Path(__file__).resolve().parents[2]
WATCH = Watch()
#: How a request goes wrong: an error that quotes everything, in both protocols, rubbish, nothing, a broken connection.
WAYS = ("echo", "xml", "garbled", "empty", "exception")
COMMANDS = {
    "bootstrap": ["--name", NAME, "--wait", "3s"],
    "rotate": [NAME, "--grace", "1m", "--wait", "3s"],
    "verify": [NAME],
    "status": [],
    "revoke": [NAME, "--yes"],
    "mint": ["--user-name", NAME, "--secret-id", f"cognito-source/{NAME}"],
}


class LeakStage:
    """An account, a network that can be made evil, and a run whose every trace is kept."""

    def __init__(self, aws: EmulatedAws, folder: Path) -> None:
        self.aws = aws
        self.folder = folder
        self.network = HostileNetwork()
        made = edge.connect(None, "eu-central-1")
        events = made._session.events
        events.register("before-send", self.network.send)
        events.register("after-call", self.network.learn)
        self.door = made
        self.pool = ""

    def prepare(self, command: str) -> None:
        self.aws.reset()
        self.pool = self.aws.create_pool()
        self.network.bad_request = None
        if command in ("rotate", "verify", "status", "revoke"):
            self.run("bootstrap")
        elif command == "mint":
            self.aws.client("iam").create_user(UserName=NAME)
            self.aws.client("secretsmanager").create_secret(Name=f"cognito-source/{NAME}")

    def run(self, command: str) -> str:
        """Everything that one run tells, as one text."""
        pool = [self.pool] if command == "bootstrap" else []
        records = Records()
        root = logging.getLogger()
        root.addHandler(records)
        level = root.level
        root.setLevel(logging.DEBUG)
        self.network.requests = 0
        try:
            with WATCH.watching():
                edges = Edges(connect=lambda _profile, _region: self.door, clock=FakeClock())
                result = CliRunner().invoke(main, [command, *pool, *COMMANDS[command]], obj=edges)
        finally:
            root.setLevel(level)
            root.removeHandler(records)
        assert WATCH.started == []
        assert WATCH.written == []
        error = result.exc_info[1] if result.exc_info else None
        return "\n".join([result.stdout, result.stderr, records.text, told_by(error), files_below(self.folder)])


@pytest.fixture
def stage(aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LeakStage:
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return LeakStage(aws, tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_succeeds_tells_nothing_of_the_key(stage: LeakStage, command: str) -> None:
    stage.prepare(command)
    told = stage.run(command)
    assert stage.network.secrets
    assert leaks(told, stage.network.secrets) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_fails_at_any_call_tells_nothing_of_the_key(stage: LeakStage, command: str) -> None:
    stage.prepare(command)
    stage.run(command)
    failures = 0
    for number in range(stage.network.requests):
        stage.prepare(command)
        stage.network.bad_request = number
        stage.network.way = WAYS[number % len(WAYS)]
        told = stage.run(command)
        failures += "error:" in told
        assert leaks(told, stage.network.secrets) == [], f"{command}: request {number}, {stage.network.way}"
    assert failures


@pytest.mark.parametrize("way", WAYS)
def test_the_calls_that_carry_the_key_tell_nothing_however_they_fail(stage: LeakStage, way: str) -> None:
    stage.prepare("bootstrap")
    seen: list[str] = []
    stage.door._session.events.register("before-call", lambda model, **_: seen.append(model.name))
    stage.run("bootstrap")
    carriers = [n for n, name in enumerate(seen) if name in ("CreateAccessKey", "PutSecretValue", "GetSecretValue")]
    assert len(carriers) == 3
    for number in carriers:
        stage.prepare("bootstrap")
        # Known from the start, so that even the answer to CreateAccessKey can quote it.
        stage.network.secrets.add("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
        stage.network.bad_request, stage.network.way = number, way
        assert leaks(stage.run("bootstrap"), stage.network.secrets) == []


@pytest.mark.parametrize("form", forms("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"))
def test_the_search_finds_what_was_planted(form: str) -> None:
    secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    planted = forms(secret)[form]
    assert form in leaks(f"before {planted} after", {secret})
    assert form in leaks(f"before {planted[5:20]} after", {secret})
    assert leaks("before and after", {secret}) == []


def test_the_search_sees_every_place_that_it_looks_at(stage: LeakStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted control: a command that leaks in each way is caught in each way."""
    secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    stage.prepare("bootstrap")

    def check(leak: Any) -> list[str]:
        monkeypatch.setattr("iam.cli.names.check_user_name", leak)
        return leaks(stage.run("bootstrap"), {secret})

    def prints(_: str) -> str:
        print(json.dumps({"key": secret}))
        return NAME

    def logs(_: str) -> str:
        logging.getLogger("somewhere").debug("key %s", secret)
        return NAME

    def raises(_: str) -> str:
        raise SystemExit(3) from ValueError(secret)

    def writes(_: str) -> str:
        (stage.folder / "note").write_text(secret)
        return NAME

    def starts(_: str) -> str:
        subprocess.run(["true"], env={"KEY": secret}, check=True)
        return NAME

    assert "raw" in check(prints)
    assert "raw" in check(logs)
    assert "raw" in check(raises)
    with pytest.raises(AssertionError, match="note"):
        check(writes)
    with pytest.raises(AssertionError, match="Popen"):
        check(starts)


def test_a_real_process_tells_nothing_and_leaves_no_file(aws: EmulatedAws, tmp_path: Path) -> None:
    pool = aws.create_pool()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), **aws.environment()}
    environment["TMPDIR"] = str(tmp_path)
    told = ""
    for arguments in (["bootstrap", pool, "--name", NAME], ["rotate", NAME, "--grace", "1s"], ["verify", NAME]):
        done = subprocess.run(
            [sys.executable, "-B", "-m", "iam", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        told += done.stdout + done.stderr
        value = aws.client("secretsmanager").get_secret_value(
            SecretId=f"cognito-source/{NAME}", VersionStage="AWSCURRENT"
        )
        secret = json.loads(value["SecretString"])["AWS_SECRET_ACCESS_KEY"]
        assert leaks(told + files_below(tmp_path), {secret}) == []
    assert "AKIA" in told
    assert list(tmp_path.iterdir()) == []
