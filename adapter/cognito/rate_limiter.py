"""How fast ListUsers is called: a pace that never exceeds MAX_RPS, and gives way when Cognito says so.

Additive increase, multiplicative decrease: TooManyRequestsException halves the pace (once per round of requests, since
those that were on the way say nothing new), then every second without one gives back a part of `max_rps`. The quota
belongs to the account and to everything that lists users in it, so MAX_RPS defaults to a third of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

#: What a throttled answer leaves of the pace.
DECREASE: Final = 0.5
#: The part of `max_rps` that each second without throttling gives back.
INCREASE_PER_S: Final = 0.02
#: Requests a second below which the pace never falls, as a part of `max_rps`.
FLOOR: Final = 0.05
#: Answers to requests that were on the way when the pace fell arrive within this time, in seconds.
COOLDOWN_S: Final = 1.0
#: The longest wait that `Retry-After` can ask for, in seconds.
RETRY_AFTER_MAX_S: Final = 60.0


class RateLimiter:
    """Hands out turns, evenly spaced. One limiter serves all listings of a pool. Thread-safe.

    Args:
        max_rps: requests per second that are never exceeded, above 0.
        clock: monotonic seconds.
        sleep: waits that many seconds; `threading.Event.wait` makes waiting end when the adapter stops.
    """

    def __init__(
        self,
        max_rps: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if not max_rps > 0:
            raise ValueError(f"max_rps is {max_rps}, expected a number above 0")
        self._max_rps = max_rps
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._rps = max_rps
        self._grown_s = clock()
        self._next_s = clock()
        self._cooled_down_s = clock()
        self._requests = 0
        self._throttled = 0
        self._waited = threading.local()

    @property
    def max_rps(self) -> float:
        """The pace that is never exceeded, in requests per second."""
        return self._max_rps

    @property
    def rps(self) -> float:
        """The present pace in requests per second."""
        with self._lock:
            self._grow(self._clock())
            return self._rps

    @property
    def requests(self) -> int:
        """Turns handed out so far."""
        return self._requests

    @property
    def throttled(self) -> int:
        """Answers so far that asked to slow down."""
        return self._throttled

    def acquire(self) -> float:
        """Wait for a turn; returns how long that took, in seconds."""
        with self._lock:
            now = self._clock()
            self._grow(now)
            turn = max(now, self._next_s)
            self._next_s = turn + 1 / self._rps
            self._requests += 1
        if turn > now:
            self._sleep(turn - now)
            self._waited.seconds = getattr(self._waited, "seconds", 0.0) + turn - now
        return turn - now

    def pause(self, seconds: float) -> None:
        """Wait that long before another attempt; it takes no turn."""
        self._sleep(seconds)

    def taken_wait_s(self) -> float:
        """How long this thread waited for its turns since it last asked, in seconds."""
        seconds: float = getattr(self._waited, "seconds", 0.0)
        self._waited.seconds = 0.0
        return seconds

    def on_throttled(self, retry_after_s: float | None = None) -> None:
        """Slow down, because an answer asked for it."""
        with self._lock:
            now = self._clock()
            self._throttled += 1
            if now >= self._cooled_down_s:
                self._grow(now)
                self._rps = max(self._rps * DECREASE, self._max_rps * FLOOR)
                self._cooled_down_s = now + COOLDOWN_S
            pause = min(retry_after_s or 0.0, RETRY_AFTER_MAX_S)
            self._next_s = max(self._next_s, now + max(pause, 1 / self._rps))

    def _grow(self, now: float) -> None:
        since = max(self._grown_s, self._cooled_down_s)
        if now > since:
            self._rps = min(self._max_rps, self._rps + (now - since) * INCREASE_PER_S * self._max_rps)
        self._grown_s = max(now, self._grown_s)
