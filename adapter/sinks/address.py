"""Where an HTTP sink is and how to get there: read once, at the start.

`requests` decides what its users expect it to decide: how the address is encoded, what its credentials mean, which
proxy and CA bundle the environment asks for.
"""

from __future__ import annotations

import re
import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH, select_proxy

from adapter.errors import ConfigError
from adapter.http1 import Route
from adapter.sinks.options import HttpOptions
from adapter.version import USER_AGENT

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
#: Headers that are ours to set: an extra header can't take their place.
_OURS = frozenset({"content-type", "content-length", "transfer-encoding", "host", "connection", "kn-namespace"})
#: Likewise, while there are traces: of two such headers a consumer would believe neither.
_TRACE = frozenset({"traceparent", "tracestate"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """`target` is for people: no credentials, no query; `head` is how every request begins; `route` leads there."""

    target: str
    head: bytes = field(repr=False)
    route: Route = field(repr=False)


def resolve(url: str, options: HttpOptions, *, variable: str) -> Address:
    """Find out everything that can be known before the first request; no connection is made.

    Args:
        url: `http://` or `https://`, with credentials and query if need be.
        options: how to speak to the sink.
        variable: the environment variable that the URL is from, for messages.

    Raises:
        ConfigError: the URL, a header, a proxy or a CA can't be used.
    """
    try:
        prepared = requests.Request("POST", url).prepare()
        parts = urlsplit(prepared.url or "")
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (requests.RequestException, ValueError) as error:
        raise ConfigError(f"{variable}: expected an http:// or https:// URL with a valid host") from error
    host = parts.netloc.rpartition("@")[2]
    headers = {"host": host, "user-agent": USER_AGENT, **_extra_headers(prepared, options, variable)}
    settings = requests.Session().merge_environment_settings(prepared.url or "", {}, None, None, None)
    tls = _tls_context(options, settings["verify"]) if parts.scheme == "https" else None
    route = Route(host=parts.hostname or "", port=port, tls=tls)
    request_target = prepared.path_url
    if proxy_url := select_proxy(prepared.url or "", settings["proxies"]):
        proxy, authorization = _proxy(proxy_url)
        behind = (route.host, port) if tls else None
        route = Route(
            host=proxy.hostname or "", port=proxy.port or 80, tls=tls, tunnel=behind, tunnel_headers=authorization
        )
        if not tls:  # a proxy for plain HTTP is told the whole address, and its credentials with every request
            request_target = f"http://{host}{request_target}"
            headers.update(authorization)
    return Address(
        target=f"{parts.scheme}://{host}{parts.path}",
        head=f"POST {request_target} HTTP/1.1\r\n{header_lines(headers)}".encode("latin-1"),
        route=route,
    )


def header_lines(headers: dict[str, str]) -> str:
    """Headers the way they are sent."""
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])


def _proxy(url: str) -> tuple[SplitResult, tuple[tuple[str, str], ...]]:
    """The proxy, and the headers with its credentials.

    Raises:
        ConfigError: it is not an HTTP proxy.
    """
    proxy = urlsplit(url if "://" in url else f"http://{url}")
    if proxy.scheme != "http" or not proxy.hostname or not _has_valid_port(proxy):
        names = "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY"
        raise ConfigError(f"{names} of the environment is not a proxy like http://HOST:PORT")
    if proxy.username is None:
        return proxy, ()
    credentials = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
    return proxy, (("proxy-authorization", "Basic " + b64encode(credentials).decode("ascii")),)


def _has_valid_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _extra_headers(prepared: requests.PreparedRequest, options: HttpOptions, variable: str) -> dict[str, str]:
    """What every request carries by configuration; names in lower case.

    Raises:
        ConfigError: a header can't be set, or credentials are given in two places; one line for each.
    """
    problems = [
        f"DELIVERY_HEADERS: the header {name!r} can't be set: {why}"
        for name, value in options.headers.items()
        if (why := _header_problem(name, value, traced=options.inject is not None))
    ]
    headers = {name.lower(): value for name, value in options.headers.items()}
    credentials = {
        "DELIVERY_HEADERS": "authorization" in headers,
        "DELIVERY_TOKEN_FILE": options.token_file is not None,
        f"the URL of {variable}": "Authorization" in prepared.headers,
    }
    if not _HEADER_VALUE.fullmatch(options.namespace):
        problems.append(
            "NAMESPACE: the header Kn-Namespace can't be set: expected a name without line breaks "
            "and characters outside ISO 8859-1"
        )
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


def _header_problem(name: str, value: str, *, traced: bool) -> str | None:
    """Why a header can't be set; never quotes the value, which may be a secret."""
    if not _HEADER_NAME.fullmatch(name):
        return "expected letters, digits and hyphens"
    if name.lower() in _OURS or name.lower().startswith("ce-") or (traced and name.lower() in _TRACE):
        return "the adapter sets it itself"
    if not _HEADER_VALUE.fullmatch(value):
        return "its value has line breaks or characters outside ISO 8859-1"
    return None


def _tls_context(options: HttpOptions, bundle: object) -> ssl.SSLContext:
    """Trust the system's CAs, those of requests (`bundle`, if the environment names one), and the extra ones.

    Raises:
        ConfigError: a CA can't be read; one line for each.
    """
    context = ssl.create_default_context()
    problems = []
    path = Path(bundle if isinstance(bundle, str) else DEFAULT_CA_BUNDLE_PATH)
    try:
        context.load_verify_locations(**{"capath" if path.is_dir() else "cafile": str(path)})
    except OSError as error:
        problems.append(f"REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE: {path} can't be read: {error.strerror}")
    texts = [("K_CA_CERTS", options.ca_certs)] if options.ca_certs.strip() else []
    for file in _bundle_files(options.ca_folder):
        try:
            texts.append((str(file), file.read_text("utf-8", errors="replace")))
        except OSError as error:
            problems.append(f"{file}: can't be read: {error.strerror}")
    for name, text in texts:
        try:
            # Only comments may hold other characters, and bundles often do; Python takes none.
            context.load_verify_locations(cadata=text.encode("ascii", "replace").decode("ascii"))
        except (ssl.SSLError, ValueError):
            problems.append(f"{name}: expected CA certificates as PEM text (-----BEGIN CERTIFICATE-----)")
    if problems:
        raise ConfigError(problems)
    return context


def _bundle_files(folder: Path | None) -> list[Path]:
    """The files of a mounted bundle; what begins with a dot is Kubernetes' own book-keeping."""
    if folder is None or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
