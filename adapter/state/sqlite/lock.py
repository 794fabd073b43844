"""One adapter per SQLite file: an advisory lock that dies with its process.

`flock` on a file beside the database, not on the database itself: SQLite uses POSIX locks there, and a process loses
those as soon as it closes any descriptor of the file (https://www.sqlite.org/howtocorrupt.html, 2.2).
The kernel releases the lock when the process ends, however it ends. The file stays behind; only the lock counts.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapter.errors import StateError


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a state, as far as it is known. `since` is text for people (RFC 3339, the holder's own clock)."""

    host: str = "unknown"
    pid: int = 0
    since: str = "unknown"

    def __str__(self) -> str:
        return f"process {self.pid or 'unknown'} on {self.host} since {self.since}"

    @classmethod
    def this_process(cls) -> Holder:
        """What this process says of itself."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(host=socket.gethostname(), pid=os.getpid(), since=now)


class HeldError(StateError):
    """Another adapter holds this state, and this one was not to wait for it (or was asked to stop meanwhile)."""

    def __init__(self, message: str, holder: Holder) -> None:
        self.holder = holder
        super().__init__(message)


class FileLock:
    """The exclusive lock on `path`, taken by the constructor.

    Raises:
        HeldError: another process has it.
        OSError: the file can't be made or opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        while self._descriptor is None:
            self._descriptor = self._attempt()

    def _attempt(self) -> int | None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Somebody may have deleted the file between open and flock: then this is a lock that nobody else sees.
            if os.fstat(descriptor).st_nlink == 0:
                os.close(descriptor)
                return None
        except BlockingIOError as error:
            holder = _read_holder(descriptor)
            os.close(descriptor)
            raise HeldError(
                f"STATE_URL: {self._path.name.removesuffix('.lock')} is in use by {holder}; "
                "stop that adapter first, or give this one a state of its own",
                holder,
            ) from error
        except BaseException:
            os.close(descriptor)
            raise
        # Who holds it is for people; the lock also counts where no room is left for that.
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(asdict(Holder.this_process())).encode(), 0)
        return descriptor

    def held(self) -> bool:
        """Whether the lock is still ours: not released, and its file not deleted under our feet."""
        descriptor = self._descriptor
        if descriptor is None:
            return False
        try:
            return os.fstat(descriptor).st_nlink > 0
        except OSError:
            return False

    def release(self) -> None:
        """Let the next one in. Does nothing the second time."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def holder_of(path: Path) -> Holder | None:
    """Who holds the lock `path` right now; None when nobody does.

    Raises:
        OSError: the file can't be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(descriptor)
    finally:
        os.close(descriptor)
    return None


def _read_holder(descriptor: int) -> Holder:
    """What the holder wrote; unknowns when it is just writing or the content is not ours."""
    try:
        found = json.loads(os.pread(descriptor, 4096, 0))
        return Holder(host=str(found["host"]), pid=int(found["pid"]), since=str(found["since"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return Holder()
