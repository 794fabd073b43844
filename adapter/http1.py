"""HTTP/1.1 to one origin: a request goes out in one piece, its answer comes back as a whole, the connection stays open.

For the two paths that every user and every event takes. There, general clients spend most of the CPU time on what
neither path needs (docs/performance.md, docs/delivery.md), and their time-outs bound each wait for some bytes instead
of the exchange. Connecting, tunnels and TLS are left to `http.client` and `ssl`; heads, lengths and chunks to
`httptools`, which binds llhttp, the parser of Node.js, and refuses what Node.js refuses.

Requests must be of a method whose answers have bodies: POST, not HEAD or CONNECT.
"""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ssl import SSLContext
from threading import Lock
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

#: A connection that was idle for longer is not used again: what is between the two ends may have forgotten it.
IDLE_MAX_S: Final = 60.0
#: More bytes in a row that are not of a body (heads, chunk sizes, trailers) are taken for an attack.
_FRAMING_MAX: Final = 65_536
_RECEIVE: Final = 65_536


class ConnectError(Exception):
    """There is no connection; `cause` says why. Its text may quote a proxy."""

    def __init__(self, cause: OSError | HTTPException) -> None:
        """Keep the cause: an HTTPException is the proxy's refusal."""
        super().__init__("no connection")
        self.cause = cause


class BadAnswerError(Exception):
    """What came is no HTTP/1.1 answer, or longer than allowed. Quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: a status from 200 on, headers (names in lower case, repeated ones joined by commas), the body."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What connections and answers may take.

    Attributes:
        connect_s: longest wait for each step of connecting.
        silence_s: longest wait for the next bytes of an answer; None: its deadline is the only bound.
        body_bytes: longest body.
        cut_s: None: a body that is too long, late or broken makes the answer an error. Otherwise the status is what
            counts: such a body is cut, and the connection closed, at the latest so many seconds after the head.
        idle: as many connections are kept for the next exchanges.
    """

    connect_s: float
    silence_s: float | None = None
    body_bytes: int = 65_536
    cut_s: float | None = None
    idle: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How to reach the origin: straight, or through a proxy (`tunnel` then names the host behind it, for TLS)."""

    host: str
    port: int
    tls: SSLContext | None = None
    tunnel: tuple[str, int] | None = None
    tunnel_headers: tuple[tuple[str, str], ...] = ()

    def connect(self, timeout_s: float) -> socket.socket:
        """Open a connection; each step may take so long.

        Raises:
            ConnectError: refused, unreachable, unknown host, time-out, TLS, or the proxy said no.
        """
        opener = (
            HTTPSConnection(self.host, self.port, timeout=timeout_s, context=self.tls)
            if self.tls
            else HTTPConnection(self.host, self.port, timeout=timeout_s)
        )
        if self.tunnel:
            opener.set_tunnel(*self.tunnel, headers=dict(self.tunnel_headers))
        try:
            opener.connect()
            opener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        except (OSError, HTTPException) as error:
            opener.close()
            if (
                self.tunnel and type(error) is OSError and error.errno is None
            ):  # how http.client says that the proxy refused
                raise ConnectError(HTTPException()) from error
            raise ConnectError(error) from error
        return opener.sock


class Pool:
    """Exchanges with one origin, each over a connection that is idle or new. Thread-safe."""

    def __init__(self, route: Route, limits: Limits) -> None:
        """Connect to nothing yet."""
        self._route = route
        self._limits = limits
        self._room = limits.idle
        self._idle: deque[Connection] = deque()
        self._lock = Lock()

    def exchange(self, request: bytes, deadline: float) -> Answer:
        """Send a request and read its answer; `deadline` is a time of the monotonic clock.

        Raises:
            ConnectError: there is no connection; nothing was sent.
            TimeoutError: the deadline passed, or the other side was silent for too long.
            OSError: the connection broke.
            BadAnswerError: the answer is not HTTP/1.1, or too long.
        """
        connection = self._waiting() or self._connected(deadline)
        try:
            return connection.exchange(request, deadline)
        finally:
            with self._lock:
                keep = connection.reusable and len(self._idle) < self._room
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def close(self) -> None:
        """Close the idle connections; those in use are closed after their answer."""
        with self._lock:
            self._room = 0
        while self._idle:
            self._idle.pop().close()

    def _waiting(self) -> Connection | None:
        """The connection that was used last, if the other side did not close it meanwhile."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.usable():
                return connection
            connection.close()

    def _connected(self, deadline: float) -> Connection:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return Connection(self._route.connect(min(left_s, self._limits.connect_s)), self._limits)


