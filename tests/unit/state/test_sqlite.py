"""The SQLite store: the contract, and the files it refuses."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapter.errors import StateError, StoreUnavailableError
from adapter.state.base import Store
from adapter.state.factory import open_store
from adapter.state.sqlite import schema
from adapter.state.sqlite.lock import HeldError, Holder, holder_of
from adapter.state.sqlite.store import SqliteStore
from adapter.state.sqlite.table import connect
from tests.support.state_contract import OTHER_POOL, POOL, Opener, StateContract, all_users, known


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def opener(path: Path) -> Iterator[Opener]:
    opened: list[Store] = []

    def open_(pool_arn: str = POOL) -> Store:
        opened.append(SqliteStore(path, pool_arn))
        return opened[-1]

    yield open_
    for store in opened:
        store.close()


class TestSqliteContract(StateContract):
    """All of the contract."""


def _fingerprint(folder: Path) -> dict[str, str]:
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.iterdir())
        if file.is_file() and not file.name.endswith((".lock", "-shm"))
    }


def _filled(path: Path, users: int = 2_000) -> None:
    store = SqliteStore(path, POOL)
    store.apply([known(f"user-{n}") for n in range(users)])
    store.close()


def _execute(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def _overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def _foreign(path: Path) -> None:
    _execute(path, "CREATE TABLE users (id)", "PRAGMA journal_mode = WAL")


def _newer(path: Path) -> None:
    _filled(path)
    _execute(path, f"PRAGMA user_version = {schema.VERSION + 1}")


def _without_meta(path: Path) -> None:
    _filled(path)
    _execute(path, "DELETE FROM meta")


def _truncated(path: Path) -> None:
    _filled(path)
    os.truncate(path, path.stat().st_size // 2)


def _torn(path: Path) -> None:
    _filled(path)
    _overwrite(path, 10 * 4096, b"\xff" * 4096)


def _text(path: Path) -> None:
    path.write_text("not a database, " * 100)


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "of another program": (_foreign, "another program"),
    "of a newer adapter": (_newer, "newer adapter"),
    "without its pool": (_without_meta, "does not say which pool"),
    "truncated": (_truncated, "truncated"),
    "torn": (_torn, "damaged"),
    "not SQLite": (_text, "not a SQLite database"),
    "empty": (Path.touch, "is empty"),
    "a folder": (Path.mkdir, "is a folder"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_is_not_a_sound_state_is_refused_and_not_a_byte_of_it_changes(path: Path, kind: str) -> None:
    make, message = REFUSED[kind]
    make(path)
    before = _fingerprint(path.parent)
    with pytest.raises(StateError, match=message) as refused:
        SqliteStore(path, POOL)
    assert str(refused.value).startswith("STATE_URL: ")
    assert "\n" not in str(refused.value)
    assert str(path) in str(refused.value)
    assert _fingerprint(path.parent) == before


def test_another_pools_file_with_an_unfinished_log_is_refused_and_neither_changes(path: Path) -> None:
    child = _child(path, "crash")
    child.communicate(timeout=60)
    before = _fingerprint(path.parent)
    assert path.name + "-wal" in before
    with pytest.raises(StateError, match="belongs to the pool"):
        SqliteStore(path, OTHER_POOL)
    assert _fingerprint(path.parent) == before
    store = SqliteStore(path, POOL)
    assert store.count() == 50
    store.close()


def test_a_log_without_its_file_is_refused(path: Path) -> None:
    child = _child(path, "crash")
    child.communicate(timeout=60)
    path.unlink()
    with pytest.raises(StateError, match="delete the log too"):
        SqliteStore(path, POOL)
    assert not path.exists()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"folder .*missing of .* does not exist"):
        SqliteStore(tmp_path / "missing" / "state.db", POOL)


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind the superuser")
def test_a_folder_or_file_without_permission_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(StateError, match="must be writable"):
        SqliteStore(folder / "state.db", POOL)


def test_only_the_owner_can_read_the_file(path: Path) -> None:
    _filled(path, 1)
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in path.parent.iterdir()) == ["state.db", "state.db.lock"]


def test_a_file_can_be_moved_to_another_place(path: Path, tmp_path: Path) -> None:
    _filled(path, 7)
    moved = tmp_path / "ümläut ?#%20.db"
    shutil.move(path, moved)
    store = SqliteStore(moved, POOL)
    assert store.count() == 7
    store.close()


def test_an_older_layout_is_brought_up_to_date_and_keeps_its_users(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _filled(path, 5)
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    step = ("ALTER TABLE users ADD COLUMN note TEXT", "UPDATE users SET note = 'moved'")
    connection = connect(str(path))
    assert schema.migrate(connection, (*schema.MIGRATIONS, step)) == 1
    assert schema.version_of(connection) == schema.VERSION
    assert connection.execute("SELECT DISTINCT note FROM users").fetchall() == [("moved",)]
    assert schema.migrate(connection, (*schema.MIGRATIONS, step)) == 0
    connection.close()
    store = SqliteStore(path, POOL)
    assert all_users(store) == {f"user-{n}": known(f"user-{n}") for n in range(5)}
    store.close()


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    _filled(path, 5)
    connection = connect(str(path))
    steps = (*schema.MIGRATIONS, ("DROP TABLE users",), ("no such statement",))
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(connection, steps)
    connection.close()
    store = SqliteStore(path, POOL)
    assert store.count() == 5
    store.close()


def test_a_commit_that_fails_stores_nothing_of_it(path: Path) -> None:
    store = SqliteStore(path, POOL)
    store.apply([known("anna")])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute(
        "CREATE TRIGGER full BEFORE INSERT ON users WHEN NEW.username = 'carl' BEGIN SELECT RAISE(FAIL, 'no'); END"
    )
    with pytest.raises(StoreUnavailableError):
        store.apply([known("ben"), known("carl")], ["anna"])
    assert all_users(store) == {"anna": known("anna")}
    other.execute("DROP TRIGGER full")
    other.close()
    store.apply([known("ben"), known("carl")], ["anna"])
    assert set(all_users(store)) == {"ben", "carl"}
    store.close()


def test_a_lock_whose_file_was_deleted_is_no_longer_held(path: Path) -> None:
    store = SqliteStore(path, POOL)
    assert store.held()
    path.with_name("state.db.lock").unlink()
    assert not store.held()
    store.close()


_CHILD = """
import os, signal, sys
from pathlib import Path
from adapter.state.sqlite.store import SqliteStore
from tests.support.state_contract import POOL, known
store = SqliteStore(Path(sys.argv[1]), POOL)
print("open", flush=True)
if sys.argv[2] == "crash":
    store.apply([known(f"user-{n}") for n in range(50)])
    os.kill(os.getpid(), signal.SIGKILL)
