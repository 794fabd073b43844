"""Bad input and bad surroundings: one clear line each, the right exit code, never a traceback."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from emulator.aws import EmulatedAws
from tests.emulator.process import Users, adapter, probe, settings
from tests.support import RecordingSink, wait_until

ARN = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"


@pytest.fixture
def sink() -> Iterator[RecordingSink]:
    with RecordingSink.start() as running:
        yield running


def refused(environment: Mapping[str, str], folder: Path, *arguments: str) -> list[str]:
    """The lines of an adapter that refuses to start."""
    with adapter(environment, folder, *arguments) as running:
        assert running.wait() == 2, running.err
        lines = [line for line in running.err.splitlines() if not line.startswith("{")]
    assert "Traceback" not in running.err
    assert all(line.startswith("error: ") for line in lines), lines
    return lines


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    lines = refused({"ARN": "arn:aws:cognito-idp:invalid::", "MAX_RPS": "fast", "K_CE_OVERRIDES": "{"}, tmp_path)
    assert [line.split()[1] for line in lines] == ["ARN", "K_SINK", "K_CE_OVERRIDES", "MAX_RPS"]


def test_the_least_configuration_is_enough_for_config_and_masks_secrets(tmp_path: Path) -> None:
    secret = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary"}
    with adapter({"ARN": ARN, "K_SINK": "http://u:canary@sink.example/", **secret}, tmp_path, "config") as running:
        assert running.wait() == 0
    assert "canary" not in running.out
    assert ARN in running.out


def test_the_state_of_another_pool_is_refused_and_left_alone(
    aws: EmulatedAws, sink: RecordingSink, tmp_path: Path
) -> None:
    ours, other = Users(aws, "ours"), Users(aws, "other")
    state = {"STATE_URL": f"sqlite:///{tmp_path}/state.db"}
    with adapter(settings(aws, ours.arn, sink.url, **state), tmp_path, "run", "--once") as running:
        assert running.wait() == 0
    before = (tmp_path / "state.db").read_bytes()
    (line,) = refused(settings(aws, other.arn, sink.url, **state), tmp_path)
    assert ours.arn in line
    assert (tmp_path / "state.db").read_bytes() == before


def test_a_file_that_is_no_state_is_refused_and_left_alone(
    aws: EmulatedAws, sink: RecordingSink, tmp_path: Path
) -> None:
    users = Users(aws)
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"not a database at all" * 100)
    (line,) = refused(settings(aws, users.arn, sink.url, STATE_URL=f"sqlite:///{garbage}"), tmp_path)
    assert str(garbage) in line
    assert garbage.read_bytes() == b"not a database at all" * 100
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    assert len(refused(settings(aws, users.arn, sink.url, STATE_URL=f"sqlite:///{foreign}"), tmp_path)) == 1


def test_a_port_that_is_taken_is_named(aws: EmulatedAws, sink: RecordingSink, tmp_path: Path) -> None:
    users = Users(aws)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        (line,) = refused(settings(aws, users.arn, sink.url, HEALTH_ADDRESS=address), tmp_path)
    assert "HEALTH_ADDRESS" in line
    assert address in line


def failing(environment: Mapping[str, str], folder: Path) -> str:
    """The message of an adapter that runs, but can't poll; it says it once, stays alive, and stops when asked."""
    with adapter(environment, folder) as running:
        (line,) = running.wait_for("sweep_failed")
        assert running.process.poll() is None
        assert running.terminate() == 0
    assert "Traceback" not in running.err
    assert running.actions().count("sweep_failed") == 1
    return str(line["message"])


@pytest.fixture
def enforced(aws: EmulatedAws) -> Iterator[EmulatedAws]:
    aws.enforce_iam(on=True)
    yield aws
    aws.enforce_iam(on=False)


def test_a_wrong_key_is_a_clear_line(enforced: EmulatedAws, sink: RecordingSink, tmp_path: Path) -> None:
    users = Users(enforced)
    wrong = {"AWS_ACCESS_KEY_ID": "AKIAWRONGWRONGWRONGW", "AWS_SECRET_ACCESS_KEY": "canary"}
    message = failing({**settings(enforced, users.arn, sink.url), **wrong}, tmp_path)
    assert "key" in message
    assert "canary" not in message


