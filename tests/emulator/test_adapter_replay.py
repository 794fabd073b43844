"""`python -m adapter replay` next to a running adapter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emulator.aws import EmulatedAws
from tests.emulator.process import Users, adapter, settings
from tests.support import RecordingSink


@pytest.fixture
def sink() -> Iterator[RecordingSink]:
    with RecordingSink.start() as running:
        yield running


def test_a_replay_tells_users_again_and_leaves_the_running_adapter_alone(
    aws: EmulatedAws, sink: RecordingSink, tmp_path: Path
) -> None:
    users = Users(aws)
    for name in ("alice", "bob", "carol"):
        users.create(name, email=f"{name}@example.com")
    users.grow_old()
    environment = settings(aws, users.arn, sink.url)
    with adapter(environment, tmp_path) as running:
        running.wait_for("baseline_done")
        for arguments, count in ((["--all"], 3), (["--user", "bob"], 1), (["--all"], 3)):
            with adapter(environment, tmp_path, "replay", *arguments) as command:
                assert command.wait() == 0, command.err
                assert f"delivered {count}" in command.out
        sweeps = running.actions().count("sweep_done")
        running.wait_for("sweep_done", sweeps + 2)
        assert running.terminate() == 0
    assert [event["changetype"] for event in sink.events] == ["replay"] * 7
    assert [event["partitionkey"] for event in sink.events].count("bob") == 3
    assert len({event["id"] for event in sink.events}) == 7
    assert sink.events[0].data["Attributes"][0]["Name"] == "email"


def test_since_selects_by_the_last_change(aws: EmulatedAws, sink: RecordingSink, tmp_path: Path) -> None:
    users = Users(aws)
    users.create("alice")
    users.create("bob")
    latest = users.get("bob")["UserLastModifiedDate"].astimezone(UTC)
    environment = settings(aws, users.arn, sink.url)
    since = latest.isoformat()
    with adapter(environment, tmp_path, "replay", "--since", since, "--events-per-second", "10") as command:
        assert command.wait() == 0, command.err
    assert [event["partitionkey"] for event in sink.events] == ["bob"]
    assert datetime.fromisoformat(since) == latest


def test_a_name_that_is_not_there_and_a_sink_that_refuses_give_exit_code_1(
    aws: EmulatedAws, sink: RecordingSink, tmp_path: Path
) -> None:
    users = Users(aws)
    users.create("alice")
    environment = settings(aws, users.arn, sink.url)
    with adapter(environment, tmp_path, "replay", "--user", "canary") as command:
        assert command.wait() == 1
    assert "not every user" in command.err
    assert "canary" not in command.err
    sink.fail(400)
    with adapter(environment, tmp_path, "replay", "--user", "alice") as command:
        assert command.wait() == 1
    assert "undelivered 1" in command.out


@pytest.mark.parametrize("arguments", [[], ["--all", "--user", "x"], ["--since", "yesterday"]])
def test_an_unclear_selection_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    arn = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"
    with adapter({"ARN": arn, "K_SINK": "stdout:"}, tmp_path, "replay", *arguments) as command:
        assert command.wait() == 2
    assert command.err.startswith("error: ")
