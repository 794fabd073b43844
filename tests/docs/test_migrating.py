"""docs/migrating.md: what it promises of moving is what happens, and its table of defects is that of the tests."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.rig import DOWN, MemoryPool, MemorySink, Rig
from tools.docs.site.markdown import blocks

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/migrating.md").read_text()
DEFECTS = ROOT / "tests/emulator/test_original_defects.py"


def test_each_defect_has_its_row_and_its_test() -> None:
    rows = re.findall(r"^\|.*\| `(test_\d\d_\w+)` \|$", GUIDE, re.MULTILINE)
    functions = [node.name for node in ast.parse(DEFECTS.read_text()).body if isinstance(node, ast.FunctionDef)]
    assert rows == [name for name in functions if re.match(r"test_\d\d_", name)]
    assert [row[5:7] for row in rows] == [f"{number:02}" for number in range(1, 26)]


def test_the_switch_loses_nothing(tmp_path: Path) -> None:
    """Step 3: our adapter stops, then the old source stops, then ours starts with the real sink and its old state."""
    pool, trial, real, state = MemoryPool(), MemorySink(), MemorySink(), tmp_path / "state.db"
    pool.create("long-ago", at=0)
    with Rig.start(pool, trial, state) as rig:
        rig.sweep()
        pool.create("while-both-ran")
        rig.sweep()
    pool.create("between-the-two-stops")
    pool.create("after-the-old-one-stopped")
    with Rig.start(pool, real, state) as rig:
        rig.sweep()
    assert trial.names() == ["while-both-ran"]
    assert real.names() == ["after-the-old-one-stopped", "between-the-two-stops"]


def test_a_state_that_was_lost_is_made_up_for_by_a_snapshot_except_for_deletions(tmp_path: Path) -> None:
    """What docs/kubernetes.md says of a container without a volume: a gap, or everybody again with a snapshot."""
    pool, before, after, snapshot = MemoryPool(), MemorySink(), MemorySink(), MemorySink()
    pool.create("stays", at=1)
    pool.create("goes", at=1)
    with Rig.start(pool, before, tmp_path / "first.db", initial="snapshot") as rig:
        rig.sweep()
        before.answer = lambda _: DOWN
        pool.create("undelivered", at=2)
        rig.sweep()
    del pool.users["goes"]
    pool.create("meanwhile", at=3)
    with Rig.start(pool, after, tmp_path / "second.db") as rig:
        rig.sweep()
    assert after.told() == []
    with Rig.start(pool, snapshot, tmp_path / "third.db", initial="snapshot") as rig:
        rig.sweep()
    assert snapshot.names() == ["meanwhile", "stays", "undelivered"]
    again = {event.key: event.id for event in snapshot.events}
    assert again["stays"] in {event.id for event in before.events}


@pytest.mark.skipif(shutil.which("jq") is None, reason="the guide's comparison needs jq")
def test_the_comparison_of_the_guide_finds_what_only_the_old_source_told(tmp_path: Path) -> None:
    def user(name: str, date: str) -> dict[str, object]:
        return {"Username": name, "UserLastModifiedDate": date, "Enabled": True}

    both, coalesced = user("both", "2026-01-01T00:00:00Z"), user("twice", "2026-01-01T00:00:01Z")
    ours = [both, user("twice", "2026-01-01T00:00:02Z"), user("page-two", "2026-01-01T00:00:03Z")]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps({"id": "1", "data": each}) + "\n" for each in ours))
    (tmp_path / "old.jsonl").write_text("".join(json.dumps(each) + "\n" for each in (both, coalesced)))
    (script,) = [block.text for block in blocks(GUIDE) if "comm -13" in block.text]
    done = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "twice\t2026-01-01T00:00:01Z\n"
