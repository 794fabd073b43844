"""The loop: sweep, wait, sweep again, until told to stop; and what to do about every kind of fault."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import Final

from adapter.changes.detector import Detector
from adapter.clock import SYSTEM_CLOCK, Clock, Shutdown
from adapter.cognito.base import Page
from adapter.cognito.scanner import Scanner
from adapter.errors import CognitoError, StoreUnavailableError
from adapter.events.builder import EventBuilder
from adapter.line_writer import line_writer
from adapter.log import Action
from adapter.observability.emf import Emf
from adapter.observability.health import Health
from adapter.observability.metrics import Metrics
from adapter.observability.progress import Progress
from adapter.observability.tracing.base import NO_TRACES, Traces
from adapter.pipeline.backoff import PollBackoff
from adapter.pipeline.outbox import Courier, Ledger
from adapter.pipeline.sweep import Outcome, Rules, Sweeper
from adapter.state.base import Store

logger = logging.getLogger(__name__)

#: How long the events on their way may take when the adapter is asked to stop, in seconds.
GRACE_S: Final = 3.0
#: How long `run --once` waits for a sink that is down, in seconds.
ONCE_PATIENCE_S: Final = 30.0
#: The same fault is logged again after this time, in seconds.
REMIND_S: Final = 300.0
#: The longest wait without a sign of life, in seconds.
_SLICE_S: Final = 1.0
#: The longest pause after a page while the sink is down, in seconds.
_PAUSE_MAX_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often to sweep: POLL_MIN_SECONDS and POLL_MAX_SECONDS; EMF on or off."""

    poll_min_s: float = 1.0
    poll_max_s: float = 32.0
    emf: bool = False


