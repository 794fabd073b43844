"""ListUsers over lean connections (adapter/http1.py), behind botocore's `before-send` event.

botocore builds, signs and retries every request and parses every answer; a handler of `before-send` that returns a
response replaces only the trip over the wire. urllib3's takes half of the CPU time of a ListUsers call (connection
pools, retries, header objects: docs/performance.md).

Two cases are left to botocore's own transport, by returning None: a proxy is set, or the server's certificate is not
trusted (botocore knows more places for CA certificates).
"""

from __future__ import annotations

import ssl
import time
from functools import lru_cache
from threading import Lock
from typing import Final
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

from adapter.http1 import Answer, BadAnswerError, ConnectError, Limits, Pool, Route

#: ListUsers answers have at most 60 users of at most some 100 kB each.
_BODY_MAX: Final = 64 * 1024 * 1024
#: As many connections wait for the next requests: one for every listing that goes on at once, and some.
_IDLE_MAX: Final = 32
#: Time that a whole answer may take, as a multiple of the time allowed for its next bytes.
_PATIENCE: Final = 3


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
        self._limits = Limits(
            connect_s=connect_timeout_s, silence_s=read_timeout_s, body_bytes=_BODY_MAX, idle=_IDLE_MAX
        )
        self._patience_s = connect_timeout_s + _PATIENCE * read_timeout_s
        self._ca_bundle = ca_bundle
        self._origin: tuple[str, str, int] | None = None
        self._host = b""
        self._pool: Pool | None = None
        self._lock = Lock()
        self._unfit = False

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
        pool = self._pool_for(url.scheme, url.hostname or "", url.port, request.url)
        if pool is None:
            return None
        message = self._head(request, url.path or "/", url.query) + body
        answer = self._exchange(pool, message, request.url)
        if answer is None:
            return None
        # AWSResponse copies any mapping; its stubs ask for more.
        return AWSResponse(request.url, answer.status, answer.headers, _Body(answer.body))  # type: ignore[arg-type]

    def close(self) -> None:
        """Close the connections that wait; those in use are closed after their answer."""
        if self._pool is not None:
            self._pool.close()

    def _exchange(self, pool: Pool, message: bytes, url: str) -> Answer | None:
        """The answer; None: the server is not trusted. Raises as `send` does."""
        try:
            return pool.exchange(message, time.monotonic() + self._patience_s)
        except ConnectError as error:
            cause = error.cause
            if isinstance(cause, ssl.SSLCertVerificationError):
                self._unfit = True
                return None
            if isinstance(cause, TimeoutError):
                raise ConnectTimeoutError(endpoint_url=url, error=cause) from None
            raise EndpointConnectionError(endpoint_url=url, error=cause) from None
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=url, error=error) from None
        except (OSError, BadAnswerError) as error:
            raise ConnectionClosedError(endpoint_url=url, error=error) from None

    def _pool_for(self, scheme: str, host: str, port: int | None, url: str) -> Pool | None:
        """The connections, if the URL is of the one endpoint that this transport serves, without a proxy."""
        default = 443 if scheme == "https" else 80
        origin = (scheme, host, port or default)
        with self._lock:
            if self._pool is None:
                if scheme not in {"http", "https"} or get_environ_proxies(url):
                    self._unfit = True
                    return None
                name = f"[{host}]" if ":" in host else host
                self._host = (name if origin[2] == default else f"{name}:{origin[2]}").encode("ascii")
                trusted = self._ca_bundle or get_cert_path(verify=True)
                tls = ssl.create_default_context(cafile=trusted) if scheme == "https" else None
                self._pool = Pool(Route(host=host, port=origin[2], tls=tls), self._limits)
                self._origin = origin
        return self._pool if origin == self._origin else None

    def _head(self, request: AWSPreparedRequest, path: str, query: str) -> bytes:
        target = f"{path}?{query}" if query else path
        headers = {name: _header(value) for name, value in request.headers.items()}
        lines = [f"{request.method} {target} HTTP/1.1".encode("ascii")]
        if "Host" not in headers:
            lines.append(b"Host: " + self._host)
        lines += [b"%b: %b" % (_name(name), value) for name, value in headers.items()]
        return b"\r\n".join((*lines, b"", b""))


@lru_cache(maxsize=64)
def _name(name: str) -> bytes:
    return name.encode("ascii")


def _header(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")
