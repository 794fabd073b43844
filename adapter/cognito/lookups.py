"""Looking single users up by filters, to learn whether users whom a complete sweep did not show are still there.

One look-up is one request where filters come from an index. Where Cognito walks the pool behind a filter it is many,
and where filters are refused or ignored it says nothing: then look-ups pause, longer each time in a row, and whoever
needs an answer must do without.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from adapter.cognito import filters
from adapter.cognito.decode import decode_user
from adapter.cognito.pause import Pause
from adapter.cognito.scan import Pages, Scan
from adapter.errors import FilterRefusedError

#: Look-ups after one sweep may take as many requests as the sweep, or as many as come in this time, in seconds:
#: half of all requests in a large pool, and no long silence in a small one.
BUDGET_S: Final = 10.0
#: When this few users are looked up at once they are asked for by name and by id, and more by id only.
THOROUGH_MAX: Final = 100
#: Requests of one look-up after which it is given up: Cognito walks the pool behind the filter.
REQUESTS_MAX: Final = 8
#: Users in a row whose filters are refused, and nobody else's answered, before that is taken for the pool's fault.
REFUSALS_MAX: Final = 3
#: The `code` of the error for a look-up that was given up.
WALKED: Final = "FilterWalksThePool"

Over = Callable[[], bool]


class Presence(StrEnum):
    """What a look-up says. UNDECIDED: nothing, for filters did not help."""

    PRESENT = "present"
    ABSENT = "absent"
    UNDECIDED = "undecided"


class LookUp(NamedTuple):
    """A user to look up: its username, and its immutable id if that is known."""

    username: str
    sub: str | None


class LookUpAnswer(NamedTuple):
    """What asking for one user gave, with so many requests; `users` as in LookUpResult."""

    presence: Presence
    users: tuple[bytes, ...]
    requests: int


class LookUpResult(NamedTuple):
    """What a look-up found. `number` is the place of the user among those asked for.

    `users` are the JSON objects of who was found: the user itself, or whoever has its id under another name now.
    """

    number: int
    presence: Presence
    users: tuple[bytes, ...] = ()


@dataclass(slots=True)
class LookUpPolicy:
    """Whether look-ups are of use, and what they cost, from what was measured so far. Thread-safe."""

    #: Of one user, as measured.
    requests_per_user: float = 1.0
    refused: int = 0
    _pause: Pause = field(default_factory=Pause)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def affordable(self, now_s: float, rps: float, sweep_requests: float) -> int:
        """How many users may be looked up after a sweep; 0: filters are of no use just now.

        Args:
            now_s: monotonic seconds.
            rps: the present pace of all requests, per second.
            sweep_requests: what a sweep takes, in requests.
        """
        if not self._pause.is_over(now_s):
            return 0
        return max(1, int(max(sweep_requests, BUDGET_S * rps) / self.requests_per_user))

    def answered(self, requests: int) -> None:
        """A user was looked up with so many requests."""
        with self._lock:
            self.requests_per_user = max(1.0, 0.8 * self.requests_per_user + 0.2 * requests)
            self.refused = 0
            self._pause.reset()

    def failed(self, code: str, now_s: float) -> None:
        """The filters of one user were refused, ignored, or walked through the pool, as this code of the error says."""
        with self._lock:
            self.refused += 1
            if self._pause.is_over(now_s) and (code == WALKED or self.refused >= REFUSALS_MAX):
                self.refused = 0
                self._pause.begin(now_s)

    def is_paused(self, now_s: float) -> bool:
        """Whether filters are of no use just now."""
        return not self._pause.is_over(now_s)


def look_up(scan: Callable[[str, Over], Pages], wanted: LookUp, over: Over, *, thorough: bool) -> LookUpAnswer | None:
    """Ask for one user; None: stopped before there was an answer.

    A user is present if it is found under its username. Found by its id under another name, the known name is gone.

    Args:
        scan: lists the users of a filter.
        wanted: the user.
        over: whether to stop.
        thorough: ask by name and by id; else by the id alone, if it is known.

    Raises:
        FilterRefusedError: the filters are refused, ignored, too long, or walk through the pool.
    """
    looks = [filters.by_username(wanted.username)]
    if wanted.sub is not None:
        looks.append(filters.by_sub(wanted.sub))
    looks = [look for look in looks if look.fits]
    if not looks:
        raise FilterRefusedError("the value is too long for a filter", code="TooLong")
    renamed: tuple[bytes, ...] = ()
    requests = 0
    for look in looks if thorough else looks[-1:]:
        pages = Scan(scan(str(look), over))
        for number, page in enumerate(pages, 1):
            requests += 1
            users = [(raw, decode_user(raw)) for raw in page.users]
            matching = [(raw, user) for raw, user in users if look.matches(user)]
            found = tuple(raw for raw, _ in matching)
            if any(user.username == wanted.username for _, user in matching):
                return LookUpAnswer(Presence.PRESENT, found, requests)
            if users and not matching:
                raise filters.ignored(look)
            renamed += found
            if number == REQUESTS_MAX and page.token is not None:
                raise FilterRefusedError("a filter for one user walks through the pool", code=WALKED)
        if not pages.complete:
            return None
    return LookUpAnswer(Presence.ABSENT, renamed, requests)
