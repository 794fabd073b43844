"""`python -m iam` as a process: where it gets its credentials, what goes to which stream, what an error looks like."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.aws import ADMIN_KEY_ID, ADMIN_SECRET, EmulatedAws

ROOT = Path(__file__).resolve().parents[2]
POOL = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"


def iam(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "iam", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def without_keys(aws: EmulatedAws) -> dict[str, str]:
    return {name: value for name, value in aws.environment().items() if "KEY" not in name}


def test_a_profile_is_used(aws: EmulatedAws, tmp_path: Path) -> None:
    profiles = tmp_path / "credentials"
    profiles.write_text(f"[ops]\naws_access_key_id = {ADMIN_KEY_ID}\naws_secret_access_key = {ADMIN_SECRET}\n")
    environment = {**without_keys(aws), "AWS_SHARED_CREDENTIALS_FILE": str(profiles)}
    done = iam(environment, "status", "--profile", "ops")
    assert (done.returncode, done.stdout) == (0, "no user of this tool in the account\n")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["status", "--profile", "nobody"], 2, "there is no profile nobody in the AWS configuration"),
        (["status"], 1, "no AWS credentials were found"),
        (["bootstrap", POOL], 1, "no AWS credentials were found"),
    ],
)
def test_missing_credentials_are_one_line(aws: EmulatedAws, arguments: list[str], code: int, message: str) -> None:
    done = iam(without_keys(aws), *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1


def test_a_missing_region_is_one_line(aws: EmulatedAws) -> None:
    environment = {name: value for name, value in aws.environment().items() if "REGION" not in name}
    done = iam(environment, "status")
    assert (done.returncode, done.stderr) == (2, "error: no region is known: give --region, or set AWS_REGION\n")


def test_an_aws_that_can_not_be_reached_is_one_line(aws: EmulatedAws) -> None:
    environment = {**aws.environment(), "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    done = iam(environment, "status")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: iam:ListUsers on * failed with EndpointConnectionError\n"


def test_data_goes_to_stdout_and_progress_to_stderr(aws: EmulatedAws) -> None:
    pool = aws.create_pool()
    done = iam(aws.environment(), "bootstrap", pool, "--name", "reader", "--output", "json")
    assert json.loads(done.stdout)["pools"] == [pool]
    assert "- create the IAM user reader" in done.stderr
    again = iam(aws.environment(), "verify", "reader", "--output", "json")
    assert isinstance(json.loads(again.stdout), list)


def test_the_help_needs_neither_aws_nor_credentials() -> None:
    done = iam({}, "--help")
    assert done.returncode == 0
    for command in ("bootstrap", "rotate", "verify", "revoke", "status", "policy", "mint"):
        assert command in done.stdout
