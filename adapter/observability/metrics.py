"""What is counted about the work of one source. Who shows it: prometheus.py, emf.py, and `python -m adapter status`."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final, NamedTuple

from adapter.delivery import Result, Status
from adapter.model import Kind

#: What the original gives as the tag of that name.
RESOURCE_GROUP: Final = "awscognitouserpoolsources.sources.triggermesh.io"
#: Upper bounds of the lag histogram's buckets, in seconds.
LAG_BOUNDS_S: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
#: Upper bounds of the buckets for the time that a delivery takes, retries included, in seconds.
DELIVERY_BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
#: Values of one kind that are kept for the next line in CloudWatch's format: its limit per metric.
INTERVAL_VALUES: Final = 100
#: Codes of results whose event was not sent by this attempt series: the original counts what it sent.
_NOT_SENT: Final = frozenset({"closed", "not_held", "order"})


#: The end of a delivery: its result, the kind of its change, and the seconds since the user changed; None where that
#: says nothing.
Ended = tuple[Result, Kind, float | None]


class Sent(NamedTuple):
    """The tags of the original's metric that differ from event to event."""

    event_type: str
    response_code: str
    response_code_class: str
    response_error: str
    response_timeout: str


class Histogram:
    """Counts by upper bound, and the sum. Not thread-safe."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, values: Iterable[float]) -> None:
        """Count values."""
        bounds, counts = self.bounds, self.counts
        for value in values:
            counts[bisect_left(bounds, value)] += 1
            self.total += value

    def read(self) -> Buckets:
        """What was counted."""
        return Buckets(self.bounds, tuple(self.counts), self.total)


class Buckets(NamedTuple):
    """A histogram as it was: `counts` has one more than `bounds`, for what lies above all of them."""

    bounds: tuple[float, ...] = ()
    counts: tuple[int, ...] = (0,)
    total: float = 0.0


NOTHING: Final = Buckets()


@dataclass(slots=True)
class Interval:
    """What happened since it was taken last. Of the durations the newest INTERVAL_VALUES, in seconds."""

    kinds: Counter[Kind] = field(default_factory=Counter)
    dead_letters: int = 0
    sweeps: int = 0
    sweep_s: list[float] = field(default_factory=list)
    lag_s: list[float] = field(default_factory=list)


class Finished(NamedTuple):
    """The end of one delivery, for who looks at single events. `attributes` are those of the CloudEvent."""

    wall_s: float
    kind: Kind
    attributes: Mapping[str, str]
    username: str
    status: Status
    code: str
    lag_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What was counted since the start, for who looks at differences; and the present gauges.

    `kinds` counts delivered events, `lag` those with a lag by the bounds of LAG_BOUNDS_S (and one more for the rest).
    `sweeps` and `sweep_s` are number and seconds of complete sweeps, `failed` the number of the others.
    `events` are by kind and status, `outcomes` the sweeps by how they ended, `retries` the pages asked for again by
    code of the fault, `delivery_retries` the sends after an event's first one. `last_sweep_at_s` is seconds since the
    epoch, None before the first complete sweep.
    """

    kinds: Mapping[str, int]
    statuses: Mapping[str, int]
    lag: tuple[int, ...]
    sweeps: int
    sweep_s: float
    failed: int
    requests: int
    throttled: int
    users: int
    undelivered: int
    in_flight: int = 0
    deletions_waiting: int = 0
    sent: Mapping[Sent, int] = field(default_factory=dict)
    events: Mapping[tuple[str, str], int] = field(default_factory=dict)
    outcomes: Mapping[str, int] = field(default_factory=dict)
    retries: Mapping[str, int] = field(default_factory=dict)
    delivery_retries: int = 0
    last_sweep_s: float = 0.0
    last_sweep_at_s: float | None = None
    lag_histogram: Buckets = NOTHING
    delivery_histogram: Buckets = NOTHING


