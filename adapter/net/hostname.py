"""Which names of hosts the DNS can hold. Pure."""

from __future__ import annotations

from typing import Final

#: RFC 1035, 2.3.4; with the dot at the end.
_LABEL_MAX: Final = 63
_NAME_MAX: Final = 254


def host_problem(host: str) -> str | None:
    """Why no DNS can know a name (RFC 1035, 2.3.4); None: one may. A dot at the end is that of the root."""
    if ":" in host:  # an IPv6 address
        return None
    labels = host.removesuffix(".").split(".")
    if not all(labels):
        return "it has an empty label; expected one dot between two labels"
    longest = max(len(label) for label in labels)
    if longest > _LABEL_MAX:
        return f"it has a label of {longest} characters; expected at most {_LABEL_MAX}"
    if len(host) > _NAME_MAX:
        return f"it has {len(host)} characters; expected at most {_NAME_MAX}"
    return None
