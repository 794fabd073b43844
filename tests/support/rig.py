"""The adapter without its edges: a real service, state and delivery, between a pool and a sink of the test's making.

`Rig` is driven step by step in the test's thread: `rig.sweep()` is one sweep with every event settled.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter.arn import parse_pool_arn
from adapter.changes.detector import Detector
from adapter.clock import SYSTEM_CLOCK, Clock, Shutdown
from adapter.cognito.base import Page, UserPool
from adapter.cognito.rate_limiter import RateLimiter
from adapter.delivery import Delivery, RetryPolicy
from adapter.events.builder import EventBuilder
from adapter.model import Event
from adapter.observability.health import Health
from adapter.observability.metrics import Metrics
from adapter.observability.tracing.base import NO_TRACES, Traces
from adapter.pipeline.outbox import Outbox
from adapter.pipeline.service import Observers, PollInterval, Service
from adapter.pipeline.sweep import Sweep, Sweeper, SweepOptions
from adapter.runtime.app import make_scanner
from adapter.sinks.base import Delivered, Failed, Outcome, Sink
from adapter.state.sqlite.store import SqliteStore

ARN = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"
DOWN = Failed(code="503", reason="the sink answered 503", retryable=True)
REFUSED = Failed(code="400", reason="the sink answered 400", retryable=False)


class MemoryPool:
    """A user pool in memory: dates in seconds, as on the wire; pages of `page_size`; `faults` are raised first."""

    def __init__(self, page_size: int = 60) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.page_size = page_size
        self.faults: list[Exception] = []
        self.filters_work = True
        #: Users whom only filters find.
        self.unlisted: set[str] = set()
        self.requests: list[tuple[str | None, str | None]] = []
        self.between_pages: Callable[[], None] = lambda: None
        self._subs = 0

    def create(self, username: str, *, at: float | None = None, **attributes: str) -> None:
        self._subs += 1
        now = time.time() if at is None else at
        pairs = {"sub": f"sub-{self._subs}", **attributes}
        self.users[username] = {
            "Username": username,
            "Attributes": [{"Name": name, "Value": value} for name, value in pairs.items()],
            "UserCreateDate": round(now, 3),
            "UserLastModifiedDate": round(now, 3),
            "Enabled": True,
            "UserStatus": "CONFIRMED",
        }

    def set(self, username: str, **members: Any) -> None:
        """Replace members of a user; the dates stay as they are."""
        self.users[username] |= members

    def list_users(self, *, filter_: str | None = None, token: str | None = None, limit: int = 60) -> Page:
        self.requests.append((filter_, token))
        if self.faults:
            raise self.faults.pop(0)
        found = list(self.users.values())
        if filter_ is not None and self.filters_work:
            name, _, value = filter_.partition(" = ")
            wanted = json.loads(value)
            members = [(user["Username"] if name == "username" else _sub(user), user) for user in found]
            found = [user for member, user in members if member == wanted]
        elif filter_ is None:
            found = [user for user in found if user["Username"] not in self.unlisted]
        start = int(token or 0)
        if token is not None:
            self.between_pages()
        page = found[start : start + min(limit, self.page_size)]
        more = start + self.page_size < len(found)
        raw = [json.dumps(user).encode() for user in page]
        return Page(users=raw, token=str(start + self.page_size) if more else None, date_s=float(int(time.time())))


def _sub(user: dict[str, Any]) -> Any:
    return user["Attributes"][0]["Value"]


class MemorySink:
    """A sink that keeps what it is given, and answers as it is told."""

    target = "memory:"
    max_batch = 1

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.refused: list[Event] = []
        self.answer: Callable[[Event], Outcome] = lambda _: Delivered()

    def send(self, events: Sequence[Event]) -> Sequence[Outcome]:
        outcomes = [self.answer(event) for event in events]
        for event, outcome in zip(events, outcomes, strict=True):
            (self.events if isinstance(outcome, Delivered) else self.refused).append(event)
        return outcomes

    def close(self) -> None:
        pass

    def told(self) -> list[tuple[str, str]]:
        return [(event.attributes["changetype"], event.key) for event in self.events]

    def names(self) -> list[str]:
        return sorted(event.key for event in self.events)


class WallClock(Clock):
    """The machine's clock, until a test sets the time of day."""

    def __init__(self) -> None:
        self.wall_ms_now: Callable[[], int] = super().wall_ms

    def wall_ms(self) -> int:
        return self.wall_ms_now()


