"""Which missing users are gone: by what means that is found out, for how many requests, and never without proof."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from adapter.cognito.base import Page
from adapter.cognito.lookups import REQUESTS_MAX, THOROUGH_MAX
from adapter.errors import FilterRefusedError, StoreUnavailableError
from adapter.pipeline.deletions import SAMPLE, DeletionsPlan, plan
from tests.support.rig import REFUSED, MemoryPool, MemorySink, Rig, ShiftedClock

PAGE = 60


@pytest.fixture
def pool() -> MemoryPool:
    return MemoryPool()


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def filled(pool: MemoryPool, users: int) -> list[str]:
    names = [f"user-{number}" for number in range(users)]
    for name in names:
        pool.create(name, at=time.time() - 60)
    return names


def delete(pool: MemoryPool, names: list[str]) -> None:
    for name in names:
        del pool.users[name]
    pool.requests.clear()


def lookups(pool: MemoryPool) -> list[str]:
    return [filter_ for filter_, _ in pool.requests if filter_ is not None]


# -- the plan ------------------------------------------------------------------------------------------------------

NEW, AGREED = list(range(0, 1000, 2)), list(range(0, 1000, 4))


def test_few_missing_users_are_looked_up_behind_the_last_one() -> None:
    assert plan([1, 3, 5, 7], [3], [], affordable=4, trusted=True, after=3) == DeletionsPlan([5, 7, 1, 3], [])


def test_where_look_ups_cost_more_than_a_sweep_two_sweeps_decide_and_a_sample_is_looked_up() -> None:
    chosen = plan(NEW, AGREED, [], affordable=400, trusted=True, after=-1)
    assert chosen.by_sweeps == AGREED
    assert len(set(chosen.look_up)) == SAMPLE
    assert set(chosen.look_up) <= set(AGREED)
    assert chosen.look_up[-1] > 900


def test_before_a_second_sweep_nothing_is_decided_by_sweeps() -> None:
    assert plan(NEW, [], [], affordable=400, trusted=True, after=-1) == DeletionsPlan([], [])


def test_sweeps_that_were_wrong_are_not_believed_and_look_ups_go_round() -> None:
    first = plan(NEW, AGREED, [], affordable=100, trusted=False, after=-1)
    assert first == DeletionsPlan(AGREED[:100], [])
    assert plan(NEW, AGREED, [], affordable=100, trusted=False, after=AGREED[99]).look_up == AGREED[100:200]


def test_where_filters_are_of_no_use_two_sweeps_decide_without_a_sample() -> None:
    assert plan(NEW, AGREED, [7], affordable=0, trusted=True, after=-1) == DeletionsPlan((), AGREED)
    assert plan(NEW, AGREED, [7], affordable=0, trusted=False, after=-1) == DeletionsPlan((), ())


def test_users_whom_the_listing_leaves_out_take_turns_in_what_is_left_or_in_a_quarter() -> None:
    unlisted = list(range(2000, 2100))
    assert plan([1, 3], [], unlisted, affordable=12, trusted=True, after=2050).look_up == [1, 3, *unlisted[51:61]]
    assert plan(NEW, NEW, unlisted, affordable=20, trusted=False, after=-1).look_up[20:] == unlisted[:5]


# -- what is reported ----------------------------------------------------------------------------------------------


def test_many_deletions_are_reported_by_the_sweep_that_finds_them(
    pool: MemoryPool, sink: MemorySink, state: Path
) -> None:
    names = filled(pool, 400)
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        delete(pool, names[: THOROUGH_MAX + 50])
        rig.sweep()
        assert sink.names() == sorted(names[: THOROUGH_MAX + 50])
        assert len(lookups(pool)) == THOROUGH_MAX + 50, "by id, once each"
        assert rig.metrics.status()["deletions_waiting"] == 0


def test_look_ups_run_side_by_side(pool: MemoryPool, sink: MemorySink, state: Path, monkeypatch: Any) -> None:
    """Each one after the first waits until another one is under way."""
    names = filled(pool, 20)
    list_users, together = pool.list_users, threading.Barrier(2)

    def slow(*, filter_: str | None = None, **rest: Any) -> Page:
        if filter_ is not None and lookups(pool):
            together.wait(20)
        return list_users(filter_=filter_, **rest)

    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        delete(pool, names[:5])
        rig.service._sweeper._scanner._policy.latency_s = 0.08  # type: ignore[attr-defined]  # PoolScanner
        monkeypatch.setattr("adapter.cognito.pool_scanner.THOROUGH_MAX", 0)
        monkeypatch.setattr(pool, "list_users", slow)
        rig.sweep()
    assert sink.names() == names[:5]


def test_users_whom_the_listing_leaves_out_keep_nobody_waiting(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    names = filled(pool, 200)
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        pool.unlisted = set(names[:50])
        for number in (60, 70, 80):
            delete(pool, [names[number]])
            rig.sweep()
            assert sink.told()[-1] == ("deleted", names[number])
            assert rig.metrics.status()["deletions_waiting"] == 0
        delete(pool, [names[7]])
        rig.sweep()
    assert [name for _, name in sink.told()] == [names[60], names[70], names[80], names[7]]


def test_one_complete_run_ends_although_the_listing_leaves_users_out(
    pool: MemoryPool, sink: MemorySink, state: Path
) -> None:
    names = filled(pool, 10)
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
    pool.unlisted = set(names[:3])
    pool.requests.clear()
    with Rig.start(pool, sink, state) as rig:
        assert rig.service.run_once()
    assert len([filter_ for filter_, _ in pool.requests if filter_ is None]) == 1
    assert sink.events == []


def slow_quota(rig: Rig) -> None:
    """From now on few look-ups are worth it: the limiter's pace is what counts, and no request waits."""
    rig.limiter._rps = rig.limiter._max_rps = 1.0
    rig.limiter.acquire = lambda: 0.0  # type: ignore[method-assign]


