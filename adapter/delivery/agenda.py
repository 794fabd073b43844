"""What is to be sent next, and what became of what was sent: the dispatcher's memory, without threads or clocks.

Every event goes through one lane, that of its user. Only the first event of a lane can be ready, wait for its retry or
be on its way; the next one follows when it is resolved. So the events of a user keep their order and are never in
flight together, while the users don't wait for each other.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from adapter.delivery.breaker import Breaker
from adapter.delivery.retry import RetryPolicy
from adapter.model import Event
from adapter.sinks.base import Delivered, Failed, Outcome

_AFTER_FAILURE = Failed(code="order", reason="an earlier event of the same user is undelivered", retryable=True)


class Status(StrEnum):
    """How the delivery of an event ended."""

    DELIVERED = "delivered"
    DEAD_LETTERED = "dead_lettered"
    UNDELIVERED = "undelivered"


class Result(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The end of one event: every event that was accepted gets exactly one.

    `failure` says why the sink does not have the event (None when it has). `latency_s` is the time from submission to
    the end, `attempts` how often the event was sent, `code` the status of the sink's last answer.
    """

    event: Event
    status: Status
    failure: Failed | None = None
    latency_s: float = 0.0
    attempts: int = 0
    code: str = ""


@dataclass(frozen=True, slots=True)
class Batching:
    """How many events go into one send at most, and how many seconds an event may wait for others to join it."""

    size: int = 1
    seconds: float = 0.0


class Job(msgspec.Struct, eq=False, gc=False):
    """An event on its way. `sent` is what the sink gets: the event itself, or its dead letter."""

    event: Event
    since: float
    sent: Event
    ready_at: float = 0.0
    attempts: int = 0
    failures: int = 0
    alone: bool = False
    dead: Failed | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """Jobs to be sent in one call. `dead`: to the dead-letter sink. `probe`: to find out whether the sink is back."""

    jobs: Sequence[Job]
    dead: bool = False
    probe: bool = False


@dataclass(slots=True)
class _Queue:
    """The jobs that may be sent now to one of the two sinks."""

    size: int
    seconds: float
    jobs: deque[Job] = field(default_factory=deque)

    def wait_s(self, now: float) -> float | None:
        """How long until something may be taken; None: nothing is there."""
        if not self.jobs:
            return None
        first = self.jobs[0]
        if len(self.jobs) >= self.size or first.alone:
            return 0.0
        return max(0.0, first.ready_at + self.seconds - now)

    def take(self, now: float, *, one: bool = False) -> list[Job]:
        """The next batch; empty when there is none yet."""
        if self.wait_s(now) != 0.0 and not (one and self.jobs):
            return []
        batch = [self.jobs.popleft()]
        if not one and not batch[0].alone:
            while self.jobs and len(batch) < self.size and not self.jobs[0].alone:
                batch.append(self.jobs.popleft())
        return batch