class ShiftedClock(Clock):
    """The machine's clock, so many seconds ahead."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.ahead_s = ahead_s

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


@dataclass(frozen=True, slots=True)
class FixedUsers:
    """So many users are known, all of them or not, with these subs among them."""

    users: int
    complete: bool = True
    subs: Sequence[str] = ()

    def count(self) -> int:
        return self.users

    def is_complete(self) -> bool:
        return self.complete

    def sample_subs(self) -> Sequence[str]:
        return self.subs


class Rig:
    """One life of an adapter, from `start` to the end of the block."""

    def __init__(self, pool: UserPool, sink: Sink, state: Path, **options: Any) -> None:
        self.stop = Shutdown()
        self.clock = WallClock()
        self.health = Health()
        self.metrics = Metrics(source=ARN, name="rig")
        arn = options.get("arn", ARN)
        self.store = SqliteStore(state, arn)
        traces: Traces = options.get("traces", NO_TRACES)
        dead_letter = options.get("dead_letter")
        delivery = Delivery(
            traces.sink(sink),
            RetryPolicy(retry=options.get("retry", 0), backoff_delay_s=0.01),
            dead_letter=traces.sink(dead_letter, dead_letters=True) if dead_letter else None,
            capacity=options.get("capacity", 1000),
            held=self.store.held,
        )
        clock: Clock = options.get("clock", SYSTEM_CLOCK)
        sleep = getattr(clock, "sleep", self.stop.wait)
        self.limiter = limiter = RateLimiter(options.get("max_rps", 10_000.0), clock=clock.monotonic, sleep=sleep)
        backoff_s = (0.01, 0.02, 0.05, 0.1)
        scanner = make_scanner(pool, limiter, self.stop, self.metrics, self.store, backoff_s, clock)
        builder = EventBuilder(pool=parse_pool_arn(arn))
        detector = Detector(pool_arn=arn, report_deletions=options.get("deleted", True))
        initial, percent = options.get("initial", "baseline"), options.get("percent", 100)
        sweep_options = SweepOptions(initial=initial, deleted_max_percent=percent)
        outbox = Outbox(self.store, traces.courier(delivery), builder, self.metrics, clock=self.clock)
        self.service = Service(
            Sweeper(scanner, self.store, outbox, detector, sweep_options, shutdown=self.stop, clock=self.clock),
            outbox,
            poll_interval=PollInterval(0.01, 0.02),
            observers=Observers(health=self.health, metrics=self.metrics, traces=traces),
            shutdown=self.stop,
            clock=self.clock,
        )

    @classmethod
    @contextmanager
    def start(cls, pool: UserPool, sink: Sink, state: Path, **options: Any) -> Iterator[Rig]:
        """Options: arn, initial, deleted, percent (deletions held above it), retry, dead_letter,
        capacity (events that may be under way), traces, max_rps, clock (of the requests, with its `sleep`)."""
        rig = cls(pool, sink, state, **options)
        try:
            yield rig
        finally:
            rig.stop.set()
            rig.service.run()
            rig.store.close()

    def sweep(self) -> bool:
        """One sweep and every event settled; whether the sweep came to its end."""
        outcome = self.attempt()
        confirmed = self.service._drive(self.service._confirm_all())
        return confirmed and outcome is not None and outcome.complete

    def attempt(self) -> Sweep | None:
        """One sweep; None: it failed."""
        return self.service._drive(self.service._attempt())
