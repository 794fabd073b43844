"""What an error around a state file means: the file is damaged, or its surroundings are at fault. Pure.

Only damage is a reason to give a state up. A full disk, a busy file or a volume that is read-only for a while says
nothing about the content: the adapter waits, at its start as well as later, and goes on when the fault is over.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import Final

from adapter.errors import StateError, StoreUnavailableError

#: SQLite's primary result codes that say "the file itself is broken" (https://www.sqlite.org/rescode.html).
#: SQLITE_ERROR is among them: the statements are sound, so it is the layout that they don't fit.
DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})

#: The part of an extended result code that is the primary one.
_PRIMARY: Final = 0xFF

_BUSY: Final = "another program has it locked; end that program"
_DENIED: Final = "access is denied; check the permissions of the file and its folder"
_NO_MEMORY: Final = "there is not enough memory; give the process more"
_INTERRUPTED: Final = "the operation was interrupted; it is tried again"
_NO_ROOM: Final = "no room is left on the disk; free some"
_UNEXPECTED: Final = "SQLite refused the operation; it is tried again"

#: Every other primary code: what is wrong, and what helps.
SURROUNDINGS: Final = {
    sqlite3.SQLITE_INTERNAL: _UNEXPECTED,
    sqlite3.SQLITE_PERM: _DENIED,
    sqlite3.SQLITE_ABORT: _INTERRUPTED,
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_NOMEM: _NO_MEMORY,
    sqlite3.SQLITE_READONLY: "it is read-only; make the file, its folder and its volume writable",
    sqlite3.SQLITE_INTERRUPT: _INTERRUPTED,
    sqlite3.SQLITE_IOERR: "the disk or its file system reports an error; check the volume",
    sqlite3.SQLITE_NOTFOUND: _UNEXPECTED,
    sqlite3.SQLITE_FULL: _NO_ROOM,
    sqlite3.SQLITE_CANTOPEN: "a file can't be opened; check the folder, its permissions and the limit of open files",
    sqlite3.SQLITE_PROTOCOL: _BUSY,
    sqlite3.SQLITE_EMPTY: _UNEXPECTED,
    sqlite3.SQLITE_SCHEMA: "another program changed its layout; end that program",
    sqlite3.SQLITE_TOOBIG: _UNEXPECTED,
    sqlite3.SQLITE_CONSTRAINT: _UNEXPECTED,
    sqlite3.SQLITE_MISMATCH: _UNEXPECTED,
    sqlite3.SQLITE_MISUSE: _UNEXPECTED,
    sqlite3.SQLITE_NOLFS: "its file system does not take files of this size; use another volume",
    sqlite3.SQLITE_AUTH: _DENIED,
    sqlite3.SQLITE_FORMAT: _UNEXPECTED,
    sqlite3.SQLITE_RANGE: _UNEXPECTED,
    sqlite3.SQLITE_NOTICE: _UNEXPECTED,
    sqlite3.SQLITE_WARNING: _UNEXPECTED,
}

#: Extended codes that say more than their primary one.
_EXTENDED: Final = {
    sqlite3.SQLITE_IOERR_SHMSIZE: _NO_ROOM,  # the file beside the log can't grow
    sqlite3.SQLITE_IOERR_NOMEM: _NO_MEMORY,
    sqlite3.SQLITE_IOERR_ACCESS: _DENIED,
    sqlite3.SQLITE_IOERR_LOCK: "the file can't be locked; check the volume, and that it is no network file system",
}

#: Errors of the system that can end without a change of the configuration (errno(3)). The others (a folder that does
#: not exist, a missing permission, a name that is too long) are for a person to fix.
_PASSING: Final = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EINTR,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOLCK,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.EROFS,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)


def name_of(error: Exception) -> str:
    """What SQLite calls the error. Its message may quote the file: usernames, and what is not even a text."""
    return str(getattr(error, "sqlite_errorname", "not UTF-8"))


def of_sqlite(error: sqlite3.Error | UnicodeDecodeError, where: str) -> StateError | StoreUnavailableError:
    """The adapter's error for SQLite's. `where` names the file for people."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # Python's own: a text in the file that is not UTF-8, or SQLite's message about one
        damaged = isinstance(error, sqlite3.OperationalError | UnicodeDecodeError)
    else:
        damaged = code & _PRIMARY in DAMAGE
    name = name_of(error)
    if damaged:
        return StateError(
            f"STATE_URL: {where} is damaged ({name}); restore it from a backup, or move it away to start anew"
        )
    reason = _UNEXPECTED
    if code is not None:
        reason = _EXTENDED.get(code) or SURROUNDINGS.get(code & _PRIMARY, _UNEXPECTED)
    return StoreUnavailableError(f"STATE_URL: {where} can't be used just now ({name}): {reason}")


def of_system(error: OSError, problem: str, advice: str) -> StateError | StoreUnavailableError:
    """The adapter's error for the system's: `problem` is what can't be done, `advice` what a person can do."""
    reason = error.strerror or os.strerror(error.errno or errno.EIO)
    if error.errno in _PASSING:
        return StoreUnavailableError(f"STATE_URL: {problem} just now ({reason}); the adapter resumes when that is over")
    return StateError(f"STATE_URL: {problem} ({reason}); {advice}")
