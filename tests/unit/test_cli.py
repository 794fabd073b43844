"""The command line: complete help, and nothing imported that the command does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from adapter.cli import cli, main

COMMANDS = ["config", "doctor", "health", "init", "replay", "run", "state", "status", "tail"]


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    assert sorted(cli.list_commands(None)) == COMMANDS  # type: ignore[arg-type]  # the context is not looked at
    assert all(f"\n  {name} " in result.output for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(cli, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_the_command_line_is_imported_without_aws_events_and_metrics() -> None:
    heavy = {"boto3", "botocore", "cloudevents", "msgspec", "prometheus_client", "requests", "yaml", "http.server"}
    code = f"import sys, adapter.cli; print(*sorted(set(sys.modules) & {heavy!r}))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_a_bug_is_told_without_the_data_it_stumbled_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = "canary@example.com"

    def stumble(**_: object) -> None:
        raise KeyError(data)

    monkeypatch.setattr(cli, "main", stumble)
    with pytest.raises(SystemExit) as caught:
        main()
    told = capsys.readouterr().err
    assert caught.value.code == 1
    assert "this is a bug (KeyError)" in told
    assert "in stumble" in told
    assert "canary" not in told
