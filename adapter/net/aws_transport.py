"""Requests of botocore's clients over our HTTP client, behind botocore's `before-send` event.

botocore bounds each wait for more bytes, and neither the whole response nor its size: a server that sends a byte now
and then holds a request for ever. A handler of `before-send` that returns a response replaces only the trip over the
wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)

from adapter.net.botocore_settings import origin_for
from adapter.net.failures import FaultKind, TransferError
from adapter.net.http_client import HttpClient
from adapter.net.origin import Limits

if TYPE_CHECKING:
    from botocore.session import Session

#: What libcurl sets itself; none of it is signed but Host, which it writes in the same way.
_LIBCURLS: Final = frozenset({"host", "content-length", "user-agent", "expect"})


@dataclass(frozen=True, slots=True)
class _Body:
    """The part of urllib3's response that AWSResponse reads."""

    body: bytes

    def stream(self, *_: Any, **__: Any) -> tuple[bytes]:
        return (self.body,)


class AwsTransport:
    """The handler of `before-send` for one client whose requests are POSTs. Thread-safe.

    Args:
        session: of the client.
        limits: what one request and its response may take.
    """

    def __init__(self, session: Session, limits: Limits) -> None:
        """Connect to nothing yet."""
        self._session = session
        self._limits = limits
        self._clients: dict[str, HttpClient] = {}
        self._lock = Lock()

    def register(self, client: Any) -> None:
        """Send every request of this client."""
        client.meta.events.register("before-send", self)

    def __call__(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """Send a request and read its response.

        Raises:
            BotoCoreError: there is none; what botocore's own transport would raise.
            ConfigError: the proxy or the CA bundle of the environment can't be used.
        """
        url = str(request.url)
        headers = [
            _bytes(name) + b": " + _bytes(value)
            for name, value in request.headers.items()
            if str(name).lower() not in _LIBCURLS
        ]
        try:
            response = self._client(url, request).send(headers, _bytes(request.body or b""))
        except TransferError as error:
            raise _as_botocores(error, url) from None
        found = HeadersDict()
        for line in response.lines:
            name, _colon, value = line.decode("latin-1").partition(":")
            found[name.strip()] = value.strip()
        return AWSResponse(url, response.status, found, _Body(response.body))  # type: ignore[arg-type]

    def _client(self, url: str, request: AWSPreparedRequest) -> HttpClient:
        with self._lock:
            client = self._clients.get(url)
            if client is None:
                agent = _bytes(request.headers.get("User-Agent", "")).decode("latin-1")
                client = HttpClient(origin_for(self._session, url, user_agent=agent), self._limits)
                self._clients[url] = client
            return client


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _as_botocores(error: TransferError, url: str) -> BotoCoreError:
    """The exception that botocore has for this."""
    if error.kind is FaultKind.TIMEOUT:
        return ReadTimeoutError(endpoint_url=url)
    if error.kind is FaultKind.CONNECT_TIMEOUT:
        return ConnectTimeoutError(endpoint_url=url)
    if error.kind is FaultKind.TLS:
        return SSLError(endpoint_url=url, error=error)
    if error.kind is FaultKind.PROXY:
        return ProxyConnectionError(proxy_url="", error=error.reason)
    if error.kind is FaultKind.RESET:
        return ConnectionClosedError(endpoint_url=url)
    if error.kind in (FaultKind.DNS, FaultKind.CONNECT):
        return EndpointConnectionError(endpoint_url=url, error=error.reason)
    return HTTPClientError(error=error.reason)
