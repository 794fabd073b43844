"""The adapter without its edges: the real client, sweep, index and store, and a delivery that accepts everything."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import botocore.session

from adapter.arn import PoolArn, parse_pool_arn
from adapter.changes.detector import Detector
from adapter.clock import Shutdown
from adapter.cognito.client import CognitoUserPool
from adapter.cognito.rate_limiter import RateLimiter
from adapter.delivery import Result
from adapter.events.builder import EventBuilder
from adapter.model import Event
from adapter.observability.metrics import Metrics
from adapter.pipeline.outbox import Outbox
from adapter.pipeline.sweep import Sweep, Sweeper, SweepOptions
from adapter.runtime.app import make_scanner
from adapter.state.base import Store
from adapter.state.factory import open_store
from tests.fake_cognito import ARN

POOL: PoolArn = parse_pool_arn(ARN)
#: More requests per second than any server here can answer.
UNLIMITED_RPS = 1_000_000.0


class NoCourier:
    """Takes no events: the sweeps that are measured find none."""

    in_flight = 0
    paused = False

    def submit(self, event: Event, timeout_s: float | None = None) -> bool:
        """A sweep of an unchanged pool must not come here."""
        raise AssertionError(f"unexpected event {event.id} ({timeout_s})")

    def submit_all(self, events: Sequence[Event], timeout_s: float | None = None) -> int:
        """As `submit`."""
        raise AssertionError(f"{len(events)} unexpected events ({timeout_s})")

    def collect(self, timeout_s: float = 0.0) -> list[Result]:
        """Nothing was submitted, so nothing comes back."""
        del timeout_s
        return []

    def close(self, timeout_s: float) -> None:
        """Nothing to close."""


def session() -> botocore.session.Session:
    """A session with the environment's credentials."""
    return botocore.session.Session()


@contextmanager
def user_pool(max_rps: float = UNLIMITED_RPS) -> Iterator[tuple[CognitoUserPool, RateLimiter]]:
    """The real client of the endpoint that the environment names."""
    limiter = RateLimiter(max_rps)
    pool = CognitoUserPool(session, POOL, limiter)
    try:
        yield pool, limiter
    finally:
        pool.close()


@contextmanager
def open_state(path: Path) -> Iterator[Store]:
    """The SQLite store at this path."""
    store = open_store(f"sqlite:///{path}", str(POOL))
    try:
        yield store
    finally:
        store.close()


def sweeper(pool: CognitoUserPool, limiter: RateLimiter, store: Store) -> Sweeper:
    """What the service sweeps with; always one listing, whatever the latency that is measured here."""
    metrics = Metrics(source=str(POOL), namespace="benchmarks", name="benchmarks", component="benchmarks")
    stop = Shutdown()
    outbox = Outbox(store, NoCourier(), EventBuilder(pool=POOL, attributes=None, extensions={}), metrics)
    detector = Detector(pool_arn=str(POOL))
    return Sweeper(make_scanner(pool, limiter, stop, metrics), store, outbox, detector, SweepOptions(), shutdown=stop)


def swept(found: Sweeper) -> Sweep:
    """A sweep, to its end."""
    sweep = found.sweep()
    deque(sweep, maxlen=0)
    return sweep


@contextmanager
def known_pool(path: Path) -> Iterator[Sweeper]:
    """A sweeper that knows the whole pool already."""
    with ExitStack() as stack:
        pool, limiter = stack.enter_context(user_pool())
        store = stack.enter_context(open_state(path))
        found = sweeper(pool, limiter, store)
        assert swept(found).complete
        yield found
