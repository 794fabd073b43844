"""Where requests go, and what they may take."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapter.net.trust import TrustStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What connections and responses may take.

    Attributes:
        total_s: longest time for one request with everything that belongs to it.
        connect_s: longest time until there is a connection; None: `total_s` is the only bound.
        silence_s: longest wait for the next bytes of a response, in steps of a second; None: likewise.
        body_bytes: longest body.
        cut_s: None: a body that is too long, late or broken makes the response an error. Otherwise the status is what
            counts: such a body is cut, and the connection closed, a second or so after so many seconds at the latest.
        idle: as many connections are kept for the next requests.
        repeat: whether a request may be sent again, at once, when a kept connection turns out to be closed before a
            byte of the response came. If not, that is an error.
    """

    total_s: float
    connect_s: float | None = None
    silence_s: float | None = None
    body_bytes: int = 65_536
    cut_s: float | None = None
    idle: int = 8
    repeat: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy: its URL without credentials, and these."""

    url: str
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where requests go.

    Attributes:
        url: http:// or https://, without credentials.
        proxy: what lies in between; None: the environment is not asked.
        trust: the CAs for https, and for a proxy that is spoken to over TLS; None: those that libcurl knows.
        signing: `aws:amz:REGION:SERVICE` when requests are to be signed.
        user_agent: how requests name their sender.
        method: what is asked; its responses must have bodies.
    """

    url: str = field(repr=False)
    proxy: Proxy | None = field(default=None, repr=False)
    trust: TrustStore | None = field(default=None, repr=False)
    signing: str = ""
    user_agent: str = ""
    method: str = "POST"

    @property
    def tunnelled(self) -> bool:
        """Whether the proxy is asked for a tunnel: it is for TLS."""
        return self.proxy is not None and self.url.lower().startswith("https:")
