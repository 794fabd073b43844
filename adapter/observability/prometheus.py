"""Metrics for Prometheus: one table, of which /metrics and its documentation are made.

Names follow https://prometheus.io/docs/practices/naming/: a prefix, base units, `_total` for what only grows. The one
exception is the original's metric, which dashboards know by its name.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from adapter.net.http_message import HttpReply, HttpRequest
from adapter.net.http_server import HttpServer
from adapter.observability.metrics import Buckets, Metrics, Sent, Totals
from adapter.version import VERSION

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

PREFIX: Final = "cognito_source_"
#: The original's metric is this, after K_COMPONENT.
ORIGINAL_SUFFIX: Final = "_event_count"
#: The tags of the original's metric: who, then what became of the event.
ORIGINAL_TAGS: Final = ("namespace_name", "event_source", "name", "resource_group", *Sent._fields)
_ALLOWED: Final = {"Allow": "OPTIONS, GET, HEAD"}
_NOT_OF_A_NAME: Final = re.compile(r"[^a-zA-Z0-9_]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A metric: `name` goes after PREFIX, `text` is its HELP, `values` explain the values of `label`.

    `read` gives a number, numbers by label value (or values, for several labels), or the buckets of a histogram.
    """

    name: str
    type: str
    text: str
    labels: tuple[str, ...] = ()
    values: str = ""
    read: Callable[[Totals], float | Buckets | Mapping[str, float] | Mapping[tuple[str, str], float]]


METRICS: Final = (
    Described(
        name="build_info",
        type="gauge",
        labels=("version",),
        text="The running version; always 1",
        read=lambda _: {VERSION: 1},
    ),
    Described(
        name="events_total",
        type="counter",
        labels=("kind", "status"),
        values="kind: created, updated, deleted, snapshot, replay; status: delivered, dead_lettered, undelivered",
        text="Events by kind of change and outcome of their delivery; each series of attempts counts once",
        read=lambda totals: totals.events,
    ),
    Described(
        name="dead_letters_total",
        type="counter",
        text="Events that went to the dead-letter sink",
        read=lambda totals: totals.statuses.get("dead_lettered", 0),
    ),
    Described(
        name="delivery_retries_total",
        type="counter",
        text="Repeated attempts to send events, to either sink",
        read=lambda totals: totals.delivery_retries,
    ),
    Described(
        name="delivery_seconds",
        type="histogram",
        text="Time from queueing an event to its delivery, retries included",
        read=lambda totals: totals.delivery_histogram,
    ),
    Described(
        name="lag_seconds",
        type="histogram",
        text="Time from the change, by Cognito's dates, to its delivered event",
        read=lambda totals: totals.lag_histogram,
    ),
    Described(
        name="undelivered",
        type="gauge",
        text="Users whose event is undelivered now",
        read=lambda totals: totals.undelivered,
    ),
    Described(
        name="deletions_waiting",
        type="gauge",
        text="Users missing from the last complete sweep whose deletion is not confirmed yet",
        read=lambda totals: totals.deletions_waiting,
    ),
    Described(
        name="in_flight",
        type="gauge",
        text="Events in flight to the sink now",
        read=lambda totals: totals.in_flight,
    ),
    Described(name="users", type="gauge", text="Known users", read=lambda totals: totals.users),
    Described(
        name="sweeps_total",
        type="counter",
        labels=("outcome",),
        values="complete, stopped, or the code of the fault",
        text="Sweeps by outcome",
        read=lambda totals: totals.outcomes,
    ),
    Described(
        name="sweep_seconds",
        type="gauge",
        text="Duration of the last complete sweep",
        read=lambda totals: totals.last_sweep_s,
    ),
    Described(
        name="last_successful_sweep_timestamp_seconds",
        type="gauge",
        text="When the last complete sweep ended, in seconds since the epoch; 0 before the first",
        read=lambda totals: totals.last_sweep_at_s or 0.0,
    ),
    Described(
        name="requests_total",
        type="counter",
        text="ListUsers requests",
        read=lambda totals: totals.requests,
    ),
    Described(
        name="throttled_total",
        type="counter",
        text="ListUsers requests that Cognito throttled",
        read=lambda totals: totals.throttled,
    ),
    Described(
        name="retries_total",
        type="counter",
        labels=("code",),
        values="the code of the fault",
        text="Pages requested again",
        read=lambda totals: totals.retries,
    ),
)


