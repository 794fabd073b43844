"""The command line: complete help, and nothing imported that the command does not need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapter.commands.cli import cli, main

ARN = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"
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
    code = f"import sys, adapter.commands.cli; print(*sorted(set(sys.modules) & {heavy!r}))"
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


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["config", "--version"])
def test_output_that_cannot_be_written_is_an_error_of_one_line(command: str, unbuffered: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "adapter", command],
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered, "K_SINK": "stdout:", "ARN": ARN},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        1,
        "error: the standard output can't be written: No space left on device\n",
    )


def test_the_exit_code_tells_of_a_wrong_setting_also_where_no_error_can_be_printed() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "adapter"], env={**os.environ, "ARN": "x"}, stdout=full, stderr=full, check=False
        )
    assert done.returncode == 2


def test_a_manifest_whose_sink_is_made_by_the_deployment_says_so(tmp_path: Path) -> None:
    arn = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"
    file = tmp_path / "source.yaml"
    file.write_text(
        "apiVersion: sources.triggermesh.io/v1alpha1\nkind: AWSCognitoUserPoolSource\nmetadata: {name: customers}\n"
        f"spec:\n  arn: {arn}\n  sink: {{sqs: {{create: users}}}}\n"
    )
    result = CliRunner().invoke(cli, ["config", "--manifest", str(file)])
    assert f"{file}:6: document 1: spec.sink: this sink is made when it is deployed" in result.stderr


def test_a_name_that_the_terminals_encoding_lacks_is_shown_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text('{"changetype":"created","partitionkey":"\\u6771"}\n')
    command = [sys.executable, "-m", "adapter", "tail", "--no-follow", str(file)]
    latin = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    result = subprocess.run(command, env=latin, capture_output=True, text=True, check=True)
    assert "\\u6771" in result.stdout
