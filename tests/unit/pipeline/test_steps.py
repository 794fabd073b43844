"""A source that is run a page at a time: several can take turns in one thread."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

from tests.support import wait_until
from tests.support.rig import MemoryPool, MemorySink, Rig


def filled(users: int) -> MemoryPool:
    pool = MemoryPool(page_size=10)
    for number in range(users):
        pool.create(f"user-{number}", at=time.time() - 60)
    return pool


def test_a_step_reads_one_page_at_most(tmp_path: Path) -> None:
    pool = filled(100)
    with Rig.start(pool, MemorySink(), tmp_path / "state.db") as rig:
        requests = [len(pool.requests) for _ in islice(rig.service.steps(), 9)]
        assert requests == list(range(1, 10))
        assert not rig.store.meta().baseline_done


def test_two_sources_take_turns_in_one_thread(tmp_path: Path) -> None:
    pools, sinks = (filled(30), filled(50)), (MemorySink(), MemorySink())
    with (
        Rig.start(pools[0], sinks[0], tmp_path / "a.db") as first,
        Rig.start(pools[1], sinks[1], tmp_path / "b.db") as second,
    ):
        sources = [rig.service.steps() for rig in (first, second)]

        def turn() -> None:
            for steps in sources:
                next(steps)

        def done() -> bool:
            turn()
            return all(sink.names() == ["new"] for sink in sinks)

        while not all(rig.store.meta().baseline_done for rig in (first, second)):
            turn()
        for pool in pools:
            pool.create("new")
        wait_until(done, what="both events")
