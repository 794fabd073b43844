"""Metrics for CloudWatch: lines in its Embedded Metric Format, which it reads from the log without agent or permission.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, TextIO

from adapter.metrics import Metrics
from adapter.model import Kind

NAMESPACE: Final = "CognitoSource"
DIMENSION: Final = "Source"
#: How often a line goes to CloudWatch at most, in seconds; alarms look at minutes.
PERIOD_S: Final = 60.0


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
    Described("SweepSeconds", "Seconds", "how long each complete sweep took, the newest 100 of them"),
    Described("LagSeconds", "Seconds", "from each change to its delivered event, the newest 100 of them"),
)
_KINDS: Final = {Kind.CREATED: "EventsCreated", Kind.UPDATED: "EventsUpdated", Kind.DELETED: "EventsDeleted"}


class Emf:
    """Writes what happened since the line before, when it is time. Used by one thread.

    Args:
        metrics: what is counted; nobody else may take its intervals.
        stream: where the log driver reads: stdout.
    """

    def __init__(self, metrics: Metrics, stream: TextIO) -> None:
        self._metrics = metrics
        self._stream = stream
        self._written_at_s = metrics.wall_s()
        self._traffic = (0, 0)

    def write(self, *, now: bool = False) -> None:
        """Write a line if one is due, or `now`."""
        wall_s = self._metrics.wall_s()
        if now or abs(wall_s - self._written_at_s) >= PERIOD_S:
            self._written_at_s = wall_s
            self._stream.write(self.line() + "\n")
            self._stream.flush()

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
