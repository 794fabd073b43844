"""The commands for people against an emulated AWS: doctor with IAM enforced, the dialog of init, tail as a sink."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from adapter import manifest
from adapter.commands.cli import cli
from emulator.aws import ACCOUNT, REGION, EmulatedAws
from tests.emulator.process import ROOT, Users, adapter, settings
from tests.support.terminal import on_a_terminal

BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
HOSTILE = "\x1b[2J\x1b[31mmallory\u202e"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def enforced(aws: EmulatedAws) -> Iterator[EmulatedAws]:
    aws.enforce_iam(on=True)
    yield aws
    aws.enforce_iam(on=False)


def key_of(aws: EmulatedAws, name: str, *allowed: tuple[str, str]) -> dict[str, str]:
    """The key of a new user who may do this (action and resource)."""
    iam = aws.client("iam")
    iam.create_user(UserName=name)
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in allowed]
    if statements:
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=name, PolicyName="this", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def doctor(environment: Mapping[str, str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    result = CliRunner().invoke(cli, ["doctor", "--json", *arguments], env=dict(environment))
    assert result.stderr == ""
    checks: list[dict[str, Any]] = json.loads(result.stdout)["checks"]
    assert result.exit_code == any(check["mark"] == "fail" for check in checks)
    return result.exit_code, checks


def by_name(checks: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [check for check in checks if check["name"] == name]


# -- doctor ---------------------------------------------------------------------------------------------------------


def test_a_bus_is_checked_without_a_permission_and_proven_by_an_event(enforced: EmulatedAws) -> None:
    users = Users(enforced)
    users.create("alice")
    events, sqs = enforced.client("events"), enforced.client("sqs")
    url = sqs.create_queue(QueueName="seen")["QueueUrl"]
    events.put_rule(Name="all", EventPattern=json.dumps({"account": [ACCOUNT]}))
    events.put_targets(Rule="all", Targets=[{"Id": "seen", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:seen"}])
    ours = key_of(enforced, "ours", ("cognito-idp:ListUsers", users.arn), ("events:PutEvents", BUS))
    made = {**settings(enforced, users.arn, BUS), **ours}
    code, checks = doctor(made)
    assert code == 0
    assert [check["mark"] for check in by_name(checks, "sink")] == ["ok", "skip"]
    assert by_name(checks, "sink")[-1]["found"].endswith("is allowed: use --send")
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    code, checks = doctor(made, "--send")
    assert code == 0, checks
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"])["detail"]["type"] == "com.amazon.cognito-idp.probe"
    assert all(secret not in json.dumps(checks) for secret in ours.values())


def test_what_the_key_may_not_do_is_told_with_what_to_add(enforced: EmulatedAws) -> None:
    users = Users(enforced)
    made = {**settings(enforced, users.arn, BUS), **key_of(enforced, "nobody")}
    made |= {"STATE_URL": "dynamodb://nowhere"}
    code, checks = doctor(made, "--send")
    assert code == 1
    (permission,) = by_name(checks, "permission")
    assert "ListUsers is denied" in permission["found"]
    assert users.arn in permission["mend"]
    refused = by_name(checks, "sink")[-1]
    assert (refused["mark"], "events:PutEvents" in refused["mend"]) == ("fail", True)
    (state,) = by_name(checks, "state")
    assert state["mark"] == "fail"
    assert "dynamodb:GetItem" in state["found"]


def test_the_secret_behind_a_key_is_read_for_the_day_of_its_rotation(aws: EmulatedAws, tmp_path: Path) -> None:
    users = Users(aws)
    made = settings(aws, users.arn, "stdout:")
    role = tmp_path / "credentials"  # stands for the task's role: the key of the environment is the pool's alone
    role.write_text("[default]\naws_access_key_id = AKIAROLE\naws_secret_access_key = of-the-role\n")
    made["AWS_SHARED_CREDENTIALS_FILE"] = str(role)
    both = {name: made[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    secret = aws.client("secretsmanager").create_secret(Name="key", SecretString=json.dumps(both))["ARN"]
    same = by_name(doctor({**made, "CREDENTIALS_SECRET_ARN": secret})[1], "credentials")
    assert [check["mark"] for check in same] == ["ok", "ok"]
    assert same[1]["found"].endswith("a rotation needs no restart")
    code, checks = doctor({**made, "CREDENTIALS_SECRET_ARN": secret[:-6] + "Absent"})
    assert code == 0
    assert [check["mark"] for check in by_name(checks, "credentials")] == ["ok", "warn"]


def test_a_state_in_dynamodb_is_told_with_its_holder(aws: EmulatedAws, tmp_path: Path) -> None:
    users = Users(aws)
    aws.client("dynamodb").create_table(
        TableName="state",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )
    made = settings(aws, users.arn, "stdout:", STATE_URL="dynamodb://state")
    (state,) = by_name(doctor(made)[1], "state")
    assert (state["mark"], "this is a first start" in state["found"]) == ("ok", True)
    with adapter(made, tmp_path) as running:
        running.wait_for("baseline_done")
        found = by_name(doctor(made)[1], "state")
        assert [check["mark"] for check in found] == ["ok", "warn"]
        assert f"process {running.process.pid} " in found[1]["found"]
        assert running.terminate() == 0


# -- init -----------------------------------------------------------------------------------------------------------


def test_the_dialog_offers_the_pools_asks_again_and_writes_what_runs(aws: EmulatedAws, tmp_path: Path) -> None:
    arn = aws.create_pool(HOSTILE)
    for number in range(3):
        aws.create_pool(f"Pool {number}")
    with on_a_terminal(["init"], aws.environment(), folder=tmp_path) as terminal:
        terminal.expect("\\x1b[2J\\x1b[31mmallory\\u202e")
        terminal.expect("User pool: its number or ARN")
        terminal.type("9")
        terminal.expect("expected a number from 1 to 4")
        terminal.type("1")
        terminal.expect("Sink:")
        terminal.type("nonsense")
        terminal.expect("expected an http:// or https:// URL")
        terminal.type(f"file://{tmp_path}/events.jsonl")
        terminal.expect("Name [")
        terminal.type("staff")
        terminal.expect("State")
        terminal.type("state.db")
        terminal.expect("event for every user")
        terminal.type("y")
        terminal.expect("Write this to source.yaml? [Y/n]")
        terminal.type("")
        assert terminal.end() == 0
        assert b"\x1b[2J" not in terminal.written
        assert b"\x1b[31m" not in terminal.written
    (source,) = manifest.load(tmp_path / "source.yaml")
    assert (source.name, source.spec.arn, source.spec.events.initial) == ("staff", arn, "snapshot")
    users = aws.client("cognito-idp")
    users.admin_create_user(UserPoolId=source.pool.pool_id, Username="alice", MessageAction="SUPPRESS")
    with adapter(aws.environment(), tmp_path, "run", "--once", "--manifest", "source.yaml") as running:
        assert running.wait() == 0, running.err
    assert json.loads((tmp_path / "events.jsonl").read_text())["partitionkey"] == "alice"
    assert (tmp_path / "state.db").exists()


def test_who_may_not_list_pools_gives_the_arn_and_may_still_say_no(enforced: EmulatedAws, tmp_path: Path) -> None:
    arn = enforced.create_pool("customers")
    environment = {**enforced.environment(), **key_of(enforced, "nobody")}
    with on_a_terminal(["init", "--sink", "stdout:"], environment, folder=tmp_path) as terminal:
        terminal.expect("AWS refused ListUserPools (AccessDeniedException); the ARN of a pool will do")
        terminal.type(arn)
        terminal.expect("Name [customers]")
        terminal.type("")
        terminal.type("")
        terminal.type("")
        terminal.expect("Write this")
        terminal.type("n")
        assert terminal.end() == 1
    assert list(tmp_path.iterdir()) == []


# -- tail -----------------------------------------------------------------------------------------------------------


def test_tail_is_a_sink_that_shows_each_event_in_a_line(aws: EmulatedAws, tmp_path: Path) -> None:
    users = Users(aws)
    command = [sys.executable, "-m", "adapter", "tail", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as tail:
        try:
            assert tail.stdout is not None
            assert tail.stderr is not None
            match = re.search(r"K_SINK=(\S+)", tail.stderr.readline())
            assert match is not None
            made = settings(aws, users.arn, match[1], STATUS_ADDRESS="127.0.0.1:0", STATUS_SHOW_USERS="true")
            with adapter(made, tmp_path) as running:
                running.wait_for("baseline_done")
                users.create("alice", email="alice@example.com")
                assert tail.stdout.readline().split()[1:] == ["created", "alice"]
                users.update("alice", email="new@example.com")
                assert tail.stdout.readline().split()[1:] == ["updated", "alice", "attributes"]
                (page,) = running.wait_for("status_page")
                shown = CliRunner().invoke(cli, ["tail", "--no-follow", "--address", page["url"].split("/")[2]])
                assert [line.split()[1:3] for line in shown.stdout.splitlines()] == [
                    ["created", "alice"],
                    ["updated", "alice"],
                ]
                assert users.arn in shown.stderr
        finally:
            tail.terminate()
