"""How far the first sweep since the start has come: for a person who waits for it, and for the logs.

A sweep of a million users takes minutes, and the first one has nothing to show before it ends. How many users a pool
has is known only afterwards: ListUsers does not say it, and DescribeUserPool is not among the adapter's permissions. So
time left is told only when the state knows the pool from before; else what was read, and how fast.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

from adapter.log import Action
from adapter.terminal import count, duration

logger = logging.getLogger(__name__)

#: Sweeps that are over sooner show nothing, in seconds.
PATIENCE_S: Final = 2.0
#: How often progress is looked at, at most, in seconds.
LOOK_S: Final = 0.5
#: How often it is logged where nobody watches, in seconds.
LOG_S: Final = 30.0
#: The rate is that of the last so many seconds.
_WINDOW_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """How far a sweep is.

    `known` is how many users the state knew when the sweep began, `whole` whether they were all of the pool's, as of
    some earlier sweep; `seconds_left` is None while nobody can know it.
    """

    users: int
    known: int
    whole: bool
    pages: int
    pages_per_second: float
    seconds: float
    seconds_left: float | None = None


def describe(sight: Sight) -> str:
    """One line for people."""
    of = f" of about {count(sight.known)}" if sight.whole else ""
    parts = [f"{count(sight.users)}{of} users", f"{count(sight.pages)} pages", f"{sight.pages_per_second:.1f} pages/s"]
    if sight.seconds_left is not None:
        parts.append(f"about {duration(sight.seconds_left)} left")
    elif not sight.whole:
        parts.append(f"{duration(sight.seconds)} so far, the pool's size is not known yet")
    return ", ".join(parts)


class SeenUsers(Protocol):
    """Counts the users whom the sweep has seen so far, which costs something."""

    @property
    def seen(self) -> int:
        """How many."""
        ...


class Progress:
    """Watches the first complete sweep since the start; later ones cost nothing. Used by the service thread.

    `report` may be called by any thread.

    Args:
        known: how many users the state knows.
        whole: whether that was the whole pool, as of some earlier sweep.
        show: puts a line at the end of a terminal, "" removes it; None: there is no terminal, log instead.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        *,
        known: int = 0,
        whole: bool = False,
        show: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._known = known
        self._whole = whole and known > 0
        self._show = show
        self._clock = clock
        self._watching = False
        self._done = False
        self._pages = 0
        self._begun_s = self._look_at_s = self._log_at_s = 0.0
        self._past: deque[tuple[float, int, int]] = deque()
        self._sight: Sight | None = None

    def begin(self) -> None:
        """A sweep begins."""
        if self._done:
            return
        now_s = self._clock()
        self._watching = True
        self._pages = 0
        self._begun_s = now_s
        self._look_at_s = now_s + PATIENCE_S
        self._log_at_s = now_s + LOG_S
        self._past.clear()
        self._past.append((now_s, 0, 0))

    def page(self, index: SeenUsers) -> None:
        """A page arrived; `index` counts those who were seen, and is asked only when it is time to look."""
        if not self._watching:
            return
        self._pages += 1
        now_s = self._clock()
        if now_s >= self._look_at_s:
            self._look_at_s = now_s + LOOK_S
            self._look(now_s, index.seen)

    def end(self, *, complete: bool) -> None:
        """The sweep ended, `complete` or not."""
        if not self._watching:
            return
        self._watching = False
        self._done = complete
        if self._sight is not None and self._show is not None:
            self._show("")
        self._sight = None

    def report(self) -> Mapping[str, Any] | None:
        """The sweep's progress as JSON values; None: there is none to tell."""
        sight = self._sight
        return None if sight is None else asdict(sight)

    def _look(self, now_s: float, users: int) -> None:
        past = self._past
        while len(past) > 1 and now_s - past[0][0] > _WINDOW_S:
            past.popleft()
        since_s, users_then, pages_then = past[0]
        past.append((now_s, users, self._pages))
        elapsed_s = max(now_s - since_s, 1e-9)
        rate = (users - users_then) / elapsed_s
        missing = self._known - users
        self._sight = sight = Sight(
            users=users,
            known=self._known,
            whole=self._whole,
            pages=self._pages,
            pages_per_second=round((self._pages - pages_then) / elapsed_s, 1),
            seconds=round(now_s - self._begun_s, 1),
            seconds_left=round(missing / rate, 1) if self._whole and missing > 0 and rate > 0 else None,
        )
        if self._show is not None:
            self._show(f"Reading the pool: {describe(sight)}")
        elif now_s >= self._log_at_s:
            self._log_at_s = now_s + LOG_S
            logger.info("Reading the pool", extra={"action": Action.SWEEP_PROGRESS, **asdict(sight)})
