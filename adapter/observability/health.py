"""Whether the adapter works, and the HTTP server that says so.

`/health` is the original's probe: 503 until the first successful poll, then 204 for good. `/ready` and `/live` are ours
and tell the present: ready turns bad when polls or deliveries stall, live only when the process itself hangs, because
restarting it helps against that alone.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from adapter.config.values import Address
from adapter.net.http_message import HttpReply, HttpRequest
from adapter.net.http_server import HttpServer
from adapter.state.sqlite.lock import Holder

#: No page of users for longer than this (or three of the longest waits between sweeps), in seconds: not ready.
STALE_S: Final = 120.0
#: No sign of life of the service thread for longer than this, in seconds. One request may take 20 s, three attempts
#: and the longest Retry-After about 2 minutes.
HUNG_S: Final = 300.0


class Health:
    """What is known of the adapter's well-being. Thread-safe.

    Args:
        stale_s: how long polls may fail before the adapter is no longer ready, in seconds.
        hung_s: how long the service thread may be silent before the process is no longer alive, in seconds.
        clock: monotonic seconds.
    """

    def __init__(
        self, *, stale_s: float = STALE_S, hung_s: float = HUNG_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stale_s = stale_s
        self._hung_s = hung_s
        self._clock = clock
        self._lock = threading.Lock()
        self._beat_at = clock()
        self._polled_at: float | None = None
        self._problems: dict[str, str] = {}
        #: Who holds the state; None: not known yet.
        self.holder: Holder | None = None

    def beat(self) -> None:
        """The service thread is alive."""
        self._beat_at = self._clock()

    def polled(self) -> None:
        """A page of users arrived."""
        self._beat_at = self._polled_at = self._clock()

    def polls_wait(self) -> None:
        """No page is expected just now: the adapter waits for room in the delivery's queue, not for Cognito."""
        if self._polled_at is not None:
            self._beat_at = self._polled_at = self._clock()

    def problem(self, part: str, reason: str) -> None:
        """Something is wrong with this part (cognito, state, sink, deliveries), until `well`."""
        with self._lock:
            self._problems[part] = reason

    def well(self, part: str) -> None:
        """Nothing is wrong with this part any more."""
        with self._lock:
            self._problems.pop(part, None)

    @property
    def started(self) -> bool:
        """Whether there was a successful poll."""
        return self._polled_at is not None

    def unready(self) -> list[str]:
        """Why the adapter does not do its work just now; empty: it does."""
        with self._lock:
            reasons = [f"{part}: {reason}" for part, reason in sorted(self._problems.items())]
        if self._polled_at is None:
            return ["no successful poll yet", *reasons]
        silence_s = self._clock() - self._polled_at
        if silence_s > self._stale_s:
            reasons.insert(0, f"no successful poll for {silence_s:.0f} s")
        return reasons

    def dead(self) -> list[str]:
        """Why the process should be restarted; empty: it should not."""
        silence_s = self._clock() - self._beat_at
        return [f"the service thread has been silent for {silence_s:.0f} s"] if silence_s > self._hung_s else []


class HealthServer:
    """Answers probes in a thread of its own, between `__enter__` and `__exit__`.

    Args:
        health: what to answer.
        address: where to listen; port 0 takes a free one.
        status: the body of `/status`: numbers and texts for `python -m adapter status`.

    Raises:
        OSError: the address can't be had.
    """

    def __init__(self, health: Health, address: Address, status: Callable[[], Mapping[str, Any]] = dict) -> None:
        self._health = health
        self._status = status
        self._server = HttpServer(address.host, address.port, self._answer, name="health")

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    def __enter__(self) -> HealthServer:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def _answer(self, request: HttpRequest) -> HttpReply:
        """The reply to a request of whatever method, as the original's server gives it."""
        if request.path == "/health":
            return HttpReply(status=204 if self._health.started else 503)
        if request.path == "/ready":
            return _verdict(self._health.unready())
        if request.path == "/live":
            return _verdict(self._health.dead())
        if request.path == "/status":
            reasons = {"unready": self._health.unready(), "dead": self._health.dead()}
            return _json(200, reasons | dict(self._status()))
        return HttpReply(status=404)


def _verdict(reasons: list[str]) -> HttpReply:
    return _json(503, {"reasons": reasons}) if reasons else HttpReply(status=204)


def _json(status: int, body: Mapping[str, Any]) -> HttpReply:
    return HttpReply(status=status, body=json.dumps(body).encode(), content_type="application/json")
