"""The last hours of the status page: what is counted in which bucket, and what is estimated from it."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.delivery import Result, Status
from adapter.model import Event, Kind
from adapter.observability.metrics import LAG_BOUNDS_S, Metrics
from adapter.observability.status_page.history import POINTS, SPANS, History, quantile

EVENT = Event(attributes={"type": "t", "id": "1"}, data=b"", key="bob")


class HistoryWorld:
    """An adapter's counters, and a history that looks at them by a clock of the test's."""

    def __init__(self, now_s: float = 1_000_003.0) -> None:
        self.now_s = now_s
        self.requests = self.throttled = 0
        self.metrics = Metrics(source="arn", traffic=lambda: (self.requests, self.throttled))
        self.history = History(lambda: self.now_s)

    def tell(self, kind: Kind = Kind.CREATED, lag_s: float | None = 0.2, status: Status = Status.DELIVERED) -> None:
        self.metrics.finished([(Result(event=EVENT, status=status, code="200"), kind, lag_s)])

    def tick(self, seconds: float = 0.0) -> None:
        self.now_s += seconds
        self.history.sample(self.metrics.totals())

    def series(self, name: str, span: str = "15m") -> list[Any]:
        numbers: list[Any] = getattr(self.history.past(span).series, name)
        return numbers


def test_events_are_counted_in_the_bucket_in_which_they_ended() -> None:
    world = HistoryWorld()
    world.tell(Kind.CREATED)
    world.tell(Kind.SNAPSHOT, None)
    world.tick()
    world.tell(Kind.DELETED)
    world.tell(Kind.UPDATED, None, Status.UNDELIVERED)
    world.tell(Kind.UPDATED, None, Status.DEAD_LETTERED)
    world.tick(10)
    found = {name: world.series(name)[-2:] for name in ("created", "updated", "deleted", "other")}
    assert found == {"created": [1, 0], "updated": [0, 0], "deleted": [0, 1], "other": [1, 0]}
    assert (world.series("undelivered")[-1], world.series("dead_lettered")[-1]) == (1, 1)
    assert world.history.past("15m").summary.events == 3


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.name)
def test_time_before_the_start_and_after_a_gap_is_unknown_not_zero(span: Any) -> None:
    world = HistoryWorld()
    world.tick()
    world.tick(3 * span.step_s)
    created = world.series("created", span.name)
    assert created == [None] * (POINTS - 4) + [0, None, None, 0]


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.name)
def test_what_is_older_than_the_span_is_forgotten(span: Any) -> None:
    world = HistoryWorld()
    world.tell()
    world.tick()
    assert sum(filter(None, world.series("created", span.name))) == 1
    world.tick(span.step_s * (POINTS - 1))
    assert world.series("created", span.name)[0] == 1
    world.tick(span.step_s)
    assert sum(filter(None, world.series("created", span.name))) == 0
    # The clock goes on, and nobody samples: old buckets are not taken for new ones.
    world.now_s += span.step_s * POINTS * 7
    assert world.series("created", span.name) == [None] * POINTS


def test_rates_count_the_time_that_was_lived() -> None:
    world = HistoryWorld(now_s=1_000_008.0)  # 2 seconds before the end of a bucket
    world.tick()
    world.requests, world.throttled = 40, 4
    world.tick(1.99)
    assert world.series("requests_per_s")[-1] == pytest.approx(40 / 1.99)
    assert world.series("throttled_per_s")[-1] == pytest.approx(4 / 1.99)
    world.requests = 45
    world.tick(0.02)
    # A request in the first moments of a bucket is no burst.
    assert world.series("requests_per_s")[-1] == 5
    assert world.history.past("15m").summary.requests_per_s == pytest.approx(45 / 2.01)


def test_the_present_rate_is_the_same_whatever_is_shown() -> None:
    world = HistoryWorld()
    world.tick()
    for _ in range(600):
        world.requests += 12
        world.tick(1)
    for span in SPANS:
        assert world.history.past(span.name).summary.requests_per_s == pytest.approx(12, rel=0.05)


def test_sweeps_have_a_mean_and_failures() -> None:
    world = HistoryWorld()
    world.metrics.swept("complete", 2.0)
    world.metrics.swept("complete", 4.0)
    world.metrics.swept("InternalError", 9.0)
    world.metrics.swept("stopped", 9.0)
    world.tick()
    assert (world.series("sweep_s")[-1], world.series("sweeps_failed")[-1]) == (3, 1)
    assert world.history.past("15m").summary.sweep_s == 3
    world.tick(10)
    assert world.series("sweep_s")[-1] is None


def test_lags_are_those_of_delivered_changes() -> None:
    world = HistoryWorld()
    world.tell(lag_s=0.7)
    world.tell(Kind.SNAPSHOT, None)
    world.tell(lag_s=50, status=Status.UNDELIVERED)
    world.tick()
    assert 0.5 < world.series("lag_p95_s")[-1] <= 1.0
    world.tick(10)
    assert world.series("lag_p95_s")[-1] is None
    assert world.history.past("15m").summary.lag_p50_s == world.series("lag_p50_s")[-2]


def test_gauges_keep_their_last_value_in_each_bucket() -> None:
    world = HistoryWorld()
    world.metrics.users, world.metrics.undelivered = 7, 1
    world.tick()
    world.metrics.users, world.metrics.undelivered = 8, 0
    world.tick(1)
    assert (world.series("users")[-1], world.series("waiting")[-1]) == (8, 0)


def test_the_newest_bucket_says_how_old_it_is() -> None:
    world = HistoryWorld(now_s=1_000_003.0)
    assert world.history.past("15m").newest_age_s == pytest.approx(3)


def test_a_day_needs_no_more_memory_than_an_hour() -> None:
    world = HistoryWorld()

    def size() -> int:
        rows = [row for ring in world.history._rings.values() for row in ring._rows if row is not None]
        return sum(map(sys.getsizeof, rows))

    for _ in range(200):
        world.tick(900)
    full = size()
    for _ in range(200):
        world.tell()
        world.tick(900)
    assert size() == full < 100_000


@given(st.lists(st.integers(0, 1000), min_size=len(LAG_BOUNDS_S) + 1, max_size=len(LAG_BOUNDS_S) + 1))
def test_a_quantile_lies_in_the_bucket_that_holds_it(counts: list[int]) -> None:
    found = {part: quantile(part, counts) for part in (0.05, 0.5, 0.95, 1.0)}
    if not sum(counts):
        assert set(found.values()) == {None}
        return
    values = [value for value in found.values() if value is not None]
    assert values == sorted(values)
    for part, value in found.items():
        assert value is not None
        below = [bound for bound in LAG_BOUNDS_S if bound < value]
        # What is certainly below the value is no more than the part, and what may be below it no less.
        assert sum(counts[: len(below)]) <= part * sum(counts) + 1e-6
        assert value == LAG_BOUNDS_S[-1] or sum(counts[: len(below) + 1]) >= part * sum(counts) - 1e-6


def test_a_quantile_is_interpolated_as_prometheus_does() -> None:
    assert quantile(0.5, [0, 10, 0], (1.0, 3.0)) == 2.0
    assert quantile(0.95, [0, 0, 5], (1.0, 3.0)) == 3.0
    assert quantile(1.0, [4, 0, 0], (1.0, 3.0)) == 1.0
