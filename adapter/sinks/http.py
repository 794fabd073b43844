"""Events to an HTTP address, as the CloudEvents binding and the Knative data plane describe it.

`requests` decides what its users expect it to decide: how the address is encoded, what its credentials mean, which
proxy and CA bundle the environment asks for. The bytes go over connections of ours (connection.py says why).
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from base64 import b64encode
from collections import deque
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH, select_proxy

from adapter.errors import ConfigError
from adapter.model import Event
from adapter.sinks.answer import read_answer
from adapter.sinks.base import Failed, Outcome
from adapter.sinks.connection import BadAnswerError, Connection, Route
from adapter.sinks.options import ContentMode, HttpOptions
from adapter.sinks.token import TokenFile
from adapter.sinks.wire import BATCH_TYPE, STRUCTURED_TYPE, batched, binary_headers, structured

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
#: Headers that are ours to set: an extra header can't take their place.
_OURS = frozenset({"content-type", "content-length", "transfer-encoding", "host", "connection", "kn-namespace"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


class HttpSink:
    """One POST per event (binary, structured) or per batch (batched)."""

    def __init__(self, url: str, options: HttpOptions, *, variable: str = "K_SINK") -> None:
        """Prepare everything; nothing is sent and no connection is made.

        Args:
            url: `http://` or `https://`, with credentials and query if need be.
            options: see there.
            variable: the environment variable that the address is from, for messages.

        Raises:
            ConfigError: the address, CAs, headers, proxy or the token file can't be used.
        """
        try:
            prepared = requests.Request("POST", url).prepare()
            address = urlsplit(prepared.url or "")
            port = address.port or _DEFAULT_PORTS[address.scheme]
        except (requests.RequestException, ValueError) as error:
            raise ConfigError(f"{variable}: expected an http:// or https:// URL with a valid host") from error
        host = address.netloc.rpartition("@")[2]
        self._target = f"{address.scheme}://{host}{address.path}"
        self._mode = options.mode
        self._batch_size = options.batch_size
        self._timeout_s = options.timeout_s
        self._connections = options.connections
        self._idle: deque[Connection] = deque()
        headers = {"host": host, "user-agent": "cognito-source", **_extra_headers(prepared, options, variable)}
        self._token = TokenFile(options.token_file) if options.token_file else None
        self._route, request_target = _route(prepared, port, options, headers)
        self._head = f"POST {request_target} HTTP/1.1\r\n{_lines(headers)}".encode("latin-1")

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
        if self._mode is ContentMode.BINARY:
            headers, body = binary_headers(events[0]), events[0].data
        elif self._mode is ContentMode.STRUCTURED:
            headers, body = {"content-type": STRUCTURED_TYPE}, structured(events[0])
        else:
            headers, body = {"content-type": BATCH_TYPE}, batched(events)
        if self._token:
            headers["authorization"] = f"Bearer {self._token.read()}"
        rest = f"{_lines(headers)}content-length: {len(body)}\r\n\r\n"
        return [self._post(b"".join((self._head, rest.encode("latin-1"), body)))] * len(events)

    def _post(self, request: bytes) -> Outcome:
        deadline = time.monotonic() + self._timeout_s
        connection = self._idle_connection()
        if connection is None:
            try:
                connection = self._route.connect(self._timeout_s)
            except (OSError, HTTPException) as error:
                return _no_connection(error)
        try:
            answer = connection.exchange(request, deadline)
        except TimeoutError:
            return Failed(code="timeout", reason="no answer within the time-out", retryable=True)
        except OSError:
            return Failed(code="reset", reason="the connection broke before there was an answer", retryable=True)
        except BadAnswerError as error:
            return Failed(code="reset", reason=str(error), retryable=True)
        finally:
            if connection.reusable and len(self._idle) < self._connections:
                self._idle.append(connection)
            else:
                connection.close()
        return read_answer(answer.status, retry_after=answer.retry_after, now_s=time.time(), body=answer.body)

    def _idle_connection(self) -> Connection | None:
        """The connection that was used last, if the sink did not close it meanwhile."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.usable():
                return connection
            connection.close()

    def close(self) -> None:
        """Close the idle connections."""
        self._connections = 0
        while self._idle:
            self._idle.pop().close()


