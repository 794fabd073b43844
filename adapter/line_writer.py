"""Whole lines to a stream that others opened, and perhaps share: stdout, stderr, a named pipe.

Python's own streams lose data where such a stream takes less than it is given: the raw ones (PYTHONUNBUFFERED) return
how much was written, which `print` and `logging` ignore, and buffered ones keep the rest and write it whenever.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TextIO

#: What a pipe takes in one piece, or not at all, so that lines of other processes never get into ours:
#: https://man7.org/linux/man-pages/man7/pipe.7.html (PIPE_BUF)
_PIECE: Final = select.PIPE_BUF
#: Wait after a pipe that said that it had room and then had none, in seconds.
_AGAIN_S: Final = 0.005


@dataclass(frozen=True, slots=True)
class Written:
    """How many lines, from the first on, were written whole; `fault` is what stopped the rest."""

    lines: int
    fault: OSError | None = None


class LineWriter:
    """Writes lines to a file descriptor that stays its owner's. Thread-safe.

    A line that could not be written to its end is ended before the next one, so that no two lines become one.
    """

    def __init__(self, file: int) -> None:
        """Take the descriptor, open for writing, blocking or not."""
        self._file = file
        self._lock = threading.Lock()
        self._inside_line = False

    def write(self, lines: Sequence[bytes], timeout_s: float) -> Written:
        """Write lines, each with its newline; waits for room up to `timeout_s` seconds. Never raises OSError."""
        deadline = time.monotonic() + timeout_s
        if not self._lock.acquire(timeout=timeout_s):
            return Written(0, TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)))
        whole = 0
        try:
            if self._inside_line:
                self._write_all(b"\n", deadline)
            for count, piece in self._pieces(lines):
                self._write_all(piece, deadline)
                whole += count
        except OSError as error:
            return Written(whole, error)
        finally:
            self._lock.release()
        return Written(whole)

    def _pieces(self, lines: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """The lines in pieces of whole lines, with how many; only a line that is longer than a piece is one alone."""
        if stat.S_ISREG(os.fstat(self._file).st_mode):
            # One by one: what a full disk takes of several can't be told apart.
            yield from ((1, line) for line in lines)
            return
        piece: list[bytes] = []
        size = 0
        for line in lines:
            if piece and size + len(line) > _PIECE:
                yield len(piece), b"".join(piece)
                piece, size = [], 0
            piece.append(line)
            size += len(line)
        if piece:
            yield len(piece), b"".join(piece)

    def _write_all(self, data: bytes, deadline: float) -> None:
        poll = select.poll()
        poll.register(self._file, select.POLLOUT)
        view = memoryview(data)
        while view:
            left_s = deadline - time.monotonic()
            if not poll.poll(max(0.0, left_s) * 1000):
                raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            try:
                count = os.write(self._file, view[:_PIECE])
            except BlockingIOError:
                if left_s <= 0:
                    raise
                time.sleep(_AGAIN_S)
                continue
            if count:
                self._inside_line = view[count - 1] != ord("\n")
                view = view[count:]


_standard: dict[int, LineWriter] = {}
_standard_lock: Final = threading.Lock()


def line_writer(stream: TextIO | None) -> LineWriter | None:
    """The one writer of this stream (stdout or stderr); None: it is closed, or is no stream of the system.

    One for all that write to it: the end of what one wrote is known to the others.
    """
    try:
        if stream is None:
            return None
        stream.flush()
        file = stream.fileno()
        os.fstat(file)
    except (OSError, ValueError):
        return None
    with _standard_lock:
        return _standard.setdefault(file, LineWriter(file))
