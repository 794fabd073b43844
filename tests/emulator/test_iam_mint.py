"""`python -m iam mint`: what the stacks' local-exec runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.aws import EmulatedAws
from iam.secret import version_id

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def secret(aws: EmulatedAws) -> str:
    aws.client("iam").create_user(UserName="reader")
    return str(aws.client("secretsmanager").create_secret(Name="source/key")["ARN"])


def mint(aws: EmulatedAws, secret_id: str, user: str = "reader") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "iam",
            "mint",
            "--user-name",
            user,
            "--secret-id",
            secret_id,
            "--region",
            "eu-central-1",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **aws.environment()},
        timeout=60,
        check=False,
    )


def keys(aws: EmulatedAws) -> list[str]:
    return [key["AccessKeyId"] for key in aws.client("iam").list_access_keys(UserName="reader")["AccessKeyMetadata"]]


def current(aws: EmulatedAws, secret_id: str) -> dict[str, str]:
    value: dict[str, str] = json.loads(
        aws.client("secretsmanager").get_secret_value(SecretId=secret_id, VersionStage="AWSCURRENT")["SecretString"]
    )
    return value


def test_the_region_may_come_from_the_arn_of_the_secret(aws: EmulatedAws, secret: str) -> None:
    environment = {name: value for name, value in aws.environment().items() if "REGION" not in name}
    command = [sys.executable, "-m", "iam", "mint", "--user-name", "reader", "--secret-id"]

    def run(secret_id: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, secret_id],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", **environment},
            timeout=60,
            check=False,
        )

    named = run("source/key")
    assert (named.returncode, named.stderr) == (2, "error: no region is known: give --region, or set AWS_REGION\n")
    done = run(secret)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert current(aws, secret)["AWS_ACCESS_KEY_ID"] in keys(aws)


def test_the_key_goes_straight_into_the_secret_and_nothing_is_printed(aws: EmulatedAws, secret: str) -> None:
    done = mint(aws, secret)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    value = current(aws, secret)
    assert set(value) == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert [value["AWS_ACCESS_KEY_ID"]] == keys(aws)
    assert len(value["AWS_SECRET_ACCESS_KEY"]) == 40


def test_a_second_run_changes_nothing(aws: EmulatedAws, secret: str) -> None:
    mint(aws, secret)
    before = current(aws, secret)
    assert mint(aws, secret).returncode == 0
    assert current(aws, secret) == before


def test_keys_that_failed_runs_left_behind_are_deleted_first(aws: EmulatedAws, secret: str) -> None:
    lost = {aws.client("iam").create_access_key(UserName="reader")["AccessKey"]["AccessKeyId"] for _ in range(2)}
    assert mint(aws, secret).returncode == 0
    assert keys(aws) == [current(aws, secret)["AWS_ACCESS_KEY_ID"]]
    assert not lost & set(keys(aws))


def test_a_key_that_somebody_uses_is_kept_where_there_is_room_and_named_where_there_is_none(
    aws: EmulatedAws, secret: str
) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:*", "Resource": "*"}]}
    aws.client("iam").put_user_policy(UserName="reader", PolicyName="all", PolicyDocument=json.dumps(document))
    aws.enforce_iam(on=True)
    try:
        used = use_new_key(aws)
        assert mint(aws, secret).returncode == 0
        assert set(keys(aws)) == {used, current(aws, secret)["AWS_ACCESS_KEY_ID"]}
        aws.client("iam").delete_access_key(UserName="reader", AccessKeyId=current(aws, secret)["AWS_ACCESS_KEY_ID"])
        second = use_new_key(aws)
        refused = mint(aws, secret)
    finally:
        aws.enforce_iam(on=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("error: both keys of user/reader are in use elsewhere")
    assert refused.stderr.count("\n") == 1
    assert set(keys(aws)) == {used, second}


def use_new_key(aws: EmulatedAws) -> str:
    made = aws.client("iam").create_access_key(UserName="reader")["AccessKey"]
    aws.client_with("iam", made["AccessKeyId"], made["SecretAccessKey"]).list_users()
    return str(made["AccessKeyId"])


def test_a_current_key_that_was_deactivated_is_replaced(aws: EmulatedAws, secret: str) -> None:
    mint(aws, secret)
    (old,) = keys(aws)
    aws.client("iam").update_access_key(UserName="reader", AccessKeyId=old, Status="Inactive")
    assert mint(aws, secret).returncode == 0
    assert keys(aws) == [current(aws, secret)["AWS_ACCESS_KEY_ID"]] != [old]


def test_a_key_whose_user_was_replaced_is_replaced_too(aws: EmulatedAws, secret: str) -> None:
    mint(aws, secret)
    (old,) = keys(aws)
    iam = aws.client("iam")
    iam.delete_access_key(UserName="reader", AccessKeyId=old)
    iam.delete_user(UserName="reader")
    iam.create_user(UserName="reader")
    assert mint(aws, secret).returncode == 0
    assert keys(aws) == [current(aws, secret)["AWS_ACCESS_KEY_ID"]] != [old]


def test_a_key_that_somebody_else_put_into_the_secret_is_kept(aws: EmulatedAws, secret: str) -> None:
    made = aws.client("iam").create_access_key(UserName="reader")["AccessKey"]
    value = {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}
    aws.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=json.dumps(value))
    assert mint(aws, secret).returncode == 0
    assert current(aws, secret) == value
    assert keys(aws) == [made["AccessKeyId"]]


def test_a_placeholder_in_the_secret_is_replaced(aws: EmulatedAws, secret: str) -> None:
    aws.client("secretsmanager").put_secret_value(SecretId=secret, SecretString="to be filled")
    assert mint(aws, secret).returncode == 0
    state = aws.client("secretsmanager").describe_secret(SecretId=secret)["VersionIdsToStages"]
    assert "AWSCURRENT" in state[version_id(keys(aws)[0])]


def test_a_missing_user_is_one_line_and_exit_code_2(aws: EmulatedAws, secret: str) -> None:
    done = mint(aws, secret, user="nobody")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: there is no IAM user nobody; create it first, or fix its name\n"


def test_a_missing_secret_is_one_line_and_no_key_is_made(aws: EmulatedAws, secret: str) -> None:
    assert secret
    done = mint(aws, "other")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: there is no secret other; create it first, or fix its name or region\n"
    assert keys(aws) == []
