"""Being asked to stop, in processes of their own: signals and exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from adapter.runtime.signals import stop_on_signals

CHILD = """
import sys, threading, time
from adapter.runtime.signals import stop_on_signals
stop = threading.Event()
with stop_on_signals(stop, late={late}, deadline_s={deadline_s}):
    print("ready", flush=True)
    stop.wait()
    print("asked", flush=True)
    time.sleep({work_s})
print("done", flush=True)
"""

#: A thread that takes the signal, so that the main thread's wait is not interrupted by it.
HELPER = "threading.Thread(target=time.sleep, args=(30,), daemon=True).start()\n"


def child(*, work_s: float, deadline_s: float, late: int = 0) -> subprocess.Popen[str]:
    code = CHILD.format(work_s=work_s, deadline_s=deadline_s, late=late)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_stops_in_order(number: signal.Signals) -> None:
    with child(work_s=0.1, deadline_s=20) as process:
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, "asked\ndone\n")


def test_a_signal_that_comes_while_the_main_thread_begins_to_wait_is_not_lost() -> None:
    """The main thread is in one call of C that no signal ends: Python runs no handler until it is over."""
    code = CHILD.format(work_s=0, deadline_s=20, late=0).replace(
        "    stop.wait()\n",
        "    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n    stop.wait()\n",
    )
    code = "import signal\n" + code.replace("stop = threading.Event()\n", "stop = threading.Event()\n" + HELPER)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, "asked\ndone\n")


def test_a_second_signal_ends_it_at_once_with_exit_code_1() -> None:
    with child(work_s=300, deadline_s=300) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 1


@pytest.mark.parametrize("late", [0, 1])
def test_what_hangs_is_ended_when_its_time_is_over(late: int) -> None:
    with child(work_s=300, deadline_s=0.2, late=late) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == late


def test_the_handlers_of_before_are_restored() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    stop = threading.Event()
    with stop_on_signals(stop):
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_signal_in_the_middle_of_a_wait_is_heard() -> None:
    # The handler interrupts the main thread at any place, also where that holds the lock of the event.
    busy = CHILD.replace("    stop.wait()\n", "    while not stop.wait(0): pass\n")
    code = busy.format(late=7, deadline_s=300, work_s=0)
    for _ in range(8):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGTERM)
            try:
                assert process.wait(60) == 0
            finally:
                process.kill()
