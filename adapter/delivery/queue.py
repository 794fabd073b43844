"""What is to be sent next, and what became of what was sent: the dispatcher's memory, without threads or clocks.

Every event goes through one lane, that of its user. Only the first event of a lane can be ready, wait for its retry or
be on its way; the next one follows when it is resolved. So the events of a user keep their order and are never in
flight together, while the users don't wait for each other.

Events of users who have failed, and dead letters, have workers and places of their own (route.py), so that they can
never take those that other users need.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from adapter.delivery.circuit_breaker import CircuitBreaker
from adapter.delivery.retry import RetryPolicy
from adapter.delivery.route import Job, Route, Work, soonest
from adapter.delivery.verdict import Verdict, judge
from adapter.model import Event
from adapter.sinks.base import Failed, Outcome

_AFTER_FAILURE = Failed(code="order", reason="an earlier event of the same user is undelivered", retryable=True)
_NO_PLACE: Final = "too many events that failed wait for a retry; this one is tried again later"
#: While events wait in both lines, one send in so many is for the users who have failed.
_TURNS: Final = 4


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may be under way.

    `capacity` bounds the events of users who have not failed, and, apart from these, the ones that failed or are of
    users who did: a failed one without a place ends undelivered. `aside` bounds the sends that are under way for the
    latter.
    """

    capacity: int = 1000
    aside: int = 4


