"""How long something that did not pay is left alone: longer each time in a row, up to a limit, never for good."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Pause:
    """A pause that doubles from `first_s` to `max_s`, in seconds, until `reset` says that things work again.

    What a try cost counts, too: with `cost_factor` N, no pause is shorter than N times the last try took, so that tries
    in vain never take more than about an Nth of the time.
    """

    first_s: float = 60.0
    max_s: float = 3600.0
    cost_factor: float = 8.0
    until_s: float = -math.inf
    _next_s: float = 0.0

    def begin(self, now_s: float, cost_s: float = 0.0) -> None:
        """It did not pay: leave it alone from now on. `cost_s` is how long the try took, in seconds."""
        pause_s = max(self._next_s, self.first_s)
        self._next_s = min(2 * pause_s, self.max_s)
        self.until_s = now_s + max(pause_s, self.cost_factor * cost_s)

    def is_over(self, now_s: float) -> bool:
        """Whether it may be tried (again)."""
        return now_s >= self.until_s

    def reset(self) -> None:
        """It worked: the next pause is the first one again."""
        self._next_s = 0.0
