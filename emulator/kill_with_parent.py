"""Runs a program that must not outlive the demo: `python -m emulator.kill_with_parent PROGRAM ARGUMENT...`.

The demo holds the other end of this process's standard input. When that closes, however the demo ended, the whole
process group is killed. SIGTERM and SIGINT are for the program: this process only waits for it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def _cut() -> None:
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)


def main() -> int:
    """Run the program and pass its exit code on."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # a handler, because the program would inherit SIG_IGN
    # Python starts with SIGPIPE ignored, the program should not.
    program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, restore_signals=True)
    threading.Thread(target=_cut, daemon=True).start()
    return program.wait()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code if code >= 0 else 128 - code)