class Agenda:
    """The state of the delivery. Used under the dispatcher's lock; `now` is seconds of a monotonic clock."""

    def __init__(
        self,
        policy: RetryPolicy,
        live: Route,
        dead: Route | None = None,
        *,
        limits: Limits = Limits(),
        bury: Callable[[Event, Failed], Event] | None = None,
    ) -> None:
        """`live` leads to the sink, `dead` to the dead-letter sink; `bury` makes the dead letter of an event."""
        self.unresolved = 0
        self._policy = policy
        self._limits = limits
        self._live, self._dead = live, dead
        self._bury = bury
        self._lanes: dict[str, list[Job]] = {}
        self._waiting: list[tuple[float, int, Job]] = []
        self._sequence = 0
        self._turn = 0
        self._sending: set[Work] = set()
        self._aside = 0
        self._failing = 0
        self._results: list[Result] = []
        self._closing = False

    # -- in --------------------------------------------------------------------------------------------------------

    def has_room(self, event: Event) -> bool:
        """Whether there is a place for this event. Those of users who have failed are never waited for."""
        if self.unresolved - self._failing < self._limits.capacity:
            return True
        return self._live.breaker.has_failed(event.key) and event.key not in self._lanes

    def add(self, event: Event, now: float) -> None:
        """Accept an event: from here on it gets exactly one result."""
        job = Job(event, now, event)
        key = event.key
        self.unresolved += 1
        lane = self._lanes.get(key)
        if lane is not None:
            lane.append(job)
        elif self._live.breaker.has_failed(key) and not self._set_aside(job):
            self._result(job, Status.UNDELIVERED, Failed(code="deferred", reason=_NO_PLACE, retryable=True), now)
        else:
            self._lanes[key] = [job]
            self._live.put(job, now)

    def _set_aside(self, job: Job) -> bool:
        """Give a job one of the places for what failed; False: there is none."""
        if not job.failing:
            if self._failing >= self._limits.capacity:
                return False
            job.failing = True
            self._failing += 1
        return True

    # -- to the sinks ----------------------------------------------------------------------------------------------

    def take(self, now: float) -> Work | None:
        """The next thing to send, if there is one now. It must come back by `settle` or `release`."""
        while self._waiting and self._waiting[0][0] <= now:
            self._make_ready(heapq.heappop(self._waiting)[2], now)
        self._turn += 1
        work = None if self._live.breaker.closed else self._live.take_probe(now)
        if work is None and self._turn % _TURNS == 0 and self._failing:
            work = self._take_aside(now)
        work = work or self._live.take_fresh(now) or self._take_aside(now)
        if work is not None:
            self._sending.add(work)
            self._aside += work.aside
        return work

    def _take_aside(self, now: float) -> Work | None:
        """Something of a user who has failed: a dead letter or a retry, turn by turn."""
        if self._aside >= self._limits.aside:
            return None
        takers = [self._live.take_failing]
        if self._dead is not None:
            takers += [self._dead.take_probe, self._dead.take_fresh, self._dead.take_failing]
        if self._turn // _TURNS % 2:
            takers.reverse()
        return next((work for take in takers if (work := take(now)) is not None), None)

    def wait_s(self, now: float) -> float | None:
        """How long until `take` may have something; None: not before something else happens."""
        free = self._aside < self._limits.aside
        wait_s = self._live.wait_s(now, failing=free)
        if self._dead is not None and free:
            wait_s = soonest(wait_s, self._dead.wait_s(now, failing=True))
        if self._waiting:
            wait_s = soonest(wait_s, max(0.0, self._waiting[0][0] - now))
        return wait_s

    # -- from the sinks --------------------------------------------------------------------------------------------

    def settle(self, work: Work, outcomes: Sequence[Outcome], now: float) -> bool:
        """Take in what the sink said, one outcome per job. True: this opened or closed its circuit breaker."""
        if work not in self._sending:  # abandoned meanwhile: its jobs are resolved
            return False
        route = self._back(work)
        changed = self._tell_breaker(route.breaker, work, outcomes, now)
        for job, outcome in zip(work.jobs, outcomes, strict=True):
            job.attempts += 1
            if isinstance(outcome, Failed):
                self._failed(job, outcome, now, work)
            elif work.dead:
                self._resolve(job, Status.DEAD_LETTERED, job.dead, now)
            else:
                self._resolve(job, Status.DELIVERED, None, now, outcome.code)
        if route.breaker.has_refused and not self._waits_for(route):
            changed = route.breaker.nobody_waits() != changed
        if changed and work.dead and not route.breaker.closed:
            for job in route.clear():
                self._make_ready(job, now)
        return changed

    def _back(self, work: Work) -> Route:
        """A piece of work is no longer under way."""
        self._sending.remove(work)
        self._aside -= work.aside
        route = self._dead if work.dead and self._dead is not None else self._live
        if work.probe:
            route.breaker.probe_ended()
        return route

    @staticmethod
    def _tell_breaker(breaker: CircuitBreaker, work: Work, outcomes: Sequence[Outcome], now: float) -> bool:
        """A request of which nothing was taken counts once as failed: it says little about the single users."""
        verdicts = [judge(outcome) for outcome in outcomes]
        if breaker.untroubled and all(verdict is Verdict.DELIVERED for verdict in verdicts):
            return breaker.proved_alive(now)
        was_closed = breaker.closed
        taken, failed = Verdict.DELIVERED in verdicts, False
        for verdict, job, outcome in sorted(zip(verdicts, work.jobs, outcomes, strict=True), key=_by_proof):
            if verdict in (Verdict.UNCLEAR, Verdict.OUTAGE) and not taken:
                if failed:
                    continue
                failed = True
            elif len(work.jobs) > 1 and isinstance(outcome, Failed) and outcome.shared:
                continue
            breaker.record(job.event.key, verdict, sent_at=work.sent_at, now=now)
        return breaker.closed != was_closed

    def _waits_for(self, route: Route) -> bool:
        """Whether an event is left that may yet show whether this route's sink works."""
        dead = route is self._dead
        if not route.is_empty or any(work.dead is dead for work in self._sending):
            return True
        return any((job.dead is not None) is dead for _, _, job in self._waiting)

    def _failed(self, job: Job, failure: Failed, now: float, work: Work) -> None:
        together = len(work.jobs) > 1
        delay_s: float | None = None
        if together and failure.shared:
            job.alone = True
            delay_s = self._policy.asked(failure.retry_after_s)
        elif failure.retryable and work.probe and not work.dead:
            delay_s = self._policy.asked(failure.retry_after_s)
        elif failure.retryable:
            delay_s = self._policy.delay(job.failures, failure.retry_after_s)
            if delay_s is not None:
                job.failures += 1
            elif together and not job.alone:  # not given up for the company that it was in
                job.alone = True
                delay_s = self._policy.asked(failure.retry_after_s)
        if self._closing:
            self._resolve(job, Status.UNDELIVERED, job.dead or failure, now)
        elif delay_s is not None:
            self._retry(job, failure, now, delay_s)
        elif job.dead is not None:
            self._dead_letter_failed(job, job.dead, failure.reason, now)
        elif self._bury is not None and self._set_aside(job):
            job.dead, job.sent = failure, self._bury(job.event, failure)
            job.failures, job.alone = 0, False
            self._make_ready(job, now)
        else:
            self._resolve(job, Status.UNDELIVERED, failure, now)

    def _retry(self, job: Job, failure: Failed, now: float, delay_s: float) -> None:
        must_wait = delay_s > 0 or self._live.breaker.has_failed(job.event.key)
        if must_wait and not self._set_aside(job):
            reason = f"{failure.reason}; {_NO_PLACE}"
            no_place = Failed(code=failure.code, reason=reason, retryable=failure.retryable)
            self._resolve(job, Status.UNDELIVERED, no_place, now)
            return
        self._sequence += 1
        heapq.heappush(self._waiting, (now + delay_s, self._sequence, job))

    def _dead_letter_failed(self, job: Job, dead: Failed, why: str, now: float) -> None:
        reason = f"{dead.reason}; the dead-letter sink failed too: {why}"
        failure = Failed(code=dead.code, reason=reason, retryable=dead.retryable)
        self._resolve(job, Status.UNDELIVERED, failure, now)

    def release(self, work: Work, failure: Failed, now: float) -> None:
        """Take back what was taken but not sent, and give back all else that waits: all of it is undelivered."""
        if work in self._sending:
            self._back(work)
        self.give_back(failure, now)

    def give_back(self, failure: Failed, now: float) -> None:
        """End everything that is not on its way just now as undelivered."""
        busy = {id(job) for work in self._sending for job in work.jobs}
        self._live.clear()
        if self._dead is not None:
            self._dead.clear()
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
        for work in list(self._sending):
            self._back(work)
        self.give_back(failure, now)

    # -- out -------------------------------------------------------------------------------------------------------

    def collect(self) -> list[Result]:
        """The results since the last call."""
        results, self._results = self._results, []
        return results

    def is_down(self, *, dead: bool = False) -> bool:
        """Whether the circuit breaker of the sink, or of the dead-letter sink, is open: nobody's events are taken."""
        route = self._dead if dead and self._dead is not None else self._live
        return not route.breaker.closed

    @property
    def has_results(self) -> bool:
        """Whether `collect` has something."""
        return bool(self._results)

    @property
    def uncollected(self) -> int:
        """How many events were accepted whose results were not collected yet."""
        return self.unresolved + len(self._results)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _make_ready(self, job: Job, now: float) -> None:
        """Put a job into its line; a dead letter only if its sink is not down, or could be back."""
        if job.dead is None or self._dead is None:
            self._live.put(job, now)
        elif self._dead.admits(job.event.key, now):
            self._dead.put(job, now)
        else:
            self._dead_letter_failed(job, job.dead, "it is down", now)

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
        self._failing -= job.failing
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


def _by_proof(answered: tuple[Verdict, Job, Outcome]) -> int:
    """The answers that say most come last: what was taken, before it what failed, and first what was refused."""
    verdict, _, _ = answered
    return {Verdict.DELIVERED: 2, Verdict.REFUSED: 0}.get(verdict, 1)
