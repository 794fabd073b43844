"""The key of the pool: rotated, deactivated, deleted, unreadable, assumed; without a restart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.aws import EmulatedAws
from tests.emulator.process import Adapter, Users, adapter, settings
from tests.support import RecordingSink, wait_until


@pytest.fixture
def sink() -> Iterator[RecordingSink]:
    with RecordingSink.start() as running:
        yield running


@pytest.fixture
def enforced(aws: EmulatedAws) -> Iterator[EmulatedAws]:
    yield aws
    aws.enforce_iam(on=False)


class OutputReader:
    """An IAM user that may list one pool, and the secret that holds its key."""

    def __init__(self, aws: EmulatedAws, pool_arn: str) -> None:
        self.iam = aws.client("iam")
        self.secrets = aws.client("secretsmanager")
        self.iam.create_user(UserName="reader")
        allow = {"Effect": "Allow", "Action": "cognito-idp:ListUsers", "Resource": pool_arn}
        policy = {"Version": "2012-10-17", "Statement": [allow]}
        self.iam.put_user_policy(UserName="reader", PolicyName="list", PolicyDocument=json.dumps(policy))
        self.key = self.mint()
        self.arn = str(self.secrets.create_secret(Name="key", SecretString=self.text(self.key))["ARN"])

    def mint(self) -> dict[str, Any]:
        key: dict[str, Any] = self.iam.create_access_key(UserName="reader")["AccessKey"]
        return key

    def text(self, key: dict[str, Any]) -> str:
        return json.dumps({"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]})

    def rotate(self) -> None:
        before, self.key = self.key, self.mint()
        self.secrets.put_secret_value(SecretId=self.arn, SecretString=self.text(self.key))
        self.iam.delete_access_key(UserName="reader", AccessKeyId=before["AccessKeyId"])

    def deactivate(self) -> None:
        self.iam.update_access_key(UserName="reader", AccessKeyId=self.key["AccessKeyId"], Status="Inactive")

    def activate(self) -> None:
        self.iam.update_access_key(UserName="reader", AccessKeyId=self.key["AccessKeyId"], Status="Active")


def environment(
    aws: EmulatedAws, users: Users, sink: RecordingSink, reader: OutputReader, folder: Path
) -> dict[str, str]:
    """The key of the pool in the environment, that of everything else in a profile, as a task role would be."""
    own = settings(aws, users.arn, sink.url)
    profile = folder / "credentials"
    profile.write_text(
        f"[default]\naws_access_key_id = {own['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {own['AWS_SECRET_ACCESS_KEY']}\n"
    )
    return {
        **own,
        "AWS_ACCESS_KEY_ID": reader.key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": reader.key["SecretAccessKey"],
        "CREDENTIALS_SECRET_ARN": reader.arn,
        "AWS_SHARED_CREDENTIALS_FILE": str(profile),
    }


def secrets_of(running: Adapter) -> str:
    return running.err + running.out


def test_a_rotated_key_needs_no_restart_and_fails_no_sweep(
    enforced: EmulatedAws, sink: RecordingSink, tmp_path: Path
) -> None:
    users = Users(enforced)
    reader = OutputReader(enforced, users.arn)
    made = environment(enforced, users, sink, reader, tmp_path)
    enforced.enforce_iam(on=True)
    with adapter(made, tmp_path) as running:
        running.wait_for("baseline_done")
        for number in range(3):
            reader.rotate()
            users.create(f"user-{number}")
            wait_until(lambda: f"user-{number}" in {event["partitionkey"] for event in sink.events})  # noqa: B023 - asked at once
        assert running.terminate() == 0
    assert "sweep_failed" not in running.actions()
    assert running.actions().count("credentials_reloaded") == 3
    assert reader.key["SecretAccessKey"] not in secrets_of(running)


def test_an_inactive_key_is_told_once_and_forgiven_when_it_works_again(
    enforced: EmulatedAws, sink: RecordingSink, tmp_path: Path
) -> None:
    users = Users(enforced)
    reader = OutputReader(enforced, users.arn)
    made = environment(enforced, users, sink, reader, tmp_path)
    enforced.enforce_iam(on=True)
    with adapter(made, tmp_path) as running:
        running.wait_for("baseline_done")
        reader.deactivate()
        running.wait_for("sweep_failed")
        reader.activate()
        running.wait_for("sweep_recovered")
        users.create("bob")
        wait_until(lambda: sink.events)
        assert running.terminate() == 0


def test_a_secret_that_cannot_be_read_for_a_while_is_read_later(
    enforced: EmulatedAws, sink: RecordingSink, tmp_path: Path
) -> None:
    users = Users(enforced)
    reader = OutputReader(enforced, users.arn)
    made = environment(enforced, users, sink, reader, tmp_path)
    enforced.enforce_iam(on=True)
    with adapter(made, tmp_path) as running:
        running.wait_for("baseline_done")
        reader.secrets.delete_secret(SecretId=reader.arn, RecoveryWindowInDays=7)
        reader.iam.delete_access_key(UserName="reader", AccessKeyId=reader.key["AccessKeyId"])
        (line,) = running.wait_for("sweep_failed")
        assert reader.arn in line["message"]
        reader.secrets.restore_secret(SecretId=reader.arn)
        reader.key = reader.mint()
        reader.secrets.put_secret_value(SecretId=reader.arn, SecretString=reader.text(reader.key))
        running.wait_for("sweep_recovered")
        assert running.terminate() == 0


def test_the_secret_alone_is_enough(enforced: EmulatedAws, sink: RecordingSink, tmp_path: Path) -> None:
    users = Users(enforced)
    reader = OutputReader(enforced, users.arn)
    made = environment(enforced, users, sink, reader, tmp_path)
    del made["AWS_ACCESS_KEY_ID"], made["AWS_SECRET_ACCESS_KEY"]
    enforced.enforce_iam(on=True)
    with adapter(made, tmp_path, "run", "--once") as running:
        assert running.wait() == 0, running.err


def test_a_role_is_assumed_for_the_pool(enforced: EmulatedAws, sink: RecordingSink, tmp_path: Path) -> None:
    users = Users(enforced)
    iam = enforced.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
    role = iam.create_role(RoleName="list", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    allow = {"Effect": "Allow", "Action": "cognito-idp:ListUsers", "Resource": users.arn}
    policy = {"Version": "2012-10-17", "Statement": [allow]}
    iam.put_role_policy(RoleName="list", PolicyName="list", PolicyDocument=json.dumps(policy))
    iam.create_user(UserName="base")
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role["Arn"]}
    policy = {"Version": "2012-10-17", "Statement": [assume]}
    iam.put_user_policy(UserName="base", PolicyName="assume", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="base")["AccessKey"]
    made = settings(enforced, users.arn, sink.url)
    made |= {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    enforced.enforce_iam(on=True)
    with adapter(made, tmp_path, "run", "--once") as running:
        assert running.wait() == 1
    with adapter({**made, "AWS_ASSUME_ROLE_ARN": role["Arn"]}, tmp_path, "run", "--once") as running:
        assert running.wait() == 0, running.err
