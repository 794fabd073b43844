"""One HTTP/1.1 exchange after the other on a connection that stays open.

A POST through `requests` costs ten times as much CPU, mostly for generality that an event does not need: here the
request goes out in one piece, and of the answer only what decides about the event is looked at. Besides, the time-out
bounds the whole exchange, as Knative's does; those of the libraries bound each wait for some bytes.

Source for the framing of answers: RFC 9112, section 6.
"""

from __future__ import annotations

import re
import select
import socket
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ssl import SSLContext

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5]\d\d)(?: .*)?")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?")
_HEAD_MAX = 65_536
#: A longer body is not worth reading to its end: the connection is closed instead.
_BODY_MAX = 65_536
#: Once the status is known the rest of the answer may take this long, or the connection is given up.
_BODY_S = 1.0
_RECEIVE = 16_384
#: A connection that was idle for longer is not used again: what is between us and the sink may have forgotten it.
_IDLE_MAX_S = 60.0


class BadAnswerError(Exception):
    """What came is no HTTP/1.1 answer, or only the beginning of one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The part of an answer that matters: `body` is its beginning, or all of it."""

    status: int
    retry_after: str | None
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How to reach the sink: straight, or through a proxy (`tunnel` then names the host behind it, for TLS)."""

    host: str
    port: int
    tls: SSLContext | None = None
    tunnel: tuple[str, int] | None = None
    tunnel_headers: tuple[tuple[str, str], ...] = ()

    def connect(self, timeout_s: float) -> Connection:
        """Open a connection.

        Raises:
            OSError: refused, unreachable, unknown host, time-out, or TLS.
            HTTPException: the proxy said no, or nothing that makes sense.
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
        except OSError as error:
            opener.close()
            if self.tunnel and error.errno is None:  # how http.client says that the proxy refused the tunnel
                raise HTTPException from error
            raise
        return Connection(opener.sock)


class Connection:
    """A connected socket that speaks HTTP/1.1. Used by one thread at a time."""

    def __init__(self, sock: socket.socket) -> None:
        """Take over the socket."""
        self._sock = sock
        self._buffer = b""
        #: Whether another exchange may follow on this connection.
        self.reusable = True
        self._used_at = time.monotonic()

    def usable(self) -> bool:
        """Whether the other side left the connection open, as far as one can see from here."""
        if time.monotonic() - self._used_at > _IDLE_MAX_S:
            return False
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """Close the socket."""
        self.reusable = False
        self._sock.close()

    def exchange(self, request: bytes, deadline: float) -> Answer:
        """Send a request and read its answer; `deadline` is a time of the monotonic clock.

        Raises:
            TimeoutError: the deadline passed.
            OSError: the connection broke.
            BadAnswerError: what came back is not HTTP/1.1.
        """
        self.reusable = False
        self._set_timeout(deadline)
        self._sock.sendall(request)
        minor, status, headers = self._read_head(deadline)
        while status < 200:  # 100 Continue, 103 Early Hints: the answer follows
            minor, status, headers = self._read_head(deadline)
        said = headers.get(b"connection", b"").lower()
        stays_open = b"close" not in said if minor else b"keep-alive" in said
        try:
            body, complete = self._read_body(status, headers, min(deadline, time.monotonic() + _BODY_S))
        except (OSError, BadAnswerError):
            # The status is known, and it is what counts.
            body, complete = b"", False
        self.reusable = stays_open and complete and not self._buffer
        self._used_at = time.monotonic()
        retry_after = headers.get(b"retry-after")
        return Answer(status, retry_after.decode("latin-1") if retry_after else None, body)

    def _read_head(self, deadline: float) -> tuple[int, int, dict[bytes, bytes]]:
        end = self._buffer.find(b"\r\n\r\n")
        while end < 0:
            if len(self._buffer) > _HEAD_MAX:
                raise BadAnswerError("the answer's head does not end")
            self._receive(deadline)
            end = self._buffer.find(b"\r\n\r\n")
        lines = self._buffer[:end].split(b"\r\n")
        self._buffer = self._buffer[end + 4 :]
        status_line = _STATUS_LINE.fullmatch(lines[0])
        if not status_line:
            raise BadAnswerError("the answer is not HTTP/1.1")
        headers: dict[bytes, bytes] = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            name, value = name.lower(), value.strip()
            headers[name] = headers[name] + b"," + value if name in headers else value
        return int(status_line[1]), int(status_line[2]), headers

    def _read_body(self, status: int, headers: dict[bytes, bytes], deadline: float) -> tuple[bytes, bool]:
        """The body, and whether that was all of it (RFC 9112, 6.3)."""
        if status in {204, 304}:
            return b"", True
        if b"chunked" in headers.get(b"transfer-encoding", b"").lower():
            return self._read_chunks(deadline)
        length = headers.get(b"content-length", b"")
        if length.isdigit() and len(length) < 10:
            return self._read_bytes(min(int(length), _BODY_MAX), deadline), int(length) <= _BODY_MAX
        # No length that can be trusted: whatever came along with the head is good enough.
        return self._buffer[:_BODY_MAX], False

    def _read_chunks(self, deadline: float) -> tuple[bytes, bool]:
        body = b""
        while len(body) < _BODY_MAX:
            size_line = _CHUNK_SIZE.fullmatch(self._read_line(deadline))
            if not size_line:
                raise BadAnswerError("a chunk without its size")
            size = int(size_line[1], 16)
            if not size:
                while self._read_line(deadline):
                    pass  # trailers
                return body, True
            if size > _BODY_MAX:
                return body, False
            body += self._read_bytes(size, deadline)
            self._read_line(deadline)
        return body, False

    def _read_bytes(self, count: int, deadline: float) -> bytes:
        while len(self._buffer) < count:
            self._receive(deadline)
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _read_line(self, deadline: float) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > _HEAD_MAX:
                raise BadAnswerError("a line without an end")
            self._receive(deadline)
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line

    def _receive(self, deadline: float) -> None:
        self._set_timeout(deadline)
        data = self._sock.recv(_RECEIVE)
        if not data:
            raise BadAnswerError("the connection ended before the answer did")
        self._buffer += data

    def _set_timeout(self, deadline: float) -> None:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._sock.settimeout(left_s)
