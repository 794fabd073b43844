"""What waits for one sink: events of users who have not failed in one line, events of the others in a second one.

The lines keep them apart: a sink that refuses some users, fast or slowly, must not keep others waiting.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from adapter.delivery.circuit_breaker import CircuitBreaker, CircuitState
from adapter.model import Event
from adapter.sinks.base import Failed


@dataclass(frozen=True, slots=True)
class Batching:
    """How many events go into one send at most, and how many seconds an event may wait for others to join it."""

    size: int = 1
    seconds: float = 0.0


class Job(msgspec.Struct, eq=False, gc=False):
    """An event on its way. `sent` is what the sink gets: the event itself, or its dead letter.

    `failures` counts the retries that are used up. `alone`: not in one request with others. `dead`: why it is a dead
    letter. `failing`: it takes one of the places for events that failed.
    """

    event: Event
    since: float
    sent: Event
    ready_at: float = 0.0
    attempts: int = 0
    failures: int = 0
    alone: bool = False
    dead: Failed | None = None
    failing: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """Jobs to be sent in one call at `sent_at`.

    `dead`: to the dead-letter sink. `probe`: to find out whether the sink is back. `aside`: it must leave workers to
    events of users who have not failed.
    """

    jobs: Sequence[Job]
    sent_at: float
    dead: bool = False
    probe: bool = False
    aside: bool = False


@dataclass(slots=True)
class Line:
    """Jobs that may be sent now, in order."""

    batching: Batching
    jobs: deque[Job] = field(default_factory=deque)

    def wait_s(self, now: float) -> float | None:
        """How long until something may be taken; None: nothing is there."""
        if not self.jobs:
            return None
        first = self.jobs[0]
        if len(self.jobs) >= self.batching.size or first.alone:
            return 0.0
        return max(0.0, first.ready_at + self.batching.seconds - now)

    def take(self, now: float) -> list[Job]:
        """The next batch; empty when there is none yet."""
        if self.wait_s(now) != 0.0:
            return []
        batch = [self.jobs.popleft()]
        if not batch[0].alone:
            while self.jobs and len(batch) < self.batching.size and not self.jobs[0].alone:
                batch.append(self.jobs.popleft())
        return batch

    def take_one(self, preferred: Callable[[Job], bool]) -> Job:
        """The first job that is preferred, or else the first one."""
        place = next((number for number, job in enumerate(self.jobs) if preferred(job)), 0)
        job = self.jobs[place]
        del self.jobs[place]
        return job


class Route:
    """The way to one sink. `dead`: it is the dead-letter sink."""

    def __init__(self, batching: Batching, breaker: CircuitBreaker, *, dead: bool = False) -> None:
        self.breaker = breaker
        self._dead = dead
        self._fresh = Line(batching)
        self._failing = Line(batching)

    def put(self, job: Job, now: float) -> None:
        """The job may be sent from now on."""
        job.ready_at = now
        line = self._failing if self.breaker.has_failed(job.event.key) else self._fresh
        line.jobs.append(job)

    def admits(self, user: str, now: float) -> bool:
        """Whether an event of this user could be sent about now."""
        if self.breaker.state is CircuitState.ASKING and not self.breaker.has_failed(user):
            return True
        return self.breaker.closed or self.breaker.probe_wait_s(now) == 0.0

    def take_fresh(self, now: float) -> Work | None:
        """Events of users who have not failed, if the breaker lets them pass."""
        if self.breaker.state is CircuitState.OPEN or not (jobs := self._fresh.take(now)):
            return None
        return Work(jobs, now, dead=self._dead, aside=self._dead)

    def take_failing(self, now: float) -> Work | None:
        """Events of users who have failed, if the breaker lets them pass."""
        if not self.breaker.closed or not (jobs := self._failing.take(now)):
            return None
        return Work(jobs, now, dead=self._dead, aside=True)

    def take_probe(self, now: float) -> Work | None:
        """One event that finds out whether the sink is back.

        Of a user who has not failed, the newest one, for the older ones were there when others failed; else of a user
        who failed with the others; else of one whose events were refused while others were taken. After a refusal
        first of one who failed: whether that fails again is what the refusal leaves open.
        """
        if self.breaker.probe_wait_s(now) != 0.0 or not self._probes():
            return None
        if (
            self._fresh.jobs
            and self.breaker.state is CircuitState.OPEN
            and not (self.breaker.has_refused and self._failing.jobs)
        ):
            job = self._fresh.jobs.pop()
        else:
            job = self._failing.take_one(lambda job: not self.breaker.is_refused(job.event.key))
        self.breaker.probe_sent(now)
        return Work([job], now, dead=self._dead, probe=True, aside=self._dead)

    def _probes(self) -> bool:
        """Whether there is something to probe with. While others are asked, these are the probes."""
        return bool(self._failing.jobs) or (self.breaker.state is CircuitState.OPEN and bool(self._fresh.jobs))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is there to be sent."""
        return not self._fresh.jobs and not self._failing.jobs

    def wait_s(self, now: float, *, failing: bool) -> float | None:
        """How long until something may be taken; None: not before something else happens.

        Args:
            now: the time.
            failing: whether `take_failing` is called at all.
        """
        fresh_s = None if self.breaker.state is CircuitState.OPEN else self._fresh.wait_s(now)
        other_s = None
        if self.breaker.closed:
            other_s = self._failing.wait_s(now) if failing else None
        elif self._probes():
            other_s = self.breaker.probe_wait_s(now)
        return soonest(fresh_s, other_s)

    def clear(self) -> list[Job]:
        """Take everything out."""
        jobs = [*self._fresh.jobs, *self._failing.jobs]
        self._fresh.jobs.clear()
        self._failing.jobs.clear()
        return jobs


def soonest(one_s: float | None, other_s: float | None) -> float | None:
    """The shorter wait; None: no wait ends by itself."""
    if one_s is None or other_s is None:
        return other_s if one_s is None else one_s
    return min(one_s, other_s)
