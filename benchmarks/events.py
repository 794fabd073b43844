"""Events to an HTTP sink, durably: found by a sweep, stored, sent, answered, stored again; per second on one core."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import requests

from adapter.changes.detector import Detector
from adapter.clock import Shutdown
from adapter.delivery import Batching, Delivery, RetryPolicy
from adapter.events.builder import EventBuilder
from adapter.model import Event, Kind
from adapter.observability.health import Health
from adapter.observability.metrics import Metrics
from adapter.pipeline.outbox import Outbox
from adapter.pipeline.service import Observers, PollInterval, Service
from adapter.pipeline.sweep import Sweeper, SweepOptions
from adapter.runtime.app import make_scanner
from adapter.sinks.http import HttpSink
from adapter.sinks.options import ContentMode, HttpOptions
from benchmarks import sink
from benchmarks.measure import MEASURED_CPU, SERVER_CPU, Figure, Options, alternate, cpu_seconds, pin, ratios, say
from benchmarks.rig import POOL, UNLIMITED_RPS, open_state, user_pool
from tests.fake_cognito import RemoteCognito

#: Users of the pool, each of whom becomes one event.
SINGLE = 6_000
BATCHED = 30_000
#: Requests of the baseline per round.
BASELINE = 3_000


def run(options: Options) -> list[Figure]:
    """`events_per_s_single`, `events_per_s_batched`, and both over `events_per_s_requests_session`."""
    pin(MEASURED_CPU)
    with ExitStack() as stack:
        url = stack.enter_context(sink.running(SERVER_CPU))
        few = stack.enter_context(RemoteCognito(users=SINGLE, synthetic=True, cpu=SERVER_CPU))
        many = stack.enter_context(RemoteCognito(users=BATCHED, synthetic=True, cpu=SERVER_CPU))
        session = stack.enter_context(requests.Session())
        session.trust_env = False
        say("events")
        found = alternate(
            options.rounds,
            {
                "single": lambda: SINGLE / _snapshot(few, url, ContentMode.BINARY, SINGLE),
                "batched": lambda: BATCHED / _snapshot(many, url, ContentMode.BATCHED, BATCHED),
                "requests": lambda: BASELINE / cpu_seconds(lambda: _post(session, url)),
            },
        )
    return [
        Figure(
            key="events_per_s_single",
            values=found["single"],
            unit="events/CPU-s",
            about="one event a request (binary mode), every event twice in SQLite: in doubt before, told after",
        ),
        Figure(
            key="events_per_s_batched",
            values=found["batched"],
            unit="events/CPU-s",
            about="batched mode, up to 100 events a request, as durable",
        ),
        Figure(
            key="events_per_s_requests_session",
            values=found["requests"],
            unit="events/CPU-s",
            about="the baseline: requests.Session posts the same event again and again, nothing stored",
        ),
        Figure(
            key="events_ratio_vs_requests_session",
            values=ratios(found["single"], found["requests"]),
            unit="x",
            about="single over the baseline, round by round",
            goal=3.5,
        ),
        Figure(
            key="events_batched_ratio_vs_requests_session",
            values=ratios(found["batched"], found["requests"]),
            unit="x",
            about="batched over the baseline, round by round",
            goal=12,
        ),
    ]


def _snapshot(server: RemoteCognito, url: str, mode: ContentMode, users: int) -> float:
    """CPU seconds of this process for a first sweep in snapshot mode: an event for every user."""
    os.environ.update(server.environment())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = stack.enter_context(open_state(folder / "state.db"))
        pool, limiter = stack.enter_context(user_pool(UNLIMITED_RPS))
        pool.list_users(limit=1)  # the client is built before the clock starts
        target = HttpSink(url, HttpOptions(mode=mode))
        stack.callback(target.close)
        stop = Shutdown()
        metrics = Metrics(source=str(POOL))
        delivery = Delivery(target, RetryPolicy(), batch=Batching(target.max_batch, 0.1), held=store.held)
        outbox = Outbox(store, delivery, EventBuilder(pool=POOL), metrics)
        scanner, detector = make_scanner(pool, limiter, stop, metrics), Detector(pool_arn=str(POOL))
        service = Service(
            Sweeper(scanner, store, outbox, detector, SweepOptions(initial="snapshot"), shutdown=stop),
            outbox,
            poll_interval=PollInterval(),
            observers=Observers(health=Health(), metrics=metrics),
            shutdown=stop,
        )
        told: list[bool] = []
        seconds = cpu_seconds(lambda: told.append(service.run_once()))
        assert told == [True]
        assert store.count() == users
        return seconds


def _post(session: requests.Session, url: str) -> None:
    attributes = {
        "specversion": "1.0",
        "id": "00000000-0000-8000-8000-000000000000",
        "source": str(POOL),
        "type": "com.amazon.cognito-idp.sync_trigger",
        "subject": POOL.pool_id,
        "time": "2026-11-23T14:00:00.123Z",
        "datacontenttype": "application/json",
        "partitionkey": "0" * 36,
        "changetype": Kind.SNAPSHOT.value,
    }
    event = Event(attributes=attributes, data=b"x" * 520, key="0" * 36)
    headers = {f"ce-{name}": value for name, value in event.attributes.items()} | {"content-type": "application/json"}
    for _ in range(BASELINE):
        assert session.post(url, data=event.data, headers=headers).status_code == 204