def _lines(headers: dict[str, str]) -> str:
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])


def _no_connection(error: OSError | HTTPException) -> Failed:
    """Why there is no connection. The text of the error is left out: it may quote what a proxy said."""
    if isinstance(error, ssl.SSLError):
        code, reason = "tls", "the TLS handshake failed: is the CA of the sink known (K_CA_CERTS), its name right?"
    elif isinstance(error, TimeoutError):
        code, reason = "timeout", "no connection within the time-out"
    elif isinstance(error, socket.gaierror):
        code, reason = "dns", "the name of the host is not known"
    elif isinstance(error, HTTPException):
        code, reason = "proxy", "the proxy refused the connection"
    else:
        code, reason = "connect", f"no connection: {error.strerror}"
    return Failed(code=code, reason=reason, retryable=True)


def _route(
    prepared: requests.PreparedRequest, port: int, options: HttpOptions, headers: dict[str, str]
) -> tuple[Route, str]:
    """The way to the sink, and how the request names it there; adds the proxy's credentials to `headers` if need be.

    Raises:
        ConfigError: the environment names a proxy that is not an HTTP proxy, or a CA can't be used.
    """
    url = prepared.url or ""
    address = urlsplit(url)
    host = address.hostname or ""
    settings = requests.Session().merge_environment_settings(url, {}, None, None, None)
    tls = _tls_context(options, settings["verify"]) if address.scheme == "https" else None
    proxy_url = select_proxy(url, settings["proxies"])
    if not proxy_url:
        return Route(host=host, port=port, tls=tls), prepared.path_url
    proxy = urlsplit(proxy_url if "://" in proxy_url else f"http://{proxy_url}")
    if proxy.scheme != "http" or not proxy.hostname:
        raise ConfigError(f"the environment names a proxy of the kind {proxy.scheme}:; expected http://HOST:PORT")
    authorization: tuple[tuple[str, str], ...] = ()
    if proxy.username is not None:
        credentials = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
        authorization = (("proxy-authorization", "Basic " + b64encode(credentials).decode("ascii")),)
    proxy_port = proxy.port or _DEFAULT_PORTS["http"]
    if tls:
        tunnel = Route(host=proxy.hostname, port=proxy_port, tls=tls, tunnel=(host, port), tunnel_headers=authorization)
        return tunnel, prepared.path_url
    headers.update(authorization)
    return Route(host=proxy.hostname, port=proxy_port), f"http://{headers['host']}{prepared.path_url}"


def _extra_headers(prepared: requests.PreparedRequest, options: HttpOptions, variable: str) -> dict[str, str]:
    """What every request carries by configuration; names in lower case.

    Raises:
        ConfigError: a header can't be set, or credentials are given in two places; one line for each.
    """
    problems = [
        f"DELIVERY_HEADERS: the header {name!r} can't be set: {why}"
        for name, value in options.headers.items()
        if (why := _header_problem(name, value))
    ]
    headers = {name.lower(): value for name, value in options.headers.items()}
    credentials = {
        "DELIVERY_HEADERS": "authorization" in headers,
        "DELIVERY_TOKEN_FILE": options.token_file is not None,
        f"the URL of {variable}": "Authorization" in prepared.headers,
    }
    if sum(credentials.values()) > 1:
        named = " and ".join(name for name, given in credentials.items() if given)
        problems.append(f"{named} give credentials for the sink; keep one of them")
    if problems:
        raise ConfigError(problems)
    if "Authorization" in prepared.headers:
        headers["authorization"] = str(prepared.headers["Authorization"])
    if options.namespace:
        headers["kn-namespace"] = options.namespace
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


def _tls_context(options: HttpOptions, bundle: object) -> ssl.SSLContext:
    """Trust the system's CAs, those of requests (`bundle`, if the environment names one), and the extra ones.

    Raises:
        ConfigError: an extra CA is not PEM.
    """
    context = ssl.create_default_context()
    if isinstance(bundle, str) and Path(bundle).is_dir():
        context.load_verify_locations(capath=bundle)
    else:
        context.load_verify_locations(cafile=bundle if isinstance(bundle, str) else DEFAULT_CA_BUNDLE_PATH)
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
