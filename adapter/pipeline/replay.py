"""Reporting users once more, from Cognito's present state: for a consumer that lost something, or is new.

A replay neither reads nor changes the state and takes no lease, so a running adapter is not disturbed. Its events have
the changetype `replay` and ids of their own in every run, so that a consumer that drops known ids takes them.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from adapter.changes.detector import Detector
from adapter.clock import SYSTEM_CLOCK, Clock, Shutdown
from adapter.cognito import filters
from adapter.cognito.decode import decode_user
from adapter.cognito.rate_limiter import RateLimiter
from adapter.cognito.scanner import Scanner
from adapter.delivery import Result, Status
from adapter.events.builder import EventBuilder
from adapter.log import Action
from adapter.model import User
from adapter.pipeline.outbox import Courier

logger = logging.getLogger(__name__)

#: How long to wait for results at a time, in seconds.
_SLICE_S = 0.5
#: How long events may take once it is time to stop, in seconds.
_GRACE_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Whom to report: the users named, or those changed since a time (milliseconds since the epoch), or everybody."""

    usernames: tuple[str, ...] = field(default=(), repr=False)
    since_ms: int | None = None

    def takes(self, user: User) -> bool:
        """Whether this user is selected. One without dates is: nothing says that it did not change."""
        if self.usernames:
            return user.username in self.usernames
        changed_ms = user.modified_ms if user.modified_ms is not None else user.created_ms
        return self.since_ms is None or changed_ms is None or changed_ms >= self.since_ms


class Replay:
    """One run.

    Args:
        scanner: lists users; may end early.
        courier: delivers events; closed at the end.
        builder: makes events.
        detector: makes ids.
        run_id: what makes the ids of this run differ from those of others.
        limiter: how fast events may follow each other.
        shutdown: set when it is time to end early.
        clock: the time of events of users without dates.
    """

    def __init__(
        self,
        *,
        scanner: Scanner,
        courier: Courier,
        builder: EventBuilder,
        detector: Detector,
        run_id: str,
        limiter: RateLimiter,
        shutdown: Shutdown,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._scanner = scanner
        self._courier = courier
        self._builder = builder
        self._detector = detector
        self._run_id = run_id
        self._limiter = limiter
        self._now_ms = clock.wall_ms()
        self._shutdown = shutdown
        self._counts: Counter[Status] = Counter()

    def run(self, selection: Selection) -> Counter[Status]:
        """Report everybody of the selection once; returns how many deliveries ended how.

        Raises:
            CognitoError: the users can't be listed; what was sent before counts.
        """
        sent: set[str] = set()
        try:
            for user in self._users(selection):
                if user.username in sent or not selection.takes(user):
                    continue
                sent.add(user.username)
                self._limiter.acquire()
                event = self._builder.build(self._detector.replay(user, self._run_id, self._now_ms))
                while not self._courier.submit(event, timeout_s=_SLICE_S) and not self._stopping():
                    self._collect(0.0)
                self._collect(0.0)
                if self._stopping():
                    break
            while self._courier.in_flight and not self._stopping():
                self._collect(_SLICE_S)
        finally:
            self._courier.close(_GRACE_S)
            self._collect(0.0)
        logger.info("Replayed", extra={"action": Action.REPLAYED, **{str(key): n for key, n in self._counts.items()}})
        return self._counts

    def _users(self, selection: Selection) -> Iterator[User]:
        looks: list[str | None] = [None]
        if selection.usernames:
            by_name = [filters.by_username(name) for name in selection.usernames]
            if all(look.fits for look in by_name):
                looks = [str(look) for look in by_name]
        for look in looks:
            for page in self._scanner.scan(look):
                yield from map(decode_user, page.users)

    def _stopping(self) -> bool:
        return self._shutdown.check(sink_down=self._courier.paused)

    def _collect(self, timeout_s: float) -> None:
        for result in self._courier.collect(timeout_s):
            self._counts[result.status] += 1
            if result.status is Status.UNDELIVERED:
                logger.warning(
                    "A replayed event is undelivered",
                    extra={"action": Action.UNDELIVERED, "event_id": result.event.id, "reason": _reason(result)},
                )


def _reason(result: Result) -> str:
    return result.failure.reason if result.failure is not None else ""
