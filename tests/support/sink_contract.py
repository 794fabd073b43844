"""What every sink promises, whatever is behind it: one suite for all of them.

A test module makes a class of it and gives it a fixture `rig`.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence

from msgspec.structs import replace

from adapter.model import Event
from adapter.sinks.base import Delivered, Failed, Outcome, Sink
from tests.support.delivery import make_event

CANARY = "canary@example.com"


class SinkRig(ABC):
    """A sink, and what is behind it."""

    sink: Sink
    #: The most that an event may have in this sink.
    large_bytes = 200_000

    @abstractmethod
    def received(self) -> list[dict[str, object]]:
        """The events that arrived, as JSON objects with `data`; those of one user in their order."""

    @abstractmethod
    def break_it(self) -> None:
        """From here on nothing can be delivered."""


def as_json(event: Event) -> dict[str, object]:
    """An event the way a consumer sees it."""
    return {**event.attributes, "data": json.loads(event.data)}


def by_id(events: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    return sorted(events, key=lambda event: str(event["id"]))


def with_data(event: Event, data: object) -> Event:
    return replace(event, data=json.dumps(data, ensure_ascii=False).encode())


class SinkContract:
    """The suite."""

    def test_an_event_arrives_with_all_its_attributes_and_its_data(self, rig: SinkRig) -> None:
        event = make_event(changetype="updated", changed="attributes,status")
        (outcome,) = rig.sink.send([event])
        assert isinstance(outcome, Delivered)
        assert rig.received() == [as_json(event)]

    def test_text_of_any_script_arrives_unchanged(self, rig: SinkRig) -> None:
        name = 'Zoë "Ø" 100 % 東京 😀 a\\b'
        data = {"Username": name, "note": "</x>\u2028\ufffe\uffff\u0001\n"}
        event = with_data(make_event(name, partitionkey=name), data)
        (outcome,) = rig.sink.send([event])
        assert isinstance(outcome, Delivered)
        (received,) = rig.received()
        assert received["partitionkey"] == name
        assert received["data"] == data

    def test_a_full_batch_has_one_outcome_for_each_event(self, rig: SinkRig) -> None:
        events = [make_event(f"user-{number}") for number in range(min(rig.sink.max_batch, 25))]
        outcomes = rig.sink.send(events)
        assert [type(outcome) for outcome in outcomes] == [Delivered] * len(events)
        assert by_id(rig.received()) == [as_json(event) for event in events]

    def test_events_of_one_user_stay_in_order(self, rig: SinkRig) -> None:
        events = [make_event("ann") for _ in range(5)]
        for event in events:
            rig.sink.send([event])
        assert [event["id"] for event in rig.received()] == [event.id for event in events]

    def test_many_threads_may_send_at_once(self, rig: SinkRig) -> None:
        events = [make_event(f"user-{number}") for number in range(24)]
        outcomes: list[Outcome] = []

        def send(part: Sequence[Event]) -> None:
            for event in part:
                outcomes.extend(rig.sink.send([event]))

        threads = [threading.Thread(target=send, args=(events[start::4],)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [type(outcome) for outcome in outcomes] == [Delivered] * len(events)
        assert by_id(rig.received()) == [as_json(event) for event in events]

    def test_large_events_arrive_even_when_a_batch_of_them_is_too_large_for_one_request(self, rig: SinkRig) -> None:
        events = [with_data(make_event(f"user-{number}"), "x" * rig.large_bytes) for number in range(3)]
        for start in range(0, 3, rig.sink.max_batch):
            outcomes = rig.sink.send(events[start : start + rig.sink.max_batch])
            assert {type(outcome) for outcome in outcomes} == {Delivered}
        assert by_id(rig.received()) == [as_json(event) for event in events]

    def test_a_sink_that_is_gone_is_a_retryable_failure_that_tells_nothing_about_users(self, rig: SinkRig) -> None:
        rig.break_it()
        events = [with_data(make_event(CANARY), CANARY) for _ in range(min(2, rig.sink.max_batch))]
        outcomes = rig.sink.send(events)
        assert len(outcomes) == len(events)
        for outcome in outcomes:
            assert isinstance(outcome, Failed)
            assert outcome.retryable
            assert outcome.code
            assert "\n" not in outcome.reason
            assert CANARY not in repr(outcome)

    def test_it_says_where_it_sends_to_without_secrets(self, rig: SinkRig) -> None:
        assert rig.sink.target
        assert "secret" not in rig.sink.target
