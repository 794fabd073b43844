"""How a pool is read: alone or in shards, and the threads that do it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from random import Random
from uuid import UUID

import pytest

from adapter.cognito.base import Page
from adapter.cognito.shards import AUDIT_S, JUDGED_AFTER, PAUSE_MAX_S, PAUSE_S, WORKERS_MAX, Merge, ShardPolicy
from adapter.errors import UnavailableError
from tests.support import wait_until

Over = Callable[[], bool]


def policy(users: int = 1_000_000, latency_s: float = 0.08) -> ShardPolicy:
    found = ShardPolicy(users=users, audited_s=0)
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
    assert found.workers(30, AUDIT_S) > 1
    assert found.workers(30, AUDIT_S + 1) == 1
    found.whole(16_667, 1_000_000, AUDIT_S + 1)
    assert found.workers(30, AUDIT_S + 2) > 1


def test_shards_that_cost_more_than_they_save_are_noticed() -> None:
    found = policy()
    assert not found.too_dear(JUDGED_AFTER, JUDGED_AFTER * 31)
    assert not found.too_dear(JUDGED_AFTER - 1, 0)
    assert found.too_dear(JUDGED_AFTER, JUDGED_AFTER * 29)


def test_short_pages_everywhere_are_no_reason_to_give_up() -> None:
    found = policy()
    found.whole(100_000, 1_000_000, 0)
    assert not found.too_dear(1000, 10_000)


def test_shards_that_miss_users_are_noticed() -> None:
    assert policy().adds_up(985_000)
    assert not policy().adds_up(975_000)


def single(found: ShardPolicy, now_s: float) -> None:
    """A sweep as one listing."""
    found.begin_sweep(1_000_000)
    found.whole(16_667, 1_000_000, now_s)


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
    assert found.adds_up(1_000_000)
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
        assert found.adds_up(1_000_000)
        found.doubt(now_s)
        found.doubt(now_s)  # of one sweep; it counts once
        found.begin_sweep(1_000_000)
        assert found.workers(30, now_s + 1e6) == 1
        single(found, now_s)
        assert found.workers(30, now_s + pause_s - 1) == 1
        now_s += pause_s
    assert found.workers(30, now_s) > 1


def test_a_user_whom_a_single_listing_missed_says_nothing_about_shards() -> None:
    found = policy()
    single(found, 0)
    found.doubt(0)
    assert found.workers(30, 0) > 1


def listing(*names: str) -> Callable[[Over], Iterator[Page]]:
    return lambda _: iter([Page(users=[name.encode()], token=None) for name in names])


def merged(merge: Merge[Page]) -> list[bytes]:
    return sorted(raw for page in merge.pages() for raw in page.users)


def never() -> bool:
    return False


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_all_pages_of_all_listings_come_out(workers: int) -> None:
    merge = Merge([listing("a", "b"), listing(), listing("c")], workers, should_stop=never)
    assert merged(merge) == [b"a", b"b", b"c"]
    assert merge.complete


def test_many_pages_pass_a_small_queue() -> None:
    many = [str(number) for number in range(200)]
    assert len(merged(Merge([listing(*many)] * 4, 2, should_stop=never))) == 800


def test_the_fault_of_one_listing_is_raised_and_ends_the_others() -> None:
    ended = threading.Event()

    def endless(over: Over) -> Iterator[Page]:
        while not over():
            yield Page(users=[b"x"], token="t")
        ended.set()

    def faulty(_: Over) -> Iterator[Page]:
        yield Page(users=[b"a"], token="t")
        raise UnavailableError("gone", code="x")

    with pytest.raises(UnavailableError, match="gone"):
        merged(Merge([endless, faulty], 2, should_stop=never))
    assert ended.wait(5)


def test_what_runs_aside_ends_with_the_listings() -> None:
    aside_ran, release = threading.Event(), threading.Event()

    def aside(over: Over) -> Iterator[Page]:
        yield Page(users=[b"aside"], token="t")
        aside_ran.set()
        while not over():
            release.wait(0.01)

    def main(_: Over) -> Iterator[Page]:
        assert aside_ran.wait(5)
        yield Page(users=[b"main"], token=None)

    found = merged(Merge([main], 1, aside=aside, should_stop=never))
    assert found == [b"aside", b"main"]
    assert threading.active_count() < 10


def test_listings_whose_pages_were_not_all_taken_are_not_complete() -> None:
    stop = threading.Event()
    merge = Merge([listing("a"), listing("b")], 2, should_stop=stop.is_set)
    pages = merge.pages()
    next(pages)
    wait_until(lambda: not any(thread.name.startswith("listing-") for thread in threading.enumerate()))
    stop.set()  # all were read, and half of them lie in the queue
    assert list(pages) == []
    assert not merge.complete


def test_a_stop_ends_everything_early() -> None:
    stop = threading.Event()

    def endless(over: Over) -> Iterator[Page]:
        while not over():
            yield Page(users=[b"x"], token="t")

    pages = Merge([endless, endless], 2, should_stop=stop.is_set).pages()
    next(pages)
    stop.set()
    assert len(list(pages)) <= 8


def test_a_consumer_that_goes_away_ends_the_threads() -> None:
    over_now = threading.Event()

    def endless(over: Over) -> Iterator[Page]:
        while not over():
            yield Page(users=[b"x"], token="t")
        over_now.set()

    pages = Merge([endless], 1, should_stop=never).pages()
    next(pages)
    pages.close()  # type: ignore[attr-defined]  # a generator, said to be an iterator
    assert over_now.wait(5)