class Collector:
    """Everything of one source, for a Prometheus registry."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now, the original's first."""
        totals = self._metrics.totals()
        yield self._original(totals)
        for described in METRICS:
            yield _family(described, described.read(totals))

    def _original(self, totals: Totals) -> Metric:
        from prometheus_client.metrics_core import UntypedMetricFamily

        metrics = self._metrics
        name = _NOT_OF_A_NAME.sub("_", metrics.component) + ORIGINAL_SUFFIX
        # Untyped, because the library would append _total to a counter's name.
        family = UntypedMetricFamily(name, "Number of events sent", labels=list(ORIGINAL_TAGS))
        source = (metrics.namespace, metrics.source, metrics.name, metrics.resource_group)
        for sent, count in totals.sent.items():
            family.add_metric((*source, *sent), count)
        return family


def serve(metrics: Metrics, host: str, port: int) -> Callable[[], None]:
    """Serve /metrics for Prometheus in a thread, with numbers of the process beside ours; returns what stops it.

    Raises:
        OSError: the port can't be had.
    """
    from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

    registry = CollectorRegistry()
    registry.register(Collector(metrics))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    server = HttpServer(host, port, lambda request: exposition(registry, request), name="metrics")
    server.start()
    return server.close


def exposition(registry: CollectorRegistry, request: HttpRequest) -> HttpReply:
    """What the library's own server answers to a request: in the format that it asks for, whatever its path."""
    from prometheus_client.exposition import choose_encoder

    if request.method == "OPTIONS":
        return HttpReply(status=200, headers=_ALLOWED)
    if request.method not in {"GET", "HEAD"}:
        return HttpReply(status=405, headers=_ALLOWED)
    if request.path == "/favicon.ico":
        return HttpReply(status=200)
    encoder, content_type = choose_encoder(request.header("accept"))
    body = encoder(registry)
    accepted = {each.partition(";")[0].strip().lower() for each in request.header("accept-encoding").split(",")}
    if "gzip" in accepted:
        headers = {"Content-Encoding": "gzip"}
        return HttpReply(status=200, body=gzip.compress(body), content_type=content_type, headers=headers)
    return HttpReply(status=200, body=body, content_type=content_type)


def markdown() -> str:
    """The table of docs/metrics.md."""
    lines = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for each in METRICS:
        labels = ", ".join(f"`{label}`" for label in each.labels) + (f" ({each.values})" if each.values else "")
        lines.append(f"| `{PREFIX}{each.name}` | {each.type} | {labels} | {each.text} |".replace("|  |", "| |"))
    return "\n".join(lines) + "\n"


def _family(described: Described, value: Any) -> Metric:
    """One metric with its numbers, as the library wants it."""
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    name, text = PREFIX + described.name, described.text
    if isinstance(value, Buckets):
        return HistogramMetricFamily(name, text, buckets=_cumulative(value), sum_value=value.total)
    family: Any = (CounterMetricFamily if described.type == "counter" else GaugeMetricFamily)(
        name, text, labels=described.labels
    )
    for labels, number in value.items() if isinstance(value, Mapping) else [((), value)]:
        family.add_metric([labels] if isinstance(labels, str) else labels, number)
    return family  # type: ignore[no-any-return]  # the library's classes have no common typed constructor


def _cumulative(buckets: Buckets) -> list[tuple[str, float]]:
    total, made = 0, []
    for bound, count in zip((*map(str, buckets.bounds), "+Inf"), buckets.counts, strict=True):
        total += count
        made.append((bound, float(total)))
    return made
