"""Faults of the surroundings of a state file are not damage: the adapter waits for their end, at its start too."""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from adapter.config.settings import load
from adapter.errors import StateError, StoreUnavailableError
from adapter.observability.health import Health
from adapter.runtime.app import _open_store
from adapter.runtime.standby import Standby
from adapter.state import faults
from adapter.state.sqlite.lock import FileLock, HeldError
from adapter.state.sqlite.store import SqliteStore
from tests.support.rig import MemoryPool
from tests.support.state_contract import POOL, all_users, known

ROOT = Path(__file__).resolve().parents[3]


def _error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("of ada.lovelace")
    error.sqlite_errorcode = code
    error.sqlite_errorname = "SQLITE_X"
    return error


def _primary_codes() -> dict[str, int]:
    codes = {name: getattr(sqlite3, name) for name in dir(sqlite3) if re.fullmatch(r"SQLITE_[A-Z]+", name)}
    # The names of rescode.html; the module's other constants are of authorizers and limits.
    names = """
        INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT NOTFOUND FULL CANTOPEN PROTOCOL EMPTY
        SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT RANGE NOTADB NOTICE WARNING ERROR
    """
    return {name: codes[f"SQLITE_{name}"] for name in names.split()}


def test_every_code_of_sqlite_is_either_damage_or_a_fault_of_the_surroundings() -> None:
    codes = set(_primary_codes().values())
    assert len(codes) == 28
    assert codes == faults.DAMAGE | set(faults.SURROUNDINGS)
    assert not faults.DAMAGE & set(faults.SURROUNDINGS)


@pytest.mark.parametrize("name", sorted(_primary_codes()))
@pytest.mark.parametrize("extended", [0, 1 << 8, 77 << 8])
def test_only_damage_is_a_reason_to_give_a_state_up(name: str, extended: int) -> None:
    found = faults.of_sqlite(_error(_primary_codes()[name] | extended), "the state file s.db")
    damaged = name in ("CORRUPT", "NOTADB", "ERROR")
    assert isinstance(found, StateError if damaged else StoreUnavailableError)
    assert ("move it away" in str(found)) is damaged
    assert "ada" not in str(found)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, StoreUnavailableError),
        (errno.EDQUOT, StoreUnavailableError),
        (errno.EIO, StoreUnavailableError),
        (errno.EMFILE, StoreUnavailableError),
        (errno.EROFS, StoreUnavailableError),
        (errno.EACCES, StateError),
        (errno.ENAMETOOLONG, StateError),
        (errno.ENOTDIR, StateError),
    ],
)
def test_what_the_system_says_is_waited_for_unless_a_person_must_fix_it(number: int, kind: type[Exception]) -> None:
    found = faults.of_system(OSError(number, os.strerror(number)), "the lock can't be made", "fix it")
    assert isinstance(found, kind)
    assert os.strerror(number) in str(found)


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from adapter.errors import AdapterError
from adapter.state.sqlite.store import SqliteStore
from tests.support.state_contract import POOL
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    SqliteStore(Path(sys.argv[1]), POOL).close()
    print("opened")
except AdapterError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("users", [0, 50])
@pytest.mark.parametrize("room", [0, 1_000, 20_000])
def test_a_file_that_can_not_grow_at_the_start_is_waited_for_and_whole_afterwards(
    tmp_path: Path, users: int, room: int
) -> None:
    """A limit of the process stands for a full disk: no write goes beyond `room` bytes of a file."""
    path = tmp_path / "state.db"
    if users:
        store = SqliteStore(path, POOL)
        store.apply([known(f"user-{n}") for n in range(users)])
        store.close()
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(path), str(room)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("StoreUnavailableError STATE_URL: "), done
    assert "move it away" not in done.stdout
    assert [file.name for file in tmp_path.iterdir() if file.name.endswith((".new", ".new-wal"))] == []
    store = SqliteStore(path, POOL)
    assert len(all_users(store)) == users
    store.close()


def test_the_adapter_waits_at_its_start_says_why_once_and_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.db"
    SqliteStore(path, POOL).close()
    settings = load({"ARN": POOL, "K_SINK": "http://127.0.0.1:9", "STATE_URL": f"sqlite:///{path}"})
    health, stop = Health(), threading.Event()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr("adapter.state.sqlite.store._BUSY_MS", 0)
    waits: list[list[str]] = []

    def wait(_seconds: float | None = None) -> bool:
        waits.append(health.unready())
        if len(waits) == 3:
            other.close()
        return False

    monkeypatch.setattr(stop, "wait", wait)
    store = _open_store(settings, health, stop, Standby(MemoryPool(), health), wait=True)
    assert store is not None
    store.close()
    assert [sum("another program has it locked" in reason for reason in reasons) for reasons in waits] == [1, 1, 1]
    assert len([record for record in caplog.records if "SQLITE_BUSY" in record.message]) == 1
    assert not [reason for reason in health.unready() if reason.startswith("state")]


def test_a_lock_counts_even_where_no_room_is_left_to_note_who_holds_it(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        lock = FileLock(tmp_path / "state.db.lock")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert lock.held()
    with pytest.raises(HeldError):
        FileLock(tmp_path / "state.db.lock")
    lock.release()
