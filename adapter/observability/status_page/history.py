"""The last hours as numbers: three rings of buckets, fine for minutes and coarse for a day. No I/O.

Nothing is recorded event by event: `sample` is given what was counted since the start, once a second or so, and books
the difference to the sample before. So the memory is fixed (70 kB), and a burst costs nothing.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from adapter.model import Kind
from adapter.observability.metrics import LAG_BOUNDS_S, Totals

#: Buckets of every ring.
POINTS: Final = 90
#: How the kinds of events are grouped in `Series`; all that is not a change is `other` (snapshots, replays).
KINDS: Final = (Kind.CREATED.value, Kind.UPDATED.value, Kind.DELETED.value)
#: What a bucket adds up, before the lags; and, after them, the gauges, which it overwrites.
_SUMS: Final = (*KINDS, "other", "dead_lettered", "undelivered", "sweeps", "sweep_s", "failed", "requests", "throttled")
_GAUGES: Final = ("users", "waiting")
_LAGS: Final = slice(len(_SUMS), len(_SUMS) + len(LAG_BOUNDS_S) + 1)
_REQUESTS: Final = _SUMS.index("requests")
_WIDTH: Final = _LAGS.stop + len(_GAUGES)

#: A number per bucket, oldest first; None: nothing is known (the adapter did not run, or nothing of that kind ended).
Numbers = list[float | None]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time up to now, cut into POINTS buckets of `step_s` seconds."""

    name: str
    step_s: float


#: 15 minutes, 3 hours, a day.
SPANS: Final = (Span("15m", 10.0), Span("3h", 120.0), Span("24h", 960.0))
#: The present rate of requests is that of so many of the finest buckets: 20 to 30 seconds.
_RECENT_ROWS: Final = 3


class _Ring:
    """The buckets of one span. A bucket is found by its number since the clock's zero."""

    def __init__(self, step_s: float) -> None:
        self.step_s = step_s
        self._rows: list[array[float] | None] = [None] * POINTS
        self._newest = -1

    def add(self, now_s: float, difference: Sequence[float], gauges: Sequence[float]) -> None:
        row = self._row(int(now_s / self.step_s))
        for column, number in enumerate(difference):
            row[column] += number
        for column, number in enumerate(gauges, _LAGS.stop):
            row[column] = number

    def rows(self, now_s: float) -> Iterator[array[float] | None]:
        """Every bucket up to now, oldest first; None: nothing was sampled in it."""
        last = int(now_s / self.step_s)
        for number in range(last - POINTS + 1, last + 1):
            known = self._newest - POINTS < number <= self._newest
            yield self._rows[number % POINTS] if known else None

    def _row(self, number: int) -> array[float]:
        for skipped in range(max(self._newest + 1, number - POINTS + 1), number + 1):
            self._rows[skipped % POINTS] = None
        self._newest = max(self._newest, number)
        row = self._rows[number % POINTS]
        if row is None:
            row = self._rows[number % POINTS] = array("d", bytes(8 * _WIDTH))
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What the charts show: one number per bucket, oldest first.

    `created` to `undelivered` are events in the bucket, `sweep_s` the mean duration of the sweeps that ended in it,
    `lag_p50_s` and `lag_p95_s` are estimated from the histogram as Prometheus does, rates are per second. `waiting` is
    how many users had an undelivered event at the end of the bucket.
    """

    created: Numbers
    updated: Numbers
    deleted: Numbers
    other: Numbers
    dead_lettered: Numbers
    undelivered: Numbers
    lag_p50_s: Numbers
    lag_p95_s: Numbers
    sweep_s: Numbers
    sweeps_failed: Numbers
    requests_per_s: Numbers
    throttled_per_s: Numbers
    users: Numbers
    waiting: Numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A span as a whole: events that were delivered, sweeps that were complete and that failed, and their lags.

    `sweep_s` is the mean duration of the complete sweeps; it and the lags are None where there was none.
    `requests_per_s` is the present rate, not that of the span.
    """

    events: int
    sweeps: int
    sweeps_failed: int
    sweep_s: float | None
    lag_p50_s: float | None
    lag_p95_s: float | None
    requests_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A span up to now. `newest_age_s` is how long ago its last bucket began."""

    span: Span
    newest_age_s: float
    series: Series
    summary: Summary


class History:
    """The last hours of one adapter. Thread-safe.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rings = {span.name: _Ring(span.step_s) for span in SPANS}
        self._before = _counts(None)
        self._begun_s = clock()

    def sample(self, totals: Totals) -> None:
        """Book what was counted since the last sample."""
        counts = _counts(totals)
        with self._lock:
            difference = [now - before for now, before in zip(counts, self._before, strict=True)]
            self._before = counts
            for ring in self._rings.values():
                ring.add(self._clock(), difference, (totals.users, totals.undelivered))

    def past(self, span: str) -> Past:
        """The buckets of a span of SPANS, up to now.

        Raises:
            KeyError: there is no such span.
        """
        with self._lock:
            ring, now_s = self._rings[span], self._clock()
            rows = [None if row is None else array("d", row) for row in ring.rows(now_s)]
            finest = self._rings[SPANS[0].name]
            recent = [row for row in list(finest.rows(now_s))[-_RECENT_ROWS:] if row is not None]
        lived_s = sum(self._lived_s(finest.step_s, now_s, age) for age in range(len(recent)))
        requests = sum(row[_REQUESTS] for row in recent)
        return Past(
            span=next(each for each in SPANS if each.name == span),
            newest_age_s=now_s % ring.step_s,
            series=self._series(rows, ring.step_s, now_s),
            summary=_summary(rows, requests / max(1.0, lived_s)),
        )

    def _series(self, rows: Sequence[array[float] | None], step_s: float, now_s: float) -> Series:
        # The newest bucket is not over, and the oldest may have begun before the adapter: rates count what was lived,
        # but a second at least, so that one request in a bucket's first moments is no burst.
        lived = [max(1.0, self._lived_s(step_s, now_s, POINTS - 1 - place)) for place in range(POINTS)]
        sums = {name: _column(rows, place) for place, name in enumerate(_SUMS)}
        lags = [None if row is None else row[_LAGS] for row in rows]
        return Series(
            **{name: sums[name] for name in (*KINDS, "other", "dead_lettered", "undelivered")},
            lag_p50_s=[None if lag is None else quantile(0.5, lag) for lag in lags],
            lag_p95_s=[None if lag is None else quantile(0.95, lag) for lag in lags],
            sweep_s=[_ratio(*pair) for pair in zip(sums["sweep_s"], sums["sweeps"], strict=True)],
            sweeps_failed=sums["failed"],
            requests_per_s=[_ratio(*pair) for pair in zip(sums["requests"], lived, strict=True)],
            throttled_per_s=[_ratio(*pair) for pair in zip(sums["throttled"], lived, strict=True)],
            users=_column(rows, _LAGS.stop),
            waiting=_column(rows, _LAGS.stop + 1),
        )

    def _lived_s(self, step_s: float, now_s: float, age: int) -> float:
        """How much of the bucket that is so many buckets old the adapter lived through, in seconds."""
        begins = (int(now_s / step_s) - age) * step_s
        return min(now_s, begins + step_s) - max(self._begun_s, begins)


