"""The outbox: what is recorded before it is sent, and confirmed after it was acknowledged. The only writer of state.

Order of things for every change: its row in doubt is stored, its event is submitted, its result is collected, its final
row is stored. Whatever is cut off in between is found again by the next sweep.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from adapter.changes.detector import intent
from adapter.changes.index import Index
from adapter.clock import SYSTEM_CLOCK, Clock
from adapter.delivery import Result, Status
from adapter.errors import StoreUnavailableError
from adapter.events.builder import EventBuilder
from adapter.log import Action
from adapter.model import Change, Event, Kind, KnownUser, User
from adapter.observability.metrics import Ended, Metrics
from adapter.state.base import Store

logger = logging.getLogger(__name__)

#: How long to wait after the n-th time that a user's event stayed undelivered, in seconds: 1, 2, 4, .. 300.
BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 300.0
#: Acknowledged changes wait for each other this long, in seconds, and up to this number, before they are confirmed.
_GROUP_S = 0.25
_GROUP = 500
#: Codes of the delivery for events that were not sent because the adapter stops: no news.
_CUT_OFF = frozenset({"closed", "not_held"})


class Courier(Protocol):
    """What the outbox needs of adapter.delivery.Delivery."""

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
    """A finding about a user: a change to report, or a row to remember silently.

    `row` and `stored` are where and how the user is stored now (None: not at all). `successor` is the user who took the
    username, when `finding` is the deletion of the one before, with the digest of its JSON.
    """

    finding: Change | KnownUser
    row: int | None = None
    stored: KnownUser | None = None
    successor: tuple[User, bytes] | None = None


class _Pending(NamedTuple):
    """A change that is recorded and not confirmed. `seen` is the digest of the user's JSON when it was found."""

    change: Change
    event: Event
    row: int
    seen: bytes
    successor: tuple[User, bytes] | None


@dataclass(frozen=True, slots=True)
class _BackingOff:
    """A user whose event is undelivered, until when it is left alone, unless it changes again.

    `alone`: the sink took events of others meanwhile.
    """

    times: int
    until_s: float
    seen: bytes
    alone: bool = False


