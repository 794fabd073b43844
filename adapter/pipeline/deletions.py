"""Who is missing from a complete sweep, and whether that is a deletion.

Nobody is reported as deleted on one sign alone. A user whom a complete sweep did not show is looked up by filters; or a
second complete sweep in a row must miss it, too, where that takes fewer requests than all the look-ups, or where
filters are of no use. Users whom the listing leaves out although look-ups find them are remembered: only look-ups
decide about those.
"""

from __future__ import annotations

import logging
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from adapter.changes.detector import Detector
from adapter.clock import SYSTEM_CLOCK, Clock, Shutdown
from adapter.cognito.base import Page
from adapter.cognito.lookups import LookUp, Presence
from adapter.cognito.pause import Pause
from adapter.cognito.scanner import Scanner
from adapter.errors import CognitoError
from adapter.log import Action
from adapter.model import KnownUser
from adapter.pipeline.outbox import Entry, Outbox
from adapter.state.base import Store

logger = logging.getLogger(__name__)

#: Deletions are stored and submitted in groups of up to this number, and after this time, in milliseconds.
GROUP: Final = 500
GROUP_MS: Final = 500
#: Of users whom two sweeps missed this many are looked up before the others are believed to be gone.
SAMPLE: Final = 50
#: One of so many look-ups at least is of a user whom the listing leaves out although the user is there.
UNLISTED_SHARE: Final = 4
#: Complete sweeps after which a look-up that found a user no longer counts.
PROOF_SWEEPS: Final = 100
#: Complete sweeps during which two that agree are not believed, because they agreed on a user who is there: first, and
#: at most.
DISTRUST_SWEEPS: Final = 10
DISTRUST_SWEEPS_MAX: Final = 1000

_Missing = tuple[int, KnownUser]


@dataclass(slots=True)
class DeletionsOutcome:
    """What came of a look at who is missing.

    `changes` were reported. `waiting` users are not decided on. `again`: for some of
    them the next complete sweep should come soon.
    """

    changes: int = 0
    waiting: int = 0
    again: bool = False


@dataclass(frozen=True, slots=True)
class DeletionsPlan:
    """Rows to look up, in this order, and those that two sweeps decide on unless the look-ups speak against it."""

    look_up: Sequence[int] = ()
    by_sweeps: Sequence[int] = ()


