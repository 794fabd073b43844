"""The books: what is known, what is being told, and what was told. The only writer of state.

Order of things for every change: its row in doubt is stored, its event is submitted, its result is collected, its final
row is stored. Whatever is cut off in between is found again by the next sweep.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from adapter.changes.detector import intent
from adapter.changes.index import Index
from adapter.clock import Clock
from adapter.delivery import Result, Status
from adapter.errors import StoreUnavailableError
from adapter.events.builder import EventBuilder
from adapter.log import Action
from adapter.model import Change, Event, Kind, KnownUser, User
from adapter.observability.metrics import Ended, Metrics
from adapter.state.base import Store

logger = logging.getLogger(__name__)

#: How long a user rests after the n-th time that its event stayed undelivered, in seconds: 1, 2, 4, .. 300.
REST_FIRST_S = 1.0
REST_MAX_S = 300.0
#: How long `submit` waits for room before results are collected and the stop is looked at, in seconds.
_SUBMIT_WAIT_S = 0.2
#: Delivered changes wait for each other this long, in seconds, and up to this number, before they are stored.
_GROUP_S = 0.25
_GROUP = 500
#: Codes of the delivery for events that were not sent because the adapter stops: no news.
_CUT_OFF = frozenset({"closed", "not_held"})


class Courier(Protocol):
    """What the ledger needs of adapter.delivery.Delivery."""

    def submit(self, event: Event, timeout_s: float | None = None) -> bool:
        """Accept an event; False: no room within the time, or closed."""
        ...

    def submit_all(self, events: Sequence[Event], timeout_s: float | None = None) -> int:
        """Accept events; returns how many, from the first on: 0: no room within the time, or closed."""
        ...

    def collect(self, timeout_s: float = 0.0) -> list[Result]:
        """Results since the last call."""
        ...

    def close(self, timeout_s: float) -> None:
        """Resolve every event, then stop."""
        ...

    @property
    def in_flight(self) -> int:
        """Events without a collected result."""
        ...

    @property
    def paused(self) -> bool:
        """Whether the sink is down."""
        ...


class Entry(NamedTuple):
    """A finding about a user: a change to tell, or a row to remember silently.

    `row` and `stored` are where and how the user is stored now (None: not at all). `successor` is the user who took the
    username, when `finding` is the deletion of the one before, with the digest of its JSON.
    """

    finding: Change | KnownUser
    row: int | None = None
    stored: KnownUser | None = None
    successor: tuple[User, bytes] | None = None


class _Open(NamedTuple):
    """A change whose event is on its way. `seen` is the digest of the user's JSON when it was found."""

    change: Change
    row: int
    seen: bytes
    successor: tuple[User, bytes] | None


@dataclass(frozen=True, slots=True)
class _Resting:
    """A user whose event is undelivered, until when it is left alone, unless it changes again.

    `alone`: the sink took events of others meanwhile.
    """

    times: int
    until_s: float
    seen: bytes
    alone: bool = False


