"""The time, and the end: what a test replaces to make hours pass in seconds."""

from __future__ import annotations

import threading
import time
from typing import Final


class Clock:
    """The machine's clock. Tests have clocks of their own."""

    def monotonic(self) -> float:
        """Seconds that only move forward."""
        return time.monotonic()

    def wall_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000


SYSTEM_CLOCK: Final = Clock()


class Shutdown(threading.Event):
    """Set when it is time to stop: on request, or because the sink was down for too long.

    Args:
        clock: measures how long the sink is down.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__()
        self._clock = clock
        self._patience_s: float | None = None
        self._down_since_s: float | None = None

    def limit_outage(self, seconds: float) -> None:
        """From now on stop, too, when the sink is down for so long without a break."""
        self._patience_s = seconds

    def check(self, *, sink_down: bool) -> bool:
        """Whether to stop, now that the sink is down or not."""
        if not sink_down:
            self._down_since_s = None
        elif self._down_since_s is None:
            self._down_since_s = self._clock.monotonic()
        elif self._patience_s is not None and self._clock.monotonic() - self._down_since_s >= self._patience_s:
            self.set()
        return self.is_set()