def test_more_deletions_than_look_ups_are_worth_are_decided_by_two_sweeps(
    pool: MemoryPool, sink: MemorySink, state: Path
) -> None:
    names = filled(pool, 400)
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        slow_quota(rig)
        delete(pool, names[:120])
        assert rig.attempt().again  # type: ignore[union-attr]  # a sweep
        assert (sink.events, lookups(pool)) == ([], [])
        assert rig.metrics.status()["deletions_waiting"] == 120
        rig.sweep()
    assert sink.names() == sorted(names[:120])
    assert 0 < len(lookups(pool)) <= SAMPLE


def test_two_sweeps_that_agree_on_users_who_are_there_delete_nobody(
    pool: MemoryPool, sink: MemorySink, state: Path
) -> None:
    names = filled(pool, 400)
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        slow_quota(rig)
        pool.unlisted = set(names[:120])
        for _ in range(30):
            pool.requests.clear()
            rig.sweep()
            assert len(lookups(pool)) <= 20
        assert sink.events == []
        delete(pool, [names[300]])
        for _ in range(20):
            rig.sweep()
    assert sink.told() == [("deleted", names[300])]


def test_a_user_who_is_missing_from_one_sweep_only_is_not_deleted(
    pool: MemoryPool, sink: MemorySink, state: Path
) -> None:
    names = filled(pool, 400)
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        slow_quota(rig)
        for round_ in range(4):
            pool.unlisted = set(names[:120]) if round_ % 2 else set(names[200:320])
            rig.sweep()
    assert sink.events == []


