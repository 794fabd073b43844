"""How long to wait between sweeps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class PollBackoff:
    """The original's idle backoff: min * 2**step - min, within [min, max]; 1, 1, 3, 7, 15, 31, 32, 32, .. s.

    A change resets it, so that a pool in which something happens is read often.
    """

    min_s: float = 1.0
    max_s: float = 32.0
    _step: int = 0

    def next(self) -> float:
        """The next wait in seconds."""
        wait_s = self.min_s * 2.0**self._step - self.min_s
        if wait_s < self.max_s:
            self._step += 1
        return min(max(wait_s, self.min_s), self.max_s)

    def reset(self) -> None:
        """Begin again with the shortest wait."""
        self._step = 0
