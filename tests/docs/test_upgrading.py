"""What docs/upgrading.md promises: what every version since 0.1.0 wrote and offered works with the present code.

tests/golden has a folder for each version, recorded when it was released by `python -m tests.golden`.
"""

from __future__ import annotations

import copy
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from adapter.config import settings as config
from adapter.errors import StateError
from adapter.state import export as transfer
from adapter.state.base import Meta
from adapter.state.dynamodb import items as dynamo_items
from adapter.state.sqlite import schema
from adapter.state.sqlite.store import SqliteStore
from adapter.version import VERSION
from tests.golden import interface, story
from tests.golden.__main__ import FOLDER, environments, play_on, restore
from tests.support.rig import ARN, MemoryPool
from tests.support.state_contract import all_users

RECORDED = sorted(path for path in FOLDER.iterdir() if re.fullmatch(r"\d+\.\d+\.\d+", path.name))
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=RECORDED, ids=lambda path: path.name)
def recorded(request: pytest.FixtureRequest) -> Path:
    """What one version left behind."""
    folder: Path = request.param
    return folder


@pytest.fixture
def state(recorded: Path, tmp_path: Path) -> Path:
    """The SQLite file of that version."""
    path = tmp_path / "state.db"
    restore((recorded / "state.sql").read_text(), path)
    return path


@pytest.fixture
def pool(recorded: Path) -> MemoryPool:
    """The pool as that version saw it last."""
    found = MemoryPool()
    found.users = {user["Username"]: user for user in json.loads((recorded / "pool.json").read_text())}
    found._subs = len(found.users)
    return found


def events_of(recorded: Path, part: str) -> Any:
    return json.loads((recorded / "events.json").read_text())[part]


def test_this_version_is_recorded() -> None:
    assert VERSION in [path.name for path in RECORDED], "run python -m tests.golden, and commit what it writes"


def test_an_older_state_is_taken_over_and_nothing_is_told_twice_or_never(
    recorded: Path, state: Path, pool: MemoryPool
) -> None:
    """Only what that version was sending when it ended is told at the start, with the id that it had."""
    told = play_on(pool, state)
    assert told["at start"] == events_of(recorded, "at start")
    assert [event["id"] for event in told["at start"]] == events_of(recorded, "in doubt")


def test_events_after_an_upgrade_are_those_of_the_older_version(recorded: Path, state: Path, pool: MemoryPool) -> None:
    """The same ids, attributes and bytes: a consumer sees no difference, and goes on de-duplicating."""
    assert play_on(pool, state)["after"] == events_of(recorded, "after")


def test_an_older_state_has_the_newest_layout_once_it_was_opened(state: Path) -> None:
    SqliteStore(state, ARN).close()
    connection = sqlite3.connect(state)
    assert schema.version_of(connection) == schema.VERSION
    connection.close()


def test_an_older_export_can_be_imported(recorded: Path, state: Path, tmp_path: Path) -> None:
    lines = (recorded / "export.jsonl").read_bytes().splitlines(keepends=True)
    store, imported = SqliteStore(state, ARN), SqliteStore(tmp_path / "other.db", ARN)
    assert transfer.check_lines(lines, "export", ARN) == store.count()
    transfer.import_lines(lines, "export", imported)
    assert all_users(imported) == all_users(store)
    assert imported.meta() == store.meta() != Meta(pool_arn=ARN)
    store.close()
    imported.close()


def test_the_way_back_leads_over_an_export(recorded: Path, state: Path) -> None:
    """What the present version exports is what that version wrote, so it can read it: downgrades promise this."""
    store = SqliteStore(state, ARN)
    now = [json.loads(line) for line in transfer.export_lines(store)]
    store.close()
    then = [json.loads(line) for line in (recorded / "export.jsonl").read_bytes().splitlines()]
    assert now == then


def test_a_newer_state_is_refused_and_stays_as_it_is(state: Path) -> None:
    connection = sqlite3.connect(state)
    connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    before = state.read_bytes()
    with pytest.raises(StateError, match="newer adapter"):
        SqliteStore(state, ARN)
    assert state.read_bytes() == before


def test_an_older_manifest_means_what_it_meant(recorded: Path) -> None:
    path = recorded / "source.yaml"
    now = environments(path)
    for name, environment in json.loads((recorded / "environment.json").read_text()).items():
        assert {variable: now[name].get(variable) for variable in environment} == environment
        config.load(now[name])


def test_nothing_of_an_older_interface_is_gone(recorded: Path) -> None:
    """Variables, commands, fields of the manifest, metrics, actions of logs: names, defaults, units."""
    broken = interface.broken(json.loads((recorded / "interface.json").read_text()), interface.of_the_code())
    assert broken == [], "docs/upgrading.md promises these; what is not released yet: python -m tests.golden"


def test_a_broken_promise_would_be_named() -> None:
    present = interface.of_the_code()
    changed = copy.deepcopy(present)
    del changed["environment"]["MAX_RPS"]
    changed["environment"]["POLL_MAX_SECONDS"]["default"] = "60"
    changed["commands"]["adapter run"]["options"].remove("--once")
    changed["environment"]["NAME"]["required"] = True
    changed["environment"]["ARN"]["required"] = False  # to ask for less is no harm
    changed["environment"]["NEW"] = {"default": "", "required": False}
    broken = interface.broken(present, changed)
    assert [line.partition(" ")[2].partition(" ")[0] for line in broken] == [
        "NAME",
        "MAX_RPS",
        "POLL_MAX_SECONDS",
        "adapter",
    ]


def test_the_layouts_are_those_of_the_documentation() -> None:
    text = (ROOT / "docs/upgrading.md").read_text()
    rows = re.findall(r"^\| (\d+\.\d+\.\d+)[^|]*\| (\d+) \| (\d+) \| (\d+) \|", text, re.MULTILINE)
    assert rows[0][1:] == (str(schema.VERSION), str(dynamo_items.SCHEMA), str(transfer.VERSION))


def test_the_story_still_needs_each_shape_of_a_row(recorded: Path, state: Path) -> None:
    store = SqliteStore(state, ARN)
    revisions = {user.revision for user in all_users(store).values()}
    store.close()
    assert revisions == {-1, 0, 1}
    assert story.CREATED_S < story.LATER_S
