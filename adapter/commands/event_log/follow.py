"""The lines of a file as they are written, as a `file:///` sink writes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import BinaryIO, Final

_BLOCK: Final = 65_536


def follow(path: Path, *, last: int, on: Callable[[], bool]) -> Iterator[bytes]:
    """The last lines of a file, then those that follow; half a line is waited for.

    A file that is not there yet is waited for. One that was cut, or replaced by another, is read from its beginning.

    Args:
        path: the file.
        last: how many of the lines that it has already.
        on: called when there is nothing more for now: waits a little, and says whether to look again.

    Raises:
        OSError: the file can't be read; FileNotFoundError: it is not there, and `on` does not wait for it.
    """
    fresh = False
    while True:
        try:
            with path.open("rb") as file:
                if not fresh:
                    file.seek(_start_of_last(file, last))
                if not (yield from _written(path, file, on)):
                    return
        except FileNotFoundError:
            if not on():
                raise
        fresh = True


def _written(path: Path, file: BinaryIO, on: Callable[[], bool]) -> Generator[bytes, None, bool]:
    """Complete lines from here on; its value is whether to open the path again, which names another file now."""
    while True:
        at = file.tell()
        line = file.readline()
        if line.endswith(b"\n"):
            yield line
            continue
        file.seek(at)
        if not on():
            return False
        if os.fstat(file.fileno()).st_size < at:
            file.seek(0)
        elif not _is(path, file) and not file.readline().endswith(b"\n"):
            return True
        else:
            file.seek(at)


def _is(path: Path, file: BinaryIO) -> bool:
    """Whether the path still names this file; while it names none, yes: the next one is not there yet."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return True
    here = os.fstat(file.fileno())
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def _start_of_last(file: BinaryIO, lines: int) -> int:
    """Where the last lines begin, without reading the whole file."""
    end = file.seek(0, os.SEEK_END)
    found = -1  # the end of the last line begins no further one
    while end:
        start = max(0, end - _BLOCK)
        file.seek(start)
        block = file.read(end - start)
        at = len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            found += 1
            if found == lines:
                return start + at + 1
        end = start
    return 0
