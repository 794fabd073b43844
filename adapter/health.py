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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from adapter.state.lock import Holder
from adapter.values import Address

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
        handler = type("Handler", (_Handler,), {"health": health, "status": staticmethod(status)})
        server = type("Server", (ThreadingHTTPServer,), {"address_family": address.family, "daemon_threads": True})
        self._server = server((address.host, address.port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="health", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def __enter__(self) -> HealthServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    health: Health
    status: Callable[[], Mapping[str, Any]]
    server_version = "cognito-source"
    sys_version = ""
    timeout = 5.0

    def handle_one_request(self) -> None:
        """Read one request of whatever method, as the original's server does."""
        self.raw_requestline = self.rfile.readline(65_537)
        if len(self.raw_requestline) > 65_536 or not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        self._answer()
        self.wfile.flush()

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        self.close_connection = True
        if path == "/health":
            self._send(204 if self.health.started else 503)
        elif path == "/ready":
            self._verdict(self.health.unready())
        elif path == "/live":
            self._verdict(self.health.dead())
        elif path == "/status":
            self._send(200, {"unready": self.health.unready(), "dead": self.health.dead()} | dict(self.status()))
        else:
            self._send(404)

    def _verdict(self, reasons: list[str]) -> None:
        if reasons:
            self._send(503, {"reasons": reasons})
        else:
            self._send(204)

    def _send(self, code: int, body: Mapping[str, Any] | None = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(code)
        if data:
            self.send_header("Content-Type", "application/json")
        if code != 204:  # RFC 9110, section 8.6: no Content-Length there
            self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing: probes come every second."""
