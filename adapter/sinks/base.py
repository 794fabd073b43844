"""What a sink is, and what can become of an event that is handed to one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from adapter.model import Event


@dataclass(frozen=True, slots=True)
class Delivered:
    """The sink has the event: it answered with success, durably as far as it promises.

    `code` is the HTTP status of the answer, if there is one: for metrics.
    """

    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The sink does not have the event (or did not say so).

    `code` is an HTTP status, or the service's error code, or the name of a transport fault ("timeout").
    `reason` is one line for logs: never a response body, never user data.
    `body` is what the sink answered, for knativeerrordata only (at most 1024 bytes).
    `retry_after_s` is what the answer asked for, in seconds.
    `shared` says that the answer was to a request with several events, any of which may be at fault: each is worth a
    try of its own before it is given up.
    """

    code: str
    reason: str
    retryable: bool
    retry_after_s: float | None = None
    body: bytes = field(default=b"", repr=False)
    shared: bool = False


Outcome = Delivered | Failed


class Sink(Protocol):
    """Somewhere to send events. Implementations are thread-safe, make one attempt a call and do not raise."""

    @property
    def target(self) -> str:
        """Where this sink sends to, for people: no credentials, no query string."""
        ...

    @property
    def max_batch(self) -> int:
        """The most events that one `send` takes."""
        ...

    def send(self, events: Sequence[Event]) -> Sequence[Outcome]:
        """Try once to deliver 1 to `max_batch` events; one outcome per event, in order."""
        ...

    def close(self) -> None:
        """Give back connections and files."""
        ...