def plan(
    new: Sequence[int], agreed: Sequence[int], unlisted: Sequence[int], *, affordable: int, trusted: bool, after: int
) -> DeletionsPlan:
    """Decide by what means it is found out whether missing users are gone. All rows are in ascending order.

    Args:
        new: who is missing.
        agreed: those of them whom the complete sweep before missed, too.
        unlisted: who is missing from every sweep, though found by look-ups.
        affordable: how many users may be looked up; 0: filters are of no use.
        trusted: whether two sweeps that agree are to be believed.
        after: the row that was looked up last: the next look-ups go on behind it.
    """
    if affordable == 0:
        return DeletionsPlan(by_sweeps=agreed if trusted else ())
    if len(new) <= affordable:
        asked, by_sweeps = _rotated(new, after), agreed[:0]
    elif trusted:
        # Another sweep takes fewer requests than all these look-ups.
        size = min(SAMPLE, affordable, len(agreed))
        asked, by_sweeps = [agreed[at * len(agreed) // size] for at in range(size)], agreed
    else:
        asked, by_sweeps = _rotated(agreed, after)[:affordable], agreed[:0]
    room = max(affordable - len(asked), affordable // UNLISTED_SHARE)
    return DeletionsPlan([*asked, *_rotated(unlisted, after)[:room]], by_sweeps)


class Deletions:
    """Finds out which missing users are gone. Used by the service thread alone.

    Args:
        scanner: looks users up.
        store: the state; only read here.
        outbox: takes what is found.
        detector: makes changes.
        max_percent: EVENTS_DELETED_MAX_PERCENT: if more users are missing at once, two sweeps must agree.
        shutdown: ends the look-ups early.
        clock: tells the time.
    """

    def __init__(
        self,
        scanner: Scanner,
        store: Store,
        outbox: Outbox,
        detector: Detector,
        *,
        max_percent: float,
        shutdown: Shutdown,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._scanner = scanner
        self._store = store
        self._outbox = outbox
        self._detector = detector
        self._max_percent = max_percent
        self._clock = clock
        self._shutdown = shutdown
        #: Rows that were missing from the complete sweep before, ascending.
        self._missing_before = array("L")
        #: Rows that sweeps miss although a look-up found the user, with the number of the sweep after which it did.
        self._unlisted: dict[int, int] = {}
        self._distrust = Pause(DISTRUST_SWEEPS, DISTRUST_SWEEPS_MAX, cost_factor=0)
        self._sweeps = 0
        self._last_row = -1
        self._holding = False
        self._gone: list[_Missing] = []
        self._gone_since_ms = 0
        #: Rows of this sweep's missing users whose events are on their way or undelivered.
        self._under_way: set[int] = set()

    def begin_sweep(self) -> None:
        """A sweep begins, and who was seen is forgotten: whoever was seen since the last sweep is not missing."""
        index = self._outbox.index
        self._missing_before = array("L", (row for row in self._missing_before if not index.is_seen(row)))

    def after_sweep(self, outcome: DeletionsOutcome) -> Iterator[Page | None]:
        """A sweep is complete: find out about the users whom it did not show.

        Yields:
            After each answer a page of users to compare with what is known, or None: it showed none.

        Raises:
            CognitoError, StoreUnavailableError, LeaseLostError: it ended early; who was not decided on waits.
        """
        rows = array("L", self._outbox.index.unseen())
        before, self._missing_before = self._missing_before, rows
        self._sweeps += 1
        oldest = self._sweeps - PROOF_SWEEPS
        self._unlisted = {row: sweep for row, sweep in self._unlisted.items() if sweep >= oldest and _holds(rows, row)}
        self._under_way.clear()
        self._gone.clear()  # what is left of a step that was cut off is no longer proof
        outcome.waiting = len(rows)
        try:
            yield from self._decide(rows, before, outcome)
        except CognitoError:
            self._report(outcome)
            raise
        finally:
            self._outbox.note_waiting(outcome.waiting)

    def _decide(self, rows: array[int], before: array[int], outcome: DeletionsOutcome) -> Iterator[Page | None]:
        unlisted = sorted(self._unlisted)
        found_before = frozenset(unlisted)
        new = [row for row in self._released(rows, before, outcome) if row not in self._unlisted]
        agreed = [row for row in new if _holds(before, row)]
        trusted = self._distrust.is_over(self._sweeps)
        affordable = self._scanner.lookups_affordable
        chosen = plan(new, agreed, unlisted, affordable=affordable, trusted=trusted, after=self._last_row)
        self._outbox.note_waiting(outcome.waiting)
        answers: dict[int, Presence] = {}
        yield from self._look_up(chosen.look_up, answers, outcome)
        if self._shutdown.is_set():
            return
        undecided = {row for row, presence in answers.items() if presence is Presence.UNDECIDED}
        by_sweeps = {*chosen.by_sweeps, *(row for row in agreed if row in undecided)}
        found = any(presence is Presence.PRESENT and row not in found_before for row, presence in answers.items())
        if found:
            self._scanner.report_missed_user()
            if chosen.by_sweeps:
                self._distrust.begin(self._sweeps)
        if found or not trusted:
            by_sweeps.clear()
        elif self._scanner.lookups_affordable == 0:
            by_sweeps.update(agreed)  # filters turned out to be of no use
        by_sweeps -= answers.keys() - undecided
        for row, known in self._missing_users(sorted(by_sweeps), outcome):
            self._confirm(row, known, outcome)
            if not self._gone:
                yield None
                if self._shutdown.is_set():
                    return
        self._report(outcome)
        unlisted_waiting = sum(row not in answers for row in self._unlisted)
        outcome.again = outcome.again or outcome.waiting > unlisted_waiting

    def _look_up(
        self, rows: Sequence[int], answers: dict[int, Presence], outcome: DeletionsOutcome
    ) -> Iterator[Page | None]:
        """Look users up and act on what is found; the answers go into `answers` by row, until it is time to stop."""
        missing = list(self._missing_users(rows, outcome))
        for result in self._scanner.look_up([LookUp(known.username, known.sub) for _, known in missing]):
            if isinstance(result, Page):
                yield result
            else:
                row, known = missing[result.number]
                answers[row] = result.presence
                self._last_row = row
                yield Page(users=result.users) if result.users else None
                if result.presence is Presence.PRESENT:
                    self._unlisted[row] = self._sweeps
                    outcome.waiting -= 1
                elif result.presence is Presence.ABSENT:
                    self._unlisted.pop(row, None)
                    self._confirm(row, known, outcome)
            if self._shutdown.is_set():
                break
        self._report(outcome)

    def _released(self, rows: array[int], before: array[int], outcome: DeletionsOutcome) -> Sequence[int]:
        """Those of the missing rows that may be deleted: when they are many, only what two sweeps agree on."""
        known = len(self._outbox.index)
        many = len(rows) * 100 > self._max_percent * known or len(rows) == known
        if not rows or not many:
            self._holding = False
            return rows
        agreed = array("L", (row for row in rows if _holds(before, row)))
        if len(agreed) < len(rows):
            outcome.again = self._holding = True
            logger.warning(
                "Many users are missing at once; their deletions wait until the next complete sweep agrees",
                extra={"action": Action.DELETIONS_HELD, "missing": len(rows), "known": known},
            )
        elif self._holding:
            self._holding = False
            logger.warning(
                "A second complete sweep agrees that many users are missing: their deletions are reported",
                extra={"action": Action.DELETIONS_RELEASED, "missing": len(rows), "known": known},
            )
        return agreed

    def _missing_users(self, rows: Sequence[int], outcome: DeletionsOutcome) -> Iterator[_Missing]:
        """The users of these rows, without those whose events are on their way or undelivered: they don't wait here."""
        for start in range(0, len(rows), GROUP):
            group = rows[start : start + GROUP]
            users = dict(self._store.rows(group))
            for row in group:
                known = users.get(row)
                if known is not None and not self._is_under_way(known):
                    yield row, known
                elif row not in self._under_way:
                    self._under_way.add(row)
                    outcome.waiting -= 1

    def _is_under_way(self, known: KnownUser) -> bool:
        return self._outbox.is_busy(known.username) or self._outbox.is_backing_off(known.username, b"")

    def _confirm(self, row: int, known: KnownUser, outcome: DeletionsOutcome) -> None:
        """This user is gone: report it, together with others."""
        outcome.waiting -= 1
        now_ms = self._clock.wall_ms()
        if not self._gone:
            self._gone_since_ms = now_ms
        self._gone.append((row, known))
        if len(self._gone) >= GROUP or not 0 <= now_ms - self._gone_since_ms < GROUP_MS:
            self._report(outcome)

    def _report(self, outcome: DeletionsOutcome) -> None:
        """Report the users who are gone."""
        gone, self._gone = self._gone, []
        self._outbox.note_waiting(outcome.waiting)
        # While some were looked for, events of others were confirmed: whose row is no longer what was read then is
        # left to the next sweep.
        stored = dict(self._store.rows(sorted(row for row, _ in gone)))
        gone = [(row, known) for row, known in gone if stored.get(row) == known]
        if not gone:
            return
        if not self._detector.report_deletions:
            self._outbox.forget(gone)
            return
        now_ms = self._clock.wall_ms()
        entries = [Entry(finding=self._detector.gone(known, now_ms), row=row, stored=known) for row, known in gone]
        self._outbox.record(entries)
        outcome.changes += len(entries)


def _rotated(rows: Sequence[int], after: int) -> list[int]:
    """Ascending rows, beginning with the first one behind `after`."""
    at = bisect_right(rows, after)
    return [*rows[at:], *rows[:at]]


def _holds(rows: array[int], row: int) -> bool:
    """Whether ascending rows hold this one."""
    at = bisect_left(rows, row)
    return at < len(rows) and rows[at] == row
