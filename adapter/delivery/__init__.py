"""Delivery: sends events to a sink at least once, in order per user, and says what became of each."""

from adapter.delivery.circuit_breaker import CircuitBreaker
from adapter.delivery.dispatcher import Delivery
from adapter.delivery.queue import Result, Status
from adapter.delivery.retry import BackoffPolicy, RetryPolicy
from adapter.delivery.route import Batching

__all__ = [
    "BackoffPolicy",
    "Batching",
    "CircuitBreaker",
    "Delivery",
    "Result",
    "RetryPolicy",
    "Status",
]
