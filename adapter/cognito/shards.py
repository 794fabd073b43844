"""Whether to read a pool as one listing or as several side by side.

One listing gets its next token with each page, so it makes one request per round trip: 12.5 a second at 80 ms. Listings
of `sub ^= "0"` to `sub ^= "f"` (a user's `sub` is a UUID) can run together. That pays if the pace allows more requests
than one listing makes, and if the filters come from an index: both are measured. Not all digits of a sub need be random
(the newer ones of Cognito seem to have some that are the same in a whole region), so prefixes are made longer where
many of the known users are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapter.cognito.pause import Pause

#: Shards of fewer pages than this waste too much on their last pages, which are half empty.
SHARD_PAGES_MIN: Final = 8
#: Requests per second that one process can make at most: more need no more listings.
PROCESS_RPS: Final = 1000.0
#: One listing will do when it reaches the pace nearly.
ENOUGH: Final = 1.1
#: Listings beyond the arithmetic's number, because answers do not all take as long.
HEADROOM: Final = 1.25
#: Threads that read, at most.
WORKERS_MAX: Final = 32
#: From this many threads on there are 256 shards, if the pool is large enough, so that none runs last alone.
FINE: Final = 9
#: The share of the known users that one shard may have, of about 16 shards and of about 256. Most of a sample of
#: a few hundred users have a place below them by chance, too.
COARSE_SHARE: Final = 3 / 16
FINE_SHARE: Final = 1 / 32
#: The digits before the first hyphen of a UUID.
DIGITS_MAX: Final = 8
#: Filtered listings must show this part of the users per request of an unfiltered one.
FILL_MIN: Final = 0.5
#: Requests after which that is judged.
JUDGED_AFTER: Final = 48
#: Shards add up when they show this part of the known users.
SUM_MIN: Final = 0.98
#: How long shards that did not help are left alone: first, and at most, in seconds.
PAUSE_S: Final = 60.0
PAUSE_MAX_S: Final = 6 * 3600.0
#: How often a pool that is read in shards is read as one listing all the same, in seconds.
FULL_SCAN_S: Final = 86400.0

_DIGITS: Final = "0123456789abcdef"


@dataclass(slots=True)
class ShardPolicy:
    """Decides how many listings read the pool together, from what was measured so far.

    Used by one thread, except `measured` and `costs_too_much`: called by several, they lose nothing that matters.
    `users` is the pool's size as far as known, `users_per_request` that of unfiltered listings, `last_full_scan_at`
    when the pool was last read as one listing, `sharded` whether the last sweep was not, `missed_user` whether that one
    missed somebody. Shards that did not help pause, longer each time in a row.
    """

    users: int = 0
    users_per_request: float = 60.0
    latency_s: float = 0.0
    last_full_scan_at: float = -math.inf
    sharded: bool = False
    missed_user: bool = False
    _pause: Pause = field(default_factory=lambda: Pause(PAUSE_S, PAUSE_MAX_S))

    @property
    def sweep_requests(self) -> float:
        """What a sweep takes, in requests."""
        return self.users / self.users_per_request

    def begin_sweep(self, users: int) -> None:
        """A sweep begins; `users` are known. If the last one was in shards and missed nobody, shards work."""
        self.users = users
        if self.sharded and not self.missed_user:
            self._pause.reset()

    def workers(self, rps: float, now_s: float) -> int:
        """How many listings to run side by side; 1: a single one, without a filter.

        Args:
            rps: the requests per second that are allowed now.
            now_s: monotonic seconds.
        """
        most = self._shards_max()
        if most == 1 or not self._pause.is_over(now_s) or now_s - self.last_full_scan_at > FULL_SCAN_S:
            return 1
        return min(most, self.side_by_side(rps))

    def reachable_rps(self, rps: float) -> float:
        """How many requests per second one process can make of those that are allowed."""
        return min(rps, PROCESS_RPS, WORKERS_MAX / self.latency_s if self.latency_s else math.inf)

    def side_by_side(self, rps: float) -> int:
        """How many requests must be on their way together to keep up this pace, in requests per second."""
        together = min(rps, PROCESS_RPS) * self.latency_s
        return 1 if together <= ENOUGH else min(WORKERS_MAX, math.ceil(together * HEADROOM) + 1)

    def prefixes(self, workers: int, subs: Sequence[str] = ()) -> Sequence[str]:
        """What the subs of each shard begin with: every UUID begins with exactly one of these.

        Args:
            workers: how many listings run side by side.
            subs: those of a sample of the known users; empty: all digits count as random.
        """
        coarse = workers < FINE or self._shards_max() < len(_DIGITS) ** 2
        share_max = COARSE_SHARE if coarse else FINE_SHARE

        def split(prefix: str, among: Sequence[str]) -> Iterator[str]:
            share = len(among) / len(subs) if subs else len(_DIGITS) ** -len(prefix)
            if share <= share_max or len(prefix) == DIGITS_MAX:
                yield prefix
                return
            for longer in (prefix + digit for digit in _DIGITS):
                yield from split(longer, [sub for sub in among if sub.startswith(longer)])

        return tuple(split("", subs))

    def _shards_max(self) -> int:
        return next((count for count in (256, 16) if self.sweep_requests >= count * SHARD_PAGES_MIN), 1)

    def measured(self, seconds: float) -> None:
        """One request took this long, without its wait for the limiter."""
        self.latency_s = seconds if self.latency_s == 0 else 0.9 * self.latency_s + 0.1 * seconds

    def full_scan(self, requests: int, users: int, now_s: float) -> None:
        """A listing without a filter was complete."""
        self.users = users
        self.users_per_request = max(1.0, users / max(1, requests))
        self.last_full_scan_at = now_s
        self.sharded = False

    def costs_too_much(self, requests: int, users: int) -> bool:
        """Whether the shards cost more requests than they save.

        Args:
            requests: how many were answered with a token: the last page of a listing may be nearly empty.
            users: on those pages.
        """
        return requests >= JUDGED_AFTER and users < FILL_MIN * self.users_per_request * requests

    def is_complete(self, users: int) -> bool:
        """Whether complete shards, which showed so many users, showed about everybody."""
        self.sharded, self.missed_user = True, False
        return users >= SUM_MIN * self.users

    def no_help(self, now_s: float, cost_s: float) -> None:
        """Shards did not help: leave them alone for a while. `cost_s` is how long the try took, in seconds."""
        self.sharded = False
        self._pause.begin(now_s, cost_s)

    def report_missed_user(self, now_s: float) -> None:
        """The last sweep missed users who are there. If it was in shards, the next is one listing; then they pause."""
        if self.sharded and not self.missed_user:
            self.missed_user = True
            self.last_full_scan_at = -math.inf
            self._pause.begin(now_s)
