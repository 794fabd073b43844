"""HTTP/1.1 to one origin with libcurl: the one client for ListUsers and for events (docs/adr/0011).

A request goes out and its response comes back as a whole, within one time-out for all of it: name resolution, proxy,
TLS, request, response. Redirects are not followed, and a request is repeated only when a kept connection turns out to
be closed before a byte of the response came. libcurl can sign requests for AWS itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from threading import Lock

from adapter.net.curl_handle import CurlHandle
from adapter.net.failures import FaultKind, TransferError
from adapter.net.origin import Limits, Origin
from adapter.net.response import Response


class HttpClient:
    """Requests to one origin, each over a connection that is idle or new. Thread-safe: a handle for each request."""

    def __init__(self, origin: Origin, limits: Limits) -> None:
        """Connect to nothing yet."""
        self._origin = origin
        self._limits = limits
        self._room = limits.idle
        self._idle: deque[CurlHandle] = deque()
        self._lock = Lock()

    @property
    def origin(self) -> Origin:
        """Where the requests go."""
        return self._origin

    @property
    def idle(self) -> int:
        """How many handles wait for the next request, each with its connection."""
        return len(self._idle)

    def send(
        self,
        headers: Sequence[bytes],
        body: bytes,
        *,
        key: tuple[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Response:
        """Send a request and read its response.

        Args:
            headers: `name: value` each; besides Host, Content-Length and User-Agent, which are libcurl's to set.
            body: the body.
            key: access key and secret key to sign with, for an origin with `signing`.
            timeout_s: a shorter time than the limits' for this request.

        Raises:
            TransferError: there is no response.
        """
        try:
            handle = self._idle.pop()
        except IndexError:
            handle = CurlHandle(self._origin, self._limits)
        try:
            return handle.send(headers, body, key, timeout_s)
        except UnicodeError:
            raise TransferError(FaultKind.UNSENDABLE, "the request has characters that can't be sent") from None
        finally:
            with self._lock:
                keep = len(self._idle) < self._room
                if keep:
                    self._idle.append(handle)
            if not keep:
                handle.close()

    def close(self) -> None:
        """Close the idle connections; those in use are closed after their response."""
        with self._lock:
            self._room = 0
        while self._idle:
            self._idle.pop().close()
