"""Events as JSON lines in a file, or on stdout: for trying things out, for audit, for dead letters.

Every line is a CloudEvent in JSON (structured mode).
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from adapter.errors import ConfigError
from adapter.model import Event
from adapter.sinks.base import Delivered, Failed, Outcome
from adapter.sinks.wire import structured

#: Events that share one fsync.
_MAX_BATCH = 1000
_BLOCK = 65_536


class FileSink:
    """Appends to a file that is ours alone; an event is delivered when the disk has it."""

    def __init__(self, path: Path, *, variable: str = "K_SINK") -> None:
        """Open the file, create it if need be, and drop the beginning of a line that a crashed writer left.

        Such a line was never reported as delivered, so its event is sent again.

        Raises:
            ConfigError: the file can't be written, or ends in something that is not ours.
        """
        self._path = path
        self._lock = threading.Lock()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._regular = stat.S_ISREG(os.fstat(self._file).st_mode)
        except OSError as error:
            raise ConfigError(f"{variable}: {path} can't be opened for writing: {error.strerror}") from error
        if self._regular:
            self._repair(variable)
            _sync_folder(path.absolute().parent)

    @property
    def target(self) -> str:
        """The file's URL."""
        return f"file://{self._path}"

    @property
    def max_batch(self) -> int:
        """As many as may share one write to the disk."""
        return _MAX_BATCH

    def send(self, events: Sequence[Event]) -> Sequence[Outcome]:
        """Write all the lines or none."""
        lines = _lines(events)
        with self._lock:
            size = None
            try:
                size = os.fstat(self._file).st_size
                _write_all(self._file, lines)
                if self._regular:
                    os.fsync(self._file)
            except OSError as error:
                self._undo(size)
                failure = Failed(code="io", reason=f"the file can't be written: {error.strerror}", retryable=True)
                return [failure] * len(events)
        return [Delivered()] * len(events)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            opened, self._file = self._file, -1  # a send that comes too late must not hit another file
            if opened >= 0:
                os.close(opened)

    def _undo(self, size: int | None) -> None:
        """Take back half a write (a full disk). If that fails too, the next start drops the broken line."""
        with suppress(OSError):
            if self._regular and size is not None:
                os.ftruncate(self._file, size)

    def _repair(self, variable: str) -> None:
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
            os.close(self._file)
            raise ConfigError(f"{variable}: {self._path} does not hold JSON lines; name a file of its own for events")
        os.ftruncate(self._file, size - len(rest))


class StreamSink:
    """Writes to stdout, or another stream that somebody else opened and closes."""

    def __init__(self, stream: BinaryIO, name: str = "stdout:") -> None:
        """`name` is what people call it."""
        self._stream = stream
        self._name = name
        self._lock = threading.Lock()

    @property
    def target(self) -> str:
        """The stream's name."""
        return self._name

    @property
    def max_batch(self) -> int:
        """As many as may share one flush."""
        return _MAX_BATCH

    def send(self, events: Sequence[Event]) -> Sequence[Outcome]:
        """Write and flush; what is behind the stream may still lose it."""
        lines = _lines(events)
        with self._lock:
            try:
                self._stream.write(lines)
                self._stream.flush()
            except (OSError, ValueError) as error:  # ValueError: the stream is closed
                failure = Failed(
                    code="io", reason=f"{self._name} can't be written: {type(error).__name__}", retryable=True
                )
                return [failure] * len(events)
        return [Delivered()] * len(events)

    def close(self) -> None:
        """Nothing: the stream is not ours."""


def _lines(events: Sequence[Event]) -> bytes:
    return b"".join(structured(event) + b"\n" for event in events)


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
        view = view[os.write(file, view) :]
