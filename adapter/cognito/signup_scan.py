"""When to scan for sign-ups between the pages of a long sweep. Pure: it is given the time and makes no requests.

A sweep of a million users at 30 requests a second takes 9 minutes. Users who just signed up are UNCONFIRMED, those whom
an administrator made are in FORCE_CHANGE_PASSWORD, those who came from another identity provider are EXTERNAL_PROVIDER:
a listing filtered by such a status is short in most pools, so it is read again and again while the sweep goes on.

Such a signup scan only ever adds looks at users. Whom it shows counts as seen, whom it does not show says nothing, so
it can't harm a sweep's completeness. It must pay, though, which is measured: a large one is made less often, in
proportion to what it costs; one whose pages are nearly empty (Cognito walks the pool behind the filter), that is as
long as a good part of the pool, or whose filter is refused or ignored, is left alone for a minute, then two, four, up
to an hour: what did not pay or work once can do so later.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapter.cognito.pause import Pause

#: The statuses of users who are new, in the order in which they are worth a look.
STATUSES: Final = ("UNCONFIRMED", "FORCE_CHANGE_PASSWORD", "EXTERNAL_PROVIDER")
#: From the beginning of one scan for a status to the next, in seconds, while it costs little.
CYCLE_S: Final = 2.0
#: The part of the allowed requests that all signup scans together may take.
SHARE: Final = 1 / 3
#: Sweeps that take less time than this need no help, in seconds.
SHORT_SWEEP_S: Final = 10.0
#: The part of a sweep's requests that one look may take.
LENGTH_MAX: Final = 1 / 8
#: Fewer users per request than this, and the filter is a walk through the whole pool (a full page has 60).
FILL_MIN: Final = 5.0
#: A look of fewer requests than this is cheap however empty its pages are.
CHEAP_REQUESTS: Final = 8
#: How long a status that does not pay or whose filter is refused is left alone: first, and at most, in seconds.
PAUSE_S: Final = 60.0
PAUSE_MAX_S: Final = 3600.0
#: How long a status is left alone after a fault, in seconds.
FAULT_PAUSE_S: Final = 10.0


@dataclass(slots=True)
class _StatusScan:
    status: str
    begun_s: float = -math.inf
    next_s: float = -math.inf
    #: What it took the last time, in requests.
    requests: int = 1
    pause: Pause = field(default_factory=lambda: Pause(PAUSE_S, PAUSE_MAX_S, cost_factor=0))

    def leave_alone(self, now_s: float) -> None:
        """Pause; meanwhile it takes nothing from the share of the others."""
        self.requests = 0
        self.pause.begin(now_s)
        self.next_s = self.pause.until_s


class SignupSchedule:
    """Decides which status to scan for next, and when. Thread-safe.

    Args:
        rps: the present pace of all requests, per second.
        sweep_requests: what a whole sweep takes, in requests.
        statuses: what to scan for.
    """

    def __init__(
        self, rps: Callable[[], float], sweep_requests: Callable[[], float], statuses: Sequence[str] = STATUSES
    ) -> None:
        self._rps = rps
        self._sweep_requests = sweep_requests
        self._scans = {status: _StatusScan(status) for status in statuses}
        self._lock = threading.Lock()

    @property
    def worthwhile(self) -> bool:
        """Whether sweeps are long enough for signup scans to be of use."""
        return bool(self._scans) and self._sweep_requests() / self._rps() > SHORT_SWEEP_S

    def due(self, now_s: float) -> str | None:
        """The status to look for now, None: nothing to do yet. The look begins with this call."""
        if not self.worthwhile:
            return None
        with self._lock:
            found = min(self._scans.values(), key=lambda one: one.next_s, default=None)
            if found is None or found.next_s > now_s:
                return None
            found.begun_s = now_s
            found.next_s = math.inf
            return found.status

    def requests_max(self) -> int:
        """The most requests that one look may take; it is broken off then."""
        return max(CHEAP_REQUESTS, int(self._sweep_requests() * LENGTH_MAX))

    def finished(self, status: str, requests: int, users: int, now_s: float, *, broken_off: bool = False) -> None:
        """A look is over.

        Args:
            status: as `due` gave it.
            requests: how many it took.
            users: how many it showed.
            now_s: when it ended.
            broken_off: it would have taken more than `requests_max`.
        """
        rps = self._rps()
        with self._lock:
            one = self._scans[status]
            if broken_off or (requests > CHEAP_REQUESTS and users < FILL_MIN * requests):
                one.leave_alone(now_s)
                return
            one.requests = requests
            one.pause.reset()
            # Every status comes round once while all of them together use up their share.
            together = sum(other.requests for other in self._scans.values())
            one.next_s = max(now_s, one.begun_s + max(CYCLE_S, together / (rps * SHARE)))

    def failed(self, status: str, now_s: float) -> None:
        """A look ended with a passing fault."""
        with self._lock:
            self._scans[status].next_s = now_s + FAULT_PAUSE_S

    def refused(self, status: str, now_s: float) -> None:
        """The pool refused or ignored this filter: it is left alone like one that does not pay."""
        with self._lock:
            self._scans[status].leave_alone(now_s)
