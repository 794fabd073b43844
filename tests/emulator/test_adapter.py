"""The adapter as a process, against an emulated Cognito and an HTTP sink: what it reports, and what it keeps."""

from __future__ import annotations

import itertools
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.aws import EmulatedAws
from tests.emulator.process import Adapter, Users, adapter, probe, settings
from tests.support import ReceivedEvent, RecordingSink, SinkResponse, wait_until


@pytest.fixture
def sink() -> Iterator[RecordingSink]:
    with RecordingSink.start() as running:
        yield running


@pytest.fixture
def users(aws: EmulatedAws) -> Users:
    return Users(aws)


def arrived(sink: RecordingSink, count: int) -> list[ReceivedEvent]:
    """Wait for this many events; more than that are as wrong as fewer."""
    events = wait_until(lambda: sink.events if len(sink.events) >= count else [], what=f"{count} events")
    assert len(events) == count, events
    return events


def told(events: list[ReceivedEvent]) -> list[tuple[str, str]]:
    return [(event["changetype"], event["partitionkey"]) for event in events]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


# -- what TriggerMesh's end-to-end test promises -------------------------------------------------------------------


def test_a_user_created_after_the_start_gives_exactly_one_event(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    users.create("alice", email="alice@example.com")
    users.grow_old()
    with adapter(settings(aws, users.arn, sink.url), tmp_path) as running:
        running.wait_for("baseline_done")
        users.create("bob", email="bob@example.com")
        (event,) = arrived(sink, 1)
        running.wait_for("sweep_done", times=len(running.actions()))
    assert len(sink.events) == 1
    assert event["type"] == "com.amazon.cognito-idp.sync_trigger"
    assert event["source"] == users.arn
    assert event["subject"] == users.pool_id
    assert event.data["Username"] == "bob"
    assert event.data["Attributes"][0] == {"Name": "email", "Value": "bob@example.com"}


# -- what is reported ----------------------------------------------------------------------------------------------


def test_the_life_of_a_user_is_told_in_order(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    with adapter(settings(aws, users.arn, sink.url), tmp_path) as running:
        running.wait_for("baseline_done")
        users.create("bob", email="bob@example.com")
        arrived(sink, 1)
        users.update("bob", email="new@example.com")
        arrived(sink, 2)
        users.enable("bob", on=False)
        arrived(sink, 3)
        users.enable("bob", on=True)
        arrived(sink, 4)
        users.delete("bob")
        events = arrived(sink, 5)
    assert [event["changetype"] for event in events] == ["created", "updated", "updated", "updated", "deleted"]
    assert [event.attributes.get("changed") for event in events] == [None, "attributes", "enabled", "enabled", None]
    assert [event.data["Enabled"] for event in events] == [True, True, False, True, True]
    assert events[-1]["type"] == "com.amazon.cognito-idp.user_deleted"
    assert events[-1].data["Attributes"] == [pair for pair in events[0].data["Attributes"] if pair["Name"] == "sub"]
    assert len({event["id"] for event in events}) == 5


def test_every_user_of_many_pages_is_reported(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    with adapter(settings(aws, users.arn, sink.url), tmp_path) as running:
        running.wait_for("baseline_done")
        for number in range(150):
            users.create(f"user-{number}")
        events = arrived(sink, 150)
    assert {event.data["Username"] for event in events} == {f"user-{number}" for number in range(150)}


def test_a_snapshot_reports_everybody_and_then_changes(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    users.create("alice")
    users.create("bob")
    with adapter(settings(aws, users.arn, sink.url, EVENTS_INITIAL="snapshot"), tmp_path):
        arrived(sink, 2)
        users.create("carol")
        events = arrived(sink, 3)
    assert sorted(told(events)) == [("created", "carol"), ("snapshot", "alice"), ("snapshot", "bob")]


def test_only_listed_attributes_and_all_overrides_are_in_the_events(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    more = {"EVENTS_ATTRIBUTES": "sub", "K_CE_OVERRIDES": '{"extensions":{"team":"crm"}}'}
    with adapter(settings(aws, users.arn, sink.url, **more), tmp_path) as running:
        running.wait_for("baseline_done")
        users.create("bob", email="bob@example.com")
        (event,) = arrived(sink, 1)
    assert event["team"] == "crm"
    assert [pair["Name"] for pair in event.data["Attributes"]] == ["sub"]


@pytest.mark.parametrize("mode", ["structured", "batched"])
def test_other_content_modes_carry_the_same_event(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path, mode: str
) -> None:
    with adapter(settings(aws, users.arn, sink.url, DELIVERY_FORMAT=mode), tmp_path) as running:
        running.wait_for("baseline_done")
        users.create("bob", email="bob@example.com")
        (event,) = arrived(sink, 1)
    assert (event["changetype"], event.data["Username"]) == ("created", "bob")


# -- restarts ------------------------------------------------------------------------------------------------------


def test_what_changed_while_it_was_down_is_reported_and_nothing_twice(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    environment = settings(aws, users.arn, sink.url)
    for name in ("alice", "bob", "carol"):
        users.create(name)
    users.grow_old()
    with adapter(environment, tmp_path) as running:
        running.wait_for("baseline_done")
        assert running.terminate() == 0
    users.update("alice", email="a@example.com")
    users.delete("bob")
    users.create("dave")
    with adapter(environment, tmp_path):
        events = arrived(sink, 3)
    assert sorted(told(events)) == [("created", "dave"), ("deleted", "bob"), ("updated", "alice")]


def test_a_crash_before_the_answer_was_stored_repeats_the_event_with_its_id(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    environment = settings(aws, users.arn, sink.url, DELIVERY_RETRY="0")
    with adapter(environment, tmp_path) as running:
        running.wait_for("baseline_done")
        sink.answer_with(SinkResponse(204, delay_s=5))
        users.create("bob")
        wait_until(lambda: sink.requests or sink.events)
        running.kill()
    sink.answer_with(SinkResponse(204))
    with adapter(environment, tmp_path):
        wait_until(lambda: len(sink.events) >= 2)
    first, second = sink.events[:2]
    assert first.attributes == second.attributes
    assert first.data == second.data


def test_a_user_deleted_after_a_crash_hid_its_event_is_still_reported_as_deleted(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    environment = settings(aws, users.arn, sink.url, DELIVERY_RETRY="0")
    with adapter(environment, tmp_path) as running:
        running.wait_for("baseline_done")
        sink.answer_with(SinkResponse(204, delay_s=5))
        users.create("bob")
        wait_until(lambda: sink.requests)
        running.kill()
    users.delete("bob")
    sink.answer_with(SinkResponse(204))
    with adapter(environment, tmp_path):
        wait_until(lambda: told(sink.events)[-1:] == [("deleted", "bob")])


def test_a_baseline_is_not_begun_again(aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path) -> None:
    environment = settings(aws, users.arn, sink.url)
    for _ in range(2):
        with adapter(environment, tmp_path) as running:
            running.wait_for("sweep_done")
            assert running.terminate() == 0
    assert sum("baseline_started" in path.read_text() for path in tmp_path.glob("*.err")) == 1


# -- run --once ----------------------------------------------------------------------------------------------------


def test_run_once_tells_everything_and_ends(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    environment = settings(aws, users.arn, sink.url)
    with adapter(environment, tmp_path, "run", "--once") as running:
        assert running.wait() == 0
    users.create("alice")
    users.create("bob")
    with adapter(environment, tmp_path, "run", "--once") as running:
        assert running.wait() == 0, running.err
    users.delete("alice")
    users.delete("bob")
    with adapter(environment, tmp_path, "run", "--once") as running:
        assert running.wait() == 0
    assert sorted(told(sink.events)) == [
        ("created", "alice"),
        ("created", "bob"),
        ("deleted", "alice"),
        ("deleted", "bob"),
    ]


def test_run_once_says_by_its_exit_code_that_something_is_untold(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    environment = settings(aws, users.arn, sink.url, EVENTS_INITIAL="snapshot", DELIVERY_RETRY="0")
    users.create("bob")
    sink.fail(400)
    with adapter(environment, tmp_path, "run", "--once") as running:
        assert running.wait() == 1
    with adapter(environment, tmp_path, "run", "--once") as running:
        assert running.wait() == 0
    assert told(sink.events) == [("snapshot", "bob")]


def test_run_once_reports_who_took_a_deleted_users_name(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    environment = settings(aws, users.arn, sink.url)
    users.create("bob", email="old@example.com")
    users.grow_old()
    with adapter(environment, tmp_path, "run", "--once") as running:
        assert running.wait() == 0
    users.delete("bob")
    users.create("bob", email="new@example.com")
    with adapter(environment, tmp_path, "run", "--once") as running:
        assert running.wait() == 0, running.err
    assert told(sink.events) == [("deleted", "bob"), ("created", "bob")]


# -- deletions -----------------------------------------------------------------------------------------------------


def test_deletions_can_be_turned_off(aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path) -> None:
    users.create("bob")
    users.grow_old()
    with adapter(settings(aws, users.arn, sink.url, EVENTS_DELETED="false"), tmp_path) as running:
        running.wait_for("baseline_done")
        users.delete("bob")
        running.wait_for("deletions_released")
        users.create("bob")
        events = arrived(sink, 1)
    assert told(events) == [("created", "bob")]


def test_a_pool_that_suddenly_looks_empty_is_not_believed_at_once(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    names = [f"user-{number}" for number in range(5)]
    for name in names:
        users.create(name)
    users.grow_old()
    with adapter(settings(aws, users.arn, sink.url), tmp_path) as running:
        running.wait_for("baseline_done")
        for name in names:
            users.delete(name)
        arrived(sink, 5)
        held = running.wait_for("deletions_held")
        running.wait_for("deletions_released")
    assert held[0]["severity"] == "WARNING"
    assert {name for _, name in told(sink.events)} == set(names)


# -- health, stopping, logs ----------------------------------------------------------------------------------------


def test_health_is_503_until_the_first_poll_succeeds(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    port = free_port()
    environment = settings(aws, users.arn, sink.url, HEALTH_ADDRESS=f"127.0.0.1:{port}")
    aws.enforce_iam(on=True)
    try:
        with adapter(
            {**environment, "AWS_ACCESS_KEY_ID": "AKIAWRONG", "AWS_SECRET_ACCESS_KEY": "x"}, tmp_path
        ) as running:
            running.wait_for("sweep_failed")
            assert probe(port, "/health") == (503, None)
            status, body = probe(port, "/ready")
            assert (status, len(body["reasons"])) == (503, 2)
            assert probe(port, "/live") == (204, None)
    finally:
        aws.enforce_iam(on=False)
    with adapter(environment, tmp_path) as running:
        running.wait_for("sweep_done")
        for method in ("GET", "HEAD", "POST", "BREW"):
            assert probe(port, "/health", method) == (204, None)
        assert probe(port, "/ready") == (204, None)
        assert probe(port, "/elsewhere")[0] == 404


def test_sigterm_ends_it_with_exit_code_0_without_waiting_for_the_sink(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    with adapter(settings(aws, users.arn, sink.url), tmp_path) as running:
        running.wait_for("baseline_done")
        sink.answer_with(SinkResponse(204, delay_s=120))
        users.create("bob")
        wait_until(lambda: sink.requests)
        assert running.terminate() == 0  # long before the sink answers
        assert running.actions()[-1] == "stopped"


def test_no_attribute_or_username_is_in_the_logs(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    canary = "canary-7f3a"
    with adapter(settings(aws, users.arn, sink.url, DELIVERY_RETRY="0"), tmp_path) as running:
        running.wait_for("baseline_done")
        sink.fail(400, times=3)
        users.create(canary, email=f"{canary}@example.com", name=canary)
        arrived(sink, 1)
        users.delete(canary)
        arrived(sink, 2)
        running.terminate()
    assert {"undelivered", "delivered", "stopped"} <= set(running.actions())
    assert canary not in running.err + running.out


def test_every_log_line_is_one_json_object_with_an_action(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    with adapter(settings(aws, users.arn, sink.url), tmp_path) as running:
        running.wait_for("baseline_done")
        running.terminate()
    assert len(running.logs) == len(running.err.splitlines())
    assert all({"timestamp", "severity", "message", "action"} <= set(line) for line in running.logs)
    stamps = [line["timestamp"] for line in running.logs]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp) for stamp in stamps)
    assert all(before <= after for before, after in itertools.pairwise(stamps))


def test_two_adapters_on_one_state_take_turns(
    aws: EmulatedAws, users: Users, sink: RecordingSink, tmp_path: Path
) -> None:
    environment = settings(aws, users.arn, sink.url)

    def names(running: Adapter) -> list[str]:
        return running.actions()

    with adapter(environment, tmp_path) as first:
        first.wait_for("baseline_done")
        with adapter(environment, tmp_path) as second:
            users.create("bob")
            arrived(sink, 1)
            assert "started" not in names(second)
            first.terminate()
            second.wait_for("started")
            users.create("carol")
            events = arrived(sink, 2)
    assert told(events) == [("created", "bob"), ("created", "carol")]
