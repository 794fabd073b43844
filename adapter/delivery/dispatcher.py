"""The delivery as a whole: workers that send what the agenda says.

Three kinds of threads meet at one lock: the caller submits events and collects results; workers take work from the
agenda, send it outside the lock and hand in the outcomes. What is sent when is decided in agenda.py alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from adapter.delivery.circuit_breaker import CircuitBreaker
from adapter.delivery.dead_letter import dead_letter_event
from adapter.delivery.queue import Agenda, Limits, Result
from adapter.delivery.retry import RetryPolicy
from adapter.delivery.route import Batching, Route, Work
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
        breaker: CircuitBreaker | None = None,
        clock: Callable[[], float] = time.monotonic,
        held: Callable[[], bool] = lambda: True,
    ) -> None:
        """Start the workers.

        Args:
            sink: where the events go.
            policy: how often and when an event is tried again, at both sinks.
            dead_letter: where events go that the sink does not take; None: they end undelivered.
            concurrency: how many sends may be under way at once.
            capacity: how many events of users who have not failed may be unresolved before `submit` blocks; as many
                may wait for a retry.
            batch: how events are grouped; never more than a sink's `max_batch`.
            breaker: notices that the sink is down; None: one with its defaults.
            clock: a monotonic clock, in seconds.
            held: asked before every send; once it says False nothing is sent and everything ends undelivered.
        """
        self._sink, self._dead_letter = sink, dead_letter
        self._clock, self._held = clock, held
        self._agenda = make_agenda(
            sink, policy, dead_letter, batch=batch, breaker=breaker, concurrency=concurrency, capacity=capacity
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
            while not self._agenda.has_room(event) and not self._closing:
                left_s = None if deadline is None else deadline - time.monotonic()
                if left_s is not None and left_s <= 0:
                    return False
                self._room.wait(left_s)
            if self._closing:
                return False
            self._agenda.add(event, self._clock())
            self._accepted()
        return True

    def submit_all(self, events: Sequence[Event], timeout_s: float | None = None) -> int:
        """Accept as many of these events as there is room for, waiting until there is some for the first.

        Returns:
            How many were accepted, from the first on; 0 as `submit` returns False.
        """
        if not events or not self.submit(events[0], timeout_s):
            return 0
        accepted = 1
        with self._work:
            now = self._clock()
            for event in events[1:]:
                if self._closing or not self._agenda.has_room(event):
                    break
                self._agenda.add(event, now)
                accepted += 1
            self._accepted()
        return accepted

    def _accepted(self) -> None:
        # One is enough: whoever takes work wakes the next one for what is left.
        self._work.notify()
        if self._agenda.has_results:  # for want of a place an event may have ended at once
            self._results.notify_all()

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
        """Whether the sink is down: the sweep should go slower. Probes go on by themselves until the sink is back."""
        with self._work:
            return self._agenda.is_down()

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
            changed = down = False
            with self._work:
                if outcomes is None:
                    self._agenda.release(work, _NOT_HELD, self._clock())
                else:
                    changed = self._agenda.settle(work, outcomes, self._clock())
                down, queued = self._agenda.is_down(dead=work.dead), self._agenda.unresolved
                if self._agenda.has_results:
                    self._results.notify_all()
                self._room.notify_all()  # what failed has a place of its own from now on
            if changed:
                self._log_breaker(dead=work.dead, down=down, queued=queued)

    def _next_work(self) -> Work | None:
        """Wait for work; None: stop."""
        with self._work:
            while not self._stopped:
                now = self._clock()
                unresolved = self._agenda.unresolved
                work = self._agenda.take(now)
                wait_s = self._agenda.wait_s(now)
                if self._agenda.unresolved < unresolved:  # dead letters whose sink is down end here
                    self._results.notify_all()
                    self._room.notify_all()
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
        failure = Failed(code="internal", reason=f"the sink broke its contract: {name}", retryable=True, shared=True)
        return [failure] * len(work.jobs)

    def _log_breaker(self, *, dead: bool, down: bool, queued: int) -> None:
        sink, name = (self._dead_letter, "dead-letter sink") if dead and self._dead_letter else (self._sink, "sink")
        if down:
            logger.warning(
                "The %s accepts no events; only probes are sent until it does",
                name,
                extra={"action": Action.SINK_DOWN, "sink": sink.target, "queued": queued},
            )
        else:
            logger.info("The %s is back", name, extra={"action": Action.SINK_BACK, "sink": sink.target})


def make_agenda(
    sink: Sink,
    policy: RetryPolicy,
    dead_letter: Sink | None = None,
    *,
    batch: Batching = Batching(),  # noqa: B008 (frozen)
    breaker: CircuitBreaker | None = None,
    concurrency: int = 8,
    capacity: int = 1000,
) -> Agenda:
    """The agenda between these sinks, for `concurrency` workers; the arguments are those of the dispatcher.

    Half of the workers may be busy with users who have failed and with dead letters; the others are left to the rest.
    """
    breaker = breaker or _breaker(policy, capacity, max(1, concurrency - 1))
    live = Route(Batching(min(batch.size, sink.max_batch), batch.seconds), breaker)
    limits = Limits(capacity=capacity, aside=max(1, concurrency // 2))
    if dead_letter is None:
        return Agenda(policy, live, limits=limits)
    dead = Route(
        Batching(min(batch.size, dead_letter.max_batch), batch.seconds),
        _breaker(policy, capacity, limits.aside),
        dead=True,
    )
    return Agenda(policy, live, dead, limits=limits, bury=lambda event, why: dead_letter_event(event, why, sink.target))


def _breaker(policy: RetryPolicy, capacity: int, probes: int) -> CircuitBreaker:
    """One that spreads the probes which a sink may let hang until their time-out evenly over that time."""
    default = CircuitBreaker()
    hung_probe_s = max(default.probe_s, policy.timeout_s / probes)
    return CircuitBreaker(asked=capacity, probes=probes, hung_probe_s=hung_probe_s)
