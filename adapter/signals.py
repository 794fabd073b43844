"""How the process is asked to stop: SIGTERM or SIGINT once, politely; a second time, at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

#: How long stopping may take before the process is ended all the same, in seconds: a request that hangs must not keep
#: it. Nothing is lost by that: what is not booked is in doubt, and told again with the same id.
DEADLINE_S: Final = 4.5


@contextmanager
def stop_on_signals(stop: threading.Event, *, late: int = 0, deadline_s: float = DEADLINE_S) -> Iterator[None]:
    """Set `stop` on the first SIGTERM or SIGINT, exit 1 on the second one; afterwards all is as before.

    When the block does not end within `deadline_s` of the first signal, the process exits with the code `late`.
    """
    done = threading.Event()

    def enforce() -> None:
        if not done.wait(deadline_s):
            sys.stderr.flush()
            os._exit(late)

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()
        threading.Thread(target=enforce, name="stop-deadline", daemon=True).start()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        done.set()
        for number, handler in before.items():
            signal.signal(number, handler)
