"""The adapter in virtual time: the real service, state, queue, breaker and retry policy between clocks and networks.

Nothing waits: whoever would wait moves the clock. So hours pass in seconds, and the result does not depend on the load.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapter.arn import parse_pool_arn
from adapter.changes.detector import Detector
from adapter.clock import Clock, Shutdown
from adapter.cognito.base import Page
from adapter.cognito.lookups import LookUp, LookUpResult
from adapter.cognito.scan import Pages, Scan
from adapter.delivery import Result, RetryPolicy
from adapter.delivery.dispatcher import make_agenda
from adapter.delivery.route import Work
from adapter.events.builder import EventBuilder
from adapter.model import Event
from adapter.observability.health import Health
from adapter.observability.metrics import Metrics
from adapter.pipeline.outbox import Outbox
from adapter.pipeline.service import Observers, PollInterval, Service
from adapter.pipeline.sweep import Sweeper, SweepOptions
from adapter.sinks.base import Delivered, Outcome
from adapter.state.sqlite.store import SqliteStore
from tests.support.rig import ARN, MemoryPool

OK = Delivered("202")
#: How long one ListUsers request takes, in seconds.
PAGE_S = 0.08


@dataclass(frozen=True, slots=True)
class Reply:
    """What a sink answers to one event, and after how many seconds."""

    outcome: Outcome = OK
    seconds: float = 0.005


class VirtualSink:
    """Answers as `reply` says; knows who was sent when."""

    target = "https://sink.example"

    def __init__(self, reply: Callable[[Event, float], Reply], max_batch: int = 1) -> None:
        self.reply = reply
        self.max_batch = max_batch
        self.requests: list[tuple[float, tuple[str, ...]]] = []
        #: When the event of a user was taken.
        self.taken: dict[str, float] = {}

    def send(self, events: Sequence[Event]) -> Sequence[Outcome]:
        raise NotImplementedError("virtual workers ask for replies")

    def close(self) -> None:
        pass


class VirtualTime(Clock):
    """The clock, and what is to happen at which time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._epoch_ms = time.time_ns() // 1_000_000
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0

    def monotonic(self) -> float:
        return self.now

    def wall_ms(self) -> int:
        return self._epoch_ms + int(self.now * 1000)

    def at(self, when: float, what: Callable[[], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._events, (when, self._sequence, what))

    def advance(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let as much time pass, or less, once `until` is true."""
        end = self.now + seconds
        while not until():
            if not self._events or self._events[0][0] > end:
                self.now = end
                return
            when, _, what = heapq.heappop(self._events)
            self.now = max(self.now, when)
            what()


class VirtualStop(Shutdown):
    """Waiting for it moves the clock."""

    def __init__(self, clock: VirtualTime) -> None:
        super().__init__(clock)
        self._diary = clock

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self._diary.advance(timeout, self.is_set)
        return self.is_set()


class VirtualDelivery:
    """The dispatcher's two sides, with workers that are entries in the clock's diary."""

    def __init__(
        self,
        clock: VirtualTime,
        sink: VirtualSink,
        dead_letter: VirtualSink | None = None,
        *,
        policy: RetryPolicy = RetryPolicy(),  # noqa: B008 (frozen)
        concurrency: int = 8,
        capacity: int = 1000,
    ) -> None:
        self._clock = clock
        self._sink, self._dead_letter = sink, dead_letter
        self._free = concurrency
        self._wake_at: float | None = None
        self.agenda = make_agenda(sink, policy, dead_letter, concurrency=concurrency, capacity=capacity)

    def submit(self, event: Event, timeout_s: float | None = None) -> bool:
        return self.submit_all([event], timeout_s) == 1

    def submit_all(self, events: Sequence[Event], timeout_s: float | None = None) -> int:
        self._clock.advance(timeout_s or 0.0, lambda: self.agenda.has_room(events[0]))
        accepted = 0
        for event in events:
            if not self.agenda.has_room(event):
                break
            self.agenda.add(event, self._clock.now)
            accepted += 1
        self._work()
        return accepted

    def collect(self, timeout_s: float = 0.0) -> list[Result]:
        if self.agenda.unresolved:
            self._clock.advance(timeout_s, lambda: self.agenda.has_results)
        return self.agenda.collect()

    @property
    def in_flight(self) -> int:
        return self.agenda.uncollected

    @property
    def paused(self) -> bool:
        return self.agenda.is_down()

    def close(self, timeout_s: float) -> None:
        self._clock.advance(timeout_s, lambda: not self.agenda.unresolved)

    def _work(self) -> None:
        now = self._clock.now
        while self._free and (work := self.agenda.take(now)) is not None:
            self._free -= 1
            sink = self._dead_letter if work.dead and self._dead_letter else self._sink
            sink.requests.append((now, tuple(job.event.key for job in work.jobs)))
            replies = [sink.reply(job.sent, now) for job in work.jobs]
            self._clock.at(now + max(reply.seconds for reply in replies), self._done(work, sink, replies))
        wait_s = self.agenda.wait_s(now) if self._free else None
        if wait_s is not None and (self._wake_at is None or now + wait_s < self._wake_at):
            self._wake_at = now + wait_s
            self._clock.at(self._wake_at, self._wake)

    def _wake(self) -> None:
        self._wake_at = None
        self._work()

    def _done(self, work: Work, sink: VirtualSink, replies: Sequence[Reply]) -> Callable[[], None]:
        def done() -> None:
            self._free += 1
            for job, reply in zip(work.jobs, replies, strict=True):
                if isinstance(reply.outcome, Delivered):
                    sink.taken.setdefault(job.event.key, self._clock.now)
            self.agenda.settle(work, [reply.outcome for reply in replies], self._clock.now)
            self._work()

        return done


class VirtualScanner:
    """Reads a pool as one listing, PAGE_S for each page; there are no look-ups, so two sweeps decide."""

    lookups_affordable = 0

    def __init__(self, pool: MemoryPool, clock: VirtualTime, stop: VirtualStop) -> None:
        self._pool = pool
        self._clock = clock
        self._stop = stop

    def scan(self, filter_: str | None = None) -> Scan:
        return Scan(self._pages(filter_))

    def _pages(self, filter_: str | None) -> Pages:
        token: str | None = None
        while not self._stop.is_set():
            self._clock.advance(PAGE_S)
            page = self._pool.list_users(filter_=filter_, token=token)
            token = page.token
            yield page
            if token is None:
                return True
        return False

    def scan_signups(self) -> Iterator[Page]:
        return iter(())

    def report_missed_user(self) -> None:
        pass

    def look_up(self, users: Sequence[LookUp]) -> Iterator[LookUpResult | Page]:
        del users
        return iter(())


class VirtualAdapter:
    """An adapter that has just made its baseline of an empty pool."""

    def __init__(self, state: Path, sink: VirtualSink, dead_letter: VirtualSink | None = None) -> None:
        self.clock = VirtualTime()
        self.stop = VirtualStop(self.clock)
        self.pool = MemoryPool()
        self.created: dict[str, float] = {}
        self.health = Health(clock=self.clock.monotonic)
        self.delivery = VirtualDelivery(self.clock, sink, dead_letter)
        self.store = SqliteStore(state, ARN)
        scanner = VirtualScanner(self.pool, self.clock, self.stop)
        metrics = Metrics(source=ARN, name="virtual")
        outbox = Outbox(self.store, self.delivery, EventBuilder(pool=parse_pool_arn(ARN)), metrics, clock=self.clock)
        detector = Detector(pool_arn=ARN)
        self.service = Service(
            Sweeper(scanner, self.store, outbox, detector, SweepOptions(), shutdown=self.stop, clock=self.clock),
            outbox,
            poll_interval=PollInterval(1, 1),
            observers=Observers(health=self.health, metrics=metrics),
            shutdown=self.stop,
            clock=self.clock,
        )
        self.service._drive(self.service._attempt())

    @classmethod
    @contextmanager
    def start(cls, state: Path, sink: VirtualSink, dead_letter: VirtualSink | None = None) -> Iterator[VirtualAdapter]:
        adapter = cls(state, sink, dead_letter)
        try:
            yield adapter
        finally:
            adapter.store.close()

    def create(self, username: str, at: float) -> None:
        """A user signs up at this time."""

        def create() -> None:
            self.created[username] = at
            self.pool.create(username, at=self.clock.wall_ms() / 1000)

        self.clock.at(at, create)

    def run(self, until: float) -> None:
        """Let the service work until then."""
        self.stop.clear()
        self.clock.at(until, self.stop.set)
        while not self.stop.is_set():
            if self.service._drive(self.service._attempt()) is not None:
                self.service._drive(self.service._wait(1))
