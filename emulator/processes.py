"""Child processes that end with the demo, whatever ends it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"


class Child:
    """A program that ends with us (emulator.kill_with_parent), in a process group of its own."""

    def __init__(
        self, command: Sequence[str | Path], *, env: Mapping[str, str], output: IO[bytes], cwd: Path = ROOT
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("kill_with_parent.py")), *map(str, command)],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for its end and give the exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        return self._process.wait(timeout_s)

    def signal(self, number: int) -> None:
        """Send a signal to the program and all that it started; nothing happens if it has ended."""
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def stop(self, grace_s: float = 10.0) -> int:
        """Ask it to end, insist after `grace_s` seconds, and give the exit code."""
        self.signal(signal.SIGTERM)
        try:
            return self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            return self._process.wait()
        finally:
            if self._process.stdin:
                self._process.stdin.close()


def base_environment() -> dict[str, str]:
    """What every child gets of the machine: where programs and libraries are, no settings and no credentials."""
    kept = {
        name: os.environ[name] for name in ("HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH") if name in os.environ
    }
    path = os.pathsep.join([str(TOOLS / "bin"), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return kept | {"PATH": path, "PYTHONPATH": str(ROOT)}
