"""What botocore would take from environment and profile for a connection: the proxy, and the CAs to trust."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from adapter.net.origin import Origin, Proxy
from adapter.net.proxy import parse_proxy
from adapter.net.trust import Bundle, TrustStore

if TYPE_CHECKING:
    from botocore.session import Session


def origin_for(session: Session, url: str, *, signing: str = "", user_agent: str = "") -> Origin:
    """Where POST requests to this URL go.

    Args:
        session: whose profile may name CAs.
        url: of the endpoint.
        signing: as in Origin.
        user_agent: as in Origin.

    Raises:
        ConfigError: the proxy or the CA bundle can't be used.
    """
    proxy = _proxy(url)
    secure = "https" in {urlsplit(url).scheme, urlsplit(proxy.url).scheme if proxy else ""}
    trust = _trust(session) if secure else None
    return Origin(url=url, proxy=proxy, trust=trust, signing=signing, user_agent=user_agent)


def _proxy(url: str) -> Proxy | None:
    """The proxy that the environment names for this URL, with botocore's reading of NO_PROXY."""
    from botocore.utils import get_environ_proxies

    found = get_environ_proxies(url).get(urlsplit(url).scheme)
    return parse_proxy(found) if found else None


def _trust(session: Session) -> TrustStore:
    """The CA certificates that botocore trusts: AWS_CA_BUNDLE, `ca_bundle` of the profile, or its own.

    Raises:
        ConfigError: they can't be read.
    """
    from botocore.httpsession import get_cert_path

    chosen = session.get_config_variable("ca_bundle")
    path = Path(str(chosen or get_cert_path(True)))  # noqa: FBT003 - its only parameter
    if path.is_dir():
        return TrustStore([], [str(path)])
    return TrustStore([Bundle(name="AWS_CA_BUNDLE" if chosen else "botocore's CA certificates", path=path)])
