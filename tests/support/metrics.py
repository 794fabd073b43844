"""Metrics of an adapter that did a bit of everything."""

from __future__ import annotations

from collections.abc import Callable

from adapter.delivery import Result, Status
from adapter.model import Event, Kind
from adapter.observability.metrics import Metrics

ARN = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"
TYPE = "com.amazon.cognito-idp.sync_trigger"
EVENT = Event(attributes={"type": TYPE, "id": "1"}, data=b"", key="bob")
NOON_S = 1_700_000_000.0


def result(status: str, code: str, attempts: int = 1, latency_s: float = 0.2) -> Result:
    """How the delivery of an event ended."""
    return Result(event=EVENT, status=Status(status), code=code, attempts=attempts, latency_s=latency_s)


def busy(clock: Callable[[], float] = lambda: NOON_S) -> Metrics:
    """Two events delivered, one dead-lettered, one undelivered; a complete sweep and one that failed."""
    traffic = iter(range(10, 1000, 10))
    made = Metrics(source=ARN, namespace="crm", name="users", traffic=lambda: (next(traffic), 2), wall_s=clock)
    made.finished([(result("delivered", "202"), Kind.CREATED, 0.7)])
    made.finished([(result("delivered", "202", latency_s=20.0), Kind.DELETED, 99.0)])
    made.finished([(result("dead_lettered", "400", attempts=2), Kind.UPDATED, 1.0)])
    made.finished([(result("undelivered", "timeout", attempts=3), Kind.UPDATED, 1.0)])
    made.swept("complete", 2.5)
    made.swept("InternalError", 0.1)
    made.retried("InternalErrorException")
    made.users, made.undelivered, made.deletions_waiting = 7, 1, 3
    return made
