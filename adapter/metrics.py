"""Numbers about the work: counted here, shown to Prometheus, to CloudWatch (EMF) and by `python -m adapter status`.

The original's metric keeps its name and tags (`awscognitouserpoolsource_event_count`); ours begin with
`cognito_source_`.
"""

from __future__ import annotations

import json
import threading
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TextIO

from adapter.delivery import Result, Status
from adapter.model import Kind

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

RESOURCE_GROUP: Final = "awscognitouserpoolsources.sources.triggermesh.io"
EMF_NAMESPACE: Final = "CognitoSource"
#: How often a line goes to CloudWatch at most, in seconds; alarms look at minutes.
EMF_PERIOD_S: Final = 60.0
#: Values of one metric in one line: the format's limit.
_EMF_VALUES: Final = 100
#: Upper bounds of the lag histogram's buckets, in seconds.
LAG_BOUNDS_S: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
_EMF_KINDS: Final = {Kind.CREATED: "EventsCreated", Kind.UPDATED: "EventsUpdated", Kind.DELETED: "EventsDeleted"}


@dataclass(slots=True)
class _Interval:
    """What happened since the last line for CloudWatch."""

    counts: Counter[str] = field(default_factory=Counter)
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


class Metrics:
    """All numbers of one source. Thread-safe.

    Args:
        source: the pool's ARN.
        namespace: NAMESPACE.
        name: NAME.
        component: K_COMPONENT, the prefix of the original's metric.
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
        traffic: Callable[[], tuple[int, int]] = lambda: (0, 0),
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._source, self._namespace, self._name, self._component = source, namespace, name, component
        self._traffic = traffic
        self._wall_s = wall_s
        self._lock = threading.Lock()
        self._sent: Counter[tuple[str, str, str, str, str]] = Counter()
        self._events: Counter[str] = Counter()
        self._sweeps: Counter[str] = Counter()
        self._retries: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._sweep_s = self._sweep_sum_s = 0.0
        self._last_sweep_s: float | None = None
        self._lag_buckets = [0] * (len(LAG_BOUNDS_S) + 1)
        self._lag_sum_s = 0.0
        self._interval = _Interval()
        self._emf_at_s = wall_s()
        self._emf_traffic = (0, 0)
        #: Set by the service thread.
        self.users = 0
        self.undelivered = 0
        self.in_flight = 0
        #: The last deliveries, newest last; None: nobody wants to know.
        self.recent: deque[Finished] | None = None

    def finished(self, result: Result, kind: Kind, lag_s: float | None) -> None:
        """The delivery of an event ended. `lag_s`: time since the user changed; None where that says nothing."""
        code = result.code
        status = code if code.isdigit() else ""
        delivered = result.status is Status.DELIVERED
        if delivered and not status:
            status = "200"
        error, timeout = ("", "") if status else (code, "true" if code == "timeout" else "false")
        with self._lock:
            self._sent[result.event.attributes["type"], status, f"{status[0]}xx" if status else "", error, timeout] += 1
            self._events[result.status.value] += 1
            counts = self._interval.counts
            if delivered:
                self._kinds[kind.value] += 1
                counts[_EMF_KINDS.get(kind, "EventsOther")] += 1
            elif result.status is Status.DEAD_LETTERED:
                counts["DeadLetters"] += 1
            if delivered and lag_s is not None:
                self._lag_buckets[bisect_left(LAG_BOUNDS_S, lag_s)] += 1
                self._lag_sum_s += lag_s
                self._interval.lag_s.append(lag_s)
                del self._interval.lag_s[:-_EMF_VALUES]
            if self.recent is not None:
                event = result.event
                self.recent.append(
                    Finished(self._wall_s(), kind, event.attributes, event.key, result.status, code, lag_s)
                )

    def retried(self, code: str) -> None:
        """A page is asked for again, because of a fault with this code."""
        with self._lock:
            self._retries[code] += 1

    def swept(self, outcome: str, seconds: float) -> None:
        """A sweep ended: `complete`, `stopped`, or the code of the fault that ended it."""
        with self._lock:
            self._sweeps[outcome] += 1
            if outcome == "complete":
                self._sweep_s = seconds
                self._sweep_sum_s += seconds
                self._last_sweep_s = self._wall_s()
                self._interval.counts["SweepSucceeded"] += 1
                self._interval.sweep_s.append(seconds)
                del self._interval.sweep_s[:-_EMF_VALUES]

    def status(self) -> dict[str, Any]:
        """The present numbers for people and scripts, as JSON values."""
        requests, throttled = self._traffic()
        with self._lock:
            return {
                "source": self._source,
                "name": f"{self._namespace}/{self._name}",
                "users": self.users,
                "sweeps": dict(self._sweeps),
                "last_sweep_seconds": round(self._sweep_s, 3),
                "last_successful_sweep": self._last_sweep_s,
                "requests": requests,
                "throttled": throttled,
                "retries": dict(self._retries),
                "events": dict(self._events),
                "in_flight": self.in_flight,
                "undelivered": self.undelivered,
            }

    def totals(self) -> Totals:
        """Everything that was counted so far."""
        requests, throttled = self._traffic()
        with self._lock:
            sweeps = self._sweeps["complete"]
            return Totals(
                kinds=dict(self._kinds),
                statuses=dict(self._events),
                lag=tuple(self._lag_buckets),
                sweeps=sweeps,
                sweep_s=self._sweep_sum_s,
                failed=self._sweeps.total() - sweeps - self._sweeps["stopped"],
                requests=requests,
                throttled=throttled,
                users=self.users,
                undelivered=self.undelivered,
            )

    def last(self) -> list[Finished]:
        """The last deliveries, newest last; none unless `recent` keeps them."""
        with self._lock:
            return list(self.recent or ())

    def emf(self, *, now: bool = False) -> str | None:
        """A line in CloudWatch's Embedded Metric Format when one is due (or `now`), else None.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
        """
        wall_s = self._wall_s()
        if not now and abs(wall_s - self._emf_at_s) < EMF_PERIOD_S:
            return None
        traffic = self._traffic()
        with self._lock:
            interval, self._interval = self._interval, _Interval()
            before, self._emf_traffic, self._emf_at_s = self._emf_traffic, traffic, wall_s
        counts = interval.counts
        values: dict[str, tuple[str, Any]] = {
            name: ("Count", counts[name])
            for name in (*_EMF_KINDS.values(), "EventsOther", "DeadLetters", "SweepSucceeded")
        }
        values |= {
            "Requests": ("Count", traffic[0] - before[0]),
            "Throttled": ("Count", traffic[1] - before[1]),
            "Users": ("Count", self.users),
            "Undelivered": ("Count", self.undelivered),
        }
        if interval.sweep_s:
            values["SweepSeconds"] = ("Seconds", interval.sweep_s)
        if interval.lag_s:
            values["LagSeconds"] = ("Seconds", interval.lag_s)
        directive = {
            "Namespace": EMF_NAMESPACE,
            "Dimensions": [["Source"]],
            "Metrics": [{"Name": name, "Unit": unit} for name, (unit, _) in values.items()],
        }
        line = {"_aws": {"Timestamp": int(wall_s * 1000), "CloudWatchMetrics": [directive]}, "Source": self._name}
        return json.dumps(line | {name: value for name, (_, value) in values.items()}, separators=(",", ":"))

    def collect(self) -> Iterator[Metric]:
        """Everything for a Prometheus registry."""
        from prometheus_client.metrics_core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
            UntypedMetricFamily,
        )

        requests, throttled = self._traffic()
        with self._lock:
            sent, events, sweeps = dict(self._sent), dict(self._events), dict(self._sweeps)
            retries = dict(self._retries)
            lag, lag_sum = list(self._lag_buckets), self._lag_sum_s
        # Untyped, because the library would append _total to a counter's name.
        original = UntypedMetricFamily(f"{self._component}_event_count", "Number of events sent", labels=list(_TAGS))
        for (type_, code, code_class, error, timeout), count in sent.items():
            tags = (self._namespace, self._source, type_, self._name, RESOURCE_GROUP, code, code_class, error, timeout)
            original.add_metric(tags, count)
        yield original
        yield _family(CounterMetricFamily, "events", "Events by how their delivery ended", "status", events)
        yield _family(CounterMetricFamily, "sweeps", "Sweeps by how they ended", "outcome", sweeps)
        yield _family(CounterMetricFamily, "retries", "Pages asked for again, by fault", "code", retries)
        yield CounterMetricFamily("cognito_source_requests", "ListUsers requests", value=requests)
        yield CounterMetricFamily("cognito_source_throttled", "ListUsers requests that were throttled", value=throttled)
        dead = events.get(Status.DEAD_LETTERED.value, 0)
        yield CounterMetricFamily("cognito_source_dead_letters", "Events that went to the dead-letter sink", value=dead)
        yield GaugeMetricFamily("cognito_source_users", "Known users", value=self.users)
        yield GaugeMetricFamily(
            "cognito_source_undelivered", "Users whose event is undelivered", value=self.undelivered
        )
        yield GaugeMetricFamily("cognito_source_in_flight", "Events on their way to the sink", value=self.in_flight)
        yield GaugeMetricFamily("cognito_source_sweep_seconds", "Duration of the last sweep", value=self._sweep_s)
        yield GaugeMetricFamily(
            "cognito_source_last_successful_sweep_timestamp_seconds",
            "When the last complete sweep ended",
            value=self._last_sweep_s or 0.0,
        )
        total, buckets = 0, []
        for bound, count in zip((*map(str, LAG_BOUNDS_S), "+Inf"), lag, strict=True):
            total += count
            buckets.append((bound, float(total)))
        yield HistogramMetricFamily(
            "cognito_source_lag_seconds",
            "Time from the change to its delivered event",
            buckets=buckets,
            sum_value=lag_sum,
        )


_TAGS: Final = (
    "namespace_name",
    "event_source",
    "event_type",
    "name",
    "resource_group",
    "response_code",
    "response_code_class",
    "response_error",
    "response_timeout",
)


def _family(kind: Any, name: str, text: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = kind(f"cognito_source_{name}", text, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family  # type: ignore[no-any-return]  # the library's classes have no common typed constructor


def write_emf(metrics: Metrics, stream: TextIO, *, now: bool = False) -> None:
    """Write a line for CloudWatch if one is due."""
    line = metrics.emf(now=now)
    if line is not None:
        stream.write(line + "\n")
        stream.flush()


def serve(metrics: Metrics, host: str, port: int) -> Callable[[], None]:
    """Serve /metrics for Prometheus in a thread; returns what stops it.

    Raises:
        OSError: the port can't be had.
    """
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry()
    registry.register(metrics)
    server, thread = start_http_server(port, addr=host, registry=registry)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