class Service:
    """Reports the changes of one user pool. Everything happens in the thread that calls `run` or `run_once`.

    Args:
        scanner: reads the pool; its listings end early once `shutdown` is set.
        store: the open state; not closed here.
        courier: delivers events; closed at the end.
        builder: makes events.
        detector: finds changes.
        rules: how the first sweep and missing users are treated.
        pace: how often to sweep.
        health: told how things are.
        metrics: counts.
        shutdown: set when the adapter is to stop.
        progress: shows how far the first sweep is.
        traces: told of cycles, sweeps and pages.
        clock: tells the time.
    """

    def __init__(
        self,
        *,
        scanner: Scanner,
        store: Store,
        courier: Courier,
        builder: EventBuilder,
        detector: Detector,
        rules: Rules,
        pace: Pace,
        health: Health,
        metrics: Metrics,
        shutdown: Shutdown,
        progress: Progress | None = None,
        traces: Traces = NO_TRACES,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._courier = courier
        self._pace = pace
        self._health = health
        self._metrics = metrics
        self._emf = Emf(metrics, line_writer(sys.stdout)) if pace.emf else None
        self._shutdown = shutdown
        self._progress = progress if progress is not None else Progress()
        self._traces = traces
        self._pages = 0
        self._paged_at = 0.0
        self._clock = clock
        self._fault = ""
        self._fault_at = 0.0
        self._ledger = Ledger(store, courier, builder, metrics, clock=clock, should_stop=self._stop_waiting)
        self._sweeper = Sweeper(
            scanner,
            store,
            self._ledger,
            detector,
            rules,
            clock=clock,
            on_page=self._answered,
        )
        metrics.users = len(self._ledger.index)

    def run(self) -> None:
        """Sweep until it is time to stop.

        Raises:
            LeaseLostError: another adapter holds the state.
            StateError: the state was damaged meanwhile.
        """
        idle = PollBackoff(self._pace.poll_min_s, self._pace.poll_max_s)
        faulty = PollBackoff(self._pace.poll_min_s, self._pace.poll_max_s)
        try:
            while not self._shutdown.is_set():
                with self._traces.poll():
                    self._poll(idle, faulty)
        finally:
            self._close()

    def _poll(self, idle: PollBackoff, faulty: PollBackoff) -> None:
        """One sweep, and the wait that its outcome asks for."""
        outcome = self._attempt()
        if outcome is None:
            self._wait(faulty.next())
            return
        faulty.reset()
        if outcome.changes or outcome.again:
            idle.reset()
        if self._wait(idle.next(), glance=True):
            idle.reset()

    def run_once(self) -> bool:
        """One complete sweep, and every event settled. Deletions that need a second sweep get it.

        Returns:
            Whether everything is told: False when the sweep failed, was stopped, or an event stayed undelivered.
        """
        self._shutdown.limit_outage(ONCE_PATIENCE_S)
        try:
            while True:
                with self._traces.poll():
                    outcome = self._attempt()
                    if outcome is None or not outcome.complete or not self._settle_all():
                        return False
                if self._ledger.undelivered or not outcome.again:
                    return not self._ledger.undelivered
        finally:
            self._close()

    # -- one sweep and its faults ----------------------------------------------------------------------------------

    def _attempt(self) -> Outcome | None:
        """One sweep; None: it failed, and the reason is logged and known to `health`."""
        with self._traces.sweep():
            outcome = self._sweep()
            if outcome is not None:
                self._traces.swept(complete=outcome.complete, changes=outcome.changes)
            return outcome

    def _sweep(self) -> Outcome | None:
        started = self._clock.monotonic()
        self._progress.begin()
        self._pages = 0
        self._paged_at = started
        complete = False
        try:
            self._settle()
            outcome = self._sweeper.sweep()
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
        self._metrics.swept("complete" if outcome.complete else "stopped", seconds, self._pages)
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

    def _answered(self, page: Page | None) -> bool:
        """After an answer, with its page if it is one of a whole sweep. False: stop."""
        self._health.polled()
        if page is not None:
            self._traces.page(page)
            self._pages += 1
            self._progress.page(self._seen)
        return self._keep_going()

    def _seen(self) -> int:
        return self._ledger.index.seen

    def _keep_going(self) -> bool:
        """After a page: book results; while the sink is down, wait as long as the page took. False: stop.

        Sweeps go on at half their pace: an event of a user whose events the sink takes would prove that it works.
        """
        self._settle(lazy=True)
        if self._courier.paused:
            self._pause(self._clock.monotonic() - self._paged_at)
        self._paged_at = self._clock.monotonic()
        return not self._stopping()

    def _pause(self, seconds: float) -> None:
        """Book results for as long, or until the sink is back."""
        until = self._clock.monotonic() + min(seconds, _PAUSE_MAX_S)
        while self._courier.paused and not self._stopping() and (left_s := until - self._clock.monotonic()) > 0:
            if self._ledger.unsettled:
                self._settle(min(left_s, _SLICE_S))
            else:
                self._beat()
                self._shutdown.wait(min(left_s, _SLICE_S))

    def _settle(self, timeout_s: float = 0.0, *, lazy: bool = False) -> None:
        """Book results, then examine who took the name of a deleted user."""
        try:
            successors = self._ledger.settle(timeout_s, lazy=lazy)
        finally:
            self._beat()
        if successors:
            self._sweeper.examine(successors)

    def _settle_all(self) -> bool:
        """Wait until no event is on its way. False: stopped, or out of patience with a sink that is down."""
        while self._ledger.unsettled:
            if self._stopping():
                return False
            try:
                self._settle(_SLICE_S)
            except StoreUnavailableError as error:
                self._failed("state", "StoreUnavailable", str(error), self._clock.monotonic())
                return False
        return True

    def _wait(self, seconds: float, *, glance: bool = False) -> bool:
        """Wait, with looks for new users if `glance`; returns whether they found any."""
        until = self._clock.monotonic() + seconds
        changes = 0
        while not self._shutdown.is_set() and (left_s := until - self._clock.monotonic()) > 0:
            try:
                changes += self._sweeper.glance() if glance else 0
                if self._ledger.unsettled:
                    self._settle(min(left_s, _SLICE_S / 5))
                else:
                    self._beat()
                    self._shutdown.wait(min(left_s, _SLICE_S))
            except StoreUnavailableError as error:
                self._failed("state", "StoreUnavailable", str(error), self._clock.monotonic())
                self._shutdown.wait(min(left_s, _SLICE_S))
        return changes > 0

    def _stop_waiting(self) -> bool:
        """Whether to stop, asked while the delivery's queue is full: alive, however long a slow sink takes."""
        self._beat()
        self._health.polls_wait()
        return self._stopping()

    def _stopping(self) -> bool:
        """Whether to stop: told to, or (`run --once`) the sink has been down for too long."""
        return self._shutdown.check(sink_down=self._courier.paused)

    def _beat(self) -> None:
        self._health.beat()
        if self._courier.paused:
            self._health.problem("sink", "it takes nobody's events; sweeps are slow until it does")
        else:
            self._health.well("sink")
        undelivered = self._ledger.undelivered
        if undelivered:
            self._health.problem("deliveries", f"the events of {undelivered} users are undelivered and tried again")
        else:
            self._health.well("deliveries")
        if self._emf is not None:
            self._emf.write()

    def _close(self) -> None:
        logger.info("Stopping: what is on its way is finished", extra={"action": Action.STOPPING})
        self._ledger.close(GRACE_S)
        if self._emf is not None:
            self._emf.write(now=True)
