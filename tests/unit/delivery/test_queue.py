"""What is sent next: the delivery's rules without threads, on a clock that the tests turn."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from adapter.delivery.circuit_breaker import CircuitBreaker
from adapter.delivery.dead_letter import dead_letter_event
from adapter.delivery.queue import Agenda, Limits, Result, Status
from adapter.delivery.retry import RetryPolicy
from adapter.delivery.route import Batching, Route, Work
from adapter.model import Event
from adapter.sinks.base import Failed, Outcome
from adapter.sinks.outcomes import read_answer
from tests.support.delivery import DOWN, OK, REFUSED, make_event

STOPPED = Failed(code="closed", reason="stopped", retryable=True)


def bury(event: Event, failure: Failed) -> Event:
    return dead_letter_event(event, failure, "fake:")


def agenda(
    *, size: int = 1, seconds: float = 0, signs: int = 100, dead: bool = False, retry: int = 2, capacity: int = 1000
) -> Agenda:
    """`signs` of an outage in a row open the breaker."""
    batching = Batching(size, seconds)
    return Agenda(
        RetryPolicy(retry=retry, backoff_delay_s=1),
        Route(batching, CircuitBreaker(signs=signs, users=signs)),
        Route(batching, CircuitBreaker(), dead=True) if dead else None,
        limits=Limits(capacity=capacity),
        bury=bury if dead else None,
    )


def take(agenda: Agenda, now: float = 0) -> Work:
    """What is to be sent now: something, the test says."""
    work = agenda.take(now)
    assert work is not None
    return work


def results(agenda: Agenda) -> dict[str, Status]:
    """What became of whose event."""
    return {result.event.key: result.status for result in agenda.collect()}


def send(agenda: Agenda, outcome: Outcome, now: float) -> list[str]:
    """Send what can be sent now, all with the same outcome; the ids."""
    sent = []
    while work := agenda.take(now):
        sent += [job.sent.id for job in work.jobs]
        agenda.settle(work, [outcome] * len(work.jobs), now)
    return sent


def test_events_of_one_user_go_one_after_the_other() -> None:
    subject = agenda()
    deleted, created = make_event(), make_event()
    subject.add(deleted, 0)
    subject.add(created, 0)
    work = subject.take(0)
    assert work is not None
    assert work.jobs[0].event is deleted
    assert subject.take(0) is None
    subject.settle(work, [OK], 0)
    following = subject.take(0)
    assert following is not None
    assert following.jobs[0].event is created


def test_an_event_that_waits_for_its_retry_holds_back_its_user_only() -> None:
    subject = agenda()
    first, second, other = make_event("ann"), make_event("ann"), make_event("bob")
    for event in (first, second, other):
        subject.add(event, 0)
    work = subject.take(0)
    assert work is not None
    subject.settle(work, [DOWN], 0)
    assert send(subject, OK, 0) == [other.id]
    assert subject.wait_s(0) == 1
    assert send(subject, OK, 1) == [first.id, second.id]


def test_the_attempts_of_an_event_follow_the_policy_and_then_it_is_undelivered() -> None:
    subject = agenda()
    event = make_event()
    subject.add(event, 0)
    times = []
    for now in range(10):
        times += [now] * len(send(subject, DOWN, now))
    assert times == [0, 1, 3]
    assert subject.collect() == [
        Result(event=event, status=Status.UNDELIVERED, failure=DOWN, latency_s=3, attempts=3, code="503")
    ]


def test_retry_after_postpones_the_retry() -> None:
    subject = agenda()
    subject.add(make_event(), 0)
    send(subject, Failed(code="429", reason="slow down", retryable=True, retry_after_s=20), 0)
    assert send(subject, OK, 19.9) == []
    assert len(send(subject, OK, 20)) == 1


def test_what_is_not_retryable_is_undelivered_at_once() -> None:
    subject = agenda()
    subject.add(make_event(), 0)
    assert len(send(subject, REFUSED, 0)) == 1
    assert [result.failure for result in subject.collect()] == [REFUSED]


def test_after_an_undelivered_event_the_later_ones_of_its_user_are_given_back_unsent() -> None:
    subject = agenda()
    deleted, created = make_event(), make_event()
    subject.add(deleted, 0)
    subject.add(created, 0)
    assert send(subject, REFUSED, 0) == [deleted.id]
    results = subject.collect()
    assert [result.event.id for result in results] == [deleted.id, created.id]
    assert {result.status for result in results} == {Status.UNDELIVERED}
    assert results[1].failure is not None
    assert results[1].failure.code == "order"


def test_a_batch_is_sent_when_it_is_full() -> None:
    subject = agenda(size=3, seconds=10)
    events = [make_event(str(number)) for number in range(5)]
    for event in events:
        subject.add(event, 0)
    assert send(subject, OK, 0) == [event.id for event in events[:3]]
    assert subject.wait_s(4) == 6
    assert send(subject, OK, 10) == [event.id for event in events[3:]]


def test_a_batch_never_holds_two_events_of_one_user() -> None:
    subject = agenda(size=10)
    for key in "aabbcc":
        subject.add(make_event(key), 0)
    work = subject.take(0)
    assert work is not None
    assert sorted(job.event.key for job in work.jobs) == ["a", "b", "c"]


def test_a_refused_batch_is_sent_again_one_by_one_so_that_one_bad_event_spoils_no_other() -> None:
    subject = agenda(size=3)
    events = [make_event(str(number)) for number in range(3)]
    for event in events:
        subject.add(event, 0)
    bad = Failed(code="400", reason="the sink answered 400", retryable=False, shared=True)
    work = subject.take(0)
    assert work is not None
    subject.settle(work, [bad] * 3, 0)
    while single := subject.take(0):
        assert len(single.jobs) == 1
        subject.settle(single, [bad if single.jobs[0].event is events[1] else OK], 0)
    status = {result.event.id: result.status for result in subject.collect()}
    assert [status[event.id] for event in events] == [Status.DELIVERED, Status.UNDELIVERED, Status.DELIVERED]


def test_a_dead_letter_counts_only_when_its_sink_took_it() -> None:
    subject = agenda(dead=True)
    event = make_event()
    subject.add(event, 0)
    work = subject.take(0)
    assert work is not None
    subject.settle(work, [REFUSED], 0)
    assert subject.collect() == []
    letter = subject.take(0)
    assert letter is not None
    assert letter.dead
    assert letter.jobs[0].sent.attributes["knativeerrorcode"] == "403"
    subject.settle(letter, [OK], 0)
    assert subject.collect() == [
        Result(event=event, status=Status.DEAD_LETTERED, failure=REFUSED, attempts=2, code="403")
    ]


def test_a_dead_letter_is_retried_like_an_event_and_then_undelivered() -> None:
    subject = agenda(dead=True)
    subject.add(make_event(), 0)
    work = subject.take(0)
    assert work is not None
    subject.settle(work, [REFUSED], 0)
    attempts = sum(len(send(subject, DOWN, now)) for now in range(10))
    assert attempts == 3
    (result,) = subject.collect()
    assert result.status is Status.UNDELIVERED
    assert result.failure is not None
    assert "dead-letter sink" in result.failure.reason


def test_the_next_event_of_a_user_waits_for_the_dead_letter_of_the_first() -> None:
    subject = agenda(dead=True)
    subject.add(make_event(), 0)
    subject.add(make_event(), 0)
    work = subject.take(0)
    assert work is not None
    subject.settle(work, [REFUSED], 0)
    letter = subject.take(0)
    assert letter is not None
    assert subject.take(0) is None
    subject.settle(letter, [OK], 0)
    assert send(subject, OK, 0) != []
    assert [result.status for result in subject.collect()] == [Status.DEAD_LETTERED, Status.DELIVERED]


def test_when_the_sink_is_down_single_probes_go_and_the_queue_stays() -> None:
    subject = agenda(signs=3)
    for number in range(20):
        subject.add(make_event(str(number)), 0)
    assert len(send(subject, DOWN, 0)) == 3
    assert subject.is_down()
    sent = {now: len(send(subject, DOWN, now)) for now in (0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5)}
    assert {now: count for now, count in sent.items() if count} == {1.5: 1, 3: 1, 4.5: 1}
    assert subject.collect() == []


def test_a_probe_uses_up_nobodys_attempts() -> None:
    subject = agenda(signs=2, retry=2)
    subject.add(make_event("ann"), 0)
    sent = sum(len(send(subject, DOWN, now)) for now in range(0, 600, 2))
    assert sent > 100
    assert subject.collect() == []
    send(subject, OK, 602)
    assert results(subject) == {"ann": Status.DELIVERED}


def test_a_probe_is_the_newest_event_of_a_user_who_has_not_failed() -> None:
    subject = agenda(signs=3)
    for number in range(10):
        subject.add(make_event(str(number)), 0)
    send(subject, DOWN, 0)
    subject.add(make_event("new"), 1)
    probe = take(subject, 1.5)
    assert probe.probe
    assert [job.event.key for job in probe.jobs] == ["new"]


def test_where_everybody_failed_a_probe_is_of_a_user_who_did_so_with_the_others() -> None:
    subject = agenda(signs=3, retry=100)
    subject.add(make_event("refused"), 0)
    subject.settle(take(subject), [DOWN], 0)
    subject.add(make_event("fine"), 0)
    subject.settle(take(subject), [OK], 0)
    for key in "abc":
        subject.add(make_event(key), 0.5)
        subject.settle(take(subject, 0.5), [DOWN], 0.6)
    assert subject.is_down()
    probes = []
    for now in (3, 5, 7):
        work = take(subject, now)
        probes.append(work.jobs[0].event.key)
        subject.settle(work, [DOWN], now)
    assert sorted(probes) == ["a", "b", "c"]


def test_a_hanging_probe_does_not_keep_the_next_from_finding_the_sink_back() -> None:
    subject = Agenda(RetryPolicy(), Route(Batching(), CircuitBreaker(signs=3, probes=7)))
    for number in range(20):
        subject.add(make_event(str(number)), 0)
    send(subject, DOWN, 0)
    hanging = take(subject, 1.5)
    assert subject.take(5) is None
    following = take(subject, 5.5)
    assert subject.settle(following, [OK], 5.5)
    assert len(send(subject, OK, 5.5)) == 18
    subject.settle(hanging, [DOWN], 31.5)
    assert not subject.is_down()


def test_answers_about_single_events_let_everybody_be_asked_once_before_it_is_an_outage() -> None:
    subject = agenda(signs=5)
    for number in range(50):
        subject.add(make_event(str(number)), 0)
    error = Failed(code="500", reason="the sink answered 500", retryable=True)
    assert len(send(subject, error, 0)) == 50
    assert subject.is_down()
    assert [len(send(subject, error, now)) for now in (1, 1.5, 2, 3)] == [0, 1, 0, 1]
    subject.add(make_event("healthy"), 3.1)
    assert len(send(subject, OK, 3.1)) == 1 + 50
    assert not subject.is_down()


def test_one_failed_batch_is_no_outage() -> None:
    subject = agenda(size=10, signs=3)
    for number in range(50):
        subject.add(make_event(str(number)), 0)
    for _ in range(2):
        assert not subject.settle(take(subject), [DOWN] * 10, 0)
    assert subject.settle(take(subject), [DOWN] * 10, 0)
    assert subject.is_down()


def test_a_batch_with_one_success_shows_the_sink_alive() -> None:
    subject = agenda(size=2, signs=2)
    for number in range(20):
        subject.add(make_event(str(number)), 0)
    for _ in range(10):
        assert not subject.settle(take(subject), [DOWN, OK], 0)
    assert not subject.is_down()


@pytest.mark.parametrize("code", ["400", "404", "408", "409", "500"])
def test_one_refused_event_takes_none_of_its_batch_with_it(code: str) -> None:
    subject = agenda(size=10)
    for number in range(10):
        subject.add(make_event(str(number)), 0)
    answer = read_answer(int(code), retry_after=None, now_s=0)
    for now in range(10):
        while work := subject.take(now):
            refused = any(job.event.key == "3" for job in work.jobs)
            subject.settle(work, [answer if refused else OK] * len(work.jobs), now)
    ends = results(subject)
    assert ends.pop("3") is Status.UNDELIVERED
    assert set(ends.values()) == {Status.DELIVERED}
    assert len(ends) == 9


@pytest.mark.parametrize("code", ["503", "timeout"])
def test_an_event_is_not_given_up_for_the_company_that_it_was_in(code: str) -> None:
    subject = agenda(size=10)
    for number in range(10):
        subject.add(make_event(str(number)), 0)
    answer = Failed(code=code, reason="no", retryable=True)
    for now in range(20):
        while work := subject.take(now):
            refused = any(job.event.key == "3" for job in work.jobs)
            subject.settle(work, [answer if refused else OK] * len(work.jobs), now)
    ends = results(subject)
    assert ends.pop("3") is Status.UNDELIVERED
    assert set(ends.values()) == {Status.DELIVERED}


def test_delivery_resumes_by_itself_when_a_probe_gets_through() -> None:
    subject = agenda(signs=3)
    for number in range(20):
        subject.add(make_event(str(number)), 0)
    send(subject, DOWN, 0)
    assert len(send(subject, OK, 1.5)) == 20
    assert not subject.is_down()
    assert set(results(subject).values()) == {Status.DELIVERED}


def test_users_who_fail_leave_workers_to_the_others() -> None:
    subject = agenda(retry=100)
    for number in range(20):
        subject.add(make_event(f"bad-{number}"), 0)
    send(subject, Failed(code="404", reason="no", retryable=True), 0)
    subject.add(make_event("fine"), 0)
    send(subject, OK, 0)
    hanging = [work for _ in range(20) if (work := subject.take(1)) is not None]
    assert len(hanging) == Limits().aside
    assert subject.wait_s(1) is None
    subject.add(make_event("healthy"), 1)
    assert take(subject, 1).jobs[0].event.key == "healthy"


def test_users_who_fail_leave_places_to_the_others() -> None:
    subject = agenda(retry=100, capacity=10)
    subject.add(make_event("fine"), 0)
    send(subject, OK, 0)
    for number in range(10):
        subject.add(make_event(f"bad-{number}"), 0)
    send(subject, DOWN, 0)
    more = [make_event(f"more-{number}") for number in range(5)]
    for event in more:
        assert subject.has_room(event)
        subject.add(event, 0)
    send(subject, DOWN, 0)
    subject.collect()
    assert subject.has_room(make_event("healthy"))
    subject.add(more[0], 0)
    (result,) = subject.collect()
    assert result.failure is not None
    assert (result.status, result.failure.code) == (Status.UNDELIVERED, "deferred")


def test_a_dead_letter_sink_that_is_down_gets_single_probes_and_holds_nobody() -> None:
    subject = agenda(dead=True)
    for number in range(100):
        subject.add(make_event(str(number)), 0)
    letters = 0
    while work := subject.take(0):
        letters += work.dead
        subject.settle(work, [DOWN if work.dead else REFUSED] * len(work.jobs), 0)
    assert letters == 5
    assert not subject.is_down()
    assert subject.is_down(dead=True)
    send(subject, DOWN, 1)
    ends = results(subject)
    assert len(ends) >= 95
    assert set(ends.values()) == {Status.UNDELIVERED}
    subject.add(make_event("next"), 10)
    work = take(subject, 10)
    subject.settle(work, [REFUSED], 10)
    assert send(subject, OK, 10) != []
    assert not subject.is_down(dead=True)
    assert results(subject)["next"] is Status.DEAD_LETTERED


def test_an_event_counts_until_its_result_is_collected() -> None:
    subject = agenda()
    subject.add(make_event("ann"), 0)
    send(subject, OK, 0)
    assert subject.uncollected == 1
    subject.collect()
    assert subject.uncollected == 0


def test_closing_gives_back_what_waits_and_retries_nothing() -> None:
    subject = agenda(dead=True)
    for key in ("ann", "ann", "bob"):
        subject.add(make_event(key), 0)
    work = subject.take(0)
    assert work is not None
    subject.close(STOPPED, 0)
    assert len(subject.collect()) == 2
    subject.settle(work, [DOWN], 0)
    assert [result.failure for result in subject.collect()] == [DOWN]
    assert subject.unresolved == 0


def test_an_answer_after_the_end_changes_nothing() -> None:
    subject = agenda()
    subject.add(make_event(), 0)
    work = subject.take(0)
    assert work is not None
    subject.abandon(STOPPED, 0)
    assert [result.status for result in subject.collect()] == [Status.UNDELIVERED]
    subject.settle(work, [OK], 0)
    assert subject.collect() == []


class AnyQueueHistory(RuleBasedStateMachine):
    """Whatever happens in whatever order: each event ends once, users keep their order and never overlap."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.subject = agenda(size=3, seconds=1, signs=4, dead=True, capacity=4)
        self.under_way: list[Work] = []
        self.submitted: dict[str, list[str]] = defaultdict(list)
        self.results: dict[str, Result] = {}
        self.last_sent: dict[str, str] = {}

    @rule(key=st.sampled_from("abcdef"))
    def submit(self, key: str) -> None:
        event = make_event(key)
        self.submitted[key].append(event.id)
        self.subject.add(event, self.now)

    @rule()
    def take(self) -> None:
        work = self.subject.take(self.now)
        if work is None:
            wait_s = self.subject.wait_s(self.now)
            assert wait_s is None or wait_s > 0
            return
        assert 1 <= len(work.jobs) <= 3
        busy = [job.event.key for other in self.under_way for job in other.jobs]
        keys = [job.event.key for job in work.jobs]
        assert len({*busy, *keys}) == len(busy) + len(keys)
        for job in work.jobs:
            assert job.event.id not in self.results
            assert self.last_sent.get(job.event.key, "") <= job.event.id
            self.last_sent[job.event.key] = job.event.id
        self.under_way.append(work)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        work = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        shared = Failed(code="400", reason="bad", retryable=False, shared=True)
        outcomes: st.SearchStrategy[Outcome] = st.sampled_from((OK, DOWN, REFUSED, shared))
        self.subject.settle(work, [data.draw(outcomes) for _ in work.jobs], self.now)

    @precondition(lambda self: self.under_way)
    @rule()
    def lose_the_lease(self) -> None:
        self.subject.release(self.under_way.pop(), STOPPED, self.now)

    @rule(seconds=st.sampled_from([0.1, 1.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def collect(self) -> None:
        for result in self.subject.collect():
            assert result.event.id not in self.results
            self.results[result.event.id] = result

    @invariant()
    def nothing_is_lost(self) -> None:
        total = sum(len(ids) for ids in self.submitted.values())
        assert self.subject.uncollected == total - len(self.results)

    def teardown(self) -> None:
        """With a sink that works again everything ends, and the users' events that arrived did so in order."""
        while self.under_way:
            work = self.under_way.pop()
            self.subject.settle(work, [OK] * len(work.jobs), self.now)
        while self.subject.unresolved:
            self.now += 1
            send(self.subject, OK, self.now)
        self.collect()
        assert set(self.results) == {event_id for ids in self.submitted.values() for event_id in ids}
        assert self.subject.uncollected == 0


AnyQueueHistory.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAnyHistory = AnyQueueHistory.TestCase
