"""The embedded store: one SQLite file, one adapter.

Write-ahead log with `synchronous=FULL`: a commit is on the disk before `apply` returns, so it survives SIGKILL and, as
far as the disk keeps its promises, a power failure. `NORMAL` would be faster but may forget the last commits after a
power failure; a user who meanwhile went back to the form that is remembered would then never be reported.

A file is looked at before anything is written: what is not ours stays as it is, byte for byte.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from adapter.errors import StateError, StoreUnavailableError
from adapter.model import KnownUser
from adapter.state import schema
from adapter.state.base import Digests, Meta
from adapter.state.lock import FileLock
from adapter.state.table import Table, connect, is_broken, name_of

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
#: Pages kept in memory, as a negative number of KiB: enough for the inner pages of a million users.
_CACHE_KIB = -8_192
_READ_BYTES = 1024 * 1024
#: What the write-ahead log is cut back to after a checkpoint, in bytes.
_WAL_LIMIT = 16 * 1024 * 1024
#: Checkpoints wait for as many pages of 4 KiB: pages that change again meanwhile are written back once.
_WAL_PAGES = _WAL_LIMIT // 4096


class SqliteStore:
    """A `Store` in the file `path`, made when there is none.

    Raises:
        HeldError: another process has this file open.
        StateError: the file is not a state of this pool, is damaged or newer, or its place can't be used.
    """

    def __init__(self, path: Path, pool_arn: str) -> None:
        self._path = path
        self._pool_arn = pool_arn
        self._where = f"the state file {path}"
        _check_place(path, self._where)
        if path.exists():
            _check_header(path, self._where)
        try:
            self._lock = FileLock(lock_path(path))
        except OSError as error:
            raise StateError(
                f"STATE_URL: the lock of {self._where} can't be made ({error.strerror}); the folder must be writable"
            ) from error
        try:
            if path.exists():
                _check_content(path, pool_arn, self._where)
            else:
                _create(path, pool_arn, self._where)
            self._connection = _open(path, self._where)
        except BaseException:
            self._lock.release()
            raise
        self._table = Table(self._connection, self._where)

    def meta(self) -> Meta:
        """The pool-wide part of the state."""
        return self._table.meta()

    def count(self) -> int:
        """How many users are known."""
        return self._table.count()

    def digests(self) -> Iterator[Digests]:
        """The digest of every known user, in groups. Read to the end before the next `apply`."""
        return self._table.digests()

    def find(self, usernames: Sequence[str]) -> Mapping[str, tuple[int, KnownUser]]:
        """The known users among these, with their rows."""
        return self._table.find(usernames)

    def rows(self, rows: Sequence[int]) -> Sequence[tuple[int, KnownUser]]:
        """The known users behind these rows, in their order; rows that are gone are left out."""
        return self._table.rows(rows)

    def apply(self, puts: Sequence[KnownUser], deletes: Sequence[str] = (), meta: Meta | None = None) -> Sequence[int]:
        """Durably store all of it or none of it: first the deletes, then the puts. Returns the rows of `puts`."""
        if meta is not None and meta.pool_arn != self._pool_arn:
            raise ValueError("this store belongs to another pool")
        return self._table.write(puts, deletes, meta)

    def held(self) -> bool:
        """Whether the lock is still ours; it is unless somebody deleted its file."""
        return self._lock.held()

    def close(self) -> None:
        """Close the file and release its lock."""
        self._connection.close()
        self._lock.release()


def _uri(path: Path, query: str) -> str:
    return f"file:{quote(os.fsencode(path.absolute()))}?{query}"


def _check_place(path: Path, where: str) -> None:
    try:
        for name in (path, lock_path(path)):
            with suppress(FileNotFoundError):
                name.lstat()
    except OSError as error:  # a name that is too long, a folder that is a file or may not be entered
        raise StateError(f"STATE_URL: {where} can't be looked at ({error.strerror}); name another place") from error
    folder = path.parent
    if not folder.is_dir():
        raise StateError(f"STATE_URL: the folder {folder} of {where} does not exist; create it, or name another place")
    if path.is_dir():
        raise StateError(f"STATE_URL: {where} is a folder; name a file in it, like {path / 'cognito-source.db'}")
    if path.exists() and not path.is_file():
        raise StateError(f"STATE_URL: {where} is not an ordinary file; name one")
    # Without the file itself, SQLite would apply the log of a lost one to the next, and damage it.
    log = path.with_name(path.name + "-wal")
    if log.exists() and not path.exists():
        raise StateError(
            f"STATE_URL: {where} is missing, but its log {log.name} is there; restore the file, or delete the log too"
        )


def _check_header(path: Path, where: str) -> None:
    """What the first page says (https://www.sqlite.org/fileformat2.html, 1.3), without asking SQLite."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
        size = path.stat().st_size
    except OSError as error:
        raise StateError(f"STATE_URL: {where} can't be read ({error.strerror}); mend its permissions") from error
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        found = "is empty" if not header else "is not a SQLite database"
        raise StateError(f"STATE_URL: {where} {found}; name another file, or move it away to start anew")
    application = int.from_bytes(header[68:72], "big")
    if application != schema.APPLICATION_ID:
        raise StateError(f"STATE_URL: {where} is a SQLite database of another program; name another file")
    page = int.from_bytes(header[16:18], "big")
    pages = int.from_bytes(header[28:32], "big")
    logged = path.with_name(path.name + "-wal")
    # With a log, pages at the end of the file may not have been written yet.
    if not logged.exists() and size < pages * (65_536 if page == 1 else page):
        raise StateError(
            f"STATE_URL: {where} is truncated ({size} bytes for {pages} pages of {page}); restore it from a backup"
        )


def lock_path(path: Path) -> Path:
    """The lock's file of a state file."""
    return path.with_name(path.name + ".lock")


@contextmanager
def looked_at(path: Path) -> Iterator[tuple[sqlite3.Connection, Meta]]:
    """A connection that can't change the file, also while an adapter uses it, and whose state it is.

    Raises:
        StateError: it is not a state, or a newer one, or damaged as far as can be seen at once.
    """
    where = f"the state file {path}"
    _check_place(path, where)
    if not path.exists():
        raise StateError(f"STATE_URL: {where} does not exist; no adapter ever used it")
    _check_header(path, where)
    logged = path.with_name(path.name + "-wal").exists()
    # Without a log nothing needs to be read but the file; `immutable` then keeps SQLite from making files beside it.
    try:
        connection = connect(_uri(path, "mode=ro" if logged else "mode=ro&immutable=1"), uri=True)
        try:
            version = schema.version_of(connection)
            if version > schema.VERSION:
                raise StateError(
                    f"STATE_URL: {where} has layout {version}, this adapter knows up to {schema.VERSION}; "
                    "run the newer adapter that wrote it"
                )
            yield connection, Table(connection, where).meta()
        finally:
            connection.close()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _refused(error, where) from error


def _check_content(path: Path, pool_arn: str, where: str) -> None:
    with looked_at(path) as (connection, meta):
        if meta.pool_arn != pool_arn:
            raise StateError(
                f"STATE_URL: {where} belongs to the pool {ascii(meta.pool_arn)[1:-1]}, not to {pool_arn}; "
                "use one state for each pool"
            )
        _warm_up(path, where)
        _check_pages(connection, where)


def _warm_up(path: Path, where: str) -> None:
    """Read the file from front to back: what follows jumps about in it, which a disk answers much more slowly."""
    buffer = bytearray(_READ_BYTES)
    try:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
    except OSError as error:
        raise StateError(f"STATE_URL: {where} can't be read ({error.strerror}); mend its disk") from error


def _check_pages(connection: sqlite3.Connection, where: str) -> None:
    # 0.5 s for a million users (190 MB).
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        found = " ".join(found.split())
        raise StateError(f"STATE_URL: {where} is damaged ({found}); restore it from a backup, or move it away")


def _refused(error: sqlite3.Error | UnicodeDecodeError, where: str) -> StateError | StoreUnavailableError:
    name = name_of(error)
    if isinstance(error, UnicodeDecodeError | sqlite3.OperationalError) or is_broken(error):
        return StateError(
            f"STATE_URL: {where} is damaged or can't be used ({name}); restore it from a backup, "
            "or move it away to start anew"
        )
    return StoreUnavailableError(f"STATE_URL: {where} can't be opened just now ({name})")


def _create(path: Path, pool_arn: str, where: str) -> None:
    """Make a new file beside its place and move it there when it is complete: no half-made file is ever seen."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
        os.close(descriptor)
    except OSError as error:
        raise StateError(f"STATE_URL: {where} can't be made ({error.strerror}); the folder must be writable") from error
    made = Path(name)
    try:
        connection = connect(_uri(made, "mode=rw"), uri=True)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            schema.migrate(connection)
            Table(connection, where).write((), (), Meta(pool_arn=pool_arn))
        finally:
            connection.close()
        made.replace(path)
        _sync_folder(path.parent)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _refused(error, where) from error
    finally:
        for left in (made, Path(f"{name}-wal"), Path(f"{name}-shm")):
            left.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path, where: str) -> sqlite3.Connection:
    try:
        connection = connect(_uri(path, "mode=rw"), uri=True)
        try:
            connection.execute("PRAGMA busy_timeout = 5000")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA cache_size = {_CACHE_KIB}")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
            schema.migrate(connection)
            # A write that changes nothing: a file that can't be written is found now, not at the first event.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _refused(error, where) from error
    return connection
