"""From sign-up to event in a pool of a million: the real schedule and the real limiter on simulated time.

What is simulated: the clock, the service's answers (80 ms each, evaluated half-way) and the threads that wait for them.
What is real: `SignupSchedule` decides when to look, `RateLimiter` hands out the turns, `ShardPolicy` the number of
listings. People sign up at random, stay UNCONFIRMED until they type in a code, and are at a random place of the pool.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from adapter.cognito.rate_limiter import RateLimiter
from adapter.cognito.shards import ShardPolicy
from adapter.cognito.signup_scan import SignupSchedule
from benchmarks.measure import Figure, Options, say

RPS = 30.0
LATENCY_S = 0.08
PAGE = 60
#: How often the looks ask whether one is due (adapter.cognito.pool_scanner), in seconds.
IDLE_S = 0.1
SIGNUPS_PER_S = 0.5
SIMULATED_S = 900.0
#: People need this long at least to type in their code, and this long on average beyond that, in seconds.
CONFIRM_MIN_S, CONFIRM_MEAN_S = 15.0, 60.0


@dataclass(slots=True)
class _Newcomer:
    created_s: float
    place: float
    confirmed_s: float
    seen_s: float = math.inf


class _Simulation:
    """One run. Workers are generators that yield the time at which they go on."""

    def __init__(self, users: int, *, standing: int, early: bool, seed: int) -> None:
        self._standing = standing
        self._early = early
        self._now_s = 0.0
        self._newcomers = list(_newcomers(random.Random(seed)))
        self._arriving = deque(self._newcomers)
        self._present: list[_Newcomer] = []
        self._tidied_s = 0.0
        self._limiter = RateLimiter(RPS, clock=lambda: self._now_s, sleep=lambda _: None)
        policy = ShardPolicy(users=users, last_full_scan_at=0.0)
        policy.measured(LATENCY_S)
        self._workers = policy.workers(RPS, 0.0)
        self._shards = len(policy.prefixes(self._workers))
        self._shard_pages = math.ceil(users / PAGE / self._shards)
        self._waiting: list[int] = []
        self._schedule = SignupSchedule(lambda: RPS, lambda: users / PAGE, ("UNCONFIRMED", "FORCE_CHANGE_PASSWORD"))

    def run(self) -> list[float]:
        """Seconds from sign-up to detection of everybody who signed up."""
        order = itertools.count()
        workers = [self._sweeper() for _ in range(self._workers)] + ([self._looker()] if self._early else [])
        agenda = [(0.0, next(order), worker) for worker in workers]
        while any(one.seen_s == math.inf for one in self._newcomers) or self._now_s < SIMULATED_S:
            for _ in range(1000):
                self._now_s, _, worker = heapq.heappop(agenda)
                heapq.heappush(agenda, (next(worker), next(order), worker))
        return [one.seen_s - one.created_s for one in self._newcomers]

    def _request(self) -> Iterator[float]:
        """One request: waits for its turn and half of its time; the caller then looks, and waits the other half."""
        yield self._now_s + self._limiter.acquire() + LATENCY_S / 2

    def _sweeper(self) -> Iterator[float]:
        """One listing after the other, sweep after sweep."""
        while True:
            if not self._waiting:
                self._waiting = list(range(self._shards))
            shard = self._waiting.pop(0)
            for page in range(self._shard_pages):
                yield from self._request()
                low = (shard + page / self._shard_pages) / self._shards
                high = low + 1 / self._shard_pages / self._shards
                self._show(one for one in self._there() if low <= one.place < high)
                yield self._now_s + LATENCY_S / 2

    def _there(self) -> list[_Newcomer]:
        """Who signed up by now, without those who were seen and have confirmed: nobody looks for them any more."""
        while self._arriving and self._arriving[0].created_s <= self._now_s:
            self._present.append(self._arriving.popleft())
        if self._now_s > self._tidied_s + 1:
            self._tidied_s = self._now_s
            self._present = [one for one in self._present if one.seen_s == math.inf or one.confirmed_s > self._now_s]
        return self._present

    def _show(self, users: Iterable[_Newcomer]) -> None:
        for one in users:
            one.seen_s = min(one.seen_s, self._now_s + LATENCY_S / 2)

    def _looker(self) -> Iterator[float]:
        """Looks for sign-ups, as adapter.cognito.pool_scanner makes them."""
        while True:
            status = self._schedule.due(self._now_s)
            if status is None:
                yield self._now_s + IDLE_S
                continue
            requests = users = pages = 0
            over = False
            while not over:
                yield from self._request()
                slice_ = [one for one in self._there() if one.confirmed_s > self._now_s]
                total = self._standing + len(slice_)
                if status != "UNCONFIRMED":
                    slice_, total = [], self._standing // 5
                pages = max(1, math.ceil(total / PAGE))
                self._show(one for one in slice_ if requests / pages <= one.place < (requests + 1) / pages)
                requests, users = requests + 1, users + min(PAGE, total)
                yield self._now_s + LATENCY_S / 2
                over = requests >= pages or requests == self._schedule.requests_max()
            self._schedule.finished(status, requests, users, self._now_s, broken_off=requests < pages)


def _newcomers(chance: random.Random) -> Iterator[_Newcomer]:
    at = 0.0
    while (at := at + chance.expovariate(SIGNUPS_PER_S)) < SIMULATED_S:
        stays = CONFIRM_MIN_S + chance.expovariate(1 / CONFIRM_MEAN_S)
        yield _Newcomer(at, chance.random(), at + stays)


def p99(values: list[float]) -> float:
    """The value that 99 of 100 stay below."""
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


def run(options: Options) -> list[Figure]:
    """`signup_to_event_p99_s` and `signup_to_event_p99_s_sweep_only`."""
    say("sign-ups: simulated")

    def simulated(*, standing: int, early: bool, seed: int) -> float:
        return p99(_Simulation(1_000_000, standing=standing, early=early, seed=seed).run())

    rounds = range(min(options.rounds, 3))
    with_looks = [simulated(standing=300, early=True, seed=seed) for seed in rounds]
    larger = {
        f"p99_s_with_{standing}_abandoned_signups": round(simulated(standing=standing, early=True, seed=0), 2)
        for standing in (0, 1_000, 3_000, 10_000)
    }
    about = "pool of 1,000,000, 30 requests/s, 80 ms, simulated time"
    return [
        Figure(
            key="signup_to_event_p99_s",
            values=with_looks,
            unit="s",
            about=f"{about}; 300 sign-ups were abandoned and stay UNCONFIRMED, 60 users are in FORCE_CHANGE_PASSWORD",
            goal=5,
            at_least=False,
            extra=larger,
        ),
        Figure(
            key="signup_to_event_p99_s_sweep_only",
            values=[simulated(standing=300, early=False, seed=seed) for seed in rounds],
            unit="s",
            about=f"the baseline: the same without looks between pages; {about}",
        ),
    ]