class Connection:
    """A connected socket that speaks HTTP/1.1. Used by one thread at a time."""

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        """Take over the socket."""
        self._sock = sock
        self._limits = limits
        self._reader = _Reader(limits.body_bytes)
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        #: Whether another exchange may follow on this connection.
        self.reusable = True
        self._used_at = time.monotonic()

    def usable(self) -> bool:
        """Whether the other side left the connection open, and sent nothing more, as far as one can see from here."""
        return time.monotonic() - self._used_at <= IDLE_MAX_S and not self._poll.poll(0)

    def close(self) -> None:
        """Close the socket."""
        self.reusable = False
        self._sock.close()

    def exchange(self, request: bytes, deadline: float) -> Answer:
        """As `Pool.exchange`, but for ConnectError."""
        self.reusable = False
        reader = self._reader
        reader.begin()
        self._set_timeout(deadline)
        self._sock.sendall(request)
        try:
            self._read(reader, deadline)
            self.reusable = reader.reusable
        except (OSError, BadAnswerError):
            if not reader.status or self._limits.cut_s is None:
                raise
        self._used_at = time.monotonic()
        return Answer(reader.status, reader.headers, b"".join(reader.parts))

    def _read(self, reader: _Reader, deadline: float) -> None:
        while not reader.status:
            self._receive(reader, deadline)
        if self._limits.cut_s is not None and not reader.complete:
            deadline = min(deadline, time.monotonic() + self._limits.cut_s)
        while not reader.complete:
            self._receive(reader, deadline)

    def _receive(self, reader: _Reader, deadline: float) -> None:
        self._set_timeout(deadline)
        if data := self._sock.recv(_RECEIVE):
            reader.feed(data)
        else:
            reader.end()

    def _set_timeout(self, deadline: float) -> None:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        silence_s = self._limits.silence_s
        self._sock.settimeout(left_s if silence_s is None else min(left_s, silence_s))


class _Reader:
    """What the parser finds in the bytes of an answer: it calls the methods `on_...`."""

    __slots__ = ("_body_max", "_framing", "_left", "_parser", "complete", "headers", "parts", "reusable", "status")

    def __init__(self, body_max: int) -> None:
        self._body_max = body_max
        self._parser = HttpResponseParser(self)
        self.begin()

    def begin(self) -> None:
        """Expect the next answer."""
        #: 0 until the head was read.
        self.status = 0
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []
        self.complete = False
        #: Whether the connection stays open after the answer, and nothing came that is not part of it.
        self.reusable = False
        self._left = self._body_max
        self._framing = 0

    def feed(self, data: bytes) -> None:
        """Read what came.

        Raises:
            BadAnswerError: it is not HTTP/1.1, or too much.
        """
        left = self._left
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            if not self.complete:
                # llhttp's reasons are fixed texts.
                raise BadAnswerError(f"the answer is not valid HTTP/1.1: {error}") from None
            self.reusable = False
        except HttpParserUpgrade:
            raise BadAnswerError("the answer is in another protocol") from None
        if self._left < 0:
            raise BadAnswerError("the answer's body is too long")
        self._framing = self._framing + len(data) if left == self._left else 0
        if self._framing > _FRAMING_MAX and not self.complete:
            raise BadAnswerError("the answer's head, or a line of it, is too long")

    def end(self) -> None:
        """Nothing more will come.

        Raises:
            ConnectionResetError: but the answer is not complete.
        """
        # httptools has no llhttp_finish. Without both headers the body ends with the connection (RFC 9112, 6.3).
        if not self.status or "content-length" in self.headers or "transfer-encoding" in self.headers:
            raise ConnectionResetError("the connection ended before the answer did")
        self.complete = True

    def on_message_begin(self) -> None:
        if self.complete:
            self.reusable = False  # nobody asked for another answer
        else:
            self.headers = {}  # those before were of 100 Continue, 103 Early Hints

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.status:
            return  # a trailer
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip()
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 and not self.complete:
            self.status = status

    def on_body(self, body: bytes) -> None:
        if self.complete:
            return
        self.parts.append(body if len(body) <= self._left else body[: max(0, self._left)])
        self._left -= len(body)

    def on_message_complete(self) -> None:
        if self.status and not self.complete:
            self.complete = True
            self.reusable = self._parser.should_keep_alive()
