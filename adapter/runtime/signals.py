"""How the process is asked to stop: SIGTERM or SIGINT once, politely; a second time, at once."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: How long stopping may take before the process is ended all the same, in seconds: a request that hangs must not keep
#: it. Nothing is lost by that: what is not confirmed is in doubt, and sent again with the same id.
DEADLINE_S: Final = 4.5
#: No signal has this number: the block has ended.
_OVER: Final = 0
_OURS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_on_signals(stop: threading.Event, *, late: int = 0, deadline_s: float = DEADLINE_S) -> Iterator[None]:
    """Set `stop` on the first SIGTERM or SIGINT, exit 1 on the second one; afterwards all is as before.

    When the block does not end within `deadline_s` of the first signal, the process exits with the code `late`.
    """
    # A handler in Python runs between two instructions of the main thread: too late when that has just begun to wait,
    # and perhaps while it holds the lock of `stop`. The interpreter writes each signal's number into a socket at once,
    # wherever the main thread is, and another thread does the rest.
    inbox, outbox = socket.socketpair()
    outbox.settimeout(0)

    def obey() -> None:
        if _next(inbox, None) == _OVER:
            return
        stop.set()
        again = _next(inbox, time.monotonic() + deadline_s)
        if again is None:
            os._exit(late)  # without a flush: a terminal or pipe that takes nothing must not keep the process
        if again != _OVER:
            os._exit(1)

    obeying = threading.Thread(target=obey, name="signals", daemon=True)
    obeying.start()
    wakeup = signal.set_wakeup_fd(outbox.fileno(), warn_on_full_buffer=False)
    before = {number: signal.signal(number, lambda *_: None) for number in _OURS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        outbox.send(bytes([_OVER]))
        obeying.join()
        inbox.close()
        outbox.close()


def _next(inbox: socket.socket, deadline: float | None) -> int | None:
    """The next signal of ours (or _OVER); None: the deadline, a time of the monotonic clock, passed."""
    while True:
        inbox.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
        try:
            number = inbox.recv(1)[0]
        except TimeoutError:
            return None
        if number == _OVER or number in _OURS:
            return number
