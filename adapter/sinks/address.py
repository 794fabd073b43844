"""Where an HTTP sink is and how to get there: read once, at the start.

`requests` decides what its users expect it to decide: how the address is encoded, what its credentials mean, which
proxy and CA bundle the environment asks for.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH, select_proxy

from adapter.errors import ConfigError
from adapter.net.hostname import host_problem
from adapter.net.origin import Origin
from adapter.net.proxy import parse_proxy
from adapter.net.trust import Bundle, TrustStore, of_the_system
from adapter.sinks.options import HttpOptions
from adapter.version import USER_AGENT

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
#: Headers that are ours to set: an extra header can't take their place.
_OURS = frozenset(
    {"content-type", "content-length", "transfer-encoding", "host", "connection", "expect", "kn-namespace"}
)
#: Likewise, while there are traces: of two such headers a consumer would believe neither.
_TRACE = frozenset({"traceparent", "tracestate"})


@dataclass(frozen=True, slots=True)
class Address:
    """`target` is for people: no credentials, no query; `origin` leads there; `headers` go onto every request."""

    target: str
    origin: Origin = field(repr=False)
    headers: tuple[bytes, ...] = field(repr=False)


def resolve(url: str, options: HttpOptions, *, variable: str) -> Address:
    """Find out everything that can be known before the first request; no connection is made.

    Args:
        url: `http://` or `https://`, with credentials and query if need be.
        options: how to speak to the sink.
        variable: the environment variable that the URL is from, for messages.

    Raises:
        ConfigError: the URL, a header, a proxy or a CA can't be used.
    """
    bare, user = _without_user(url)
    try:
        prepared = requests.Request("POST", bare).prepare()
        parts = urlsplit(prepared.url or "")
        if urlsplit(bare).port == 0:  # requests leaves it out
            raise ConfigError(f"{variable}: expected a port from 1 to 65535, found 0")
    except (requests.RequestException, ValueError) as error:
        raise ConfigError(f"{variable}: expected an http:// or https:// URL with a valid host") from error
    if problem := host_problem(parts.hostname or ""):
        raise ConfigError(f"{variable}: the host's name can't be used: {problem}")
    headers = _extra_headers(user, options, variable)
    settings = requests.Session().merge_environment_settings(prepared.url or "", {}, None, None, None)
    proxy_url = select_proxy(prepared.url or "", settings["proxies"])
    proxy = parse_proxy(proxy_url) if proxy_url else None
    secure = parts.scheme == "https" or (proxy is not None and proxy.url.startswith("https:"))
    return Address(
        target=f"{parts.scheme}://{parts.netloc}{parts.path}",
        origin=Origin(
            url=f"{parts.scheme}://{parts.netloc}{prepared.path_url}",
            proxy=proxy,
            trust=_trust(options, settings["verify"]) if secure else None,
            user_agent=USER_AGENT,
        ),
        headers=header_lines(headers),
    )


def header_lines(headers: Mapping[str, str]) -> tuple[bytes, ...]:
    """Headers the way they are sent.

    Raises:
        UnicodeError: one has characters beyond ISO 8859-1.
    """
    return tuple([f"{name}: {value}".encode("latin-1") for name, value in headers.items()])


def _without_user(url: str) -> tuple[str, str | None]:
    """The URL without the user information in it, and that; None: it has none."""
    scheme, separator, rest = url.partition("://")
    end = next((place for place, character in enumerate(rest) if character in "/?#"), len(rest))
    user, at, host = rest[:end].rpartition("@")
    return f"{scheme}{separator}{host}{rest[end:]}", user if at else None


def _extra_headers(user: str | None, options: HttpOptions, variable: str) -> dict[str, str]:
    """What every request carries by configuration; names in lower case.

    Args:
        user: the user information of the URL.
        options: how to speak to the sink.
        variable: the environment variable that the URL is from, for messages.

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
        f"the URL of {variable}": bool(user),
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
    if user:
        try:
            headers["authorization"] = _basic(user)
        except UnicodeError:
            raise ConfigError(f"{variable}: expected credentials in UTF-8, found other characters") from None
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


def _basic(user: str) -> str:
    """Basic authentication (RFC 7617, in UTF-8) for `NAME:PASSWORD` or `TOKEN` as it stands in a URL."""
    name, _, password = user.partition(":")
    return "Basic " + b64encode(unquote_to_bytes(name) + b":" + unquote_to_bytes(password)).decode("ascii")


def _trust(options: HttpOptions, bundle: object) -> TrustStore:
    """Trust the system's CAs, those of requests (`bundle`, if the environment names one), and the extra ones.

    Raises:
        ConfigError: a CA can't be read; one line for each.
    """
    bundles, folders = of_the_system()
    path = Path(bundle if isinstance(bundle, str) else DEFAULT_CA_BUNDLE_PATH)
    if path.is_dir():
        folders.append(str(path))
    else:
        bundles.append(Bundle(name="REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE", path=path))
    if options.ca_certs.strip():
        bundles.append(Bundle(name="K_CA_CERTS", text=options.ca_certs.encode("utf-8", "replace")))
    if options.ca_folder is not None:
        bundles.append(Bundle(name=str(options.ca_folder), path=options.ca_folder, optional=True))
    return TrustStore(bundles, folders)