class Agenda:
    """The state of the delivery. Used under the dispatcher's lock; `now` is seconds of a monotonic clock."""

    def __init__(
        self,
        policy: RetryPolicy,
        batching: Batching,
        breaker: Breaker,
        *,
        bury: Callable[[Event, Failed], Event] | None = None,
        dead_size: int = 1,
    ) -> None:
        """`bury` makes the dead letter of an event (None: there is no such sink); `dead_size` is that sink's batch."""
        self.unresolved = 0
        self._policy = policy
        self._breaker = breaker
        self._bury = bury
        self._live = _Queue(batching.size, batching.seconds)
        self._dead = _Queue(dead_size, batching.seconds)
        self._lanes: dict[str, list[Job]] = {}
        self._waiting: list[tuple[float, int, Job]] = []
        self._sequence = 0
        self._sending: set[Work] = set()
        self._results: list[Result] = []
        self._closing = False

    # -- in --------------------------------------------------------------------------------------------------------

    def add(self, event: Event, now: float) -> None:
        """Accept an event: from here on it gets exactly one result."""
        job = Job(event, now, event)
        key = event.key
        self.unresolved += 1
        lane = self._lanes.get(key)
        if lane is None:
            self._lanes[key] = [job]
            self._make_ready(job, now)
        else:
            lane.append(job)

    # -- to the sinks ----------------------------------------------------------------------------------------------

    def take(self, now: float) -> Work | None:
        """The next thing to send, if there is one now. It must come back by `settle` or `release`."""
        while self._waiting and self._waiting[0][0] <= now:
            self._make_ready(heapq.heappop(self._waiting)[2], now)
        work: Work | None = None
        if letters := self._dead.take(now):
            work = Work(letters, dead=True)
        elif self._breaker.wait_s(now) == 0.0 and (jobs := self._live.take(now, one=self._breaker.open)):
            work = Work(jobs, probe=self._breaker.probe())
        if work is not None:
            self._sending.add(work)
        return work

    def wait_s(self, now: float) -> float | None:
        """How long until `take` may have something; None: not before something else happens."""
        waits = [self._dead.wait_s(now)]
        if self._waiting:
            waits.append(max(0.0, self._waiting[0][0] - now))
        closed_s = self._breaker.wait_s(now)
        live_s = self._live.wait_s(now)
        if closed_s is not None and live_s is not None:
            waits.append(closed_s if self._breaker.open else live_s)
        return min((wait for wait in waits if wait is not None), default=None)

    # -- from the sinks --------------------------------------------------------------------------------------------

    def settle(self, work: Work, outcomes: Sequence[Outcome], now: float) -> bool:
        """Take in what the sink said, one outcome per job. True: this opened or closed the circuit breaker."""
        if work not in self._sending:  # abandoned meanwhile: its jobs are resolved
            return False
        self._sending.remove(work)
        changed = not work.dead and self._tell_breaker(work, outcomes, now)
        for job, outcome in zip(work.jobs, outcomes, strict=True):
            job.attempts += 1
            if isinstance(outcome, Failed):
                self._failed(job, outcome, now, together=len(work.jobs) > 1)
            elif work.dead:
                self._resolve(job, Status.DEAD_LETTERED, job.dead, now)
            else:
                self._resolve(job, Status.DELIVERED, None, now, outcome.code)
        return changed

    def _tell_breaker(self, work: Work, outcomes: Sequence[Outcome], now: float) -> bool:
        """A batch counts as one request, for its first user: one bad moment must not look like an outage."""
        if any(isinstance(outcome, Delivered) or not outcome.retryable for outcome in outcomes):
            return self._breaker.answered()
        return self._breaker.failed(work.jobs[0].event.key, now, probe=work.probe)

    def _failed(self, job: Job, failure: Failed, now: float, *, together: bool) -> None:
        delay_s: float | None = None
        if failure.retryable:
            delay_s = self._policy.delay(job.failures, failure.retry_after_s)
            job.failures += 1
        elif failure.shared and together:
            job.alone = True
            delay_s = 0.0
        if self._closing:
            self._resolve(job, Status.UNDELIVERED, job.dead or failure, now)
        elif delay_s is not None:
            self._sequence += 1
            heapq.heappush(self._waiting, (now + delay_s, self._sequence, job))
        elif job.dead is not None:
            reason = f"{job.dead.reason}; the dead-letter sink failed too: {failure.reason}"
            final = Failed(code=job.dead.code, reason=reason, retryable=job.dead.retryable)
            self._resolve(job, Status.UNDELIVERED, final, now)
        elif self._bury is not None:
            job.dead, job.sent = failure, self._bury(job.event, failure)
            job.failures, job.alone = 0, False
            self._make_ready(job, now)
        else:
            self._resolve(job, Status.UNDELIVERED, failure, now)

    def release(self, work: Work, failure: Failed, now: float) -> None:
        """Take back what was taken but not sent, and give back all else that waits: all of it is undelivered."""
        if work in self._sending:
            self._sending.remove(work)
            if work.probe:
                self._breaker.probe_lost()
        self.give_back(failure, now)

    def give_back(self, failure: Failed, now: float) -> None:
        """End everything that is not on its way just now as undelivered."""
        busy = {id(job) for work in self._sending for job in work.jobs}
        self._live.jobs.clear()
        self._dead.jobs.clear()
        self._waiting.clear()
        for key, lane in list(self._lanes.items()):
            kept = [job for job in lane if id(job) in busy]
            for job in lane:
                if id(job) not in busy:
                    self._result(job, Status.UNDELIVERED, job.dead or failure, now)
            if kept:
                self._lanes[key] = kept
            else:
                del self._lanes[key]

    def close(self, failure: Failed, now: float) -> None:
        """Give everything back that is not on its way, and retry nothing any more."""
        self._closing = True
        self.give_back(failure, now)

    def abandon(self, failure: Failed, now: float) -> None:
        """End what is on its way as undelivered: nobody waits for its outcome any more."""
        self._sending.clear()
        self.give_back(failure, now)

    # -- out -------------------------------------------------------------------------------------------------------

    def collect(self) -> list[Result]:
        """The results since the last call."""
        results, self._results = self._results, []
        return results

    @property
    def sink_down(self) -> bool:
        """Whether the circuit breaker is open."""
        return self._breaker.open

    @property
    def has_results(self) -> bool:
        """Whether `collect` has something."""
        return bool(self._results)

    @property
    def uncollected(self) -> int:
        """How many events were accepted whose results were not collected yet."""
        return self.unresolved + len(self._results)

    def paused(self, now: float) -> bool:
        """Whether the sink is down and more events are of no use now: not even as the next probe."""
        return self._breaker.open and (self.unresolved > 0 or self._breaker.wait_s(now) != 0.0)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _make_ready(self, job: Job, now: float) -> None:
        job.ready_at = now
        (self._live if job.dead is None else self._dead).jobs.append(job)

    def _resolve(self, job: Job, status: Status, failure: Failed | None, now: float, code: str = "") -> None:
        """End the first job of a lane. A user whose event is undelivered gets none of the later ones either."""
        key = job.event.key
        lane = self._lanes[key]
        del lane[0]
        self._result(job, status, failure, now, code)
        if status is Status.UNDELIVERED:
            for later in lane:
                self._result(later, Status.UNDELIVERED, _AFTER_FAILURE, now)
            lane.clear()
        if lane:
            self._make_ready(lane[0], now)
        else:
            del self._lanes[key]

    def _result(self, job: Job, status: Status, failure: Failed | None, now: float, code: str = "") -> None:
        self.unresolved -= 1
        self._results.append(
            Result(
                event=job.event,
                status=status,
                failure=failure,
                latency_s=now - job.since,
                attempts=job.attempts,
                code=code or (failure.code if failure else ""),
            )
        )