class Outbox:
    """Keeps state, index and delivery in step: `record` what was found, then `pump` until it is confirmed.

    Used by the service thread alone.

    Args:
        store: the state.
        courier: delivers events.
        builder: makes events.
        metrics: counts.
        clock: tells the time.
    """

    def __init__(
        self, store: Store, courier: Courier, builder: EventBuilder, metrics: Metrics, *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.index = Index(store.digests())
        self._store = store
        self._courier = courier
        self._builder = builder
        self._metrics = metrics
        self._clock = clock
        #: By username, each change in one of these: waiting for room in the delivery's queue, submitted, acknowledged.
        self._waiting: dict[str, _Pending] = {}
        self._in_flight: dict[str, _Pending] = {}
        self._acked: dict[str, _Pending] = {}
        self._acked_since_s = 0.0
        self._results: list[Result] = []
        self._backing_off: dict[str, _BackingOff] = {}
        #: Those among them who failed since the sink took an event last.
        self._failed_together: set[str] = set()
        self._successors: list[tuple[User, bytes]] = []
        metrics.users = len(self.index)

    # -- questions -------------------------------------------------------------------------------------------------

    def is_busy(self, username: str) -> bool:
        """Whether this user's event is on its way, or acknowledged and not confirmed yet."""
        return username in self._waiting or username in self._in_flight or username in self._acked

    def is_backing_off(self, username: str, digest: bytes) -> bool:
        """Whether this user's event is undelivered and not to be tried again yet. A newer form is tried at once."""
        found = self._backing_off.get(username)
        return found is not None and found.seen == digest and self._clock.monotonic() < found.until_s

    @property
    def unconfirmed(self) -> int:
        """How many changes are on their way, or acknowledged and not confirmed yet."""
        return self.in_flight + len(self._acked)

    @property
    def in_flight(self) -> int:
        """How many events wait for room in the delivery's queue, or for the sink's answer."""
        return len(self._waiting) + len(self._in_flight)

    @property
    def is_full(self) -> bool:
        """Whether events wait for room in the delivery's queue: `pump` before more is recorded."""
        return bool(self._waiting)

    @property
    def undelivered(self) -> int:
        """How many users have an event that stayed undelivered."""
        return len(self._backing_off)

    @property
    def sink_down(self) -> bool:
        """Whether the sink takes no events."""
        return self._courier.paused

    # -- record, deliver, confirm ----------------------------------------------------------------------------------

    def record(self, entries: Sequence[Entry]) -> None:
        """Store what was found; `pump` then delivers the events of the changes.

        Raises:
            StoreUnavailableError: nothing was stored, and no event will be sent.
            LeaseLostError: another adapter holds the state.
        """
        puts = [entry.finding if isinstance(entry.finding, KnownUser) else intent(entry.finding) for entry in entries]
        rows = self._apply(puts)
        for entry, put, row in zip(entries, puts, rows, strict=True):
            before = None if entry.stored is None else entry.stored.digest
            if isinstance(entry.finding, Change):
                self.index.suspend(row, before)
                change, successor = entry.finding, entry.successor
                seen = change.after.digest if change.after is not None else successor[1] if successor else b""
                event = self._builder.build(change)
                self._waiting[change.username] = _Pending(change, event, row, seen, successor)
            else:
                self.index.put(row, put.digest, before)
                self._backing_off.pop(put.username, None)
        self._metrics.users = len(self.index)

    def forget(self, gone: Iterable[tuple[int, KnownUser]]) -> None:
        """Drop users without a word (EVENTS_DELETED is off)."""
        rows = list(gone)
        self._store.apply((), [known.username for _, known in rows])
        for row, known in rows:
            self.index.forget(row, known.digest)
            self._backing_off.pop(known.username, None)
        self._metrics.users = len(self.index)

    def note_waiting(self, users: int) -> None:
        """Take note of how many missing users wait until it is known whether they are gone."""
        self._metrics.deletions_waiting = users

    def wait(self, timeout_s: float) -> None:
        """Wait for room in the delivery's queue, if events wait for that, or else for a result. Then `pump`."""
        if self._waiting:
            self._submit(timeout_s)
        else:
            self._results += self._courier.collect(timeout_s)

    def pump(self, *, lazy: bool = False) -> list[tuple[User, bytes]]:
        """Submit what is recorded as far as there is room, collect results, and confirm what was acknowledged.

        Args:
            lazy: leave the confirming to the next `record` or `pump` that come soon, unless it is due: one write to
                the disk then serves both.

        Returns:
            Users who took the name of a deleted one whose deletion is confirmed now: examine them next.

        Raises:
            StoreUnavailableError: what was acknowledged is kept and confirmed by the next call.
            LeaseLostError: another adapter holds the state.
        """
        if self._waiting:
            self._submit(0.0)
        results, self._results = [*self._results, *self._courier.collect()], []
        if results:
            now_ms = self._clock.wall_ms()
            self._metrics.finished([self._resolve(result, now_ms) for result in results])
        self._metrics.in_flight, self._metrics.undelivered = self._courier.in_flight, len(self._backing_off)
        if self._acked and not (lazy and self._can_wait()):
            self._apply(())
        successors, self._successors = self._successors, []
        return successors

    def close(self, timeout_s: float) -> None:
        """Give the events on their way `timeout_s` to be answered, then confirm those that were acknowledged."""
        self._courier.close(timeout_s)
        self._waiting.clear()  # they are in doubt, and found again by the next sweep
        try:
            self.pump()
        except StoreUnavailableError as error:
            logger.warning("%s; what was delivered last will be sent again", error, extra={"action": Action.STOPPING})

    # -- inside ----------------------------------------------------------------------------------------------------

    def _submit(self, timeout_s: float) -> None:
        waiting = list(self._waiting.values())
        accepted = self._courier.submit_all([item.event for item in waiting], timeout_s)
        for item in waiting[:accepted]:
            del self._waiting[item.change.username]
            self._in_flight[item.change.username] = item

    def _resolve(self, result: Result, now_ms: int) -> Ended:
        """Note what became of a change; returns what is to be counted."""
        item = self._in_flight.pop(result.event.key)
        change = item.change
        lag_s = None
        if change.kind is not Kind.SNAPSHOT and change.kind is not Kind.REPLAY:
            lag_s = max(0.0, (now_ms - change.time_ms) / 1000)
        end = (result, change.kind, lag_s)
        if result.status is Status.UNDELIVERED:
            self._back_off(item, result)
            return end
        self._backing_off.pop(change.username, None)
        if result.status is Status.DELIVERED and self._failed_together:
            self._wake()
        if not self._acked:
            self._acked_since_s = self._clock.monotonic()
        self._acked[change.username] = item
        if result.status is Status.DEAD_LETTERED:
            logger.warning(
                "The sink did not take an event; the dead-letter sink has it",
                extra={"action": Action.DEAD_LETTERED, "event_id": result.event.id, "reason": _reason(result)},
            )
        elif logger.isEnabledFor(logging.DEBUG):
            logger.debug("Delivered", extra={"action": Action.DELIVERED, "event_id": result.event.id})
        return end

    def _back_off(self, item: _Pending, result: Result) -> None:
        before = self._backing_off.get(item.change.username)
        times = 1 if before is None or before.seen != item.seen else before.times + 1
        alone = before is not None and before.alone
        wait_s = min(BACKOFF_FIRST_S * 2.0 ** min(times - 1, 30), BACKOFF_MAX_S)
        self._backing_off[item.change.username] = _BackingOff(times, self._clock.monotonic() + wait_s, item.seen, alone)
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
            if (found := self._backing_off.get(username)) is not None:
                self._backing_off[username] = replace(found, until_s=min(found.until_s, now_s), alone=True)
        self._failed_together.clear()

    def _can_wait(self) -> bool:
        return len(self._acked) < _GROUP and self._clock.monotonic() - self._acked_since_s < _GROUP_S

    def _apply(self, puts: Sequence[KnownUser]) -> Sequence[int]:
        """Store these rows, and confirm what was acknowledged, in one transaction; returns the rows of `puts`."""
        acked = [(item, item.change.after) for item in self._acked.values() if item.change.after is not None]
        gone = [item for item in self._acked.values() if item.change.after is None]
        rows = self._store.apply([*puts, *(after for _, after in acked)], [item.change.username for item in gone])
        self._acked.clear()
        for (_, after), row in zip(acked, rows[len(puts) :], strict=True):
            self.index.put(row, after.digest)
        for item in gone:
            self.index.forget(item.row)
            if item.successor is not None:
                self._successors.append(item.successor)
        self._metrics.users = len(self.index)
        return rows[: len(puts)]


def _reason(result: Result) -> str:
    return result.failure.reason if result.failure is not None else ""
