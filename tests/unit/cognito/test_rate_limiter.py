"""The pace of requests, on a clock that only moves when somebody sleeps."""

from __future__ import annotations

import itertools
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.cognito.rate_limiter import RETRY_AFTER_MAX_S, RateLimiter


class SteppedClock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now_s += seconds


def limiter(max_rps: float) -> tuple[RateLimiter, SteppedClock]:
    clock = SteppedClock()
    return RateLimiter(max_rps, clock=clock, sleep=clock.sleep), clock


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 5), min_size=2, max_size=200))
def test_no_second_ever_holds_more_requests_than_allowed(max_rps: float, pauses: list[float]) -> None:
    rate, clock = limiter(max_rps)
    times = []
    for pause in pauses:
        clock.now_s += pause
        rate.acquire()
        times.append(clock.now_s)
    for earlier, later in itertools.pairwise(times):
        assert later - earlier >= 1 / max_rps - 1e-6


def test_the_first_request_does_not_wait() -> None:
    rate, _ = limiter(2)
    assert rate.acquire() == 0
    assert rate.acquire() == pytest.approx(0.5)
    assert rate.requests == 2


def test_throttling_halves_the_pace_once_for_requests_that_were_on_the_way() -> None:
    rate, clock = limiter(10)
    rate.on_throttled()
    rate.on_throttled()
    rate.on_throttled()
    assert rate.rps == pytest.approx(5)
    assert rate.throttled == 3
    clock.now_s += 1
    rate.on_throttled()
    assert rate.rps == pytest.approx(2.5)


def test_the_pace_grows_back_slowly_and_not_beyond_the_maximum() -> None:
    rate, clock = limiter(10)
    rate.on_throttled()
    clock.now_s += 1
    assert rate.rps == pytest.approx(5)
    clock.now_s += 10
    assert rate.rps == pytest.approx(7)
    clock.now_s += 1000
    assert rate.rps == 10


def test_the_pace_never_falls_to_nothing() -> None:
    rate, clock = limiter(10)
    for _ in range(100):
        rate.on_throttled()
        clock.now_s += 1
    assert rate.rps >= 0.5


def test_retry_after_is_honoured_up_to_a_minute() -> None:
    rate, clock = limiter(10)
    rate.acquire()
    rate.on_throttled(7)
    before = clock.now_s
    rate.acquire()
    assert clock.now_s - before == pytest.approx(7)
    rate.on_throttled(86400)
    before = clock.now_s
    rate.acquire()
    assert clock.now_s - before == pytest.approx(RETRY_AFTER_MAX_S)


def test_a_quota_below_the_maximum_is_found_and_mostly_used() -> None:
    """A server with 20 requests/s (burst 20) and a limiter that may do 30: most is used, few are throttled."""
    rate, clock = limiter(30)
    level, since, done, refused = 20.0, clock.now_s, 0, 0
    start = clock.now_s
    while clock.now_s - start < 600:
        rate.acquire()
        level, since = min(20, level + (clock.now_s - since) * 20), clock.now_s
        if level >= 1:
            level -= 1
            done += 1
        else:
            refused += 1
            rate.on_throttled()
    assert done / 600 > 14
    assert refused / (done + refused) < 0.01


def test_a_limiter_serves_many_threads_one_turn_each() -> None:
    rate = RateLimiter(1000)
    waits: list[float] = []
    threads = [threading.Thread(target=lambda: waits.append(rate.acquire())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rate.requests == 20
    assert max(waits) <= 0.02


def test_an_event_as_sleep_ends_the_wait_when_the_adapter_stops() -> None:
    stop = threading.Event()
    stop.set()
    rate = RateLimiter(0.01, sleep=stop.wait)
    rate.acquire()
    assert rate.acquire() == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize("max_rps", [0, -1, float("nan")])
def test_a_pace_that_is_none_is_refused(max_rps: float) -> None:
    with pytest.raises(ValueError, match="max_rps"):
        RateLimiter(max_rps)
