"""The proxy that the environment names."""

from __future__ import annotations

from urllib.parse import SplitResult, unquote, urlsplit

from adapter.errors import ConfigError
from adapter.net.origin import Proxy


def parse_proxy(url: str) -> Proxy:
    """Read a proxy's URL, as it stands in HTTP_PROXY and its relatives; without a scheme it is http.

    Raises:
        ConfigError: it is not an HTTP proxy. The message does not quote it, for it may hold credentials.
    """
    proxy = urlsplit(url if "://" in url else f"http://{url}")
    if proxy.scheme not in {"http", "https"} or not proxy.hostname or not _has_valid_port(proxy):
        names = "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY"
        raise ConfigError(f"{names} of the environment is not a proxy like http://HOST:PORT")
    host = f"[{proxy.hostname}]" if ":" in proxy.hostname else proxy.hostname
    port = proxy.port or (443 if proxy.scheme == "https" else 80)
    return Proxy(
        url=f"{proxy.scheme}://{host}:{port}",
        username=unquote(proxy.username or ""),
        password=unquote(proxy.password or ""),
    )


def _has_valid_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False
