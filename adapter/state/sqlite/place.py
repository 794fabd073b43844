"""Where a state file is, and whether that is still the file that was opened.

A file is its device and inode, not its name: symbolic links, hard links and bind mounts give one file several names,
and a name can lead to another file from one moment to the next.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from adapter.errors import StateError
from adapter.state.faults import of_system
from adapter.state.sqlite.lock import HeldError, Holder

#: The byte of the file that is locked: far behind the end of every database, and behind the bytes that SQLite itself
#: locks (https://www.sqlite.org/fileformat2.html, 1.5).
_LOCKED_BYTE: Final = 1 << 62
#: `struct flock` of Linux: type, whence, start, length, process; and the padding at its end.
_FLOCK: Final = "hhqqi0q"
#: What the system says when it, or this file system, has no such locks.
_UNSUPPORTED: Final = frozenset(
    {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EOVERFLOW}
)


def lock_path(path: Path) -> Path:
    """The lock's file of a state file."""
    return path.with_name(path.name + ".lock")


def log_path(path: Path) -> Path:
    """SQLite's write-ahead log of a state file."""
    return path.with_name(path.name + "-wal")


def find_file(path: Path, where: str) -> Path:
    """The file that `path` leads to, which need not exist yet, without symbolic links.

    Raises:
        StateError: there can't be a state file. `where` names it for people.
        StoreUnavailableError: it can't be looked at just now.
    """
    try:
        for name in (path, lock_path(path)):
            with suppress(FileNotFoundError):
                name.lstat()
        if path.is_symlink() and not path.exists():
            raise StateError(
                f"STATE_URL: {where} is a symbolic link to {path.readlink()}, which does not exist; "
                "mount the volume that has it (for a first start name the file itself, not the link)"
            )
        real = path.resolve()
    except OSError as error:  # a name that is too long, a folder that is a file or may not be entered
        raise of_system(error, f"{where} can't be looked at", "name another place") from error
    _check_kind(path, real, where)
    # Without the file itself, SQLite would apply the log of a lost one to the next, and damage it.
    log = log_path(real)
    if log.exists() and not real.exists():
        raise StateError(
            f"STATE_URL: {where} is missing, but its log {log.name} is there; restore the file, or delete the log too"
        )
    return real


def _check_kind(path: Path, real: Path, where: str) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise StateError(f"STATE_URL: the folder {folder} of {where} does not exist; create it, or name another place")
    if real.is_dir():
        raise StateError(f"STATE_URL: {where} is a folder; name a file in it, like {path / 'cognito-source.db'}")
    if real.exists() and not real.is_file():
        raise StateError(f"STATE_URL: {where} is not an ordinary file; name one")


def is_locked(path: Path) -> bool:
    """Whether an adapter has this file open, by whatever name; False also where the system can't tell.

    Raises:
        OSError: the file can't be opened.
    """
    command = getattr(fcntl, "F_OFD_GETLK", None)
    if command is None or sys.platform != "linux":  # elsewhere `struct flock` looks different
        return False
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = fcntl.fcntl(descriptor, command, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _LOCKED_BYTE, 1, 0))
        return bool(struct.unpack(_FLOCK, found)[0] != fcntl.F_UNLCK)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return False
        raise
    finally:
        os.close(descriptor)


#: Which file it is, whatever it is called: device and inode.
FileIdentity = tuple[int, int]


def identity_of(file: str | Path | int) -> FileIdentity | None:
    """The file that a name leads to, or that a descriptor is open on; None: there is none.

    Raises:
        OSError: it can't be told.
    """
    try:
        found = os.stat(file)  # noqa: PTH116 - of a descriptor, too; and it is asked before every send
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


class OpenFile:
    """A state file in use: locked whatever name it is opened by, and watched for being deleted or replaced.

    The lock belongs to the open file (`F_OFD_SETLK` of fcntl(2)), and ends with the process. SQLite's own locks are
    on other bytes, but end with any descriptor of the file that this process closes: call `close` after SQLite's.

    Args:
        path: the name that was configured.
        real: the same without symbolic links.
        where: names the file for people.

    Raises:
        HeldError: another process has the file open by another of its names.
        StateError: it can't be opened, or has other names and can't be locked.
    """

    def __init__(self, path: Path, real: Path, where: str) -> None:
        self._names = [str(name) for name in dict.fromkeys((path.absolute(), real))]
        self._real = real
        self._log_name = str(log_path(real))
        self._log: FileIdentity | None = None
        try:
            self._descriptor = os.open(real, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise of_system(error, f"{where} can't be opened", "make it readable and writable") from error
        try:
            self._folder = identity_of(real.parent)
            locked = self._lock(where)
            if os.fstat(self._descriptor).st_nlink > 1:
                self._check_other_names(where, locked=locked)
        except BaseException:
            os.close(self._descriptor)
            raise

    def _lock(self, where: str) -> bool:
        """Lock the file; False: this system, or its file system, can't."""
        command = getattr(fcntl, "F_OFD_SETLK", None)
        if command is None or sys.platform != "linux":
            return False
        wanted = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _LOCKED_BYTE, 1, 0)
        try:
            fcntl.fcntl(self._descriptor, command, wanted)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise HeldError(
                    f"STATE_URL: {where} is in use by another process, under another of its names (a hard link or a "
                    "mount); stop that adapter first, or give this one a state of its own",
                    Holder(),
                ) from error
            if error.errno in _UNSUPPORTED:
                return False
            raise of_system(error, f"{where} can't be locked", "use another volume") from error
        return True

    def _check_other_names(self, where: str, *, locked: bool) -> None:
        """SQLite names its log after the file: after a crash it is beside the name that was used."""
        if not locked:
            raise StateError(
                f"STATE_URL: {where} has other names (hard links), and can't be locked for all of them on this system; "
                "keep one of them"
            )
        identity = identity_of(self._descriptor)
        for other in self._real.parent.iterdir():
            with suppress(OSError):
                if other == self._real or not log_path(other).exists() or identity_of(other) != identity:
                    continue
                raise StateError(
                    f"STATE_URL: {where} is also called {other.name}, and its log {log_path(other).name} goes with "
                    "that name; name that file, and keep only one of the names"
                )

    def watch_log(self) -> None:
        """Note which file SQLite's log is: it exists as long as the database is open."""
        with suppress(OSError):
            self._log = identity_of(self._log_name)

    def fault(self) -> str | None:
        """What became of the file since it was opened, in words; None: nothing, as far as can be told."""
        try:
            identity = identity_of(self._descriptor)
            for name in self._names:
                found = identity_of(name)
                if found != identity:
                    return "was deleted" if found is None else "was replaced by another file"
            if self._log is not None and identity_of(self._log_name) != self._log:
                return "lost its log"
        except OSError:
            return None  # a fault of the volume, which SQLite meets and names as well
        return None

    def is_gone(self) -> bool:
        """Whether nothing is left at its place, in the folder where it was (not in another one mounted there)."""
        with suppress(OSError):
            return identity_of(self._real.parent) == self._folder is not None and not os.path.lexists(self._real)
        return False

    def drop_log(self) -> None:
        """Remove the log of a file that is no longer at its place, which SQLite leaves behind.

        It would be applied to the file that is there now.
        """
        with suppress(OSError):
            if self._log is not None and identity_of(self._log_name) == self._log:
                Path(self._log_name).unlink()

    def close(self) -> None:
        """Give up the lock."""
        os.close(self._descriptor)
