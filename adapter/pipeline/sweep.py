"""One sweep: every page of the pool is compared with what is known, then the users who are missing are looked for.

A sweep is complete when the scan of the pool came to its end. Only then anybody can be missing, and even then that is
no proof of a deletion (adapter.pipeline.deletions).
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from adapter.changes.detector import Detector, InitialScan, is_older, raw_digest
from adapter.clock import SYSTEM_CLOCK, Clock, Shutdown
from adapter.cognito.base import Page
from adapter.cognito.decode import RawUsers, decode_user
from adapter.cognito.scanner import Scanner
from adapter.errors import CognitoError
from adapter.log import Action
from adapter.model import Change, User
from adapter.pipeline.deletions import Deletions, DeletionsOutcome
from adapter.pipeline.outbox import Entry, Outbox
from adapter.state.base import Meta, Store

logger = logging.getLogger(__name__)

#: A page with so many users who are new or changed is followed by more of them, as a rule: they are stored together, up
#: to the second number, for a transaction costs as much as dozens of rows; but no longer than so many milliseconds.
BULK = 30
GROUP = 600
GROUP_MS = 500
#: The local clock is believed when it is this near to Cognito's Date header, which is cut to whole seconds.
CLOCK_TOLERANCE_MS = 2000
#: The first answer takes so long at most, retries included, in milliseconds: what says more is a clock that was set.
ANSWER_MAX_MS = 600_000
#: How often the time of the last sweep is written while nothing else changes, in milliseconds.
META_PERIOD_MS = 30_000


@dataclass(slots=True, kw_only=True)
class Sweep:
    """A sweep on its way: each step reads a page, compares it and records what changed. Then it is time to deliver.

    `pages` and `changes` count so far. `complete`: the scan came to its end. `again`: something waits for the next
    sweep, so it should come soon.

    A step is the page that was read; None for one that is not of the whole pool: a look-up, a look for new users.
    """

    steps: Generator[Page | None] = field(init=False, repr=False)
    pages: int = 0
    changes: int = 0
    complete: bool = False
    again: bool = False

    def __iter__(self) -> Iterator[Page | None]:
        return self.steps

    def close(self) -> None:
        """End it early; nobody counts as missing."""
        self.steps.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOptions:
    """`initial` as EVENTS_INITIAL, `deleted_max_percent` as EVENTS_DELETED_MAX_PERCENT."""

    initial: str = "baseline"
    deleted_max_percent: float = 20.0


class Sweeper:
    """Sweeps one pool again and again. Used by the service thread alone.

    Args:
        scanner: reads the pool.
        store: the state; only read here, except for what it says of the pool as a whole.
        outbox: takes what is found.
        detector: finds changes.
        options: how the first sweep and missing users are treated.
        shutdown: ends a sweep early.
        clock: tells the time.
    """

    def __init__(
        self,
        scanner: Scanner,
        store: Store,
        outbox: Outbox,
        detector: Detector,
        options: SweepOptions,
        *,
        shutdown: Shutdown,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._scanner = scanner
        self._store = store
        self._outbox = outbox
        self._detector = detector
        self._options = options
        self._shutdown = shutdown
        self._clock = clock
        self._deletions = Deletions(
            scanner,
            store,
            outbox,
            detector,
            max_percent=options.deleted_max_percent,
            shutdown=shutdown,
            clock=clock,
        )
        self._meta = store.meta()
        self._meta_saved_ms = 0
        self._sweeps = 0
        #: Users who are not known in this form, while pages are full of such: examined and stored in groups.
        self._fresh: list[tuple[User, bytes]] = []
        self._fresh_since_ms = 0
        #: Users who were shown in an older form than the one reported, and the sweep that did so first.
        self._outdated: dict[str, tuple[bytes, int]] = {}

    def sweep(self) -> Sweep:
        """Read the whole pool once, a page at a time.

        Raises:
            CognitoError, StoreUnavailableError, LeaseLostError: while it is iterated: the sweep ended early.
        """
        sweep = Sweep()
        sweep.steps = self._sweep(sweep)
        return sweep

    def scan_signups(self) -> Sweep:
        """Look for new users between two sweeps. There are none to be found before the first one is complete.

        Raises:
            StoreUnavailableError, LeaseLostError: while it is iterated: the look ended early.
        """
        sweep = Sweep()
        sweep.steps = self._scan_signups(sweep)
        return sweep

    def _sweep(self, sweep: Sweep) -> Generator[Page | None]:
        self._sweeps += 1
        recent = self._sweeps - 1
        self._outdated = {name: found for name, found in self._outdated.items() if found[1] >= recent}
        self._deletions.begin_sweep()
        self._outbox.index.begin_sweep()
        asked_ms = self._clock.wall_ms()
        scan = self._scanner.scan()
        try:
            for page in scan:
                if self._meta.baseline_started_ms is None:
                    self._begin(asked_ms, page.date_s)
                sweep.pages += 1
                sweep.changes += self._page(page)
                yield page
                if self._shutdown.is_set():
                    break
        except CognitoError:
            self._flush()
            raise
        finally:
            scan.close()
        sweep.changes += self._flush()
        sweep.complete = scan.complete
        if sweep.complete:
            self._completed()
            deletions = DeletionsOutcome()
            for found in self._deletions.after_sweep(deletions):
                sweep.changes += self._page(found) if found is not None else 0
                yield None
            sweep.changes += deletions.changes + self._flush()
            sweep.again = deletions.again
        sweep.again = sweep.again or bool(self._outdated)

    def _scan_signups(self, sweep: Sweep) -> Generator[Page | None]:
        if not self._meta.baseline_done:
            return
        for page in self._scanner.scan_signups():
            sweep.changes += self._page(page)
            yield None
            if self._shutdown.is_set():
                break
        sweep.changes += self._flush()

    def examine(self, users: Sequence[tuple[User, bytes]]) -> int:
        """Compare users with what is known of them, and record what is found.

        Args:
            users: each with the digest of its JSON; of a username that is given twice the newer form counts.

        Returns:
            How many changes were found.
        """
        newest: dict[str, tuple[User, bytes]] = {}
        for user, digest in users:
            before = newest.get(user.username)
            if before is None or (user.modified_ms or 0) >= (before[0].modified_ms or 0):
                newest[user.username] = (user, digest)
        known = self._store.find(list(newest))
        initial, now_ms = self._initial_scan(), self._clock.wall_ms()
        entries = []
        changes = 0
        for username, (user, digest) in newest.items():
            row, stored = known.get(username, (None, None))
            if row is not None:
                self._outbox.index.mark_seen(row)
            if self._outbox.is_busy(username) or self._outbox.is_backing_off(username, digest):
                continue
            if stored is not None and is_older(user, stored) and self._was_just_overtaken(username, digest):
                continue
            finding = self._detector.examine(user, digest, stored, initial, now_ms)
            if row is not None and stored is not None and finding == structs.replace(stored, digest=digest):
                # Nothing but the JSON's bytes differ, as when attributes come in another order: no reason to write.
                self._outbox.index.put_shown(row, digest, stored.digest)
                continue
            replaced = isinstance(finding, Change) and finding.after is None
            successor = (user, digest) if replaced else None
            entries.append(Entry(finding, row, stored, successor))
            changes += isinstance(finding, Change)
        if entries:
            self._outbox.record(entries)
        return changes

    def _was_just_overtaken(self, username: str, digest: bytes) -> bool:
        """Whether an older form lay in a page while a newer one was reported: until the next sweep shows it."""
        first = self._outdated.get(username)
        if first is not None and first[0] == digest and first[1] < self._sweeps:
            del self._outdated[username]
            return False
        if first is None or first[0] != digest:
            self._outdated[username] = (digest, self._sweeps)
        return True

    # -- pages -----------------------------------------------------------------------------------------------------

    def _page(self, page: Page) -> int:
        index = self._outbox.index
        whole = page.users.raw if isinstance(page.users, RawUsers) else None
        if whole is not None and index.match_page(whole):
            return self._flush()
        looks = [(raw, digest, index.lookup(digest)) for raw in page.users for digest in (raw_digest(raw),)]
        fresh = [(decode_user(raw), digest) for raw, digest, row in looks if row < 0]
        if not self._fresh:
            self._fresh_since_ms = self._clock.wall_ms()
        self._fresh += fresh
        if not fresh and whole is not None:
            index.remember_page(whole, [row for _, _, row in looks])
        waited_ms = self._clock.wall_ms() - self._fresh_since_ms
        if len(fresh) >= BULK and len(self._fresh) < GROUP and 0 <= waited_ms < GROUP_MS:
            return 0
        return self._flush()

    def _flush(self) -> int:
        """Examine the users who wait for company; returns how many changes were found."""
        users, self._fresh = self._fresh, []
        return self.examine(users) if users else 0

    def _initial_scan(self) -> InitialScan:
        if self._meta.baseline_done:
            return InitialScan()
        return InitialScan(mode=self._meta.initial, started_ms=self._meta.baseline_started_ms or 0)

    # -- the pool as a whole ---------------------------------------------------------------------------------------

    def _begin(self, asked_ms: int, date_s: float | None) -> None:
        """The very first page: from now on changes count."""
        started_ms = baseline_start_ms(asked_ms, self._clock.wall_ms(), date_s)
        self._save(dataclasses.replace(self._meta, initial=self._options.initial, baseline_started_ms=started_ms))
        logger.info(
            "The first sweep began", extra={"action": Action.BASELINE_STARTED, "initial": self._options.initial}
        )

    def _completed(self) -> None:
        now_ms = self._clock.wall_ms()
        meta = dataclasses.replace(self._meta, baseline_done=True, last_sweep_ms=now_ms, sweeps=self._meta.sweeps + 1)
        first = not self._meta.baseline_done
        self._meta = meta
        if first or abs(now_ms - self._meta_saved_ms) >= META_PERIOD_MS:
            self._save(meta)
        if first:
            users = len(self._outbox.index)
            logger.info("The first sweep is complete", extra={"action": Action.BASELINE_DONE, "users": users})

    def _save(self, meta: Meta) -> None:
        self._store.apply((), (), meta)
        self._meta = meta
        self._meta_saved_ms = self._clock.wall_ms()


def baseline_start_ms(asked_ms: int, answered_ms: int, date_s: float | None) -> int:
    """When the first sweep began, in milliseconds since the epoch: users created since then are reported.

    It is the earlier of local time and of Cognito's, whose Date is cut to whole seconds: users of its first second are
    among those who are new, at the price of a few who were created just before. A local clock that is wrong does not
    count.

    Args:
        asked_ms: local time before the first request.
        answered_ms: local time after its answer.
        date_s: the answer's Date header, in seconds since the epoch.
    """
    if date_s is None:
        return asked_ms
    date_ms = int(date_s * 1000)
    if abs(answered_ms - date_ms) <= CLOCK_TOLERANCE_MS:
        return min(asked_ms, date_ms)
    return date_ms - min(max(0, answered_ms - asked_ms), ANSWER_MAX_MS)
