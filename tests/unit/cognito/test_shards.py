"""How a pool is read: alone or in shards, and the threads that do it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from uuid import UUID

import pytest

from adapter.cognito.shards import FULL_SCAN_S, JUDGED_AFTER, PAUSE_MAX_S, PAUSE_S, WORKERS_MAX, ShardPolicy

Over = Callable[[], bool]


def policy(users: int = 1_000_000, latency_s: float = 0.08) -> ShardPolicy:
    found = ShardPolicy(users=users, last_full_scan_at=0)
    found.measured(latency_s)
    return found


@pytest.mark.parametrize(
    ("users", "rps", "latency_s", "workers"),
    [
        (1_000_000, 30, 0.08, 4),
        (1_000_000, 10, 0.08, 1),
        (1_000_000, 10, 0.2, 4),
        (1_000_000, 120, 0.08, 13),
        (1_000_000, 1000, 0.08, WORKERS_MAX),
        (1_000_000, 1e9, 0.0006, 1),
        (50_000, 1000, 0.08, 16),
        (7_000, 30, 0.08, 1),
        (0, 30, 0.08, 1),
    ],
)
def test_a_pool_is_read_in_shards_when_one_listing_is_slower_than_the_pace(
    users: int, rps: float, latency_s: float, workers: int
) -> None:
    assert policy(users, latency_s).workers(rps, 0) == workers


def test_many_workers_get_many_shards_and_all_shards_make_the_pool() -> None:
    for workers, count in ((2, 16), (8, 16), (9, 256), (32, 256)):
        prefixes = policy().prefixes(workers)
        assert len(set(prefixes)) == count
        assert len({len(prefix) for prefix in prefixes}) == 1
    assert len(policy(users=50_000).prefixes(16)) == 16


def uuids(form: str, count: int = 512) -> list[str]:
    """UUIDs of this form, in which x is any digit."""
    random = Random(form)
    whole = form + "x" * (32 - len(form))
    digits = "".join(random.choice("0123456789abcdef") if digit == "x" else digit for digit in whole * count)
    return [str(UUID(digits[at : at + 32])) for at in range(0, len(digits), 32)]


@pytest.mark.parametrize("form", ["", "x4x8x4x8", "d", "d4f80c11", "00000000"])
@pytest.mark.parametrize("workers", [4, 32])
def test_shards_are_made_where_the_users_are_and_miss_nobody(form: str, workers: int) -> None:
    prefixes = policy().prefixes(workers, uuids(form))
    for other in (*uuids(form, 600), *uuids("", 200)):
        assert sum(other.startswith(prefix) for prefix in prefixes) == 1
    assert len(prefixes) < 600
    if "x" in form or len(form) < 2:
        others = uuids(form, 2_000)
        biggest = max(sum(sub.startswith(prefix) for sub in others) for prefix in prefixes)
        assert biggest / len(others) < (0.1 if workers == 4 else 0.02)


def test_a_pool_is_read_as_one_listing_once_a_day() -> None:
    found = policy()
    assert found.workers(30, FULL_SCAN_S) > 1
    assert found.workers(30, FULL_SCAN_S + 1) == 1
    found.full_scan(16_667, 1_000_000, FULL_SCAN_S + 1)
    assert found.workers(30, FULL_SCAN_S + 2) > 1


def test_shards_that_cost_more_than_they_save_are_noticed() -> None:
    found = policy()
    assert not found.costs_too_much(JUDGED_AFTER, JUDGED_AFTER * 31)
    assert not found.costs_too_much(JUDGED_AFTER - 1, 0)
    assert found.costs_too_much(JUDGED_AFTER, JUDGED_AFTER * 29)


def test_short_pages_everywhere_are_no_reason_to_give_up() -> None:
    found = policy()
    found.full_scan(100_000, 1_000_000, 0)
    assert not found.costs_too_much(1000, 10_000)


def test_shards_that_miss_users_are_noticed() -> None:
    assert policy().is_complete(985_000)
    assert not policy().is_complete(975_000)


def single(found: ShardPolicy, now_s: float) -> None:
    """A sweep as one listing."""
    found.begin_sweep(1_000_000)
    found.full_scan(16_667, 1_000_000, now_s)


def test_shards_that_did_not_help_pause_longer_and_longer_and_come_back() -> None:
    found, now_s, pause_s = policy(), 0.0, PAUSE_S
    for _ in range(12):
        single(found, now_s)
        assert found.workers(30, now_s) > 1
        found.no_help(now_s, cost_s=4)
        assert found.workers(30, now_s + pause_s - 1) == 1
        now_s += pause_s
        pause_s = min(2 * pause_s, PAUSE_MAX_S)
    assert found.workers(30, now_s) > 1
    assert found.is_complete(1_000_000)
    found.begin_sweep(1_000_000)  # nobody was missed
    found.no_help(now_s, cost_s=4)
    assert found.workers(30, now_s + PAUSE_S) > 1


def test_a_try_that_took_long_is_repeated_seldom() -> None:
    found = policy()
    found.no_help(1000, cost_s=550)
    single(found, 4000)
    assert found.workers(30, 5000) == 1
    assert found.workers(30, 5400) > 1


def test_doubts_make_the_next_sweep_a_single_listing_and_never_end_the_shards() -> None:
    found, now_s = policy(), 0.0
    for pause_s in (PAUSE_S, 2 * PAUSE_S, 4 * PAUSE_S):
        assert found.workers(30, now_s) > 1
        assert found.is_complete(1_000_000)
        found.report_missed_user(now_s)
        found.report_missed_user(now_s)  # of one sweep; it counts once
        found.begin_sweep(1_000_000)
        assert found.workers(30, now_s + 1e6) == 1
        single(found, now_s)
        assert found.workers(30, now_s + pause_s - 1) == 1
        now_s += pause_s
    assert found.workers(30, now_s) > 1


def test_a_user_whom_a_single_listing_missed_says_nothing_about_shards() -> None:
    found = policy()
    single(found, 0)
    found.report_missed_user(0)
    assert found.workers(30, 0) > 1
