"""How much of the internet a set of address ranges is: two halves of it are as open as the whole."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import TypeAlias

_Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

#: Addresses that nobody reaches over the internet (https://www.iana.org/assignments/iana-ipv4-special-registry/).
_PRIVATE_4 = tuple(
    ipaddress.IPv4Network(text)
    for text in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
)
_PRIVATE_6 = tuple(ipaddress.IPv6Network(text) for text in ("::1/128", "fc00::/7", "fe80::/10", "ff00::/8"))
#: All addresses of IPv6 that are given out.
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
#: From this part of all addresses on, a range is no longer somebody's network: more than one /8 of IPv4 (the largest
#: that one holder has), more than a /17 of IPv6 (providers have a /19 at most).
_WIDE_4 = 2.0 / 256
_WIDE_6 = 1.0 / 2 ** (17 - 3)
#: What is missing to all of it is nothing to a caller.
_ALL = 0.95


def share(ranges: Iterable[str]) -> float:
    """The part (0 to 1) of IPv4's or of IPv6's public addresses that the ranges hold together, the larger of both.

    What is no address range holds nothing.
    """
    networks = [n for text in ranges if (n := _network(text)) is not None]
    fours = [n for n in networks if isinstance(n, ipaddress.IPv4Network) and not _inside(n, _PRIVATE_4)]
    sixes = [n for n in networks if isinstance(n, ipaddress.IPv6Network) and not _inside(n, _PRIVATE_6)]
    public = sum(n.num_addresses for n in ipaddress.collapse_addresses(fours))
    known = [_GLOBAL_6 if _GLOBAL_6.subnet_of(n) else n for n in sixes if n.overlaps(_GLOBAL_6)]
    mapped = sum(n.num_addresses for n in ipaddress.collapse_addresses(known))
    return max(public / 2**32, mapped / _GLOBAL_6.num_addresses)


def is_wide(ranges: Iterable[str]) -> bool:
    """Whether the ranges hold so much of the internet that they tie nothing to known callers."""
    networks = list(ranges)
    fours = [text for text in networks if ":" not in text]
    return share(fours) >= _WIDE_4 or share(text for text in networks if ":" in text) >= _WIDE_6


def is_everything(ranges: Iterable[str]) -> bool:
    """Whether the ranges together are the whole internet, or as good as that."""
    return share(ranges) >= _ALL


def is_range(text: str) -> bool:
    """Whether a text is an address or a range of addresses."""
    return _network(text) is not None


@lru_cache(maxsize=65_536)
def _network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def _inside(network: _Network, ranges: Iterable[_Network]) -> bool:
    return any(
        network.version == outer.version and network.subnet_of(outer)  # type: ignore[arg-type]  # of one version
        for outer in ranges
    )