def quantile(part: float, counts: Sequence[float], bounds: Sequence[float] = LAG_BOUNDS_S) -> float | None:
    """The value that this part of a histogram lies below, interpolated in its bucket; None: the histogram is empty.

    Args:
        part: of (0, 1].
        counts: how many values each bucket holds; the last one those above every bound.
        bounds: the upper bounds of the others, ascending, above 0.
    """
    total = sum(counts)
    if total <= 0:
        return None
    wanted = part * total
    for place, reached in enumerate(accumulate(counts)):
        if reached >= wanted and counts[place]:
            if place == len(bounds):
                break
            low = bounds[place - 1] if place else 0.0
            return low + (bounds[place] - low) * (wanted - (reached - counts[place])) / counts[place]
    return bounds[-1]


def _summary(rows: Sequence[array[float] | None], requests_per_s: float) -> Summary:
    lived = [row for row in rows if row is not None]
    whole = [sum(column) for column in zip(*lived, strict=True)] if lived else [0.0] * _WIDTH
    return Summary(
        events=int(sum(whole[: len(KINDS) + 1])),
        sweeps=int(whole[_SUMS.index("sweeps")]),
        sweeps_failed=int(whole[_SUMS.index("failed")]),
        sweep_s=_ratio(whole[_SUMS.index("sweep_s")], whole[_SUMS.index("sweeps")]),
        lag_p50_s=quantile(0.5, whole[_LAGS]),
        lag_p95_s=quantile(0.95, whole[_LAGS]),
        requests_per_s=requests_per_s,
    )


def _counts(totals: Totals | None) -> list[float]:
    """The numbers that only grow, in the order of a bucket."""
    if totals is None:
        return [0.0] * _LAGS.stop
    kinds = [totals.kinds.get(kind, 0) for kind in KINDS]
    statuses = [totals.statuses.get(name, 0) for name in ("dead_lettered", "undelivered")]
    others = sum(totals.kinds.values()) - sum(kinds)
    work = (totals.sweeps, totals.sweep_s, totals.failed, totals.requests, totals.throttled)
    return [float(number) for number in (*kinds, others, *statuses, *work, *totals.lag)]


def _column(rows: Sequence[array[float] | None], place: int) -> Numbers:
    return [None if row is None else row[place] for row in rows]


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None
