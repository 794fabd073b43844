"""The dispatcher: the same rules with real threads."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from adapter.delivery import Batching, CircuitBreaker, Delivery, Result, RetryPolicy, Status
from adapter.model import Event
from adapter.sinks.base import Outcome
from tests.support.delivery import DOWN, OK, REFUSED, FakeSink, make_event

FAST = RetryPolicy(retry=3, backoff_delay_s=0.002)
DEADLINE_S = 20


@contextmanager
def delivering(sink: FakeSink, policy: RetryPolicy = FAST, **options: Any) -> Iterator[Delivery]:
    delivery = Delivery(sink, policy, **options)
    try:
        yield delivery
    finally:
        sink.gate.set()
        delivery.close(5)


def collect_all(delivery: Delivery) -> list[Result]:
    results: list[Result] = []
    deadline = time.monotonic() + DEADLINE_S
    while delivery.in_flight:
        assert time.monotonic() < deadline
        results += delivery.collect(1)
    return results


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_every_event_is_delivered_once_and_in_the_order_of_its_user() -> None:
    sink = FakeSink()
    with delivering(sink, capacity=50) as delivery:
        events = [make_event(f"user-{number % 7}") for number in range(500)]
        for event in events:
            assert delivery.submit(event)
        results = collect_all(delivery)
    assert len(results) == 500
    assert {result.status for result in results} == {Status.DELIVERED}
    assert not sink.keys_together
    order: dict[str, list[str]] = defaultdict(list)
    for event in sink.events:
        order[event.key].append(event.id)
    assert all(ids == sorted(ids) for ids in order.values())
    assert sum(map(len, order.values())) == 500


def test_a_sink_that_fails_now_and_then_gets_everything_in_the_end() -> None:
    lock, calls = threading.Lock(), iter(range(1_000_000))

    def answer(_: Event) -> Outcome:
        with lock:
            return DOWN if next(calls) % 5 == 0 else OK

    sink = FakeSink(answer)
    with delivering(sink, RetryPolicy(retry=50, backoff_delay_s=0.0)) as delivery:
        for number in range(300):
            delivery.submit(make_event(f"user-{number % 40}"))
        results = collect_all(delivery)
    assert len(results) == 300
    assert {result.status for result in results} == {Status.DELIVERED}
    assert max(result.attempts for result in results) > 1
    assert not sink.keys_together


def test_no_more_sends_are_under_way_than_asked_for() -> None:
    sink = FakeSink()
    sink.gate.clear()
    with delivering(sink, concurrency=3) as delivery:
        for number in range(20):
            delivery.submit(make_event(str(number)))
        for _ in range(3):
            assert sink.arrived.acquire(timeout=DEADLINE_S)
        assert not sink.arrived.acquire(timeout=0.05)
        sink.gate.set()
        collect_all(delivery)
    assert sink.most_at_once == 3


def test_a_retry_does_not_keep_a_worker_from_sending_others() -> None:
    sink = FakeSink(lambda event: DOWN if event.key == "slow" else OK)
    policy = RetryPolicy(retry=3, backoff_delay_s=60)
    with delivering(sink, policy, concurrency=1) as delivery:
        delivery.submit(make_event("slow"))
        for number in range(20):
            delivery.submit(make_event(str(number)))
        wait_until(lambda: len(sink.sent) == 21)
        assert delivery.in_flight >= 1


def test_a_retry_is_sent_although_another_worker_is_stuck() -> None:
    attempts: list[str] = []

    def answer(event: Event) -> Outcome:
        attempts.append(event.key)
        return DOWN if attempts.count(event.key) == 1 else OK

    class Sink(FakeSink):
        def send(self, events: Sequence[Event]) -> Sequence[Outcome]:
            if events[0].key != "stuck":
                return [self.answer(event) for event in events]
            return super().send(events)

    sink = Sink(answer)
    sink.gate.clear()
    with delivering(sink, concurrency=2) as delivery:
        delivery.submit(make_event("ann"))
        delivery.submit(make_event("stuck"))
        wait_until(lambda: attempts.count("ann") == 2)


def test_submit_waits_while_the_queue_is_full() -> None:
    sink = FakeSink()
    sink.gate.clear()
    with delivering(sink, capacity=2, concurrency=1) as delivery:
        assert delivery.submit(make_event("a"))
        assert delivery.submit(make_event("b"))
        assert not delivery.submit(make_event("c"), timeout_s=0.02)
        accepted: list[bool] = []
        waiting = threading.Thread(target=lambda: accepted.append(delivery.submit(make_event("c"))))
        waiting.start()
        assert accepted == []
        sink.gate.set()
        waiting.join(DEADLINE_S)
        assert accepted == [True]
        assert len(collect_all(delivery)) == 3


def test_close_ends_a_submit_that_waits() -> None:
    sink = FakeSink()
    sink.gate.clear()
    with delivering(sink, capacity=1, concurrency=1) as delivery:
        delivery.submit(make_event("a"))
        accepted: list[bool] = []
        waiting = threading.Thread(target=lambda: accepted.append(delivery.submit(make_event("b"))))
        waiting.start()
        delivery.close(0.05)
        waiting.join(DEADLINE_S)
        assert accepted == [False]
        assert not delivery.submit(make_event("c"))


def test_close_lets_a_send_finish_and_gives_back_the_rest() -> None:
    sink = FakeSink()
    sink.gate.clear()
    delivery = Delivery(sink, FAST, concurrency=1)
    for number in range(5):
        delivery.submit(make_event(str(number)))
    assert sink.arrived.acquire(timeout=DEADLINE_S)
    threading.Timer(0.05, sink.gate.set).start()
    delivery.close(DEADLINE_S)
    results = delivery.collect()
    assert sorted(result.status for result in results) == [Status.DELIVERED] + [Status.UNDELIVERED] * 4
    assert delivery.in_flight == 0


def test_close_keeps_its_time_when_the_sink_hangs_and_the_late_answer_counts_no_more() -> None:
    sink = FakeSink()
    sink.gate.clear()
    delivery = Delivery(sink, FAST, concurrency=2)
    for number in range(5):
        delivery.submit(make_event(str(number)))
    assert sink.arrived.acquire(timeout=DEADLINE_S)
    began = time.monotonic()
    delivery.close(0.2)
    assert time.monotonic() - began < DEADLINE_S
    assert [result.status for result in delivery.collect()] == [Status.UNDELIVERED] * 5
    sink.gate.set()
    assert delivery.collect(0.05) == []


def test_closing_twice_is_no_mistake() -> None:
    delivery = Delivery(FakeSink(), FAST)
    delivery.close(1)
    delivery.close(1)
    assert delivery.collect(1) == []


def test_nothing_is_sent_by_an_adapter_that_lost_its_state() -> None:
    sink = FakeSink()
    with delivering(sink, held=lambda: False) as delivery:
        for number in range(30):
            delivery.submit(make_event(str(number)))
        results = collect_all(delivery)
    assert sink.sent == []
    assert [result.failure.code for result in results if result.failure] == ["not_held"] * 30
    assert {result.status for result in results} == {Status.UNDELIVERED}


def test_the_lease_is_asked_for_before_every_attempt() -> None:
    held = threading.Event()
    held.set()

    def answer(_: Event) -> Outcome:
        held.clear()
        return DOWN

    sink = FakeSink(answer)
    with delivering(sink, held=held.is_set) as delivery:
        delivery.submit(make_event())
        (result,) = collect_all(delivery)
    assert len(sink.sent) == 1
    assert result.status is Status.UNDELIVERED


def test_it_pauses_while_the_sink_is_down_and_resumes_by_itself() -> None:
    down = threading.Event()
    down.set()
    sink = FakeSink(lambda _: DOWN if down.is_set() else OK)
    breaker = CircuitBreaker(signs=3, probe_s=0.03)
    with delivering(sink, RetryPolicy(retry=1000, backoff_delay_s=0.0), breaker=breaker) as delivery:
        for number in range(40):
            delivery.submit(make_event(str(number)))
        wait_until(lambda: delivery.paused)
        before = len(sink.sent)
        wait_until(lambda: len(sink.sent) >= before + 2)
        assert delivery.in_flight == 40
        down.clear()
        results = collect_all(delivery)
        assert not delivery.paused
    assert len(results) == 40
    assert {result.status for result in results} == {Status.DELIVERED}


def test_dead_letters_go_to_their_own_sink() -> None:
    sink, letters = FakeSink(lambda event: REFUSED if event.key == "bad" else OK), FakeSink()
    with delivering(sink, dead_letter=letters) as delivery:
        for key in ("good", "bad", "fine"):
            delivery.submit(make_event(key))
        results = {result.event.key: result for result in collect_all(delivery)}
    assert {key: result.status for key, result in results.items()} == {
        "good": Status.DELIVERED,
        "bad": Status.DEAD_LETTERED,
        "fine": Status.DELIVERED,
    }
    (letter,) = letters.events
    assert letter.id == results["bad"].event.id
    assert letter.attributes["knativeerrordest"] == "fake:"
    assert "knativeerrordest" not in results["bad"].event.attributes


def test_a_sink_that_raises_loses_neither_the_event_nor_the_worker(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []

    def answer(event: Event) -> Outcome:
        calls.append(event.id)
        if len(calls) == 1:
            raise RuntimeError("ann@example.com")
        return OK

    with delivering(FakeSink(answer), concurrency=1) as delivery:
        delivery.submit(make_event())
        (result,) = collect_all(delivery)
    assert result.status is Status.DELIVERED
    assert "RuntimeError" in caplog.text
    assert "ann@example.com" not in caplog.text


def test_a_sink_that_answers_for_too_few_events_is_not_believed() -> None:
    class Short(FakeSink):
        def send(self, events: Sequence[Event]) -> Sequence[Outcome]:
            super().send(events)
            return []

    with delivering(Short(), RetryPolicy(retry=0)) as delivery:
        delivery.submit(make_event())
        (result,) = collect_all(delivery)
    assert result.status is Status.UNDELIVERED


def test_batches_fill_up_to_what_both_sides_allow() -> None:
    sink = FakeSink(max_batch=10)
    with delivering(sink, concurrency=1, batch=Batching(100, 0.2)) as delivery:
        for number in range(25):
            delivery.submit(make_event(str(number)))
        collect_all(delivery)
    assert [len(batch) for batch in sink.sent] == [10, 10, 5]


def test_collect_comes_back_at_once_when_nothing_is_under_way() -> None:
    with delivering(FakeSink()) as delivery:
        began = time.monotonic()
        assert delivery.collect(DEADLINE_S) == []
        assert time.monotonic() - began < DEADLINE_S
