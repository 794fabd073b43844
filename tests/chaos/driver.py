"""Changes a pool while it kills and restarts the adapter at random moments, then compares consumer and pool."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from emulator.sink import RecordingSink
from tests.chaos.consumer import Consumer
from tests.chaos.world import SINK_TIMEOUT_S, Changes, ChaosSink, pool_shapes
from tests.fake_cognito import Behaviour, FakeCognito
from tests.support.dynalite import create_table, dynalite

ROOT = Path(__file__).resolve().parents[2]
USERS = 150
LEASE_SECONDS = 1.5
#: The longest life of an adapter from its first request on, the longest wait for that one, the latest of early deaths
#: before it, and at the end the longest time in which the consumer comes no nearer to the pool, in seconds.
LIFE_SECONDS = 3.0
START_SECONDS = 60.0
EARLY_SECONDS = 1.5
#: How many users the consumer may be behind before the pool holds still for a while.
BEHIND_USERS = 200
CATCH_UP_SECONDS = 120.0


@dataclass
class Figures:
    """What a run did, and what came of it. `lost` and `invented` are usernames, `contradictions` sentences."""

    seed: int
    store: str
    initial: str
    kills: int = 0
    stops: int = 0
    changes: int = 0
    requests: int = 0
    failures: int = 0
    delivered: int = 0
    duplicates: int = 0
    lost: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"seed {self.seed}, {self.store}, {self.initial}: {self.kills} kills, {self.stops} stops in order, "
            f"{self.changes} changes, {self.delivered} events delivered in {self.requests} requests "
            f"({self.failures} failed), {self.duplicates} duplicates (same id, dropped by the consumer), "
            f"{len(self.lost)} lost, {len(self.invented)} invented, {len(self.contradictions)} contradictions, "
            f"{self.seconds:.0f} s"
        )

    @property
    def good(self) -> bool:
        """Whether the consumer ended up with the pool, and no event contradicted another."""
        return not (self.lost or self.invented or self.contradictions)


class AdapterProcess:
    """`python -m adapter run` as a child, its log in a file."""

    def __init__(self, environment: dict[str, str], folder: Path, number: int) -> None:
        self.log = folder / f"adapter-{number}.log"
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "adapter", "run"],
                env={**inherited, "PYTHONPATH": str(ROOT), **environment},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def said(self, action: str) -> bool:
        """Whether this action is in its log."""
        return f'"{action}"'.encode() in self.log.read_bytes()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, from any thread; nothing if it has ended."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def end(self, number: signal.Signals) -> int:
        """Send a signal that ends it, and wait."""
        self.send(number)
        return self.process.wait(30)


@contextmanager
def state_url(store: str, folder: Path) -> Iterator[dict[str, str]]:
    """An empty store; yields the variables that lead to it."""
    if store == "sqlite":
        yield {"STATE_URL": f"sqlite:///{folder / 'state.db'}"}
        return
    with dynalite(folder / "dynalite.log") as endpoint:
        table = f"state-{uuid.uuid4().hex}"
        create_table(endpoint, table)
        yield {
            "STATE_URL": f"dynamodb://{table}?region=eu-central-1",
            "STATE_LEASE_SECONDS": str(LEASE_SECONDS),
            "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        }


def settings(cognito: FakeCognito, sink_url: str) -> dict[str, str]:
    """An adapter in a hurry."""
    return {
        **cognito.environment(),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "K_SINK": sink_url,
        "K_SINK_TIMEOUT": str(SINK_TIMEOUT_S),
        "POLL_MIN_SECONDS": "0.02",
        "POLL_MAX_SECONDS": "0.1",
        "MAX_RPS": "200",
        "HEALTH_ADDRESS": "127.0.0.1:0",
        "STATUS_ADDRESS": "off",
        "METRICS_PROMETHEUS_PORT": "0",
        "DELIVERY_RETRY": "2",
        "DELIVERY_BACKOFF_DELAY": "PT0.02S",
        "COGNITO_READ_TIMEOUT_SECONDS": "2",
        "LOG_LEVEL": "info",
    }


class ChaosRun:
    """One run in one world. Use `run`."""

    def __init__(self, stack: ExitStack, figures: Figures, folder: Path) -> None:
        self.figures = figures
        self.folder = folder
        self.rng = random.Random(figures.seed)
        self.cognito = stack.enter_context(FakeCognito(USERS, behaviour=Behaviour(page_users=20)))
        server = stack.enter_context(RecordingSink.start())
        known = pool_shapes(self.cognito) if figures.initial == "baseline" else {}
        self.consumer = Consumer(known)
        self.sink = ChaosSink(self.consumer, random.Random(figures.seed + 1))
        server.answer_with(self.sink.answer)
        self._forget = server.clear
        self.changes = Changes(self.cognito, random.Random(figures.seed + 2))
        self.environment = {
            **settings(self.cognito, server.url),
            **stack.enter_context(state_url(figures.store, folder)),
            "EVENTS_INITIAL": figures.initial,
        }
        self.number = 0
        self._adapter: AdapterProcess | None = None
        stack.callback(self._clean_up)
        self._pages = 0
        self._on_page: Callable[[int], None] = lambda _page: None
        self.cognito.on_request(self._count_page)
        # With a baseline only what changes after its beginning is promised: nothing changes before.
        self.begun = self.complete = figures.initial == "snapshot"
        self.changes.deleting = self.complete

    def start(self) -> AdapterProcess:
        """Start the next adapter; each one may be set up in another way, which changes nothing for the consumer."""
        self.number += 1
        environment = {
            **self.environment,
            "DELIVERY_FORMAT": self.rng.choice(["binary", "structured", "batched"]),
            "DELIVERY_BATCH_SECONDS": "0.02",
            # More than a fifth of the users go between two sweeps; some adapters take that for an accident, some don't.
            "EVENTS_DELETED_MAX_PERCENT": self.rng.choice(["20", "100"]),
        }
        self._adapter = AdapterProcess(environment, self.folder, self.number)
        return self._adapter

    def live(self) -> None:
        """One life of an adapter: from its start to its death at a moment that is drawn now."""
        pages = self._pages
        adapter = self.start()
        early_s = self.rng.uniform(0, EARLY_SECONDS) if self.rng.random() < 0.15 else START_SECONDS
        deadline = time.monotonic() + early_s
        awake = False
        while adapter.alive and time.monotonic() < deadline:
            if not awake and self._pages > pages and early_s == START_SECONDS:
                awake = True
                deadline = time.monotonic() + self._death(adapter)
            self._look(adapter)
            # While it starts, and while it is far behind, things are calmer: it shall be killed at work, not buried.
            if awake and self.begun and self._behind() < BEHIND_USERS:
                self.changes.make(self.rng.randrange(2))
                if self.rng.random() < 0.02:
                    self.changes.break_cognito()
            time.sleep(self.rng.uniform(0, 0.03))
        if early_s == START_SECONDS and not awake and adapter.alive:
            raise AssertionError(f"the adapter did not begin to list users:\n{self._logs(adapter)}")
        in_order = self.rng.random() < 0.1
        code = adapter.end(signal.SIGTERM if in_order and adapter.alive else signal.SIGKILL)
        self._look(adapter)
        self._disarm()
        if code not in (0, -signal.SIGKILL, -signal.SIGTERM):  # SIGTERM: it had hardly begun
            raise AssertionError(f"the adapter ended by itself with {code}:\n{self._logs(adapter)}")
        if code == -signal.SIGKILL:
            self.figures.kills += 1
        else:
            self.figures.stops += 1
        if self.begun:
            self.changes.make(self.rng.randrange(20))
        self._forget()

    def catch_up(self) -> None:
        """Let the last adapter run until the consumer has what the pool has, or comes no nearer to it."""
        adapter = self.start()
        best, deadline = self._behind(), time.monotonic() + CATCH_UP_SECONDS
        while time.monotonic() < deadline and adapter.alive:
            self._look(adapter)
            behind = self._behind()
            if self.begun and not behind:
                break
            if behind < best:
                best, deadline = behind, time.monotonic() + CATCH_UP_SECONDS
            time.sleep(0.1)
        # A little longer: nothing may be invented either.
        quiet = self.cognito.stats()["first_pages"] + 3
        while time.monotonic() < deadline and adapter.alive and self.cognito.stats()["first_pages"] < quiet:
            time.sleep(0.05)
        if code := adapter.end(signal.SIGTERM):
            raise AssertionError(f"the last adapter ended with {code}:\n{self._logs(adapter)}")

    def count(self) -> Figures:
        """Fill in the figures."""
        figures = self.figures
        figures.changes = self.changes.count
        figures.requests, figures.failures = self.sink.requests, self.sink.failures
        figures.delivered, figures.duplicates = self.consumer.arrived - self.consumer.repeated, self.consumer.repeated
        figures.lost, figures.invented = self.consumer.differences(pool_shapes(self.cognito))
        figures.contradictions = list(self.consumer.contradictions)
        return figures

    def _death(self, adapter: AdapterProcess) -> float:
        """Draw the moment of death; returns the seconds after which it comes in any case."""
        kind = self.rng.choice(["time", "before an answer", "after an answer", "page"])

        def kill() -> None:
            adapter.send(signal.SIGKILL)

        if kind == "time":
            return self.rng.uniform(0.0, LIFE_SECONDS)
        if kind == "page":
            at_page = self._pages + self.rng.randrange(1, 40)

            def turn(page: int) -> None:
                if page >= at_page:
                    kill()

            self._on_page = turn
        else:
            at_request = self.sink.requests + self.rng.randrange(1, 40)
            wait_s = 0.0 if kind == "before an answer" else self.rng.uniform(0, 0.005)

            def strike(number: int) -> None:
                if number >= at_request:
                    time.sleep(wait_s)
                    kill()

            if kind == "before an answer":
                self.sink.before = strike
            else:
                self.sink.after = strike
        return LIFE_SECONDS

    def _behind(self) -> int:
        """How many users differ between the consumer and the pool."""
        return sum(map(len, self.consumer.differences(pool_shapes(self.cognito))))

    def _logs(self, adapter: AdapterProcess) -> str:
        """The ends of the logs that matter."""
        store = self.folder / "dynalite.log"
        return (store.read_text()[-2000:] if store.exists() else "") + adapter.log.read_text()[-4000:]

    def _clean_up(self) -> None:
        if self._adapter is not None:
            self._adapter.end(signal.SIGKILL)

    def _disarm(self) -> None:
        self._on_page = lambda _page: None
        self.sink.before = self.sink.after = lambda _number: None

    def _count_page(self, _number: int) -> None:
        self._pages += 1
        self._on_page(self._pages)

    def _look(self, adapter: AdapterProcess) -> None:
        """Learn from its log how far the first sweep is."""
        if not self.complete:
            self.complete = self.changes.deleting = adapter.said("baseline_done")
            self.begun = self.begun or self.complete or adapter.said("baseline_started")


def run(
    *, kills: int, seed: int, store: str, initial: str, told: Callable[[str], None] = lambda _line: None
) -> Figures:
    """Kill so often, then compare.

    Args:
        kills: how often SIGKILL is sent.
        seed: what everything random is drawn from (the order of things between processes is not).
        store: `sqlite` or `dynamodb`.
        initial: `baseline` or `snapshot`.
        told: called with a line of progress now and then.

    Raises:
        AssertionError: an adapter ended by itself.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        world = ChaosRun(stack, Figures(seed, store, initial), folder)
        while world.figures.kills < kills:
            world.live()
            if world.number % 20 == 0:
                done = world.count()
                told(f"{done.kills} kills, {done.changes} changes, {done.delivered} events delivered")
        world.catch_up()
        figures = world.count()
        figures.seconds = time.monotonic() - began
        return figures
