"""Whole adapters on one DynamoDB state: one tells, the others wait, whatever happens to the one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from emulator.aws import EmulatedAws
from emulator.task import free_port
from tests.emulator.process import Adapter, Users, adapter, probe, settings
from tests.support import RecordingSink, SinkResponse, wait_until
from tests.support.dynalite import create_table


@pytest.fixture
def sink() -> Iterator[RecordingSink]:
    with RecordingSink.start() as running:
        yield running


@pytest.fixture
def users(aws: EmulatedAws) -> Users:
    create_table(aws.endpoint, "state")
    return Users(aws)


def environment(aws: EmulatedAws, users: Users, sink: RecordingSink, **more: str) -> dict[str, str]:
    state = {"STATE_URL": "dynamodb://state?region=eu-central-1", "STATE_LEASE_SECONDS": "2"}
    return settings(aws, users.arn, sink.url, **state, **more)


def told(sink: RecordingSink) -> list[tuple[str, str]]:
    return [(event["changetype"], event["partitionkey"]) for event in sink.events]


def ids(sink: RecordingSink) -> set[str]:
    return {event["id"] for event in sink.events}


def test_the_state_in_dynamodb_survives_the_machine(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    users.create("alice")
    users.grow_old()
    with adapter(environment(aws, users, sink), tmp_path / "one") as first:
        first.wait_for("baseline_done")
        users.create("bob")
        wait_until(lambda: sink.events)
        assert first.terminate() == 0
    users.delete("alice")
    users.create("carol")
    with adapter(environment(aws, users, sink), tmp_path / "two"):
        wait_until(lambda: len(sink.events) == 3)
    assert sorted(told(sink)) == [("created", "bob"), ("created", "carol"), ("deleted", "alice")]


def test_a_killed_adapter_is_replaced_after_its_lease_and_ids_stay(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    made = environment(aws, users, sink, DELIVERY_RETRY="0")
    with adapter(made, tmp_path / "one") as first, ExitStack() as stack:
        first.wait_for("baseline_done")
        port = free_port()
        second = stack.enter_context(adapter({**made, "HEALTH_ADDRESS": f"127.0.0.1:{port}"}, tmp_path / "two"))
        # Healthy while it waits: a rolling update ends the first one only then.
        wait_until(lambda: probe(port, "/health")[0] == 204)
        assert probe(port, "/ready")[0] == 503
        sink.answer_with(SinkResponse(204, delay_s=3))
        users.create("bob")
        wait_until(lambda: sink.requests)
        first.kill()
        sink.answer_with(SinkResponse(204))
        second.wait_for("started")
        wait_until(lambda: len(sink.events) >= 2)
    assert set(told(sink)) == {("created", "bob")}
    assert len(ids(sink)) == 1


def test_a_paused_adapter_neither_sends_nor_writes_when_it_wakes_up(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    made = environment(aws, users, sink)
    with adapter(made, tmp_path / "one") as first, ExitStack() as stack:
        first.wait_for("baseline_done")
        second = stack.enter_context(adapter(made, tmp_path / "two"))
        first.process.send_signal(signal.SIGSTOP)
        second.wait_for("started", timeout_s=60)
        users.create("bob")
        wait_until(lambda: sink.events)
        users.create("carol")
        first.process.send_signal(signal.SIGCONT)
        assert first.wait(20) == 1
        wait_until(lambda: len(sink.events) >= 2)
        sweeps = second.actions().count("sweep_done")
        second.wait_for("sweep_done", sweeps + 3)
        assert second.terminate() == 0
    assert sorted(told(sink)) == [("created", "bob"), ("created", "carol")]
    assert "error: " in first.err
    assert "Traceback" not in first.err


def test_adapters_that_come_and_go_as_a_rollout_does_tell_everything_once(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    """ECS starts the next task while the one before is stopping."""
    made = environment(aws, users, sink)
    before: Adapter | None = None
    with ExitStack() as stack:
        for number in range(3):
            running = stack.enter_context(adapter(made, tmp_path / str(number)))
            if before is not None:
                users.create(f"user-{number}")
                assert before.terminate() == 0
            running.wait_for("started")
            running.wait_for("sweep_done")
            before = running
        wait_until(lambda: len(sink.events) >= 2)
    assert sorted(told(sink)) == [("created", "user-1"), ("created", "user-2")]


def test_a_table_that_does_not_exist_is_a_clear_line(aws: EmulatedAws, sink: RecordingSink, tmp_path: Path) -> None:
    users = Users(aws)
    with adapter(environment(aws, users, sink), tmp_path) as running:
        assert running.wait() in {1, 2}
    assert "state" in running.err
    assert "Traceback" not in running.err
