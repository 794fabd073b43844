"""Events as JSON lines in a file: for trying things out, for audit, for dead letters.

Every line is a CloudEvent in JSON (structured mode).
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from adapter.errors import ConfigError
from adapter.events.formats import structured
from adapter.line_writer import LineWriter
from adapter.model import Event
from adapter.sinks.base import Delivered, Outcome
from adapter.sinks.stream import StreamSink, io_failure

#: Events that share one fsync.
_MAX_BATCH = 1000
_BLOCK = 65_536
#: How often a write is repeated because the file was rotated in the middle of it.
_ROTATIONS: Final = 3


class FileSink:
    """Appends to a file that is ours alone; an event is delivered when the disk has it.

    The file may be rotated under it (renamed, deleted, truncated): every send goes to what the path names by then.
    """

    def __init__(self, path: Path, *, variable: str = "K_SINK", timeout_s: float = 30.0) -> None:
        """Open the file, create it if need be, and drop the beginning of a line that a crashed writer left.

        Such a line was never reported as delivered, so its event is sent again.

        Args:
            path: of the file; a named pipe or a device will do, too.
            variable: the environment variable that the path is from, for messages.
            timeout_s: how long one `send` may wait for the reader of a pipe.

        Raises:
            ConfigError: the file can't be written, or ends in something that is not ours.
        """
        self._path = path
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._closed = False
        self._file: _LineFile | None = None
        try:
            self._file = _LineFile(path)
        except _NotOursError as error:
            raise ConfigError(f"{variable}: {path} {error.strerror}") from error
        except OSError as error:
            if error.errno == errno.ENXIO and path.is_fifo():
                return  # its reader may come later, and events wait for it
            raise ConfigError(f"{variable}: {path} can't be opened for writing: {error.strerror}") from error

    @property
    def target(self) -> str:
        """The file's URL."""
        return f"file://{self._path}"

    @property
    def max_batch(self) -> int:
        """As many as may share one write to the disk."""
        return _MAX_BATCH

    def send(self, events: Sequence[Event]) -> Sequence[Outcome]:
        """Write all the lines or, to a regular file, none."""
        with self._lock:
            try:
                return self._send(events)
            except OSError as error:
                return [io_failure("the file can't be written", error)] * len(events)

    def _send(self, events: Sequence[Event]) -> Sequence[Outcome]:
        if self._closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        for _ in range(_ROTATIONS):
            file = self._current()
            if not file.regular:
                return StreamSink(file.pipe, self.target, timeout_s=self._timeout_s).send(events)
            # Whoever rotates files may have read this one before the write: then its lines are not in the copy.
            if file.append(b"".join(structured(event) + b"\n" for event in events)):
                return [Delivered()] * len(events)
        raise OSError(errno.EAGAIN, "it is rotated again and again")

    def _current(self) -> _LineFile:
        """What the path names now, opened if that is another file than the one that is open."""
        if self._file is None or not self._file.is_at_its_path():
            opened = _LineFile(self._path)  # if this fails, nothing is written: the open file is nobody's any more
            if self._file is not None:
                self._file.close()
            self._file = opened
        return self._file

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if not self._closed:
                self._closed = True  # a send that comes too late must not hit another file
                if self._file is not None:
                    self._file.close()


class _NotOursError(OSError):
    """The file holds something else than JSON lines."""

    def __init__(self) -> None:
        super().__init__(errno.EINVAL, "does not hold JSON lines; name a file of its own for events")


class _LineFile:
    """The open file. Used by one thread at a time.

    Raises:
        OSError: it can't be opened; what it ends in is not ours (`_NotOursError`).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Of a pipe only the writing end: with a reading end of our own, lines that nobody reads would look delivered.
        kind = os.O_WRONLY | os.O_NONBLOCK if path.is_fifo() else os.O_RDWR | os.O_APPEND | os.O_CREAT
        self._file = os.open(path, kind | os.O_CLOEXEC, 0o600)
        try:
            self.regular = stat.S_ISREG(os.fstat(self._file).st_mode)
            if self.regular:
                self._drop_half_line()
                _sync_folder(path.absolute().parent)
        except BaseException:
            os.close(self._file)
            raise
        #: For what is no regular file.
        self.pipe = LineWriter(self._file)
        #: Whether half a line may be at the end.
        self._torn = False

    def is_at_its_path(self) -> bool:
        """Whether the path still names the file that is open."""
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._file))  # noqa: PTH116 - beside fstat
        except OSError:
            return False

    def append(self, lines: bytes) -> bool:
        """Write lines to the disk, all or none; False: they may be lost, for the file was rotated meanwhile.

        Raises:
            OSError: they could not be written.
        """
        if self._torn:
            self._end_half_line()
        size = os.fstat(self._file).st_size
        try:
            _write_all(self._file, lines)
            os.fsync(self._file)
        except OSError:
            self._undo(size, len(lines))
            raise
        return self.is_at_its_path() and os.fstat(self._file).st_size >= size + len(lines)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _undo(self, size: int, written: int) -> None:
        """Take back half a write (a full disk): the file had `size` bytes, and got up to `written` more."""
        self._torn = True
        with suppress(OSError):
            if size <= os.fstat(self._file).st_size <= size + written:
                os.ftruncate(self._file, size)
            else:
                self._drop_half_line()  # somebody else truncated it, too
            self._torn = False

    def _end_half_line(self) -> None:
        """Drop the half line that could not be taken back; if that fails again, end it: no two lines become one."""
        try:
            self._drop_half_line()
        except OSError:
            _write_all(self._file, b"\n")
        self._torn = False

    def _drop_half_line(self) -> None:
        """Cut what follows the last newline.

        Raises:
            OSError: that can't be done, or that is not the beginning of one of our lines.
        """
        size = os.fstat(self._file).st_size
        end = size
        tail = b""
        while end and b"\n" not in tail:
            start = max(0, end - _BLOCK)
            tail = os.pread(self._file, end - start, start) + tail
            end = start
        rest = tail[tail.rfind(b"\n") + 1 :]
        if not rest:
            return
        if not rest.startswith(b"{"):
            raise _NotOursError
        os.ftruncate(self._file, size - len(rest))


def _sync_folder(folder: Path) -> None:
    """Let the file's name survive a crash of the machine too, where the file system knows such a thing."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        count = os.write(file, view)
        if not count:
            raise OSError(errno.EIO, "nothing was written")
        view = view[count:]
