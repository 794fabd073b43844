"""The first third of a second of the process, while its modules are imported.

Imports nothing that takes time: Python, and what it imports by itself, is all that was there before.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Final, TextIO

#: What a shell calls the end by SIGTERM.
_TERMINATED: Final = 128 + signal.SIGTERM


def obey_signals(argv: Sequence[str]) -> None:
    """Let SIGTERM end the process, until `adapter.runtime.signals` takes over; SIGINT too, for the adapter itself.

    The first process of a container has no default action: the kernel drops a SIGTERM that it has no handler for
    (https://man7.org/linux/man-pages/man7/pid_namespaces.7.html). Nothing is open yet that would have to be closed.

    Args:
        argv: the process's arguments, the program first.
    """
    code = _code(argv[1:])

    def end(_number: int, _frame: FrameType | None) -> None:
        os._exit(code)

    signal.signal(signal.SIGTERM, end)
    if code != _TERMINATED:
        signal.signal(signal.SIGINT, end)  # elsewhere, click ends a command in order


def keep_standard_streams() -> None:
    """Let no file get the number of a standard stream that is closed, or a library's message might get into it."""
    while True:
        file = os.open(os.devnull, os.O_RDWR)
        if file > 2:  # stderr
            os.close(file)
            return


def flushed() -> str:
    """Write what `print` left in stdout and stderr; returns what was in the way of stdout.

    Python flushes both once more at its end, and turns the exit code into 120 when that fails: then there is nothing
    left that could fail.
    """
    fault = _flushed(sys.stdout, 1)
    _flushed(sys.stderr, 2)
    return fault


def _flushed(stream: TextIO | None, file: int) -> str:
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError) as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), file)
        return getattr(error, "strerror", None) or str(error)
    return ""


def _code(arguments: Sequence[str]) -> int:
    """The exit code of a process that was told to stop before it began: `run` has nothing to finish."""
    command = next((each for each in arguments if not each.startswith("-")), "run")
    if command != "run":
        return _TERMINATED
    return 1 if "--once" in arguments else 0
