"""One sweep: where the baseline begins, and what is not worth a write."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from adapter.pipeline.sweep import baseline_start_ms
from tests.support.rig import MemoryPool, MemorySink, Rig

DATE_S = 1_700_000_000
DATE_MS = DATE_S * 1000


@pytest.mark.parametrize(
    ("asked_ms", "answered_ms", "date_s", "start_ms"),
    [
        (DATE_MS + 300, DATE_MS + 400, DATE_S, DATE_MS),  # in step
        (DATE_MS + 1900, DATE_MS + 1950, DATE_S, DATE_MS),  # a little fast
        (DATE_MS - 1500, DATE_MS - 1400, DATE_S, DATE_MS - 1500),  # a little slow
        (DATE_MS - 60_000, DATE_MS + 100, DATE_S, DATE_MS - 60_000),  # in step; the first answer took a minute
        (DATE_MS + 86_400_000, DATE_MS + 86_400_500, DATE_S, DATE_MS - 500),  # a day fast
        (0, 60_000, DATE_S, DATE_MS - 60_000),  # never set: not everybody is new
        (0, DATE_MS + 2500, DATE_S, DATE_MS - 600_000),  # set during the first request
        (DATE_MS, DATE_MS, None, DATE_MS),
    ],
)
def test_the_baseline_begins_at_the_earlier_of_both_clocks_unless_the_local_one_is_slow(
    asked_ms: int, answered_ms: int, date_s: float | None, start_ms: int
) -> None:
    assert baseline_start_ms(asked_ms, answered_ms, date_s) == start_ms


def test_a_user_created_in_the_first_second_is_reported_although_the_local_clock_is_fast(tmp_path: Path) -> None:
    pool, sink = MemoryPool(page_size=1), MemorySink()
    pool.create("old", at=time.time() - 60)
    for number in range(2):
        pool.create(f"other-{number}", at=time.time() - 60)
    pool.between_pages = lambda: None if "new" in pool.users else pool.create("new")
    with Rig.start(pool, sink, tmp_path / "state.db") as rig:
        rig.clock.wall_ms_now = lambda: int(time.time() * 1000) + 1500
        rig.sweep()
    assert sink.told() == [("created", "new")]


def test_attributes_in_another_order_make_no_event_and_no_write(tmp_path: Path, monkeypatch: Any) -> None:
    pool, sink = MemoryPool(), MemorySink()
    for name in ("alice", "bob"):
        pool.create(name, at=time.time() - 60, email="a@example.org", phone_number="+49", nickname="a")
    with Rig.start(pool, sink, tmp_path / "state.db") as rig:
        rig.sweep()
        written: list[Any] = []
        apply = rig.store.apply

        def applied(*args: Any, **rest: Any) -> Any:
            written.append(args)
            return apply(*args, **rest)

        monkeypatch.setattr(rig.store, "apply", applied)
        for turn in range(6):
            attributes = pool.users["alice"]["Attributes"]
            pool.set("alice", Attributes=attributes[1:] + attributes[:1])
            rig.sweep()
            assert written == [], turn
        pool.set("alice", Enabled=False)
        rig.sweep()
        pool.set("alice", Enabled=True)
        rig.sweep()
        del pool.users["bob"]
        rig.sweep()
    assert sink.told() == [("updated", "alice"), ("updated", "alice"), ("deleted", "bob")]


def test_a_form_that_stays_is_recognised_without_a_write(tmp_path: Path, monkeypatch: Any) -> None:
    """A service that begins to send another order, or a member more, costs one look at each user, not one a sweep."""
    pool, sink = MemoryPool(), MemorySink()
    pool.create("alice", at=time.time() - 60, email="a@example.org")
    with Rig.start(pool, sink, tmp_path / "state.db") as rig:
        rig.sweep()
        pool.set("alice", SomethingNew=1)
        rig.sweep()
        looked: list[Any] = []
        find = rig.store.find

        def found(names: Any) -> Any:
            looked.append(names)
            return find(names)

        monkeypatch.setattr(rig.store, "find", found)
        rig.sweep()
        assert looked == []
        monkeypatch.undo()
        del pool.users["alice"]
        rig.sweep()
        rig.sweep()
    assert sink.told() == [("deleted", "alice")]
