"""The clock that leases are measured with."""

from __future__ import annotations

import time


def machine_clock() -> float:
    """Seconds that only move forward, also while the machine is suspended (where the system has such a clock)."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
