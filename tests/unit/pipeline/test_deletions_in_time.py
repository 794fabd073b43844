"""How long many deletions take to be reported, in the limiter's own time, which only requests move on."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from adapter.clock import Clock
from adapter.cognito.base import Page
from adapter.pipeline.deletions import SAMPLE
from tests.fake_cognito.pool import EPOCH_S, SyntheticPool
from tests.support.rig import MemorySink, Rig

PAGE = 60
_LOOK_UP = re.compile(r'(?:username|sub) = "(.*)"')


class VirtualClock(Clock):
    """Monotonic seconds that pass only where a thread sleeps. Two threads that sleep at once sleep side by side."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._lock = threading.Lock()
        self._read = threading.local()

    def monotonic(self) -> float:
        self._read.at_s = self.now_s
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Go on `seconds` after this thread's last look at the clock."""
        with self._lock:
            self.now_s = max(self.now_s, self._read.at_s + seconds)


class LargePool:
    """Users of SyntheticPool who can be deleted; filters come from an index. Listings take `latency_s` a page."""

    def __init__(self, size: int, clock: VirtualClock, latency_s: float = 0.0) -> None:
        self._users = SyntheticPool(size)
        self._numbers = {self._users.sub(number): number for number in range(size)}
        self._clock = clock
        self._latency_s = latency_s
        self._take_turn: Callable[[], object] = lambda: None
        self.size = size
        self.deleted: set[int] = set()
        self.unlisted: set[int] = set()
        self.listed = 0
        self.looked_up = 0

    def connect(self, rig: Rig) -> None:
        """Take turns of this rig's limiter."""
        self._take_turn = rig.limiter.acquire

    def name(self, number: int) -> str:
        return self._users.sub(number)

    def list_users(self, *, filter_: str | None = None, token: str | None = None, limit: int = 60) -> Page:
        del limit
        self._take_turn()
        look_up = _LOOK_UP.fullmatch(filter_ or "")
        if look_up is not None:
            self.looked_up += 1
            found = self._numbers.get(json.loads(f'"{look_up[1]}"'))
            return self._page([] if found is None or found in self.deleted else [found])
        if filter_ is not None:
            return self._page([])  # nobody signs up
        self._clock.monotonic()
        self._clock.sleep(self._latency_s)
        self.listed += 1
        first = int(token or 0)
        end = min(first + PAGE, self.size)
        numbers = [each for each in range(first, end) if each not in self.deleted and each not in self.unlisted]
        return self._page(numbers, str(end) if end < self.size else None)

    def _page(self, numbers: Sequence[int], token: str | None = None) -> Page:
        return Page(users=[self._users.render(number) for number in numbers], token=token, date_s=EPOCH_S + 1e8)


class DeletionsTime(NamedTuple):
    """When all deletions were reported, in seconds, and after how many pages of listings and look-ups."""

    seconds: float
    listed: int
    looked_up: int


def time_deletions(
    users: int, deleted: int, rps: float, state: Path, *, latency_s: float = 0.0, unlisted: int = 0
) -> DeletionsTime:
    """Delete users between two sweeps, and sweep until all are reported, and nobody else."""
    clock = VirtualClock()
    pool, sink = LargePool(users, clock, latency_s), MemorySink()
    step = users // deleted
    with Rig.start(pool, sink, state, max_rps=rps, clock=clock, percent=20) as rig:
        assert rig.sweep()
        pool.connect(rig)
        pool.deleted = set(range(step // 2, users, step))
        if unlisted:
            pool.unlisted = set(range(0, users, users // unlisted)) - pool.deleted
        pool.listed, begun_s = 0, clock.now_s
        while len(sink.events) < deleted and pool.listed < 4 * users / PAGE:
            rig.sweep()
        found = DeletionsTime(clock.now_s - begun_s, pool.listed, pool.looked_up)
        rig.sweep()
    assert sink.names() == sorted(pool.name(number) for number in pool.deleted)
    return found


def test_300_of_6000_users_at_60_requests_a_second_and_80_ms(tmp_path: Path) -> None:
    found = time_deletions(6_000, 300, 60, tmp_path / "state.db", latency_s=0.08)
    assert found.seconds <= 20
    assert found.listed + found.looked_up <= 100 + 300


@pytest.mark.parametrize("unlisted", [0, 5])
def test_one_user_of_a_hundred_takes_two_sweeps_and_a_request_each_at_most(tmp_path: Path, unlisted: int) -> None:
    """10,000 of 1,000,000 at 30 requests a second, on a twentieth of the scale: 2 sweeps and 6 minutes."""
    scale = 20
    found = time_deletions(1_000_000 // scale, 10_000 // scale, 30, tmp_path / "state.db", unlisted=unlisted)
    sweep_s = 1_000_000 / scale / PAGE / 30
    assert found.seconds <= 2 * sweep_s + 360 / scale


def test_where_a_sweep_takes_fewer_requests_than_the_look_ups_a_second_one_decides(tmp_path: Path) -> None:
    found = time_deletions(50_000, 5_000, 30, tmp_path / "state.db")
    sweep = 50_000 // PAGE + 1
    assert found.listed <= 2 * sweep
    assert found.looked_up <= 2 * SAMPLE
    assert found.seconds <= 1.05 * (2 * sweep + 2 * SAMPLE) / 30
