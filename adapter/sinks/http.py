"""Events to an HTTP address, as the CloudEvents binding and the Knative data plane describe it.

Requests go straight through urllib3, which `requests` stands on: a Session costs two to three times as much per event.
What a Session would decide (proxies of the environment, credentials of the URL) is taken from `requests`.
"""

from __future__ import annotations

import re
import ssl
import time
from base64 import b64encode
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

import certifi
import urllib3
from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from adapter.errors import ConfigError
from adapter.model import Event
from adapter.sinks.answer import BODY_MAX, read_answer
from adapter.sinks.base import Failed, Outcome
from adapter.sinks.options import ContentMode, HttpOptions
from adapter.sinks.token import TokenFile
from adapter.sinks.wire import BATCH_TYPE, STRUCTURED_TYPE, batched, binary_headers, structured

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
#: Headers that are ours to set: an extra header can't take their place.
_OURS = frozenset({"content-type", "content-length", "transfer-encoding", "host", "connection", "kn-namespace"})

#: What a transport error is called in metrics and reasons; the first class that fits counts.
_FAULTS: tuple[tuple[type[Exception], str, str], ...] = (
    (ProxyError, "proxy", "the proxy can't be reached or refused"),
    (SSLError, "tls", "the TLS handshake failed: is the CA of the sink known (K_CA_CERTS)?"),
    (ConnectTimeoutError, "timeout", "no connection within the time-out"),
    (ReadTimeoutError, "timeout", "no answer within the time-out"),
    (NameResolutionError, "dns", "the name of the host is not known"),
    (NewConnectionError, "connect", "the connection was refused or the host is not reachable"),
    (ProtocolError, "reset", "the connection broke before there was an answer"),
)


class HttpSink:
    """One POST per event (binary, structured) or per batch (batched)."""

    def __init__(self, url: str, options: HttpOptions) -> None:
        """Prepare connections; nothing is sent.

        Args:
            url: `http://` or `https://`, with credentials and query if need be.
            options: see there.

        Raises:
            ConfigError: the CAs, headers or the token file can't be used.
        """
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        self._target = f"{parts.scheme}://{host}{parts.path}"
        self._mode = options.mode
        self._batch_size = options.batch_size
        self._headers = _base_headers(url, options)
        self._token = TokenFile(options.token_file) if options.token_file else None
        self._timeout = urllib3.Timeout(connect=options.timeout_s, read=options.timeout_s)
        context = _tls_context(options) if parts.scheme == "https" else None
        proxy = select_proxy(url, get_environ_proxies(url))
        self._manager = (
            urllib3.ProxyManager(
                proxy, maxsize=options.connections, ssl_context=context, proxy_headers=_proxy_auth(proxy)
            )
            if proxy
            else urllib3.PoolManager(maxsize=options.connections, ssl_context=context)
        )
        self._pool = self._manager.connection_from_url(url)
        path = parts.path or "/"
        path += f"?{parts.query}" if parts.query else ""
        # A proxy for plain http is told the whole address; through a tunnel, and without proxy, the path is enough.
        self._request_target = f"{parts.scheme}://{host}{path}" if proxy and parts.scheme == "http" else path

    @property
    def target(self) -> str:
        """The address without credentials and query."""
        return self._target

    @property
    def max_batch(self) -> int:
        """One, but for the batched mode."""
        return self._batch_size if self._mode is ContentMode.BATCHED else 1

    def send(self, events: Sequence[Event]) -> Sequence[Outcome]:
        """One request; in batched mode all events share its outcome."""
        headers = dict(self._headers)
        if self._mode is ContentMode.BINARY:
            headers.update(binary_headers(events[0]))
            body = events[0].data
        elif self._mode is ContentMode.STRUCTURED:
            headers["content-type"] = STRUCTURED_TYPE
            body = structured(events[0])
        else:
            headers["content-type"] = BATCH_TYPE
            body = batched(events)
        if self._token:
            headers["authorization"] = f"Bearer {self._token.read()}"
        return [self._post(headers, body)] * len(events)

    def _post(self, headers: dict[str, str], body: bytes) -> Outcome:
        try:
            response = self._pool.urlopen(
                "POST",
                self._request_target,
                body,
                headers,
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=self._timeout,
                preload_content=False,
                decode_content=False,
            )
        except (HTTPError, OSError) as error:
            code, reason = next(
                ((code, reason) for kind, code, reason in _FAULTS if isinstance(error, kind)),
                ("transport", f"the request failed ({type(error).__name__})"),
            )
            return Failed(code=code, reason=reason, retryable=True)
        return read_answer(
            response.status,
            retry_after=response.headers.get("retry-after"),
            now_s=time.time(),
            body=_read_body(response),
        )

    def close(self) -> None:
        """Close the idle connections."""
        self._manager.clear()


