"""The delivery as a whole: workers that send what the agenda says.

Three kinds of threads meet at one lock: the caller submits events and collects results; workers take work from the
agenda, send it outside the lock and hand in the outcomes. What is sent when is decided in agenda.py alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from adapter.delivery.agenda import Agenda, Batching, Result, Work
from adapter.delivery.breaker import Breaker
from adapter.delivery.deadletter import dead_letter_event
from adapter.delivery.retry import RetryPolicy
from adapter.log import Action
from adapter.model import Event
from adapter.sinks.base import Failed, Outcome, Sink

logger = logging.getLogger(__name__)

_NOT_HELD = Failed(code="not_held", reason="another adapter holds the state: nothing was sent", retryable=True)
_CLOSED = Failed(code="closed", reason="the adapter stopped before this event was sent", retryable=True)
_ABANDONED = Failed(code="closed", reason="the adapter stopped before the sink answered", retryable=True)


class Delivery:
    """Sends events at least once, in order per user, with `concurrency` sends under way at most.

    Every event that `submit` accepted gets exactly one result from `collect`. Nothing is stored here: the caller
    moves its state when it has collected a result, and finds undelivered changes again.
    All methods may be called from any thread. The sinks stay the caller's to close, after `close`.
    """

    def __init__(
        self,
        sink: Sink,
        policy: RetryPolicy,
        *,
        dead_letter: Sink | None = None,
        concurrency: int = 8,
        capacity: int = 1000,
        batch: Batching = Batching(),  # noqa: B008 (frozen)
        breaker: Breaker | None = None,
        clock: Callable[[], float] = time.monotonic,
        held: Callable[[], bool] = lambda: True,
    ) -> None:
        """Start the workers.

        Args:
            sink: where the events go.
            policy: how often and when an event is tried again, at both sinks.
            dead_letter: where events go that the sink does not take; None: they end undelivered.
            concurrency: how many sends may be under way at once.
            capacity: how many events may be unresolved before `submit` blocks.
            batch: how events are grouped; never more than a sink's `max_batch`.
            breaker: notices that the sink is down; None: one with its defaults.
            clock: a monotonic clock, in seconds.
            held: asked before every send; once it says False nothing is sent and everything ends undelivered.
        """
        self._sink, self._dead_letter = sink, dead_letter
        self._capacity = capacity
        self._clock, self._held = clock, held
        self._agenda = Agenda(
            policy,
            Batching(min(batch.size, sink.max_batch), batch.seconds),
            breaker or Breaker(),
            bury=None if dead_letter is None else lambda event, failure: dead_letter_event(event, failure, sink.target),
            dead_size=1 if dead_letter is None else min(batch.size, dead_letter.max_batch),
        )
        lock = threading.Lock()
        self._work = threading.Condition(lock)
        self._room = threading.Condition(lock)
        self._results = threading.Condition(lock)
        self._closing = False
        self._stopped = False
        self._workers = [
            threading.Thread(target=self._run, name=f"delivery-{number}", daemon=True) for number in range(concurrency)
        ]
        for worker in self._workers:
            worker.start()

    # -- the caller's side -----------------------------------------------------------------------------------------

    def submit(self, event: Event, timeout_s: float | None = None) -> bool:
        """Accept an event, waiting while the queue is full.

        Returns:
            False: not accepted, because `timeout_s` passed or the delivery was closed meanwhile.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._room:
            while self._agenda.unresolved >= self._capacity and not self._closing:
                left_s = None if deadline is None else deadline - time.monotonic()
                if left_s is not None and left_s <= 0:
                    return False
                self._room.wait(left_s)
            if self._closing:
                return False
            self._agenda.add(event, self._clock())
            self._work.notify()
        return True

    def submit_all(self, events: Sequence[Event], timeout_s: float | None = None) -> int:
        """Accept as many of these events as there is room for, waiting until there is some for the first.

        Returns:
            How many were accepted, from the first on; 0 as `submit` returns False.
        """
        if not events or not self.submit(events[0], timeout_s):
            return 0
        with self._work:
            room = 0 if self._closing else max(0, self._capacity - self._agenda.unresolved)
            now = self._clock()
            for event in events[1 : 1 + room]:
                self._agenda.add(event, now)
            # One is enough: whoever takes work wakes the next one for what is left.
            self._work.notify()
        return 1 + min(room, len(events) - 1)

    def collect(self, timeout_s: float = 0.0) -> list[Result]:
        """The results since the last call; waits up to `timeout_s` for the first one while events are under way."""
        with self._results:
            if not self._agenda.has_results and self._agenda.unresolved and timeout_s > 0:
                self._results.wait(timeout_s)
            return self._agenda.collect()

    @property
    def in_flight(self) -> int:
        """How many events were accepted whose results were not collected yet: queued, sent or waiting for a retry."""
        with self._work:
            return self._agenda.uncollected

    @property
    def paused(self) -> bool:
        """Whether the sink is down: the sweep should wait. Probes go on by themselves until the sink is back."""
        with self._work:
            return self._agenda.paused(self._clock())

    def close(self, timeout_s: float) -> None:
        """Stop: events not under way end undelivered at once, those under way get `timeout_s` to be answered.

        Returns within about `timeout_s`; after it, `collect` has a result for every event that was accepted.
        """
        deadline = time.monotonic() + timeout_s
        with self._results:
            self._closing = True
            self._agenda.close(_CLOSED, self._clock())
            self._notify_everybody()
            while self._agenda.unresolved and (left_s := deadline - time.monotonic()) > 0:
                self._results.wait(left_s)
            self._agenda.abandon(_ABANDONED, self._clock())
            self._stopped = True
            self._notify_everybody()
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))

    def _notify_everybody(self) -> None:
        for condition in (self._work, self._room, self._results):
            condition.notify_all()

    # -- the workers' side -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (work := self._next_work()) is not None:
            outcomes = self._send(work)
            changed = False
            with self._work:
                if outcomes is None:
                    self._agenda.release(work, _NOT_HELD, self._clock())
                else:
                    changed = self._agenda.settle(work, outcomes, self._clock())
                down, queued = self._agenda.sink_down, self._agenda.unresolved
                if self._agenda.has_results:
                    self._results.notify_all()
                    self._room.notify_all()
            if changed:
                self._log_breaker(down=down, queued=queued)

    def _next_work(self) -> Work | None:
        """Wait for work; None: stop."""
        with self._work:
            while not self._stopped:
                now = self._clock()
                work = self._agenda.take(now)
                wait_s = self._agenda.wait_s(now)
                if work is not None:
                    if wait_s is not None:
                        self._work.notify()  # somebody else has to take, or to wait for, what comes next
                    return work
                self._work.wait(wait_s)
            return None

    def _send(self, work: Work) -> Sequence[Outcome] | None:
        """One attempt; None: not made, because the state is not ours any more."""
        sink = self._dead_letter if work.dead and self._dead_letter else self._sink
        try:
            if not self._held():
                return None
            outcomes = sink.send([job.sent for job in work.jobs])
            name = "" if len(outcomes) == len(work.jobs) else "a wrong number of outcomes"
        except Exception as error:  # noqa: BLE001 - the boundary of a worker: a sink's bug must not lose events or threads
            # Neither the text of the error nor its traceback is logged: they may quote the event.
            outcomes, name = (), type(error).__name__
        if not name:
            return outcomes
        logger.error("A sink broke its contract: %s", name, extra={"action": Action.SINK_BUG})
        failure = Failed(code="internal", reason=f"the sink broke its contract: {name}", retryable=True)
        return [failure] * len(work.jobs)

    def _log_breaker(self, *, down: bool, queued: int) -> None:
        if down:
            logger.warning(
                "The sink is down; deliveries wait, single probes go on",
                extra={"action": Action.SINK_DOWN, "sink": self._sink.target, "queued": queued},
            )
        else:
            logger.info("The sink is back", extra={"action": Action.SINK_BACK, "sink": self._sink.target})
