"""All listings of a pool: a whole sweep, alone or in shards, with looks for sign-ups in between; and filtered ones."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapter.cognito import filters
from adapter.cognito.base import Page, UserPool
from adapter.cognito.decode import decode_user
from adapter.cognito.early import EarlySchedule
from adapter.cognito.listing import BACKOFF_S, walk
from adapter.cognito.rate import RateLimiter
from adapter.cognito.shards import Merge, ShardPolicy
from adapter.errors import CognitoError, FilterRefusedError
from adapter.log import Action

logger = logging.getLogger(__name__)

#: Pages of a single listing before it is decided whether to read the pool in shards: they measure the latency.
PROBE_PAGES: Final = 3
#: The `code` of the error for shards that cost more requests than they save.
TOO_DEAR: Final = "ShardsTooDear"
#: The token of a page that is not the last one of a sweep, whatever the service's own says.
_MORE: Final = "more"
_IDLE_S: Final = 0.1

OverFn = Callable[[], bool]


@dataclass(slots=True)
class _Tally:
    """What all shards of one sweep showed, on the pages with a token and in all, and how many came to their end."""

    users: int = 0
    requests_with_token: int = 0
    users_with_token: int = 0
    complete: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, page: Page) -> None:
        with self.lock:
            self.users += len(page.users)
            if page.token is None:
                self.complete += 1
            else:
                self.requests_with_token += 1
                self.users_with_token += len(page.users)


class PoolLister:
    """Lists a pool for the sweeper. Used by one thread, the service's; it starts threads of its own.

    Args:
        pool: where to list.
        limiter: the pool's; says how fast requests may come.
        stop: ends all listings early.
        known: how many users the state knows.
        subs: the `sub`s of some of them, a few hundred from all over.
        complete: whether the state knows all of the pool, as of some earlier sweep.
        on_retry: told of every fault that is tried again.
        backoff_s: waits between attempts at one page, in seconds.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        pool: UserPool,
        limiter: RateLimiter,
        stop: threading.Event,
        *,
        known: Callable[[], int] = lambda: 0,
        subs: Callable[[], Sequence[str]] = tuple,
        complete: bool = False,
        on_retry: Callable[[CognitoError], None] | None = None,
        backoff_s: tuple[float, ...] = BACKOFF_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._limiter = limiter
        self._stop = stop
        self._known = known
        self._subs = subs
        self._on_retry = on_retry
        self._backoff_s = backoff_s
        self._clock = clock
        # The first sweep of all must be one listing: shards are held to what it shows.
        self._policy = ShardPolicy(users=known(), audited_s=clock() if complete else -math.inf)
        self._early = EarlySchedule(
            lambda: limiter.rps, lambda: self._policy.users / max(1.0, self._policy.users_per_request)
        )

    def __call__(self, filter_: str | None) -> Iterator[Page]:
        """The pages of a filtered listing, or of the whole pool: complete if the last one has no token.

        Raises:
            CognitoError: the listing can't go on.
        """
        return self._everybody() if filter_ is None else self._walk(filter_, self._stop.is_set)

    def glance(self) -> Iterator[Page]:
        """Pages that show new users early, while no sweep goes on; nothing when none are due."""
        while not self._stop.is_set() and (status := self._early.due(self._clock())) is not None:
            yield from self._slice(status, self._stop.is_set)

    def doubt(self) -> None:
        """A user whom the last sweep did not show is there all the same."""
        self._policy.doubt()

    # -- the whole pool --------------------------------------------------------------------------------------------

    def _everybody(self) -> Iterator[Page]:
        self._policy.users = self._known()
        listing = self._walk(None, self._stop.is_set)
        users = 0
        for requests, page in enumerate(listing, 1):
            users += len(page.users)
            yield page
            if page.token is None:
                self._policy.whole(requests, users, self._clock())
                return
            if requests == PROBE_PAGES:
                break
        else:
            return
        workers = self._policy.workers(self._limiter.rps, self._clock())
        if workers > 1:
            complete = yield from self._shards(workers)
            if complete or self._stop.is_set():
                return
            listing, requests, users = self._walk(None, self._stop.is_set), 0, 0
        if self._early.worthwhile:
            yield from self._with_slices(listing, requests, users)
        else:
            yield from self._counted(listing, requests, users)

    def _counted(self, listing: Iterator[Page], requests: int, users: int) -> Iterator[Page]:
        """A listing without a filter, `requests` of whose pages, with `users`, were read already, to its end."""
        for page in listing:
            requests, users = requests + 1, users + len(page.users)
            if page.token is None:
                self._policy.whole(requests, users, self._clock())
            yield page

    def _with_slices(self, listing: Iterator[Page], requests: int, users: int) -> Iterator[Page]:
        complete = False

        def whole(_: OverFn) -> Iterator[Page]:
            nonlocal complete, requests, users
            for page in listing:
                requests, users = requests + 1, users + len(page.users)
                complete = page.token is None
                yield _not_the_last(page)

        merge = Merge([whole], 1, aside=self._slices, should_stop=self._stop.is_set)
        yield from merge.pages()
        if complete and merge.complete:
            self._policy.whole(requests, users, self._clock())
            yield Page(users=(), token=None)

    def _shards(self, workers: int) -> Generator[Page, None, bool]:
        """The pool as listings by prefix of `sub`: true, and a last page without a token, if they showed everybody."""
        tally = _Tally()
        prefixes = self._policy.prefixes(workers, self._subs())
        listings = [self._shard(filters.by_sub_prefix(prefix), tally) for prefix in prefixes]
        aside = self._slices if self._early.worthwhile else None
        try:
            merge = Merge(listings, workers, aside=aside, should_stop=self._stop.is_set)
            yield from merge.pages()
        except FilterRefusedError as error:
            self._policy.banned = True
            logger.info(
                "Shards don't pay here; the pool is read as one listing",
                extra={"action": Action.SHARDS_GIVEN_UP, "code": error.code},
            )
            return False
        if not merge.complete or tally.complete < len(prefixes):
            return False
        if not self._policy.adds_up(tally.users):
            logger.warning(
                "The shards show too few users; the pool is read as one listing",
                extra={"action": Action.SHARDS_GIVEN_UP, "users": tally.users},
            )
            return False
        yield Page(users=(), token=None)
        return True

    def _shard(self, wanted: filters.Filter, tally: _Tally) -> Callable[[OverFn], Iterator[Page]]:
        def pages(over: OverFn) -> Iterator[Page]:
            checked = False
            for page in self._walk(str(wanted), over):
                if page.users and not checked:
                    checked = _all_match(page, wanted)
                tally.add(page)
                if self._policy.too_dear(tally.requests_with_token, tally.users_with_token):
                    raise FilterRefusedError("filtered listings take more requests than they save", code=TOO_DEAR)
                yield _not_the_last(page)

        return pages

    # -- sign-ups --------------------------------------------------------------------------------------------------

    def _slices(self, over: OverFn) -> Iterator[Page]:
        """Looks for sign-ups, again and again, until it is over."""
        while not over():
            status = self._early.due(self._clock())
            if status is None:
                self._stop.wait(_IDLE_S)
            else:
                yield from self._slice(status, over)

    def _slice(self, status: str, over: OverFn) -> Iterator[Page]:
        """One look at the users with this status. A fault ends it; the sweep itself will meet the fault too."""
        wanted = filters.by_status(status)
        requests_max = self._early.requests_max()
        requests = users = 0
        checked = told = False
        try:
            for page in self._walk(str(wanted), over):
                if page.users and not checked:
                    checked = _all_match(page, wanted)
                requests, users = requests + 1, users + len(page.users)
                yield _not_the_last(page)
                if page.token is None or requests == requests_max:
                    told = True
                    broken_off = page.token is not None
                    self._early.finished(status, requests, users, self._clock(), broken_off=broken_off)
                    return
        except FilterRefusedError as error:
            told = True
            self._early.refused(status)
            logger.info(
                "Sign-ups can't be looked for by status here; sweeps find them",
                extra={"action": Action.FILTER_REFUSED, "status": status, "code": error.code},
            )
        except CognitoError as error:
            logger.debug(
                "A look for sign-ups failed",
                extra={"action": Action.PAGE_RETRIED, "status": status, "code": error.code},
            )
        finally:
            if not told:
                self._early.failed(status, self._clock())

    def _walk(self, filter_: str | None, should_stop: OverFn) -> Iterator[Page]:
        """A listing whose requests are timed."""
        listing = walk(
            self._pool,
            filter_,
            should_stop=should_stop,
            on_retry=self._on_retry,
            backoff_s=self._backoff_s,
            sleep=self._stop.wait,
        )
        while True:
            self._limiter.taken_wait_s()
            begun_s = self._clock()
            page = next(listing, None)
            if page is None:
                return
            self._policy.measured(max(0.0, self._clock() - begun_s - self._limiter.taken_wait_s()))
            yield page


def _not_the_last(page: Page) -> Page:
    return Page(users=page.users, token=_MORE, date_s=page.date_s)


def _all_match(page: Page, wanted: filters.Filter) -> bool:
    """Insist that the first users of a filtered listing belong to it: where filters are ignored, they do not."""
    for raw in page.users:
        wanted.check(decode_user(raw))
    return True
