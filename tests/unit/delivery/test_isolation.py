"""A sink that refuses some users keeps none of the others waiting; one that is down is left alone. In virtual time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from adapter.model import Event
from adapter.sinks.base import Failed
from adapter.sinks.outcomes import read_answer
from tests.support.virtual import Reply, VirtualAdapter, VirtualSink

DOWN = Failed(code="503", reason="the sink answered 503", retryable=True)
NO_CONNECTION = Failed(code="connect", reason="no connection", retryable=True)
REFUSED = Failed(code="400", reason="the sink answered 400", retryable=False)
ERROR = Failed(code="500", reason="the sink answered 500", retryable=True)
TIMEOUT = Reply(Failed(code="timeout", reason="no answer within the time-out", retryable=True), 30)
STATUSES = (400, 404, 408, 409, 500)
#: The largest numbers take seconds each: one of each kind always runs, `make thorough` runs them all.
THOROUGH = pytest.mark.thorough
#: Sign-ups whose events the sink takes, their interval in seconds, and when the first one comes.
HEALTHY, EVERY_S, FIRST_S = 36, 5.0, 10.0
#: From when until when the sink is down.
DOWN_S, BACK_S = 5.0, 605.0
END_S = FIRST_S + HEALTHY * EVERY_S + 10


def refusing(reply: Reply) -> Callable[[Event, float], Reply]:
    return lambda event, _: reply if event.key.startswith("refused") else Reply()


def p99(adapter: VirtualAdapter, sink: VirtualSink) -> float:
    """From sign-up to delivery, in seconds; of so few users it is the worst one."""
    healthy = [name for name in adapter.created if name.startswith("healthy")]
    assert [name for name in healthy if name not in sink.taken] == []
    lags = sorted(sink.taken[name] - adapter.created[name] for name in healthy)
    return lags[int(len(lags) * 0.99)]


def measure(state: Path, refused: int, reply: Reply, *, letters: bool = False, burst: bool = False) -> float:
    """The p99 of healthy users beside `refused` users who sign up at once. `burst`: they all do, in mixed order."""
    sink = VirtualSink(refusing(reply))
    dead_letter = VirtualSink(lambda *_: Reply()) if letters else None
    with VirtualAdapter.start(state, sink, dead_letter) as adapter:
        for number in range(refused):
            adapter.create(f"refused-{number}", at=5)
            if burst and number % (refused // HEALTHY + 1) == 0:
                adapter.create(f"healthy-{number}", at=5)
        for number in range(0 if burst else HEALTHY):
            adapter.create(f"healthy-{number}", at=FIRST_S + number * EVERY_S)
        adapter.run(30 if burst else END_S)
        if dead_letter is not None and not burst:
            assert len(dead_letter.taken) == refused
        return p99(adapter, sink)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> float:
    """The p99 of the healthy users without the others."""
    return measure(tmp_path_factory.mktemp("alone") / "state.db", 0, Reply())


@pytest.mark.parametrize("letters", [False, True], ids=["", "dead-letters"])
@pytest.mark.parametrize(
    ("refused", "status"),
    [
        *((refused, status) for refused in (8, 100) for status in STATUSES),
        *((1000, status) for status in (400, 500)),
        *(pytest.param(1000, status, marks=THOROUGH) for status in (404, 408, 409)),
    ],
)
def test_users_whose_events_are_refused_keep_nobody_else_waiting(
    tmp_path: Path, alone: float, refused: int, status: int, letters: bool
) -> None:
    reply = Reply(read_answer(status, retry_after=None, now_s=0))
    assert measure(tmp_path / "state.db", refused, reply, letters=letters) <= alone + 2


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        *((refused, status) for refused in (8, 100) for status in STATUSES),
        (1000, 409),
        *(pytest.param(1000, status, marks=THOROUGH) for status in (400, 404, 408, 500)),
    ],
)
def test_nor_do_they_when_all_sign_up_in_one_moment(tmp_path: Path, alone: float, refused: int, status: int) -> None:
    reply = Reply(read_answer(status, retry_after=None, now_s=0))
    assert measure(tmp_path / "state.db", refused, reply, burst=True) <= alone + 2


@pytest.mark.parametrize(("refused", "more_s"), [(8, 2), (100, 2), (1000, 5)])
def test_nor_do_users_whose_requests_are_answered_503_but_for_the_first_probe(
    tmp_path: Path, alone: float, refused: int, more_s: float
) -> None:
    assert measure(tmp_path / "state.db", refused, Reply(DOWN)) <= alone + more_s


def test_nor_do_dead_letters_whose_sink_takes_no_notice_of_them(tmp_path: Path, alone: float) -> None:
    sink, dead_letter = VirtualSink(refusing(Reply(REFUSED))), VirtualSink(lambda *_: TIMEOUT)
    with VirtualAdapter.start(tmp_path / "state.db", sink, dead_letter) as adapter:
        for number in range(100):
            adapter.create(f"refused-{number}", at=5)
        for number in range(HEALTHY):
            adapter.create(f"healthy-{number}", at=FIRST_S + number * EVERY_S)
        adapter.run(END_S)
        assert p99(adapter, sink) <= alone + 2
        assert len(dead_letter.requests) <= END_S / 2


def test_users_whose_requests_hang_leave_workers_to_the_others_once_they_are_known(
    tmp_path: Path, alone: float
) -> None:
    sink = VirtualSink(refusing(TIMEOUT))
    with VirtualAdapter.start(tmp_path / "state.db", sink) as adapter:
        for number in range(20):
            adapter.create(f"refused-{number}", at=5)
        adapter.create("healthy", at=6)
        adapter.run(120)
        assert adapter.delivery.agenda.unresolved > 0
        for number in range(20):
            adapter.create(f"healthy-{number}", at=121 + number * 3)
        adapter.run(200)
        lags = [sink.taken[f"healthy-{number}"] - adapter.created[f"healthy-{number}"] for number in range(20)]
        # The first ones come while all workers wait for probes, which end one after the other within 30 s.
        assert max(lags) <= 5
        assert max(lags[10:]) <= alone + 2


@pytest.mark.parametrize("users", [1, 3, 100, pytest.param(2000, marks=THOROUGH)])
@pytest.mark.parametrize("reply", [Reply(DOWN), Reply(NO_CONNECTION), Reply(ERROR)], ids=["503", "connect", "500"])
def test_a_sink_that_is_down_gets_one_request_a_second_at_most_and_everything_soon_after(
    tmp_path: Path, users: int, reply: Reply
) -> None:
    sink = VirtualSink(lambda _, now: reply if DOWN_S <= now < BACK_S else Reply())
    with VirtualAdapter.start(tmp_path / "state.db", sink) as adapter:
        adapter.create("before", at=1)
        for number in range(users):
            adapter.create(f"user-{number}", at=DOWN_S + 0.1)
        adapter.run(BACK_S)
        during = [now for now, _ in sink.requests if now >= DOWN_S]
        # Before it counts as down: a few for signs of an outage; for answers that may be about one event, one a user.
        first = 1000 if reply.outcome is ERROR else 20
        assert len(during) <= (BACK_S - DOWN_S) + min(first, 4 * users)
        steady = [now for now in during if now >= DOWN_S + 60]
        assert len(steady) <= BACK_S - DOWN_S - 60
        assert any("sink" in reason for reason in adapter.health.unready()) or (users < 5 and reply.outcome is ERROR)
        assert not any("poll" in reason for reason in adapter.health.unready())
        adapter.create("after", at=BACK_S + 0.5)
        adapter.run(BACK_S + 30)
        assert [name for name in adapter.created if sink.taken.get(name, BACK_S + 30) > BACK_S + 10] == []
        assert sink.taken["after"] <= BACK_S + 5


def test_a_sink_that_swallows_requests_is_found_back_within_five_seconds(tmp_path: Path) -> None:
    sink = VirtualSink(lambda _, now: TIMEOUT if DOWN_S <= now < BACK_S else Reply())
    with VirtualAdapter.start(tmp_path / "state.db", sink) as adapter:
        for number in range(100):
            adapter.create(f"user-{number}", at=DOWN_S + 0.1)
        paused = []
        for until in (BACK_S, BACK_S + 5):
            adapter.run(until)
            paused.append(adapter.delivery.paused)
        assert paused == [True, False]
        assert len(sink.taken) > 80


@pytest.mark.parametrize("status", [400, 409, *(pytest.param(each, marks=THOROUGH) for each in (401, 413))])
def test_a_gateway_that_refuses_some_users_itself_does_not_hide_that_the_sink_behind_it_is_down(
    tmp_path: Path, status: int
) -> None:
    """It answers 502 to all others: that is an outage, and no reason to give any of their events up."""
    refused = Reply(read_answer(status, retry_after=None, now_s=0))
    gateway = Reply(read_answer(502, retry_after=None, now_s=0))

    def reply(event: Event, now: float) -> Reply:
        if event.key.startswith("refused"):
            return refused
        return gateway if DOWN_S <= now < BACK_S else Reply()

    sink, dead_letter = VirtualSink(reply), VirtualSink(lambda *_: Reply())
    with VirtualAdapter.start(tmp_path / "state.db", sink, dead_letter) as adapter:
        for number in range(10):
            adapter.create(f"healthy-first-{number}", at=DOWN_S + 0.1)
        for number in range(20):
            adapter.create(f"refused-{number}", at=DOWN_S + 5 + number * 25)
        for number in range(300):
            adapter.create(f"healthy-{number}", at=DOWN_S + 3 + number * 1.9)
        adapter.run(BACK_S)
        assert len(sink.requests) <= BACK_S - DOWN_S + 40
        adapter.run(BACK_S + 30)
        healthy = [name for name in adapter.created if name.startswith("healthy")]
        assert [name for name in healthy if sink.taken.get(name, BACK_S + 30) > BACK_S + 10] == []


@pytest.mark.parametrize("status", [400, 409])
def test_a_sink_that_is_back_and_refuses_all_that_waits_does_not_count_as_down(tmp_path: Path, status: int) -> None:
    refused = Reply(read_answer(status, retry_after=None, now_s=0))
    sink = VirtualSink(lambda _, now: Reply(DOWN) if DOWN_S <= now < 65 else refused)
    dead_letter = VirtualSink(lambda *_: Reply())
    with VirtualAdapter.start(tmp_path / "state.db", sink, dead_letter) as adapter:
        adapter.create("refused-a", at=DOWN_S + 0.1)
        adapter.create("refused-b", at=DOWN_S + 0.1)
        paused = []
        for until in (65, 90):
            adapter.run(until)
            paused.append(adapter.delivery.paused)
        assert paused == [True, False]
        assert set(dead_letter.taken) == {"refused-a", "refused-b"}
