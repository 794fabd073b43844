"""All listings of a pool: a whole sweep, alone or in shards, with looks for sign-ups in between; and look-ups."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapter.clock import SYSTEM_CLOCK, Clock
from adapter.cognito import filters
from adapter.cognito.base import Page, UserPool
from adapter.cognito.fan_in import FanIn, Over
from adapter.cognito.filters import FilterCheck
from adapter.cognito.known_users import KnownUsers, NobodyKnown
from adapter.cognito.lookups import THOROUGH_MAX, LookUp, LookUpPolicy, LookUpResult, Presence, look_up
from adapter.cognito.paginator import BACKOFF_S, paginate
from adapter.cognito.rate_limiter import RateLimiter
from adapter.cognito.scan import Pages, Scan
from adapter.cognito.shards import ShardPolicy
from adapter.cognito.signup_scan import SignupSchedule
from adapter.errors import CognitoError, FilterRefusedError
from adapter.log import Action

logger = logging.getLogger(__name__)

#: Pages of a single listing before it is decided whether to read the pool in shards: they measure the latency.
PROBE_PAGES: Final = 3
#: The `code` of the error for shards that cost more requests than they save.
COSTS_TOO_MUCH: Final = "ShardsTooDear"
_IDLE_S: Final = 0.1


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
            if page.token is not None:
                self.requests_with_token += 1
                self.users_with_token += len(page.users)

    def ended(self, scan: Scan) -> None:
        with self.lock:
            self.complete += scan.complete


class PoolScanner:
    """Reads one pool for the sweeper. Used by one thread, the service's; it starts threads of its own.

    Args:
        pool: where to list.
        limiter: the pool's; says how fast requests may come.
        stop: ends all listings early.
        known: who is known of the pool: whether it is large enough to be read in shards, and in which.
        on_retry: called with every fault that is tried again.
        backoff_s: waits between attempts at one page, in seconds.
        clock: tells the time.
    """

    def __init__(
        self,
        pool: UserPool,
        limiter: RateLimiter,
        stop: threading.Event,
        *,
        known: KnownUsers | None = None,
        on_retry: Callable[[CognitoError], None] | None = None,
        backoff_s: tuple[float, ...] = BACKOFF_S,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._pool = pool
        self._limiter = limiter
        self._stop = stop
        self._known = known = known or NobodyKnown()
        self._on_retry = on_retry
        self._backoff_s = backoff_s
        self._clock = clock
        # The first sweep of all must be one listing: shards are held to what it shows.
        last_full_scan_at = clock.monotonic() if known.is_complete() else -math.inf
        self._policy = ShardPolicy(users=known.count(), last_full_scan_at=last_full_scan_at)
        self._signups = SignupSchedule(lambda: limiter.rps, lambda: self._policy.sweep_requests)
        self._lookups = LookUpPolicy()

    def scan(self, filter_: str | None = None) -> Scan:
        """The pages of the whole pool, or of a filtered listing.

        Raises:
            CognitoError: while it is iterated: the listing can't go on.
        """
        return Scan(self._whole_pool() if filter_ is None else self._paginate(filter_, self._stop.is_set))

    def scan_signups(self) -> Iterator[Page]:
        """Pages that show new users early, while no sweep goes on; nothing when none are due."""
        while not self._stop.is_set() and (status := self._signups.due(self._clock.monotonic())) is not None:
            yield from self._signup_scan(status, self._stop.is_set)

    def report_missed_user(self) -> None:
        """Users whom the last sweep did not show are there all the same."""
        self._policy.report_missed_user(self._clock.monotonic())

    @property
    def lookups_affordable(self) -> int:
        """How many users may be looked up after a sweep; 0: filters are of no use just now."""
        rps = self._policy.reachable_rps(self._limiter.rps)
        return self._lookups.affordable(self._clock.monotonic(), rps, self._policy.sweep_requests)

    def look_up(self, users: Sequence[LookUp]) -> Iterator[LookUpResult | Page]:
        """Look users up, several at a time; the pages are of looks for sign-ups in between.

        Each user gets one result, in any order. There is none for those who were not reached: it was time to stop, or
        filters turned out to be of no use.

        Raises:
            CognitoError: the look-ups can't go on.
        """
        thorough = len(users) <= min(THOROUGH_MAX, self.lookups_affordable / 2)
        wanted = [self._looked_up(number, user, thorough=thorough) for number, user in enumerate(users)]
        # Until one is answered they go one by one: what filters are worth should not be learnt by many at once.
        while wanted and not self._given_up():
            result = next(wanted.pop(0)(self._given_up), None)
            if result is not None:
                yield result
                if result.presence is not Presence.UNDECIDED:
                    break
        if not wanted or self._given_up():
            return
        workers = self._policy.side_by_side(self._limiter.rps)
        background = self._signup_scans if self._signups.worthwhile else None
        fan_in: FanIn[LookUpResult | Page] = FanIn(wanted, workers, background=background, should_stop=self._given_up)
        yield from fan_in.pages()

    def _given_up(self) -> bool:
        return self._stop.is_set() or self._lookups.is_paused(self._clock.monotonic())

    def _looked_up(self, number: int, user: LookUp, *, thorough: bool) -> Callable[[Over], Iterator[LookUpResult]]:
        def results(over: Over) -> Iterator[LookUpResult]:
            try:
                answer = look_up(self._paginate, user, over, thorough=thorough)
            except FilterRefusedError as error:
                self._lookups.failed(error.code, self._clock.monotonic())
                logger.debug(
                    "A user can't be looked up by a filter; a second complete sweep decides",
                    extra={"action": Action.FILTER_REFUSED, "code": error.code},
                )
                yield LookUpResult(number, Presence.UNDECIDED)
            else:
                if answer is not None:
                    self._lookups.answered(answer.requests)
                    yield LookUpResult(number, answer.presence, answer.users)

        return results

    # -- the whole pool --------------------------------------------------------------------------------------------

    def _whole_pool(self) -> Pages:
        self._policy.begin_sweep(self._known.count())
        scan = Scan(self._paginate(None, self._stop.is_set))
        requests = users = 0
        for page in scan:
            requests, users = requests + 1, users + len(page.users)
            yield page
            if requests == PROBE_PAGES and page.token is not None:
                break
        else:
            return self._ended(scan, requests, users)
        workers = self._policy.workers(self._limiter.rps, self._clock.monotonic())
        if workers > 1:
            complete = yield from self._shards(workers)
            if complete or self._stop.is_set():
                return complete
            scan, requests, users = Scan(self._paginate(None, self._stop.is_set)), 0, 0
        return (yield from self._as_one(scan, requests, users))

    def _as_one(self, scan: Scan, requests: int, users: int) -> Pages:
        """A listing without a filter to its end; `requests` of its pages, with `users`, were read already."""

        def counted(_: Over) -> Iterator[Page]:
            nonlocal requests, users
            for page in scan:
                requests, users = requests + 1, users + len(page.users)
                yield page

        if not self._signups.worthwhile:
            yield from counted(self._stop.is_set)
            return self._ended(scan, requests, users)
        fan_in = FanIn([counted], 1, background=self._signup_scans, should_stop=self._stop.is_set)
        yield from fan_in.pages()
        return fan_in.complete and self._ended(scan, requests, users)

    def _ended(self, scan: Scan, requests: int, users: int) -> bool:
        if scan.complete:
            self._policy.full_scan(requests, users, self._clock.monotonic())
        return scan.complete

    def _shards(self, workers: int) -> Pages:
        """The pool as listings by prefix of `sub`; returns whether they showed everybody."""
        tally = _Tally()
        begun_s = self._clock.monotonic()
        prefixes = self._policy.prefixes(workers, self._known.sample_subs())
        listings = [self._shard(filters.by_sub_prefix(prefix), tally) for prefix in prefixes]
        background = self._signup_scans if self._signups.worthwhile else None
        try:
            fan_in = FanIn(listings, workers, background=background, should_stop=self._stop.is_set)
            yield from fan_in.pages()
        except FilterRefusedError as error:
            self._policy.no_help(self._clock.monotonic(), self._clock.monotonic() - begun_s)
            logger.info(
                "Shards don't pay here; the pool is read as one listing for a while",
                extra={"action": Action.SHARDS_GIVEN_UP, "code": error.code},
            )
            return False
        if not fan_in.complete or tally.complete < len(prefixes):
            return False
        if not self._policy.is_complete(tally.users):
            self._policy.no_help(self._clock.monotonic(), self._clock.monotonic() - begun_s)
            logger.warning(
                "The shards show too few users; the pool is read as one listing for a while",
                extra={"action": Action.SHARDS_GIVEN_UP, "users": tally.users},
            )
            return False
        return True

    def _shard(self, wanted: filters.Filter, tally: _Tally) -> Callable[[Over], Iterator[Page]]:
        def pages(over: Over) -> Iterator[Page]:
            check = FilterCheck(wanted)
            scan = Scan(self._paginate(str(wanted), over))
            for page in scan:
                check.add(page.users)
                tally.add(page)
                if self._policy.costs_too_much(tally.requests_with_token, tally.users_with_token):
                    raise FilterRefusedError("filtered listings take more requests than they save", code=COSTS_TOO_MUCH)
                yield page
            tally.ended(scan)

        return pages

    # -- sign-ups --------------------------------------------------------------------------------------------------

    def _signup_scans(self, over: Over) -> Iterator[Page]:
        """Looks for sign-ups, again and again, until it is over."""
        while not over():
            status = self._signups.due(self._clock.monotonic())
            if status is None:
                self._stop.wait(_IDLE_S)
            else:
                yield from self._signup_scan(status, over)

    def _signup_scan(self, status: str, over: Over) -> Iterator[Page]:
        """One look at the users with this status. A fault ends it; the sweep itself will meet the fault too."""
        wanted = filters.by_status(status)
        requests_max = self._signups.requests_max()
        check = FilterCheck(wanted)
        requests = users = 0
        done = False
        try:
            for page in self._paginate(str(wanted), over):
                check.add(page.users)
                requests, users = requests + 1, users + len(page.users)
                yield page
                if page.token is None or requests == requests_max:
                    done = True
                    broken_off = page.token is not None
                    self._signups.finished(status, requests, users, self._clock.monotonic(), broken_off=broken_off)
                    return
        except FilterRefusedError as error:
            done = True
            self._signups.refused(status, self._clock.monotonic())
            logger.info(
                "Sign-ups can't be looked for by status just now; sweeps find them",
                extra={"action": Action.FILTER_REFUSED, "status": status, "code": error.code},
            )
        except CognitoError as error:
            logger.debug(
                "A look for sign-ups failed",
                extra={"action": Action.PAGE_RETRIED, "status": status, "code": error.code},
            )
        finally:
            if not done:
                self._signups.failed(status, self._clock.monotonic())

    def _paginate(self, filter_: str | None, should_stop: Over) -> Pages:
        """A listing whose requests are timed."""
        listing = paginate(
            self._pool,
            filter_,
            should_stop=should_stop,
            on_retry=self._on_retry,
            backoff_s=self._backoff_s,
            sleep=self._stop.wait,
        )
        while True:
            self._limiter.taken_wait_s()
            begun_s = self._clock.monotonic()
            try:
                page = next(listing)
            except StopIteration as end:
                return bool(end.value)
            self._policy.measured(max(0.0, self._clock.monotonic() - begun_s - self._limiter.taken_wait_s()))
            yield page
