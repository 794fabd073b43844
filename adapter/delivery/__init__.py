"""Delivery: sends events to a sink at least once, in order per user, and says what became of each."""

from adapter.delivery.agenda import Batching, Result, Status
from adapter.delivery.breaker import Breaker
from adapter.delivery.dispatcher import Delivery
from adapter.delivery.duration import DurationError, format_duration, parse_duration
from adapter.delivery.retry import BackoffPolicy, RetryPolicy

__all__ = [
    "BackoffPolicy",
    "Batching",
    "Breaker",
    "Delivery",
    "DurationError",
    "Result",
    "RetryPolicy",
    "Status",
    "format_duration",
    "parse_duration",
]
