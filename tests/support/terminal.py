"""The adapter's command line on a terminal of its own (a pseudo-terminal): what it writes, and what is typed."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
_KEPT = ("PATH", "HOME", "LANG")


class ScreenTerminal:
    """The terminal's other side. `written` is everything so far, as the bytes that a terminal would obey."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self.written = b""
        self._descriptor = descriptor
        self._seen = 0

    @property
    def text(self) -> str:
        return self.written.decode(errors="replace").replace("\r\n", "\n")

    def expect(self, text: str, timeout_s: float = 60.0) -> None:
        """Read until this comes after what was expected before.

        Raises:
            AssertionError: it did not come in that time, or the command ended without it.
        """
        wanted, deadline = text.encode(), time.monotonic() + timeout_s
        while (at := self.written.find(wanted, self._seen)) < 0:
            assert self._read(deadline), f"{text!r} did not come:\n{self.text}"
        self._seen = at + len(wanted)

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self._descriptor, text.encode() + b"\n")

    def end(self, timeout_s: float = 60.0) -> int:
        """Read to the end of the command; returns its exit code."""
        deadline = time.monotonic() + timeout_s
        while self._read(deadline):
            pass
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            part = os.read(self._descriptor, 65_536)
        except OSError:  # how Linux says that nobody has the other side open any more
            return False
        self.written += part
        return bool(part)


@contextmanager
def on_a_terminal(
    arguments: list[str],
    environment: Mapping[str, str] | None = None,
    *,
    folder: Path | None = None,
    columns: int = 120,
) -> Iterator[ScreenTerminal]:
    """Run `python -m adapter` with these arguments; it is killed at the end of the block if it is still there.

    Args:
        arguments: of the command.
        environment: its variables, besides the few that every program needs; TERM is xterm unless it says.
        folder: where it runs.
        columns: how wide the terminal is.
    """
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-m", "adapter", *arguments],
        env={**kept, "TERM": "xterm", "PYTHONPATH": str(ROOT), **(environment or {})},
        cwd=folder,
        stdin=child,
        stdout=child,
        stderr=child,
        start_new_session=True,
    )
    os.close(child)
    try:
        yield ScreenTerminal(process, parent)
    finally:
        process.kill()
        process.wait(10)
        os.close(parent)
