"""How fast the pool may be asked, and how long a sweep takes at that pace. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from adapter.cognito.client import MAX_LIMIT
from adapter.commands.checks.check import Check, ok, warn
from adapter.terminal import count, duration

#: UserList requests per second that an account may make in a region unless it asked for more.
#: https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
DEFAULT_RPS: Final = 30.0
#: More than this part of it leaves little to the others who list users.
_SHARE_MAX: Final = 0.8


def quota_checks(max_rps: float, users: int | None, *, whole: bool) -> Iterator[Check]:
    """The share of the quota, and the time that a sweep takes.

    Args:
        max_rps: MAX_RPS.
        users: how many are known; None: not known.
        whole: whether these are all.
    """
    name, share = "quota", max_rps / DEFAULT_RPS
    found = f"MAX_RPS {max_rps:g} is {share:.0%} of the default quota of {DEFAULT_RPS:g} requests a second"
    if users and whole:
        requests = -(-users // MAX_LIMIT)
        found += (
            f"; {count(users)} users take {count(requests)} requests, {duration(requests / max_rps)} a sweep at least"
        )
    if share > 1:
        yield warn(name, found, "lower MAX_RPS, unless the account was granted a higher UserList quota")
    elif share > _SHARE_MAX:
        yield warn(name, found, "everything in the account that lists users shares it: leave some of it to the others")
    else:
        yield ok(name, found)