n = 0
while sys.argv[2] == "loop":
    n += 1
    rows = store.apply([known(f"user-{k}", revision=n) for k in range(20)], [f"extra-{n - 1}"])
    store.apply([known(f"extra-{n}", revision=n)])
    print(n, flush=True)
sys.stdin.read()
"""


def _child(path: Path, what: str) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(path), what],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[3],
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n"
    return child


def test_the_lock_of_another_process_is_refused_until_it_is_killed(path: Path) -> None:
    child = _child(path, "hold")
    try:
        with pytest.raises(HeldError, match=f"process {child.pid} on ") as refused:
            SqliteStore(path, POOL)
        assert refused.value.holder.pid == child.pid
        holder = holder_of(path.with_name("state.db.lock"))
        assert holder is not None
        assert holder.pid == child.pid
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    store = SqliteStore(path, POOL)
    assert store.held()
    store.close()
    assert holder_of(path.with_name("state.db.lock")) is None


@pytest.mark.parametrize("after", [1, 7, 30])
def test_every_acknowledged_commit_is_there_after_a_kill_and_none_by_halves(path: Path, after: int) -> None:
    child = _child(path, "loop")
    assert child.stdout is not None
    acknowledged = 0
    while acknowledged < after:
        acknowledged = int(child.stdout.readline())
    child.kill()
    rest = child.stdout.read()  # communicate() does not see what readline() read ahead
    child.communicate()
    acknowledged = max([acknowledged, *map(int, rest.split())])
    store = SqliteStore(path, POOL)
    users = all_users(store)
    revisions = {user.revision for name, user in users.items() if name.startswith("user-")}
    assert len(revisions) == 1
    (revision,) = revisions
    assert acknowledged <= revision <= acknowledged + 1
    extras = [user.revision for name, user in users.items() if name.startswith("extra-")]
    assert extras in ([revision], [])
    assert extras or revision == acknowledged + 1
    store.close()


def test_an_adapter_that_waits_takes_over_when_the_other_one_ends(path: Path) -> None:
    first = SqliteStore(path, POOL)
    seen: list[int] = []

    def pause(_seconds: float) -> bool:
        if len(seen) == 2:
            first.close()
        return False

    second = open_store(f"sqlite:///{path}", POOL, waiting=lambda holder: seen.append(holder.pid), pause=pause)
    assert seen == [os.getpid(), os.getpid()]
    assert second.held()
    second.close()


def test_an_adapter_that_waits_gives_up_when_told_to(path: Path) -> None:
    first = SqliteStore(path, POOL)
    with pytest.raises(HeldError):
        open_store(f"sqlite:///{path}", POOL, waiting=lambda _holder: None, pause=lambda _seconds: True)
    first.close()


@pytest.mark.parametrize("damage", [b"pool_arn T\xffXT", b"pool_xxx TEXT", b"\xff\xff\xff\xff\xff\xff\xff\xff TEXT"])
def test_a_damaged_layout_is_a_damaged_file_whatever_sqlite_says(path: Path, damage: bytes) -> None:
    _filled(path, 1)
    data = path.read_bytes()
    _overwrite(path, data.index(b"pool_arn TEXT"), damage)
    before = _fingerprint(path.parent)
    with pytest.raises(StateError, match="damaged"):
        SqliteStore(path, POOL)
    assert _fingerprint(path.parent) == before


def test_a_file_name_that_is_not_utf8_is_one_like_any_other(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/state-\xff.db"))
    _filled(path, 1)
    store = SqliteStore(path, POOL)
    assert store.count() == 1
    store.close()


@pytest.mark.parametrize("content", [b"", b"[" * 5_000, b"\xff", b"{}", b"7"])
def test_a_lock_with_strange_content_is_held_by_somebody(path: Path, content: bytes) -> None:
    store = SqliteStore(path, POOL)
    lock = path.with_name("state.db.lock")
    lock.write_bytes(content)
    assert holder_of(lock) == Holder()
    with pytest.raises(HeldError):
        SqliteStore(path, POOL)
    store.close()


def test_a_name_that_is_no_text_any_more_is_a_damaged_file_and_not_quoted(path: Path) -> None:
    store = SqliteStore(path, POOL)
    store.apply([known("ada-lovelace")])
    store.close()
    data = path.read_bytes()
    at = -1
    while (at := data.find(b"lovelace", at + 1)) >= 0:
        _overwrite(path, at, b"\xff")
    store = SqliteStore(path, POOL)
    with pytest.raises(StateError, match="damaged") as refused:
        all_users(store)
    store.close()
    assert "ada" not in str(refused.value)


def test_a_pool_that_is_no_arn_any_more_is_told_in_one_line(path: Path) -> None:
    _filled(path, 1)
    _overwrite(path, path.read_bytes().rindex(b"arn:aws:cognito-idp") + 4, b"\n\x1b")
    with pytest.raises(StateError, match="belongs to the pool") as refused:
        SqliteStore(path, POOL)
    assert str(refused.value).isprintable()


def test_a_digest_of_another_size_is_damage_not_a_user_who_is_mistaken_for_another(path: Path) -> None:
    _filled(path, users=3)
    _execute(path, "UPDATE users SET digest = x'00' WHERE row = 2")
    store = SqliteStore(path, POOL)
    try:
        with pytest.raises(StateError, match="is damaged"):
            list(store.digests())
    finally:
        store.close()