def _read_body(response: urllib3.BaseHTTPResponse) -> bytes:
    """The beginning of the body. The connection is kept when that was all of it, closed when there is more."""
    try:
        body = response.read(BODY_MAX + 1)
        if len(body) > BODY_MAX:
            response.close()
    except (HTTPError, OSError):
        # The status is known, and it is what counts.
        body = b""
        response.close()
    response.release_conn()
    return body


def _base_headers(url: str, options: HttpOptions) -> dict[str, str]:
    """What every request carries besides the event."""
    problems = [
        f"DELIVERY_HEADERS: the header {name!r} can't be set: {why}"
        for name, value in options.headers.items()
        if (why := _header_problem(name, value))
    ]
    names = {name.lower() for name in options.headers}
    if "authorization" in names and options.token_file:
        problems.append("DELIVERY_HEADERS: Authorization is set by DELIVERY_TOKEN_FILE; name it in one of the two")
    if problems:
        raise ConfigError(problems)
    headers = {"user-agent": "cognito-source", "accept-encoding": "identity"}
    if options.namespace:
        headers["kn-namespace"] = options.namespace
    parts = urlsplit(url)
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["authorization"] = "Basic " + b64encode(credentials.encode()).decode("ascii")
    headers.update({name.lower(): value for name, value in options.headers.items()})
    return headers


def _header_problem(name: str, value: str) -> str | None:
    """Why a header can't be set; never quotes the value, which may be a secret."""
    if not _HEADER_NAME.fullmatch(name):
        return "expected letters, digits and hyphens"
    if name.lower() in _OURS or name.lower().startswith("ce-"):
        return "the adapter sets it itself"
    if not _HEADER_VALUE.fullmatch(value):
        return "its value has line breaks or characters outside ISO 8859-1"
    return None


def _proxy_auth(proxy: str) -> dict[str, str] | None:
    parts = urlsplit(proxy)
    if parts.username is None:
        return None
    return urllib3.make_headers(proxy_basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")


def _tls_context(options: HttpOptions) -> ssl.SSLContext:
    """Trust the system's CAs, those that requests brings, and the extra ones.

    Raises:
        ConfigError: an extra CA is not PEM.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=certifi.where())
    texts = [("K_CA_CERTS", options.ca_certs)] if options.ca_certs.strip() else []
    if options.ca_folder and options.ca_folder.is_dir():
        # A mounted bundle has links to files in a hidden folder: both the names and the targets count once.
        files = sorted(path for path in options.ca_folder.iterdir() if path.is_file() and not path.name.startswith("."))
        texts += [(str(path), path.read_text("utf-8", errors="replace")) for path in files]
    problems = []
    for name, text in texts:
        try:
            context.load_verify_locations(cadata=text)
        except (ssl.SSLError, ValueError):
            problems.append(f"{name}: expected CA certificates as PEM text (-----BEGIN CERTIFICATE-----)")
    if problems:
        raise ConfigError(problems)
    return context
