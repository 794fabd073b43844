"""A state is the file, not its name: links, and files that are deleted or replaced while they are in use."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from adapter.errors import StateError, StateReplacedError
from adapter.state.inspect import report_sqlite
from adapter.state.sqlite.lock import HeldError
from adapter.state.sqlite.place import find_file, lock_path, log_path
from adapter.state.sqlite.store import SqliteStore
from adapter.state.url import SqliteUrl
from tests.support.rig import MemoryPool, MemorySink, Rig
from tests.support.state_contract import OTHER_POOL, POOL, all_users, known

ROOT = Path(__file__).resolve().parents[3]


def _chain(link: Path, path: Path) -> None:
    middle = link.with_name("middle")
    middle.symlink_to(path)
    link.symlink_to(middle.name)


LINKS: dict[str, Callable[[Path, Path], object]] = {
    "a symbolic link": lambda link, path: link.symlink_to(path),
    "a chain of them": _chain,
    "a hard link": lambda link, path: link.hardlink_to(path),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "volume" / "state.db"
    path.parent.mkdir()
    store = SqliteStore(path, POOL)
    store.apply([known("anna")])
    store.close()
    return path


@pytest.fixture(params=sorted(LINKS))
def link(path: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    LINKS[request.param](link, path)
    return link


_OTHER = """
import sys
import time
from pathlib import Path
from adapter.state.sqlite.store import SqliteStore
from tests.support.state_contract import POOL, known
store = SqliteStore(Path(sys.argv[1]), POOL)
store.apply([known("ben")])
print("open", flush=True)
sys.stdin.read()
store.close()
"""


def _other(path: Path) -> subprocess.Popen[str]:
    """Another process that has the file open until its standard input ends."""
    command = [sys.executable, "-c", _OTHER, str(path)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n"
    return child


@pytest.mark.parametrize("first_by_link", [False, True])
def test_a_file_has_one_writer_whatever_it_is_called(path: Path, link: Path, *, first_by_link: bool) -> None:
    first, second = (link, path) if first_by_link else (path, link)
    child = _other(first)
    with pytest.raises(HeldError, match="is in use by"):
        SqliteStore(second, POOL)
    assert report_sqlite(SqliteUrl(second)).holder is not None
    child.communicate()
    store = SqliteStore(second, POOL)
    assert sorted(all_users(store)) == ["anna", "ben"]
    store.close()
    assert report_sqlite(SqliteUrl(first)).holder is None


def test_a_symbolic_link_stays_one_and_its_log_is_beside_the_file(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    child = _other(link)
    assert log_path(path).exists()
    child.kill()
    child.communicate()
    store = SqliteStore(path, POOL)
    assert sorted(all_users(store)) == ["anna", "ben"]
    store.close()
    assert link.is_symlink()


def test_a_link_is_locked_by_its_own_name_too_as_the_version_before_did(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    store = SqliteStore(link, POOL)
    assert lock_path(link).exists()
    assert lock_path(path).exists()
    assert store.held()
    store.close()


def test_a_hard_link_whose_log_goes_with_the_other_name_is_refused(path: Path) -> None:
    link = path.with_name("second.db")
    link.hardlink_to(path)
    child = _other(path)
    child.kill()
    child.communicate()
    with pytest.raises(StateError, match=r"is also called state\.db, and its log state\.db-wal goes with"):
        SqliteStore(link, POOL)
    store = SqliteStore(path, POOL)
    assert sorted(all_users(store)) == ["anna", "ben"]
    store.close()


def test_a_link_to_nothing_is_refused_and_not_replaced_by_an_empty_state(tmp_path: Path) -> None:
    link = tmp_path / "state.db"
    link.symlink_to(tmp_path / "not-mounted" / "state.db")
    for attempt in (lambda: SqliteStore(link, POOL), lambda: report_sqlite(SqliteUrl(link))):
        with pytest.raises(StateError, match=r"symbolic link to .*not-mounted.*, which does not exist; mount"):
            attempt()
    assert [file.name for file in tmp_path.iterdir()] == ["state.db"]
    assert link.is_symlink()


def test_a_link_to_itself_is_refused_in_one_line(tmp_path: Path) -> None:
    link = tmp_path / "state.db"
    link.symlink_to(link)
    with pytest.raises(StateError, match=r"^STATE_URL: the state file .*state.db .*[^\n]*$"):
        SqliteStore(link, POOL)


def _delete(path: Path) -> None:
    path.unlink()


def _delete_all(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()


def test_a_file_that_was_deleted_while_in_use_is_put_back_with_all_it_held(path: Path) -> None:
    for delete in (_delete, _delete_all):
        store = SqliteStore(path, POOL)
        store.apply([known(f"late-{delete.__name__}")])
        assert store.held()
        delete(path)
        assert not store.held()
        for _ in range(2):  # what is at its place afterwards makes no other reason of it
            with pytest.raises(StateReplacedError, match="was deleted, and was written again with all that it held"):
                store.apply([known("never-stored")])
        store.close()
        assert path.stat().st_mode & 0o777 == 0o600
    store = SqliteStore(path, POOL)
    assert sorted(all_users(store)) == ["anna", "late-_delete", "late-_delete_all"]
    store.close()
    assert sorted(file.name for file in path.parent.iterdir()) == ["state.db", "state.db.lock"]


def test_a_file_that_was_deleted_unnoticed_is_put_back_when_the_adapter_stops(path: Path) -> None:
    store = SqliteStore(path, POOL)
    store.apply([known("ben")])
    path.unlink()
    store.close()
    store = SqliteStore(path, POOL)
    assert sorted(all_users(store)) == ["anna", "ben"]
    store.close()


def test_a_file_that_was_replaced_while_in_use_is_left_as_it_is(path: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    shutil.copy(path, backup)
    store = SqliteStore(path, POOL)
    store.apply([known("ben")])
    backup.replace(path)
    assert not store.held()
    with pytest.raises(StateReplacedError, match="was replaced by another file"):
        store.apply([known("carl")])
    store.close()
    assert not log_path(path).exists()  # of the file before: SQLite would apply it to this one
    store = SqliteStore(path, POOL)
    assert sorted(all_users(store)) == ["anna"]
    store.close()


def test_a_file_that_was_renamed_while_in_use_has_all_that_was_stored(path: Path) -> None:
    store = SqliteStore(path, POOL)
    store.apply([known("ben")])
    moved = path.rename(path.with_name("moved.db"))
    SqliteStore(path.with_name("new.db"), POOL).close()
    path.with_name("new.db").rename(path)
    with pytest.raises(StateReplacedError, match="was replaced by another file"):
        store.apply([known("carl")])
    store.close()
    store = SqliteStore(moved, POOL)
    assert sorted(all_users(store)) == ["anna", "ben"]
    store.close()


def test_a_link_that_leads_elsewhere_now_is_noticed(path: Path, tmp_path: Path) -> None:
    link, other = tmp_path / "link.db", tmp_path / "other.db"
    SqliteStore(other, POOL).close()
    link.symlink_to(path)
    store = SqliteStore(link, POOL)
    link.unlink()
    link.symlink_to(other)
    with pytest.raises(StateReplacedError, match="replaced by another file"):
        store.apply([known("ben")])
    store.close()


def test_a_log_that_was_deleted_is_noticed_and_nothing_of_it_is_lost(path: Path) -> None:
    store = SqliteStore(path, POOL)
    store.apply([known("ben")])
    log_path(path).unlink()
    with pytest.raises(StateReplacedError, match="lost its log"):
        store.apply([known("carl")])
    store.close()
    store = SqliteStore(path, POOL)
    assert sorted(all_users(store)) == ["anna", "ben"]
    store.close()


def test_a_lock_that_was_deleted_ends_the_adapter_instead_of_stalling_it(path: Path) -> None:
    store = SqliteStore(path, POOL)
    lock_path(path).unlink()
    with pytest.raises(StateReplacedError, match=r"the lock of the state file .* was deleted"):
        store.apply([known("ben")])
    store.close()


def test_a_folder_that_is_no_longer_there_is_not_written_to(path: Path) -> None:
    store = SqliteStore(path, POOL)
    moved = path.parent.rename(path.parent.with_name("unmounted"))
    path.parent.mkdir()
    with pytest.raises(StateReplacedError, match="was deleted while it was in use"):
        store.apply([known("ben")])
    store.close()
    assert list(path.parent.iterdir()) == []
    store = SqliteStore(moved / "state.db", POOL)
    assert sorted(all_users(store)) == ["anna"]
    store.close()


def test_another_pools_file_is_not_locked_for_long(path: Path) -> None:
    with pytest.raises(StateError, match="belongs to the pool"):
        SqliteStore(path, OTHER_POOL)
    store = SqliteStore(path, POOL)
    assert find_file(path, "it") == path.resolve()
    store.close()


def test_an_adapter_whose_state_is_deleted_stops_and_its_next_life_reports_what_came_between(tmp_path: Path) -> None:
    path, pool, sink = tmp_path / "state.db", MemoryPool(), MemorySink()
    pool.create("anna", at=time.time() - 60)
    with Rig.start(pool, sink, path) as rig:
        assert rig.sweep()
        pool.create("ben")
        assert rig.sweep()
    with ExitStack() as life:
        rig = life.enter_context(Rig.start(pool, sink, path))
        assert rig.sweep()
        path.unlink()
        pool.create("carl")
        with pytest.raises(StateReplacedError):
            rig.sweep()
    pool.create("dora")
    with Rig.start(pool, sink, path) as rig:
        assert rig.sweep()
    assert sorted(sink.told()) == [("created", "ben"), ("created", "carl"), ("created", "dora")]