class Metrics:
    """All numbers of one source. Thread-safe.

    Args:
        source: the pool's ARN.
        namespace: NAMESPACE.
        name: NAME.
        component: K_COMPONENT, the prefix of the original's metric.
        resource_group: K_RESOURCE_GROUP, a tag of the original's metric.
        traffic: ListUsers requests and throttled answers so far.
        wall_s: seconds since the epoch.
    """

    def __init__(
        self,
        *,
        source: str,
        namespace: str = "default",
        name: str = "adapter",
        component: str = "awscognitouserpoolsource",
        resource_group: str = RESOURCE_GROUP,
        traffic: Callable[[], tuple[int, int]] = lambda: (0, 0),
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self.source, self.namespace, self.name = source, namespace, name
        self.component, self.resource_group = component, resource_group
        self.traffic = traffic
        self.wall_s = wall_s
        self._lock = threading.Lock()
        self._sent: Counter[tuple[str, str, bool]] = Counter()
        self._events: Counter[tuple[str, str]] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._retries: Counter[str] = Counter()
        self._delivery_retries = 0
        self._sweep_s = 0.0
        self._last_sweep_s = 0.0
        self._last_sweep_pages = 0
        self._last_sweep_at_s: float | None = None
        self._lag = Histogram(LAG_BOUNDS_S)
        self._delivery = Histogram(DELIVERY_BOUNDS_S)
        self._interval = Interval()
        #: Set by the service thread.
        self.users = 0
        self.undelivered = 0
        self.in_flight = 0
        self.deletions_waiting = 0
        #: How far the first sweep since the start is, as JSON values; None: there is nothing to tell.
        self.first_sweep: Callable[[], Mapping[str, Any] | None] = lambda: None
        #: The last deliveries as plain tuples of what Finished names, which cost less; None: nobody wants to know.
        self.recent: deque[tuple[float, Kind, Mapping[str, str], str, Status, str, float | None]] | None = None

    def finished(self, ends: Iterable[Ended]) -> None:
        """Deliveries of events ended. Those that ended alike, as most do, are counted together."""
        with self._lock:
            for (event_type, code, status, kind), group in groupby(ends, _alike):
                self._ended(event_type, code, status, kind, list(group))

    def _ended(self, event_type: str, code: str, status: Status, kind: Kind, ends: Sequence[Ended]) -> None:
        delivered = status is Status.DELIVERED
        if delivered or code not in _NOT_SENT:
            self._sent[event_type, code, delivered] += len(ends)
        self._events[kind.value, status.value] += len(ends)
        self._delivery_retries += sum(result.attempts - 1 for result, _, _ in ends if result.attempts > 1)
        interval = self._interval
        if delivered:
            interval.kinds[kind] += len(ends)
            self._delivery.add(result.latency_s for result, _, _ in ends)
            lags = [lag_s for _, _, lag_s in ends if lag_s is not None]
            self._lag.add(lags)
            interval.lag_s += lags[-INTERVAL_VALUES:]
            del interval.lag_s[:-INTERVAL_VALUES]
        elif status is Status.DEAD_LETTERED:
            interval.dead_letters += len(ends)
        if self.recent is not None:
            now_s = self.wall_s()
            for result, _, lag_s in ends[-(self.recent.maxlen or 0) :]:
                event = result.event
                self.recent.append((now_s, kind, event.attributes, event.key, status, code, lag_s))

    def retried(self, code: str) -> None:
        """A page is asked for again, because of a fault with this code."""
        with self._lock:
            self._retries[code] += 1

    def swept(self, outcome: str, seconds: float, pages: int = 0) -> None:
        """A sweep ended: `complete`, `stopped`, or the code of the fault that ended it."""
        with self._lock:
            self._outcomes[outcome] += 1
            if outcome == "complete":
                self._last_sweep_s = seconds
                self._last_sweep_pages = pages
                self._sweep_s += seconds
                self._last_sweep_at_s = self.wall_s()
                self._interval.sweeps += 1
                self._interval.sweep_s.append(seconds)
                del self._interval.sweep_s[:-INTERVAL_VALUES]

    def take_interval(self) -> Interval:
        """What happened since the last call, which begins anew."""
        with self._lock:
            interval, self._interval = self._interval, Interval()
        return interval

    def totals(self) -> Totals:
        """Everything that was counted so far."""
        requests, throttled = self.traffic()
        with self._lock:
            sweeps = self._outcomes["complete"]
            lag = self._lag.read()
            return Totals(
                kinds=_grouped((kind, count) for (kind, end), count in self._events.items() if end == "delivered"),
                statuses=_grouped((end, count) for (_, end), count in self._events.items()),
                lag=lag.counts,
                sweeps=sweeps,
                sweep_s=self._sweep_s,
                failed=self._outcomes.total() - sweeps - self._outcomes["stopped"],
                requests=requests,
                throttled=throttled,
                users=self.users,
                undelivered=self.undelivered,
                in_flight=self.in_flight,
                deletions_waiting=self.deletions_waiting,
                sent={_tags(*key): count for key, count in self._sent.items()},
                events=dict(self._events),
                outcomes=+self._outcomes,
                retries=dict(self._retries),
                delivery_retries=self._delivery_retries,
                last_sweep_s=self._last_sweep_s,
                last_sweep_at_s=self._last_sweep_at_s,
                lag_histogram=lag,
                delivery_histogram=self._delivery.read(),
            )

    def last(self) -> list[Finished]:
        """The last deliveries, newest last; none unless `recent` keeps them."""
        with self._lock:
            return [Finished(*each) for each in self.recent or ()]

    def status(self) -> dict[str, Any]:
        """The present numbers for people and scripts, as JSON values."""
        totals = self.totals()
        return {
            "source": self.source,
            "name": f"{self.namespace}/{self.name}",
            "users": totals.users,
            "sweeps": dict(totals.outcomes),
            "last_sweep_seconds": round(totals.last_sweep_s, 3),
            "last_sweep_pages": self._last_sweep_pages,
            "last_successful_sweep": totals.last_sweep_at_s,
            "first_sweep": self.first_sweep(),
            "requests": totals.requests,
            "throttled": totals.throttled,
            "retries": dict(totals.retries),
            "events": dict(totals.statuses),
            "in_flight": totals.in_flight,
            "undelivered": totals.undelivered,
            "deletions_waiting": totals.deletions_waiting,
        }


def _tags(event_type: str, code: str, delivered: bool) -> Sent:  # noqa: FBT001 - the parts of a key
    """The original's tags: an HTTP status with its class, or what failed instead and whether that was a time-out."""
    if delivered and not code.isdigit():
        code = "200"  # a sink that does not speak HTTP
    if code.isdigit():
        return Sent(event_type, code, f"{code[0]}xx", "", "")
    return Sent(event_type, "", "", code, "true" if code == "timeout" else "false")


def _grouped(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    grouped: Counter[str] = Counter()
    for name, count in pairs:
        grouped[name] += count
    return dict(grouped)


def _alike(end: Ended) -> tuple[str, str, Status, Kind]:
    result, kind, _ = end
    return result.event.attributes["type"], result.code, result.status, kind