def test_a_key_without_the_permission_is_told_what_to_grant(
    enforced: EmulatedAws, sink: RecordingSink, tmp_path: Path
) -> None:
    users = Users(enforced)
    iam = enforced.client("iam")
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    ours = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    message = failing({**settings(enforced, users.arn, sink.url), **ours}, tmp_path)
    assert "cognito-idp:ListUsers" in message
    assert users.arn in message


def test_a_pool_that_does_not_exist_is_named(aws: EmulatedAws, sink: RecordingSink, tmp_path: Path) -> None:
    message = failing(settings(aws, ARN, sink.url), tmp_path)
    assert "eu-central-1_AbCdEfGhI" in message


def test_no_credentials_at_all_is_a_clear_line(aws: EmulatedAws, sink: RecordingSink, tmp_path: Path) -> None:
    users = Users(aws)
    environment = settings(aws, users.arn, sink.url)
    without = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
    without |= {"AWS_ENDPOINT_URL": aws.endpoint, "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null"}
    message = failing({**without, "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}, tmp_path)
    assert "AWS_ACCESS_KEY_ID" in message or "credentials" in message


def test_a_sink_that_cannot_be_reached_is_logged_and_waited_for(aws: EmulatedAws, tmp_path: Path) -> None:
    users = Users(aws)
    with socket.socket() as taken:  # bound, not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            health = free.getsockname()[1]
        environment = settings(aws, users.arn, f"http://127.0.0.1:{port}", HEALTH_ADDRESS=f"127.0.0.1:{health}")
        with adapter({**environment, "DELIVERY_RETRY": "0"}, tmp_path) as running:
            running.wait_for("baseline_done")
            users.create("bob")
            (line, *_) = running.wait_for("undelivered")
            assert "127.0.0.1" in line["reason"] or "refused" in line["reason"] or "connect" in line["reason"]
            answer = wait_until(lambda: probe(health, "/ready")[1])
            assert any("undelivered" in reason for reason in answer["reasons"])
            taken.close()
            with RecordingSink.start(port) as sink:
                wait_until(lambda: sink.events)
                wait_until(lambda: probe(health, "/ready")[0] == 204)
            assert running.terminate() == 0


def test_status_and_health_commands_speak_to_the_running_adapter(
    aws: EmulatedAws, sink: RecordingSink, tmp_path: Path
) -> None:
    users = Users(aws)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        here = {"HEALTH_ADDRESS": f"127.0.0.1:{free.getsockname()[1]}"}
    with adapter(here, tmp_path, "health") as command:
        assert command.wait() == 1
    assert "no adapter answers" in command.err
    users.create("alice")
    with adapter(settings(aws, users.arn, sink.url, **here), tmp_path) as running:
        running.wait_for("baseline_done")
        with adapter(here, tmp_path, "health") as command:
            assert command.wait() == 0
        with adapter(here, tmp_path, "status") as command:
            assert command.wait() == 0
    assert users.arn in command.out
    assert "known users" in command.out


def test_a_manifest_configures_the_adapter(aws: EmulatedAws, sink: RecordingSink, tmp_path: Path) -> None:
    users = Users(aws)
    users.create("alice")
    (tmp_path / "source.yaml").write_text(
        f"""\
apiVersion: sources.triggermesh.io/v1alpha1
kind: AWSCognitoUserPoolSource
metadata:
  name: crm
spec:
  arn: {users.arn}
  sink:
    uri: {sink.url}
  events:
    initial: snapshot
"""
    )
    with adapter(aws.environment(), tmp_path, "run", "--once", "--manifest", "source.yaml") as running:
        assert running.wait() == 0, running.err
    assert [event["changetype"] for event in sink.events] == ["snapshot"]
    with adapter({}, tmp_path, "run", "--manifest", "source.yaml", "--source", "other") as running:
        assert running.wait() == 2
    assert "crm" in running.err
