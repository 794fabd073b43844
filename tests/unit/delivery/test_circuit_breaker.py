"""The circuit breaker, and what it makes of an answer."""

from __future__ import annotations

import pytest

from adapter.delivery.circuit_breaker import REFUSED_FOR_S, CircuitBreaker, CircuitState
from adapter.delivery.verdict import Verdict, judge
from adapter.sinks.aws import entry_failure
from adapter.sinks.base import Delivered, Failed
from adapter.sinks.outcomes import read_answer


def fail(breaker: CircuitBreaker, users: str, verdict: Verdict = Verdict.OUTAGE, *, sent_at: float = 0) -> None:
    for user in users:
        breaker.record(user, verdict, sent_at=sent_at, now=sent_at)


def state(breaker: CircuitBreaker) -> CircuitState:
    return breaker.state


def opened() -> CircuitBreaker:
    breaker = CircuitBreaker(signs=3, probes=2)
    fail(breaker, "abc")
    assert state(breaker) is CircuitState.OPEN
    return breaker


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (202, Verdict.DELIVERED),
        *((status, Verdict.OUTAGE) for status in (429, 502, 503, 504)),
        *((status, Verdict.UNCLEAR) for status in (404, 408, 500, 501, 507)),
        *((status, Verdict.REFUSED) for status in (301, 400, 401, 403, 409, 413, 422)),
    ],
)
def test_a_status_is_about_the_sink_or_about_one_event(status: int, verdict: Verdict) -> None:
    assert judge(read_answer(status, retry_after=None, now_s=0)) is verdict


@pytest.mark.parametrize("code", ["timeout", "connect", "reset", "dns", "tls", "proxy", "io", "ThrottlingException"])
def test_no_answer_and_a_service_that_cannot_are_signs_of_an_outage(code: str) -> None:
    assert judge(Failed(code=code, reason="no", retryable=True)) is Verdict.OUTAGE


def test_an_entry_that_aws_refuses_and_an_exception_in_a_sink_are_about_one_event() -> None:
    assert judge(entry_failure("MalformedDetail")) is Verdict.REFUSED
    assert judge(Failed(code="internal", reason="bug", retryable=True)) is Verdict.UNCLEAR
    assert judge(Failed(code="missing", reason="left out", retryable=True)) is Verdict.UNCLEAR
    assert judge(Delivered()) is Verdict.DELIVERED


def test_signs_of_an_outage_in_a_row_open_it_even_for_a_single_user() -> None:
    breaker = CircuitBreaker(signs=5)
    fail(breaker, "aaaa")
    assert state(breaker) is CircuitState.CLOSED
    fail(breaker, "a")
    assert state(breaker) is CircuitState.OPEN


def test_an_event_that_is_taken_starts_the_count_again() -> None:
    breaker = CircuitBreaker(signs=3)
    for number in range(50):
        breaker.record(f"{number}-a", Verdict.OUTAGE, sent_at=number, now=number)
        breaker.record(f"{number}-b", Verdict.OUTAGE, sent_at=number, now=number)
        assert not breaker.record("fine", Verdict.DELIVERED, sent_at=number, now=number)
    assert breaker.closed


def test_a_refusal_is_no_proof_that_the_sink_works_and_many_in_a_row_are() -> None:
    breaker = CircuitBreaker(signs=3)
    for number in range(2):
        fail(breaker, "a")
        breaker.record(str(number), Verdict.REFUSED, sent_at=0, now=0)
    assert state(breaker) is CircuitState.CLOSED
    fail(breaker, "b")
    assert state(breaker) is CircuitState.OPEN
    for user, closes in [("x", False), ("y", False), ("z", True)]:
        assert breaker.record(user, Verdict.REFUSED, sent_at=0, now=0) is closes
    assert not breaker.has_failed("a")


