"""The loop: sweep, wait, sweep again, until it is time to stop; and what to do about every kind of fault."""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final, TypeVar

from adapter.clock import SYSTEM_CLOCK, Clock, Shutdown
from adapter.errors import CognitoError, StoreUnavailableError
from adapter.line_writer import line_writer
from adapter.log import Action
from adapter.observability.emf import Emf
from adapter.observability.health import Health
from adapter.observability.metrics import Metrics
from adapter.observability.progress import Progress
from adapter.observability.tracing.base import NO_TRACES, Traces
from adapter.pipeline.backoff import PollBackoff
from adapter.pipeline.outbox import Outbox
from adapter.pipeline.sweep import Sweep, Sweeper

logger = logging.getLogger(__name__)

#: How long the events on their way may take when the adapter is asked to stop, in seconds.
GRACE_S: Final = 3.0
#: How long `run --once` waits for a sink that is down, in seconds.
ONCE_PATIENCE_S: Final = 30.0
#: The same fault is logged again after this time, in seconds.
REMIND_S: Final = 300.0
#: The longest wait without a sign of life, in seconds.
_SLICE_S: Final = 1.0
#: The same while events are on their way, in seconds.
_BUSY_SLICE_S: Final = 0.2
#: The longest pause after a page while the sink is down, in seconds.
_PAUSE_MAX_S: Final = 5.0

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class PollInterval:
    """How often to sweep, in seconds: POLL_MIN_SECONDS and POLL_MAX_SECONDS."""

    min_s: float = 1.0
    max_s: float = 32.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Observers:
    """Who is informed of what goes on: probes, counters, the progress of the first sweep, traces.

    `emf`: write metrics to stdout for CloudWatch, too.
    """

    health: Health
    metrics: Metrics
    progress: Progress = field(default_factory=Progress)
    traces: Traces = NO_TRACES
    emf: bool = False