def test_where_a_filter_walks_the_pool_two_sweeps_decide(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    """Such a look-up costs as many requests as a sweep: one is tried, in part, and then none for a while."""
    names = filled(pool, 40 * PAGE)
    list_users = pool.list_users

    def walked(*, filter_: str | None = None, token: str | None = None, limit: int = 60) -> Page:
        page = list_users(token=token, limit=limit)
        if filter_ is None:
            return page
        pool.requests[-1] = (filter_, token)
        wanted = json.loads(filter_.partition(" = ")[2])
        return Page(users=[raw for raw in page.users if f'"{wanted}"'.encode() in raw], token=page.token)

    pool.list_users = walked  # type: ignore[method-assign]
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        delete(pool, names[-5:])
        rig.sweep()
        assert sink.events == []
        rig.sweep()
        assert sink.names() == sorted(names[-5:])
        assert len(lookups(pool)) == REQUESTS_MAX
        scanner: Any = rig.service._sweeper._scanner
        scanner._clock = ShiftedClock(100)  # the pause is over
        pool.list_users = list_users  # type: ignore[method-assign]
        delete(pool, names[:1])
        rig.sweep()
    assert sink.told()[-1] == ("deleted", names[0])


def test_a_user_whose_filters_are_refused_does_not_stop_the_look_ups_of_others(
    pool: MemoryPool, sink: MemorySink, state: Path
) -> None:
    names = filled(pool, 20)
    refuse_filters(pool, 'username = "user-0"', 'sub = "sub-1"')
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        delete(pool, names[:5])
        rig.sweep()
        assert sink.names() == names[1:5]
        rig.sweep()
        assert sink.names() == names[:5]


def test_found_by_id_under_another_name_the_known_name_is_gone(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    names = filled(pool, 3)
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        renamed = {**pool.users[names[0]], "Username": "new-name"}
        del pool.users[names[0]]
        pool.users["new-name"] = renamed
        pool.unlisted = {"new-name"}
        rig.sweep()
        rig.sweep()
    assert sorted(sink.told()) == [("created", "new-name"), ("deleted", names[0])]


def test_a_user_found_by_a_look_up_is_compared_with_what_is_known(
    pool: MemoryPool, sink: MemorySink, state: Path
) -> None:
    names = filled(pool, 3)
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        pool.unlisted = {names[0]}
        pool.set(names[0], Enabled=False)
        rig.sweep()
    assert sink.told() == [("updated", names[0])]


def test_deletions_whose_events_are_refused_are_not_looked_up_in_every_sweep(
    pool: MemoryPool, sink: MemorySink, state: Path
) -> None:
    names = filled(pool, 30)
    sink.answer = lambda _: REFUSED
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        delete(pool, names[:5])
        rig.sweep()
        pool.requests.clear()
        rig.sweep()
        assert lookups(pool) == []
        assert rig.metrics.status()["deletions_waiting"] == 0
        assert rig.metrics.status()["undelivered"] == 5


def refuse_filters(pool: MemoryPool, *filters: str) -> None:
    """From now on the pool refuses these filters."""
    list_users = pool.list_users

    def picky(*, filter_: str | None = None, **rest: Any) -> Page:
        if filter_ in filters:
            raise FilterRefusedError("not this one", code="InvalidParameterException")
        return list_users(filter_=filter_, **rest)

    pool.list_users = picky  # type: ignore[method-assign]


def test_one_complete_run_waits_for_the_second_sweep_whoever_else_is_left_out_of_the_listing(
    pool: MemoryPool, sink: MemorySink, state: Path
) -> None:
    names = filled(pool, 20)
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
    refuse_filters(pool, 'username = "user-0"', 'sub = "sub-1"')
    pool.unlisted = set(names[5:10])
    delete(pool, names[:1])
    with Rig.start(pool, sink, state) as rig:
        assert rig.service.run_once()
    assert sink.told() == [("deleted", names[0])]


def test_what_look_ups_said_before_a_fault_of_the_state_is_forgotten(
    pool: MemoryPool, sink: MemorySink, state: Path, monkeypatch: Any
) -> None:
    """The users come back before the next sweep."""
    names = filled(pool, 5)
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        back = {name: pool.users[name] for name in names[:2]}
        delete(pool, names[:2])
        deletions, pump = rig.service._sweeper._deletions, rig.service._outbox.pump

        def refuse(*args: Any, **rest: Any) -> Any:
            if deletions._gone:
                raise StoreUnavailableError("the disk is full")
            return pump(*args, **rest)

        monkeypatch.setattr(rig.service._outbox, "pump", refuse)
        assert rig.attempt() is None
        assert deletions._gone, "one of them was looked up before the fault"
        monkeypatch.undo()
        pool.users |= back
        rig.sweep()
        rig.sweep()
    assert sink.events == []


def test_who_is_found_makes_two_sweeps_not_believed_although_filters_fail_then(
    pool: MemoryPool, sink: MemorySink, state: Path
) -> None:
    names = filled(pool, 400)
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        slow_quota(rig)
        pool.unlisted = set(names[:120])
        rig.sweep()
        refuse_filters(pool, *(f'{kind} = "{value}{number}"' for number in range(6, 400) for kind, value in KINDS))
        for _ in range(5):
            rig.sweep()
        assert sink.events == []


KINDS = (("username", "user-"), ("sub", "sub-"))
