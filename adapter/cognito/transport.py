"""A lean HTTP/1.1 connection for ListUsers, behind botocore's `before-send` event.

botocore builds, signs and retries every request and parses every answer; a handler of `before-send` that returns a
response replaces only the trip over the wire. urllib3's takes half of the CPU time of a ListUsers call (connection
pools, retries, header objects: docs/performance.md); this one sends the same bytes and reads the answer with as little
as HTTP/1.1 allows.

It serves the plain case only: no proxy, an answer with Content-Length. For everything else `send` returns None, and
botocore's own transport does it: when a proxy is set, when the server's certificate is not trusted (botocore knows
more places for CA certificates), and for good after an answer of another kind.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections import deque
from functools import lru_cache
from typing import Final, NoReturn
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies
from urllib3.util.wait import wait_for_read

_CHUNK: Final = 65536
#: Headers of more bytes are not those of an API.
_HEAD_MAX: Final = 65536
#: ListUsers answers have at most 60 users of at most some 100 kB each.
_BODY_MAX: Final = 64 * 1024 * 1024
#: Time that a whole answer may take, as a multiple of the time allowed for its next bytes.
_PATIENCE: Final = 3


class _UnfitError(Exception):
    """The answer is not of the plain kind that is read here."""


class _Body:
    """The part of urllib3's response that AWSResponse reads."""

    __slots__ = ("_body",)

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> tuple[bytes]:
        return (self._body,)


class LeanTransport:
    """Keeps connections to one endpoint. Thread-safe.

    Args:
        connect_timeout_s: longest wait for a connection, in seconds.
        read_timeout_s: longest wait for the next bytes of an answer, in seconds.
        ca_bundle: path of the CA certificates to trust; None: those that botocore trusts.
    """

    def __init__(self, *, connect_timeout_s: float, read_timeout_s: float, ca_bundle: str | None = None) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._ca_bundle = ca_bundle
        self._idle: deque[socket.socket] = deque()
        self._origin: tuple[str, str, int] | None = None
        self._host = b""
        self._tls: ssl.SSLContext | None = None
        self._unfit = False
        self._closed = False

    def send(self, request: AWSPreparedRequest) -> AWSResponse | None:
        """Send a prepared request and read its answer; None: this one is for botocore's own transport.

        Raises:
            ConnectTimeoutError, ReadTimeoutError, ConnectionClosedError, EndpointConnectionError: as botocore's own
                transport does, so that botocore retries them.
        """
        body = request.body
        if self._unfit or not isinstance(body, bytes):
            return None
        url = urlsplit(request.url)
        if not self._fits(url.scheme, url.hostname or "", url.port, request.url):
            return None
        connection = self._checked_out() or self._connect(request.url)
        if connection is None:
            return None
        try:
            connection.sendall(self._head(request, url.path or "/", url.query) + body)
            status, headers, answer = self._read(connection)
        except _UnfitError:
            connection.close()
            self._unfit = True
            return None
        except TimeoutError as error:
            connection.close()
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from None
        except OSError as error:
            connection.close()
            raise ConnectionClosedError(endpoint_url=request.url, error=error) from None
        except BaseException:
            connection.close()
            raise
        if self._closed or "close" in headers.get("connection", "").lower():
            connection.close()
        else:
            self._idle.append(connection)
        # AWSResponse copies any mapping; its stubs ask for more.
        return AWSResponse(request.url, status, headers, _Body(answer))  # type: ignore[arg-type]

    def close(self) -> None:
        """Close the connections that wait; those in use are closed after their answer."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _fits(self, scheme: str, host: str, port: int | None, url: str) -> bool:
        """Whether the URL is the one endpoint that this transport serves, and is reached without a proxy."""
        default = 443 if scheme == "https" else 80
        origin = (scheme, host, port or default)
        if self._origin is None:
            if scheme not in {"http", "https"} or get_environ_proxies(url):
                self._unfit = True
                return False
            name = f"[{host}]" if ":" in host else host
            self._host = (name if origin[2] == default else f"{name}:{origin[2]}").encode("ascii")
            if scheme == "https":
                self._tls = ssl.create_default_context(cafile=self._ca_bundle or get_cert_path(verify=True))
            self._origin = origin
        return origin == self._origin

    def _checked_out(self) -> socket.socket | None:
        """An idle connection that the server has not closed; the one used last has the best chances."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if not wait_for_read(connection, timeout=0):
                return connection
            connection.close()

    def _connect(self, url: str) -> socket.socket | None:
        if self._origin is None:
            return None
        _, host, port = self._origin
        try:
            plain = socket.create_connection((host, port), self._connect_timeout_s)
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=url, error=error) from None
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=url, error=error) from None
        connection = plain
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._tls is not None:
                connection = self._tls.wrap_socket(plain, server_hostname=host)
            connection.settimeout(self._read_timeout_s)
        except TimeoutError as error:
            plain.close()
            raise ConnectTimeoutError(endpoint_url=url, error=error) from None
        except ssl.SSLCertVerificationError:
            plain.close()
            self._unfit = True
            return None
        except OSError as error:
            plain.close()
            raise ConnectionClosedError(endpoint_url=url, error=error) from None
        return connection

    def _head(self, request: AWSPreparedRequest, path: str, query: str) -> bytes:
        target = f"{path}?{query}" if query else path
        headers = {name: _header(value) for name, value in request.headers.items()}
        lines = [f"{request.method} {target} HTTP/1.1".encode("ascii")]
        if "Host" not in headers:
            lines.append(b"Host: " + self._host)
        lines += [b"%b: %b" % (_name(name), value) for name, value in headers.items()]
        return b"\r\n".join((*lines, b"", b""))

    def _read(self, connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
        deadline = time.monotonic() + _PATIENCE * self._read_timeout_s
        received = bytearray()
        while (end := received.find(b"\r\n\r\n")) < 0:
            if len(received) > _HEAD_MAX:
                raise _UnfitError
            _receive(connection, received, deadline)
        status, headers = _parsed_head(bytes(received[:end]))
        length = headers.get("content-length", "")
        if "transfer-encoding" in headers or not length.isdecimal() or not 200 <= status < 600:
            raise _UnfitError
        size, start = int(length), end + 4
        if size > _BODY_MAX:
            raise _UnfitError
        while len(received) - start < size:
            _receive(connection, received, deadline)
        if len(received) - start > size:
            raise _UnfitError
        return status, headers, bytes(memoryview(received)[start:])


@lru_cache(maxsize=64)
def _name(name: str) -> bytes:
    return name.encode("ascii")


def _header(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


def _receive(connection: socket.socket, received: bytearray, deadline: float) -> None:
    chunk = connection.recv(_CHUNK)
    if not chunk:
        _closed()
    received += chunk
    if time.monotonic() > deadline:
        raise TimeoutError("the answer trickles")


def _closed() -> NoReturn:
    raise ConnectionResetError("closed before the answer was complete")


def _parsed_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Status and headers (lower case) of an answer."""
    line, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = line.partition(" ")
    if not version.startswith("HTTP/1.1") or not rest[:3].isdecimal():
        raise _UnfitError
    headers: dict[str, str] = {}
    for text in lines:
        name, colon, value = text.partition(":")
        if not colon or not name or name != name.strip():
            raise _UnfitError
        name, value = name.lower(), value.strip()
        # Two lengths are a message that two readers understand differently; joined, they are none to `_read`.
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return int(rest[:3]), headers