def test_a_refusal_by_one_more_user_lets_the_next_probe_follow_sooner() -> None:
    breaker = opened()
    breaker.probe_sent(10)
    breaker.record("x", Verdict.REFUSED, sent_at=10, now=10)
    breaker.probe_ended()
    assert breaker.probe_wait_s(10) == 0.5
    breaker.probe_sent(20)
    breaker.record("x", Verdict.REFUSED, sent_at=20, now=20)
    breaker.probe_ended()
    assert breaker.probe_wait_s(20) == 1.5


def test_where_nobody_waits_a_refusal_is_enough() -> None:
    breaker = opened()
    assert not breaker.nobody_waits()
    breaker.record("x", Verdict.REFUSED, sent_at=0, now=0)
    assert breaker.nobody_waits()
    assert breaker.closed


def test_users_who_fail_while_others_are_taken_never_open_it() -> None:
    breaker = CircuitBreaker(signs=3, users=3)
    fail(breaker, "ab")
    breaker.record("fine", Verdict.DELIVERED, sent_at=0, now=0)
    for second in range(1000):
        fail(breaker, "ab", sent_at=second)
    assert breaker.closed


def test_a_user_who_was_refused_counts_again_once_its_event_was_taken_or_time_has_passed() -> None:
    breaker = CircuitBreaker(signs=1)
    breaker.record("a", Verdict.REFUSED, sent_at=0, now=0)
    fail(breaker, "a", sent_at=1)
    assert state(breaker) is CircuitState.CLOSED
    breaker.record("a", Verdict.DELIVERED, sent_at=2, now=2)
    fail(breaker, "a", sent_at=3)
    assert state(breaker) is CircuitState.OPEN
    breaker.record("b", Verdict.REFUSED, sent_at=4, now=4)
    fail(breaker, "b", sent_at=5 + REFUSED_FOR_S)
    assert state(breaker) is CircuitState.OPEN


def test_a_request_that_hangs_while_the_sink_takes_others_is_no_sign() -> None:
    breaker = CircuitBreaker(signs=3)
    breaker.record("fine", Verdict.DELIVERED, sent_at=1, now=2)
    for user in "abcdef":
        breaker.record(user, Verdict.OUTAGE, sent_at=0, now=30)
    assert breaker.closed
    assert breaker.is_refused("a")


def test_answers_about_single_events_stop_retries_first_and_everything_when_nobody_is_left_to_ask() -> None:
    breaker = CircuitBreaker(users=3, asked=6)
    fail(breaker, "ab" * 50, Verdict.UNCLEAR)
    assert state(breaker) is CircuitState.CLOSED
    fail(breaker, "c", Verdict.UNCLEAR)
    assert state(breaker) is CircuitState.ASKING
    fail(breaker, "de", Verdict.UNCLEAR)
    assert state(breaker) is CircuitState.ASKING
    fail(breaker, "f", Verdict.UNCLEAR)
    assert state(breaker) is CircuitState.OPEN


def test_probes_come_at_one_interval_and_rarer_while_earlier_ones_have_no_answer() -> None:
    breaker = opened()
    assert breaker.probe_wait_s(0) == 1.5
    breaker.probe_sent(1.5)
    assert breaker.probe_wait_s(1.5) == 4
    breaker.probe_sent(5.5)
    assert breaker.probe_wait_s(1000) is None
    breaker.probe_ended()
    breaker.probe_ended()
    assert breaker.probe_wait_s(6) == 1
    fail(breaker, "abcdef", sent_at=6)
    assert breaker.probe_wait_s(7) == 0


def test_a_proof_closes_it_and_there_are_no_probes_any_more() -> None:
    breaker = opened()
    assert breaker.record("z", Verdict.DELIVERED, sent_at=1, now=1)
    assert breaker.closed
    assert breaker.probe_wait_s(100) is None


def test_what_it_remembers_of_refused_users_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapter.delivery.circuit_breaker.REFUSED_MAX", 10)
    breaker = CircuitBreaker()
    for number in range(100):
        breaker.record(str(number), Verdict.REFUSED, sent_at=0, now=0)
    assert [number for number in range(100) if breaker.has_failed(str(number))] == [*range(90, 100)]
