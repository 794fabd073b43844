"""Metrics for CloudWatch: lines in its Embedded Metric Format, which it reads from the log without agent or permission.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any, Final

from adapter.line_writer import LineWriter
from adapter.log import Action
from adapter.model import Kind
from adapter.observability.metrics import Metrics

logger = logging.getLogger(__name__)

NAMESPACE: Final = "CognitoSource"
DIMENSION: Final = "Source"
#: How often a line goes to CloudWatch at most, in seconds; alarms look at minutes.
PERIOD_S: Final = 60.0
#: How long a line may wait for a slow reader, in seconds: the thread that writes it has users to look for.
_PATIENCE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Described:
    """A metric: its name, its unit as CloudWatch calls it, and what it says, for the documentation."""

    name: str
    unit: str
    text: str


#: Every metric of a line. Those with a value per sweep or per event are left out when there was none.
METRICS: Final = (
    Described("EventsCreated", "Count", "delivered events of new users"),
    Described("EventsUpdated", "Count", "delivered events of changed users"),
    Described("EventsDeleted", "Count", "delivered events of deleted users"),
    Described("EventsOther", "Count", "delivered events of users reported as they are: snapshot, replay"),
    Described("DeadLetters", "Count", "events that went to the dead-letter sink"),
    Described("SweepSucceeded", "Count", "complete sweeps"),
    Described("Requests", "Count", "ListUsers requests"),
    Described("Throttled", "Count", "ListUsers requests that Cognito throttled"),
    Described("Users", "Count", "known users"),
    Described("Undelivered", "Count", "users whose event is undelivered now"),
    Described("DeletionsWaiting", "Count", "missing users whose deletion is not confirmed yet"),
    Described("SweepSeconds", "Seconds", "how long each complete sweep took, the newest 100 of them"),
    Described("LagSeconds", "Seconds", "from each change to its delivered event, the newest 100 of them"),
)
_KINDS: Final = {Kind.CREATED: "EventsCreated", Kind.UPDATED: "EventsUpdated", Kind.DELETED: "EventsDeleted"}


class Emf:
    """Writes what happened since the line before, when it is time. Used by one thread.

    A line that can't be written is lost, and said once; nothing else stops for it.

    Args:
        metrics: what is counted; nobody else may take its intervals.
        writer: where the log driver reads: stdout; None: that is closed.
    """

    def __init__(self, metrics: Metrics, writer: LineWriter | None) -> None:
        self._metrics = metrics
        self._writer = writer
        self._written_at_s = metrics.wall_s()
        self._traffic = (0, 0)
        self._failing = False

    def write(self, *, now: bool = False) -> None:
        """Write a line if one is due, or `now`."""
        wall_s = self._metrics.wall_s()
        if now or abs(wall_s - self._written_at_s) >= PERIOD_S:
            self._written_at_s = wall_s
            self._say(self._fault(self.line()))

    def _fault(self, line: str) -> str:
        """Write a line; returns what was in the way."""
        if self._writer is None:
            return "it is closed"
        fault = self._writer.write([f"{line}\n".encode()], _PATIENCE_S).fault
        return "" if fault is None else str(fault.strerror)

    def _say(self, fault: str) -> None:
        if fault and not self._failing:
            logger.warning(
                "METRICS_EMF: stdout can't be written (%s); metrics are lost until it can, events are not",
                fault,
                extra={"action": Action.METRICS_LOST},
            )
        elif self._failing and not fault:
            logger.info("METRICS_EMF: stdout accepts metrics again", extra={"action": Action.METRICS_WRITTEN})
        self._failing = bool(fault)

    def line(self) -> str:
        """What happened since the last call, as one JSON object."""
        before, self._traffic = self._traffic, self._metrics.traffic()
        interval = self._metrics.take_interval()
        values: dict[str, Any] = {name: interval.kinds[kind] for kind, name in _KINDS.items()}
        values |= {
            "EventsOther": interval.kinds.total() - sum(values.values()),
            "DeadLetters": interval.dead_letters,
            "SweepSucceeded": interval.sweeps,
            "Requests": self._traffic[0] - before[0],
            "Throttled": self._traffic[1] - before[1],
            "Users": self._metrics.users,
            "Undelivered": self._metrics.undelivered,
            "DeletionsWaiting": self._metrics.deletions_waiting,
            "SweepSeconds": interval.sweep_s,
            "LagSeconds": interval.lag_s,
        }
        shown = [each for each in METRICS if values[each.name] != []]
        directive = {
            "Namespace": NAMESPACE,
            "Dimensions": [[DIMENSION]],
            "Metrics": [{"Name": each.name, "Unit": each.unit} for each in shown],
        }
        head = {"Timestamp": int(self._metrics.wall_s() * 1000), "CloudWatchMetrics": [directive]}
        line = {"_aws": head, DIMENSION: self._metrics.name}
        return json.dumps(line | {each.name: values[each.name] for each in shown}, separators=(",", ":"))


def markdown() -> str:
    """The table of docs/metrics.md."""
    rows = [f"| `{each.name}` | {each.unit} | {each.text} |" for each in METRICS]
    return "\n".join(["| metric | unit | meaning |", "|---|---|---|", *rows]) + "\n"