class Service:
    """Reports the changes of one user pool. Everything happens in the thread that calls `run` or `run_once`.

    Args:
        sweeper: reads the pool a page at a time, and records what changed.
        outbox: delivers what was recorded; closed at the end.
        poll_interval: how often to sweep.
        observers: informed of what goes on.
        shutdown: set when the adapter is to stop.
        clock: tells the time.
    """

    def __init__(
        self,
        sweeper: Sweeper,
        outbox: Outbox,
        *,
        poll_interval: PollInterval,
        observers: Observers,
        shutdown: Shutdown,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._sweeper = sweeper
        self._outbox = outbox
        self._poll_interval = poll_interval
        self._health = observers.health
        self._metrics = observers.metrics
        self._progress = observers.progress
        self._traces = observers.traces
        self._emf = Emf(observers.metrics, line_writer(sys.stdout)) if observers.emf else None
        self._shutdown = shutdown
        self._clock = clock
        self._paged_at = 0.0
        self._store_down = False
        self._fault = ""
        self._fault_at = 0.0

    def run(self) -> None:
        """Sweep until it is time to stop.

        Raises:
            LeaseLostError: another adapter holds the state.
            StateError: the state was damaged meanwhile.
        """
        try:
            self._drive(self.steps())
        finally:
            self._close()

    def steps(self) -> Generator[float]:
        """Sweep after sweep, a page at a time, until it is time to stop.

        Yields:
            0 after each page, so that others may have their turn; else for how many seconds there is nothing to do,
            unless the delivery has results before.

        Raises:
            LeaseLostError, StateError: as `run`.
        """
        idle = PollBackoff(self._poll_interval.min_s, self._poll_interval.max_s)
        faulty = PollBackoff(self._poll_interval.min_s, self._poll_interval.max_s)
        while not self._shutdown.is_set():
            with self._traces.poll():
                yield from self._poll(idle, faulty)

    def _drive(self, steps: Generator[float, None, _Found]) -> _Found:
        """Take all steps, and wait in between as they ask; returns what they found."""
        with closing(steps):
            while True:
                try:
                    idle_s = next(steps)
                except StopIteration as end:
                    found: _Found = end.value
                    return found
                if idle_s > 0 and self._outbox.in_flight and not self._store_down:
                    self._outbox.wait(idle_s)
                elif idle_s > 0:
                    self._shutdown.wait(idle_s)

    def _poll(self, idle: PollBackoff, faulty: PollBackoff) -> Generator[float]:
        """One sweep, and the wait that its outcome asks for."""
        outcome = yield from self._attempt()
        if outcome is None:
            yield from self._wait(faulty.next())
            return
        faulty.reset()
        if outcome.changes or outcome.again:
            idle.reset()
        if (yield from self._wait(idle.next(), signups=True)):
            idle.reset()

    def run_once(self) -> bool:
        """One complete sweep, and every event delivered. Deletions that need a second sweep get it.

        Returns:
            Whether everything was delivered: False when the sweep failed, was stopped, or an event stayed undelivered.
        """
        self._shutdown.limit_outage(ONCE_PATIENCE_S)
        try:
            while True:
                with self._traces.poll():
                    outcome = self._drive(self._attempt())
                    if outcome is None or not outcome.complete or not self._drive(self._confirm_all()):
                        return False
                if self._outbox.undelivered or not outcome.again:
                    return not self._outbox.undelivered
        finally:
            self._close()

    # -- one sweep and its faults ----------------------------------------------------------------------------------

    def _attempt(self) -> Generator[float, None, Sweep | None]:
        """One sweep; None: it failed, and the reason is logged and known to `health`."""
        with self._traces.sweep():
            outcome = yield from self._sweep()
            if outcome is not None:
                self._traces.swept(complete=outcome.complete, changes=outcome.changes)
            return outcome

    def _sweep(self) -> Generator[float, None, Sweep | None]:
        started = self._clock.monotonic()
        self._progress.begin()
        complete = False
        try:
            self._pump()
            outcome = yield from self._follow(self._sweeper.sweep())
            complete = outcome.complete
        except CognitoError as error:
            self._traces.sweep_failed(error.code)
            self._failed("cognito", error.code, str(error), started)
            return None
        except StoreUnavailableError as error:
            self._traces.sweep_failed("StoreUnavailable")
            self._failed("state", "StoreUnavailable", str(error), started)
            return None
        finally:
            self._progress.end(complete=complete)
        seconds = self._clock.monotonic() - started
        self._recovered()
        self._metrics.swept("complete" if outcome.complete else "stopped", seconds, outcome.pages)
        logger.log(
            logging.INFO if outcome.changes else logging.DEBUG,
            "Swept the pool" if outcome.complete else "The sweep was stopped",
            extra={
                "action": Action.SWEEP_DONE,
                "seconds": round(seconds, 3),
                "changes": outcome.changes,
                "users": self._metrics.users,
            },
        )
        return outcome

    def _failed(self, part: str, code: str, message: str, started: float) -> None:
        now = self._clock.monotonic()
        self._metrics.swept(code, now - started)
        self._health.problem(part, message)
        fault = f"{part} {code}"
        if fault != self._fault or now - self._fault_at >= REMIND_S:
            self._fault, self._fault_at = fault, now
            logger.error("%s", message, extra={"action": Action.SWEEP_FAILED, "code": code})

    def _recovered(self) -> None:
        self._health.well("cognito")
        self._health.well("state")
        if self._fault:
            self._fault = ""
            logger.info("Sweeps work again", extra={"action": Action.SWEEP_RECOVERED})

    # -- between pages and sweeps ----------------------------------------------------------------------------------

    def _follow(self, sweep: Sweep) -> Generator[float, None, Sweep]:
        """Take the steps of a sweep to its end, and deliver after each of them."""
        self._paged_at = self._clock.monotonic()
        with closing(sweep):
            for page in sweep:
                self._health.polled()
                if page is not None:
                    self._traces.page(page)
                    self._progress.page(self._outbox.index)
                self._pump(lazy=True)
                yield from self._make_room()
                yield from self._slow_down()
                yield 0.0
        self._pump(lazy=True)
        yield from self._make_room()
        return sweep

    def _make_room(self) -> Generator[float]:
        """Wait until the delivery's queue has taken everything: alive, however long a slow sink takes."""
        while self._outbox.is_full and not self._shutdown.is_set():
            self._health.polls_wait()
            yield _BUSY_SLICE_S
            self._pump(lazy=True)

    def _slow_down(self) -> Generator[float]:
        """While the sink is down, wait as long as the page took: sweeps go on at half their pace.

        An event of a user whose events the sink takes would prove that it works.
        """
        until = self._clock.monotonic() + min(self._clock.monotonic() - self._paged_at, _PAUSE_MAX_S)
        while (
            self._outbox.sink_down and not self._shutdown.is_set() and (left_s := until - self._clock.monotonic()) > 0
        ):
            yield self._slice(left_s)
            self._pump()
        self._paged_at = self._clock.monotonic()

    def _slice(self, left_s: float) -> float:
        """How long to wait before the next sign of life, in seconds."""
        return min(left_s, _BUSY_SLICE_S if self._outbox.unconfirmed else _SLICE_S)

    def _pump(self, *, lazy: bool = False) -> None:
        """Deliver and confirm, then examine who took the name of a deleted user."""
        try:
            successors = self._outbox.pump(lazy=lazy)
            self._store_down = False
        except StoreUnavailableError:
            self._store_down = True
            raise
        finally:
            self._beat()
        if successors:
            self._sweeper.examine(successors)

    def _confirm_all(self) -> Generator[float, None, bool]:
        """Wait until no event is on its way. False: stopped, or out of patience with a sink that is down."""
        while self._outbox.unconfirmed:
            if self._shutdown.is_set():
                return False
            try:
                self._pump()
            except StoreUnavailableError as error:
                self._failed("state", "StoreUnavailable", str(error), self._clock.monotonic())
                return False
            if self._outbox.unconfirmed:
                yield _SLICE_S
        return True

    def _wait(self, seconds: float, *, signups: bool = False) -> Generator[float, None, bool]:
        """Wait, with looks for new users if `signups`; returns whether they found any."""
        until = self._clock.monotonic() + seconds
        changes = 0
        while not self._shutdown.is_set() and (left_s := until - self._clock.monotonic()) > 0:
            try:
                if signups:
                    found = yield from self._follow(self._sweeper.scan_signups())
                    changes += found.changes
                self._pump()
                yield self._slice(left_s)
            except StoreUnavailableError as error:
                self._store_down = True
                self._failed("state", "StoreUnavailable", str(error), self._clock.monotonic())
                yield min(left_s, _SLICE_S)
        return changes > 0

    def _beat(self) -> None:
        self._health.beat()
        self._shutdown.check(sink_down=self._outbox.sink_down)
        if self._outbox.sink_down:
            self._health.problem("sink", "it accepts no events; sweeps are slow until it does")
        else:
            self._health.well("sink")
        undelivered = self._outbox.undelivered
        if undelivered:
            self._health.problem("deliveries", f"the events of {undelivered} users are undelivered and tried again")
        else:
            self._health.well("deliveries")
        if self._emf is not None:
            self._emf.write()

    def _close(self) -> None:
        logger.info("Stopping: waiting for events in flight", extra={"action": Action.STOPPING})
        self._outbox.close(GRACE_S)
        if self._emf is not None:
            self._emf.write(now=True)