class Ledger:
    """Keeps state, index and delivery in step. Used by the service thread alone.

    Args:
        store: the state.
        courier: delivers events.
        builder: makes events.
        metrics: counts.
        clock: tells the time.
        should_stop: asked while waiting for room in the delivery's queue.
    """

    def __init__(
        self,
        store: Store,
        courier: Courier,
        builder: EventBuilder,
        metrics: Metrics,
        *,
        clock: Clock,
        should_stop: Callable[[], bool],
    ) -> None:
        self.index = Index(store.digests())
        self._store = store
        self._courier = courier
        self._builder = builder
        self._metrics = metrics
        self._clock = clock
        self._should_stop = should_stop
        self._open: dict[str, _Open] = {}
        self._told: dict[str, _Open] = {}
        self._told_since_s = 0.0
        self._resting: dict[str, _Resting] = {}
        #: Those among them who failed since the sink took an event last.
        self._failed_together: set[str] = set()
        self._successors: list[tuple[User, bytes]] = []

    # -- questions -------------------------------------------------------------------------------------------------

    def busy(self, username: str) -> bool:
        """Whether this user's event is on its way, or delivered and not stored yet."""
        return username in self._open or username in self._told

    def resting(self, username: str, digest: bytes) -> bool:
        """Whether this user's event is undelivered and not to be tried again yet. A newer form is tried at once."""
        rest = self._resting.get(username)
        return rest is not None and rest.seen == digest and self._clock.monotonic() < rest.until_s

    @property
    def unsettled(self) -> int:
        """How many changes are on their way, or delivered and not stored yet."""
        return len(self._open) + len(self._told)

    @property
    def undelivered(self) -> int:
        """How many users have an event that stayed undelivered."""
        return len(self._resting)

    # -- deeds -----------------------------------------------------------------------------------------------------

    def record(self, entries: Sequence[Entry]) -> int:
        """Store what was found, and submit the events of the changes.

        Returns:
            How many changes were submitted: all, unless it is time to stop.

        Raises:
            StoreUnavailableError: nothing was stored nor submitted.
            LeaseLostError: another adapter holds the state.
        """
        puts = [entry.finding if isinstance(entry.finding, KnownUser) else intent(entry.finding) for entry in entries]
        rows = self._apply(puts)
        opened: list[_Open] = []
        for entry, put, row in zip(entries, puts, rows, strict=True):
            before = None if entry.stored is None else entry.stored.digest
            if isinstance(entry.finding, Change):
                self.index.hold(row, before)
                change, successor = entry.finding, entry.successor
                seen = change.after.digest if change.after is not None else successor[1] if successor else b""
                opened.append(_Open(change, row, seen, successor))
            else:
                self.index.put(row, put.digest, before)
                self._resting.pop(put.username, None)
        self._metrics.users = len(self.index)
        return self._submit(opened)

    def forget(self, gone: Iterable[tuple[int, KnownUser]]) -> None:
        """Drop users without a word (EVENTS_DELETED is off)."""
        rows = list(gone)
        self._store.apply((), [known.username for _, known in rows])
        for row, known in rows:
            self.index.forget(row, known.digest)
            self._resting.pop(known.username, None)
        self._metrics.users = len(self.index)

    def note_waiting(self, users: int) -> None:
        """Take note of how many missing users wait until it is known whether they are gone."""
        self._metrics.deletions_waiting = users

    def settle(self, timeout_s: float = 0.0, *, lazy: bool = False) -> list[tuple[User, bytes]]:
        """Collect results and store what they mean.

        Args:
            timeout_s: how long to wait for the first result.
            lazy: leave the storing to the next `record` or `settle` that come soon, unless it is due: one write to
                the disk then serves both.

        Returns:
            Users who took the name of a deleted one that was told just now: examine them next.

        Raises:
            StoreUnavailableError: what was delivered is kept and stored by the next call.
            LeaseLostError: another adapter holds the state.
        """
        if results := self._courier.collect(timeout_s):
            now_ms = self._clock.wall_ms()
            self._metrics.finished([self._resolve(result, now_ms) for result in results])
        self._metrics.in_flight, self._metrics.undelivered = self._courier.in_flight, len(self._resting)
        if self._told and not (lazy and self._can_wait()):
            self._apply(())
        successors, self._successors = self._successors, []
        return successors

    def close(self, timeout_s: float) -> None:
        """Give the events on their way `timeout_s` to be answered, then store what became of them."""
        self._courier.close(timeout_s)
        try:
            self.settle()
        except StoreUnavailableError as error:
            logger.warning("%s; what was delivered last will be sent again", error, extra={"action": Action.STOPPING})

    # -- inside ----------------------------------------------------------------------------------------------------

    def _submit(self, opened: Sequence[_Open]) -> int:
        events = [self._builder.build(item.change) for item in opened]
        done = 0
        while done < len(events):
            accepted = self._courier.submit_all(events[done:], timeout_s=_SUBMIT_WAIT_S)
            self._open |= {item.change.username: item for item in opened[done : done + accepted]}
            done += accepted
            if done < len(events):
                if self._should_stop():
                    break
                waiting = self.settle(lazy=True)
                self._successors += waiting
        return done

    def _resolve(self, result: Result, now_ms: int) -> Ended:
        """Note what became of a change; returns what is to be counted."""
        item = self._open.pop(result.event.key)
        change = item.change
        lag_s = None
        if change.kind is not Kind.SNAPSHOT and change.kind is not Kind.REPLAY:
            lag_s = max(0.0, (now_ms - change.time_ms) / 1000)
        end = (result, change.kind, lag_s)
        if result.status is Status.UNDELIVERED:
            self._rest(item, result)
            return end
        self._resting.pop(change.username, None)
        if result.status is Status.DELIVERED and self._failed_together:
            self._wake()
        if not self._told:
            self._told_since_s = self._clock.monotonic()
        self._told[change.username] = item
        if result.status is Status.DEAD_LETTERED:
            logger.warning(
                "The sink did not take an event; the dead-letter sink has it",
                extra={"action": Action.DEAD_LETTERED, "event_id": result.event.id, "reason": _reason(result)},
            )
        elif logger.isEnabledFor(logging.DEBUG):
            logger.debug("Delivered", extra={"action": Action.DELIVERED, "event_id": result.event.id})
        return end

    def _rest(self, item: _Open, result: Result) -> None:
        before = self._resting.get(item.change.username)
        times = 1 if before is None or before.seen != item.seen else before.times + 1
        alone = before is not None and before.alone
        wait_s = min(REST_FIRST_S * 2.0 ** min(times - 1, 30), REST_MAX_S)
        self._resting[item.change.username] = _Resting(times, self._clock.monotonic() + wait_s, item.seen, alone)
        if not alone:
            self._failed_together.add(item.change.username)
        cut_off = result.failure is not None and result.failure.code in _CUT_OFF
        logger.log(
            logging.DEBUG if cut_off else logging.WARNING,
            "An event stays undelivered and will be tried again",
            extra={
                "action": Action.UNDELIVERED,
                "event_id": result.event.id,
                "reason": _reason(result),
                "times": times,
            },
        )

    def _wake(self) -> None:
        """The sink took an event: whoever failed since the one before is worth another try now, but only once."""
        now_s = self._clock.monotonic()
        for username in self._failed_together:
            if (rest := self._resting.get(username)) is not None:
                self._resting[username] = replace(rest, until_s=min(rest.until_s, now_s), alone=True)
        self._failed_together.clear()

    def _can_wait(self) -> bool:
        return len(self._told) < _GROUP and self._clock.monotonic() - self._told_since_s < _GROUP_S

    def _apply(self, puts: Sequence[KnownUser]) -> Sequence[int]:
        """Store these rows, and all that was told meanwhile, in one transaction; returns the rows of `puts`."""
        told = [(item, item.change.after) for item in self._told.values() if item.change.after is not None]
        gone = [item for item in self._told.values() if item.change.after is None]
        rows = self._store.apply([*puts, *(after for _, after in told)], [item.change.username for item in gone])
        self._told.clear()
        for (_, after), row in zip(told, rows[len(puts) :], strict=True):
            self.index.put(row, after.digest)
        for item in gone:
            self.index.forget(item.row)
            if item.successor is not None:
                self._successors.append(item.successor)
        self._metrics.users = len(self.index)
        return rows[: len(puts)]


def _reason(result: Result) -> str:
    return result.failure.reason if result.failure is not None else ""
