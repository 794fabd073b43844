"""The parts that the demo is made of: its console, the end of its child processes, its reading of secrets."""

from __future__ import annotations

import base64
import io
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from demo.console import Console
from emulator.deployment import _said, changes_of, forms_of
from emulator.processes import Child, base_environment
from emulator.task import resolve_secret
from tests.support import wait_until


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_story_is_plain_where_it_is_no_terminal() -> None:
    out = io.StringIO()
    console = Console(out)
    console.chapter("A title")
    with console.step("a step"):
        console.fact("a label", "a value", "a note")
    console.check("a try", "denied", good=True)

    assert "\033" not in out.getvalue()
    assert "\r" not in out.getvalue()
    assert out.getvalue().splitlines()[1] == "1  A title"
    assert "✓ a step" in out.getvalue()


def test_a_terminal_gets_colours_unless_it_does_not_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured, plain = _Terminal(), _Terminal()
    Console(coloured).chapter("A title")
    monkeypatch.setenv("NO_COLOR", "1")
    Console(plain).chapter("A title")

    assert "\033[1mA title\033[0m" in coloured.getvalue()
    assert "\033" not in plain.getvalue()


def test_a_step_that_fails_is_marked_and_fails() -> None:
    out = io.StringIO()
    console = Console(out)

    def fail() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError), console.step("a step"):
        fail()
    assert out.getvalue() == "   ✗ a step\n"


class _Secrets:
    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: dict[str, str] = {}

    def get_secret_value(self, **arguments: str) -> dict[str, str]:
        self.asked = arguments
        return {"SecretString": self.text}


ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:cognito/key-AbCdEf"


@pytest.mark.parametrize(
    ("value_from", "value", "asked"),
    [
        (ARN, '{"a": "1"}', {"VersionStage": "AWSCURRENT"}),
        (f"{ARN}:a::", "1", {"VersionStage": "AWSCURRENT"}),
        (f"{ARN}:a:AWSPENDING:", "1", {"VersionStage": "AWSPENDING"}),
        (f"{ARN}:a::0123", "1", {"VersionStage": "AWSCURRENT", "VersionId": "0123"}),
    ],
)
def test_a_secret_is_read_as_ecs_reads_it(value_from: str, value: str, asked: dict[str, str]) -> None:
    client = _Secrets('{"a": "1"}')
    assert resolve_secret(client, value_from) == value
    assert client.asked == {"SecretId": ARN} | asked


def _start(program: str, log: Path) -> Child:
    with log.open("wb") as output:
        return Child([sys.executable, "-c", program], env=base_environment(), output=output)


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = _start(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
        log,
    )
    wait_until(lambda: b"up" in log.read_bytes(), what="the child")
    assert child.stop(grace_s=0.2) == -signal.SIGKILL


def test_a_child_ends_by_itself_with_its_own_exit_code(tmp_path: Path) -> None:
    child = _start("import sys; sys.exit(3)", tmp_path / "log")
    assert child.wait(60) == 3
    assert child.stop() == 3


def test_a_child_sees_sigterm_and_may_end_well(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = _start(
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); print('up', flush=True)\n"
        "while True: time.sleep(0.1)",
        log,
    )
    wait_until(lambda: b"up" in log.read_bytes(), what="the child")
    assert child.stop() == 0


def test_no_setting_and_no_credentials_of_the_machine_reach_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "TF_CLI_CONFIG_FILE", "HTTP_PROXY", "K_SINK", "NODE_OPTIONS"):
        monkeypatch.setenv(name, "x")
    assert set(base_environment()) <= {"HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH"}


@pytest.mark.parametrize("length", [16, 20, 39, 40, 41])
def test_a_secret_in_base64_is_found_wherever_it_begins(length: int) -> None:
    secret = ("aB3/+xYz09" * 5)[:length]
    for before in range(6):
        for after in range(4):
            text = base64.b64encode(b"x" * before + secret.encode() + b"y" * after)
            assert any(form in text for form in forms_of(secret)), (before, after)


def test_only_real_changes_of_a_plan_count() -> None:
    def change(address: str, *actions: str) -> dict[str, Any]:
        return {"address": address, "change": {"actions": list(actions)}}

    plan = {"resource_changes": [change("a", "no-op"), change("b", "read"), change("c", "delete", "create")]}
    assert changes_of(plan) == ["c"]
    assert changes_of({}) == []


def test_what_terraform_says_of_a_failure_is_told_on_one_line() -> None:
    log = "planning\n╷\n│ Error: creating IAM user: EntityAlreadyExists\n│ \n│   with aws_iam_user.user\n╵\n\n\nmore"
    assert _said(log) == "Error: creating IAM user: EntityAlreadyExists with aws_iam_user.user"
    assert _said("one\ntwo") == "one two"
