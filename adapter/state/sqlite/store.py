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
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from adapter.errors import StateError, StateReplacedError, StoreUnavailableError
from adapter.model import KnownUser
from adapter.state.base import Digests, Meta, check_pool, other_pool
from adapter.state.faults import of_sqlite, of_system
from adapter.state.sqlite import schema
from adapter.state.sqlite.lock import FileLock
from adapter.state.sqlite.place import OpenFile, find_file, lock_path
from adapter.state.sqlite.table import Table, connect

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
#: Pages kept in memory, as a negative number of KiB: enough for the inner pages of a million users.
_CACHE_KIB = -8_192
#: How long another program's lock is waited for before the state counts as unavailable, in milliseconds.
_BUSY_MS = 5_000
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
        self._pool_arn = pool_arn
        self._where = f"the state file {path}"
        self._real = find_file(path, self._where)
        if self._real.exists():
            _check_header(self._real, self._where)
        with ExitStack() as opened:
            self._locks = _lock(path, self._real, self._where)
            for lock in self._locks:
                opened.callback(lock.release)
            if not self._real.exists():
                _create(self._real, pool_arn, self._where)
            self._file = OpenFile(path, self._real, self._where)
            opened.callback(self._file.close)
            _check_content(self._real, pool_arn, self._where)
            self._connection = _open(self._real, self._where)
            self._opened = opened.pop_all()
        self._file.watch_log()
        #: Why nothing may be written any more; the first reason counts, whatever becomes of the file then.
        self._ended = ""
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
        check_pool(meta, self._pool_arn)
        self._check_place()
        return self._table.write(puts, deletes, meta)

    def held(self) -> bool:
        """Whether the file is still the state, and ours: not deleted or replaced, nor its lock."""
        return not self._ended and self._file.fault() is None and all(lock.held() for lock in self._locks)

    def close(self) -> None:
        """Close the file and release its lock."""
        if self._file.fault() is None:
            self._connection.close()
        else:
            self._restore()
            self._checkpoint()
            self._connection.close()
            self._file.drop_log()
        self._opened.close()

    def _checkpoint(self) -> None:
        """Move what is in the log to the file that it belongs to, whatever that is called by now."""
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _check_place(self) -> None:
        """Make sure that what is written now is what the next start reads."""
        if not self._ended:
            fault = self._file.fault()
            if fault is not None:
                if self._restore():
                    fault += ", and was written again with all that it held"
                self._ended = (
                    f"STATE_URL: {self._where} {fault} while it was in use: nothing more is written or sent; "
                    "start again, and to forget a state stop the adapter first (state reset)"
                )
            elif not all(lock.held() for lock in self._locks):
                self._ended = f"STATE_URL: the lock of {self._where} was deleted; start again to take a new one"
        if self._ended:
            raise StateReplacedError(self._ended)

    def _restore(self) -> bool:
        """Put a file that was deleted back in its place, from what SQLite still has open; whether that was needed.

        The next start would otherwise be a first start, and what changes until then would never be reported.
        """
        if not self._file.is_gone():
            return False
        with (
            suppress(sqlite3.Error, OSError, StateError, StoreUnavailableError),
            _new_file(self._real, self._where) as made,
        ):
            with closing(connect(_uri(made, "mode=rw"), uri=True)) as copy:
                self._connection.backup(copy)
            _sync(made)
            os.link(made, self._real)  # never over another file
            _sync(self._real.parent)
            return True
        return False


def _uri(path: Path, query: str) -> str:
    return f"file:{quote(os.fsencode(path.absolute()))}?{query}"


def _check_header(path: Path, where: str) -> None:
    """What the first page says (https://www.sqlite.org/fileformat2.html, 1.3), without asking SQLite."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
        size = path.stat().st_size
    except OSError as error:
        raise of_system(error, f"{where} can't be read", "fix its permissions") from error
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


@contextmanager
def looked_at(path: Path) -> Iterator[tuple[sqlite3.Connection, Meta]]:
    """A connection that can't change the file, also while an adapter uses it, and whose state it is.

    Raises:
        StateError: it is not a state, or a newer one, or damaged as far as can be seen at once.
    """
    where = f"the state file {path}"
    path = find_file(path, where)
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
        raise of_sqlite(error, where) from error


def _check_content(path: Path, pool_arn: str, where: str) -> None:
    with looked_at(path) as (connection, meta):
        if meta.pool_arn != pool_arn:
            raise StateError(
                f"STATE_URL: {where} belongs to the pool {ascii(meta.pool_arn)[1:-1]}, not to {pool_arn}; "
                + other_pool(meta.pool_arn, pool_arn, "use one state for each pool")
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
        raise of_system(error, f"{where} can't be read", "fix its permissions") from error


def _check_pages(connection: sqlite3.Connection, where: str) -> None:
    # 0.5 s for a million users (190 MB).
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        found = " ".join(found.split())
        raise StateError(f"STATE_URL: {where} is damaged ({found}); restore it from a backup, or move it away")


@contextmanager
def _new_file(path: Path, where: str) -> Iterator[Path]:
    """A file beside `path`, readable by its owner only, to be moved there when it is complete; else it is removed."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
        os.close(descriptor)
    except OSError as error:
        raise of_system(error, f"{where} can't be made", "the folder must be writable") from error
    try:
        yield Path(name)
    finally:
        for left in (name, f"{name}-wal", f"{name}-shm", f"{name}-journal"):
            Path(left).unlink(missing_ok=True)


def _create(path: Path, pool_arn: str, where: str) -> None:
    """Make a new file beside its place and move it there when it is complete: no half-made file is ever seen."""
    try:
        with _new_file(path, where) as made:
            with closing(connect(_uri(made, "mode=rw"), uri=True)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                schema.migrate(connection)
                Table(connection, where).write((), (), Meta(pool_arn=pool_arn))
            made.replace(path)
            _sync(path.parent)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise of_sqlite(error, where) from error
    except OSError as error:
        raise of_system(error, f"{where} can't be made", "the folder must be writable") from error


def _lock(path: Path, real: Path, where: str) -> list[FileLock]:
    """Lock the file's name, and that of a symbolic link to it, which is all that version 0.1.0 locks."""
    try:
        locks = [FileLock(lock_path(real))]
    except OSError as error:
        raise of_system(error, f"the lock of {where} can't be made", "the folder must be writable") from error
    link = lock_path(path)
    try:
        if path.is_symlink() and not (link.exists() and link.samefile(lock_path(real))):
            locks.append(FileLock(link))
    except PermissionError:
        pass  # nobody else can have made that lock either
    except BaseException:
        locks[0].release()
        raise
    return locks


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path, where: str) -> sqlite3.Connection:
    try:
        connection = connect(_uri(path, "mode=rw"), uri=True)
        try:
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
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
        raise of_sqlite(error, where) from error
    return connection
