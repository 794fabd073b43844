"""What a check says, and how long it may take to say it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """What came of a check. `skip`: it could not be made, or says nothing."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's: what was looked at, what was found, how to mend it ("": nothing to mend)."""

    name: str
    mark: Mark
    found: str
    mend: str = ""


def ok(name: str, found: str) -> Check:
    """As it should be."""
    return Check(name, Mark.OK, found)


def warn(name: str, found: str, mend: str = "") -> Check:
    """The adapter works, but not as somebody would wish."""
    return Check(name, Mark.WARN, found, mend)


def fail(name: str, found: str, mend: str = "") -> Check:
    """The adapter does not work like this."""
    return Check(name, Mark.FAIL, found, mend)


def skip(name: str, found: str) -> Check:
    """Nothing can be said."""
    return Check(name, Mark.SKIP, found)


def limited(name: str, look: Callable[[], Iterable[Check]], limit_s: float) -> list[Check]:
    """What a check says, if it says it in time. Whatever happens in it, the next ones get their turn.

    Args:
        name: of the check, should it say nothing itself.
        look: makes the checks.
        limit_s: after so many seconds it is left alone, in a thread that does not outlive the process.
    """
    answers: queue.SimpleQueue[list[Check]] = queue.SimpleQueue()

    def run() -> None:
        try:
            found = list(look())
        except Exception as error:  # noqa: BLE001 - the boundary of a check: a bug in one must not hide the others
            found = [fail(name, f"this check is broken ({type(error).__name__})", "please report it as a bug")]
        answers.put(found)

    threading.Thread(target=run, name=f"check {name}", daemon=True).start()
    try:
        return answers.get(timeout=limit_s)
    except queue.Empty:
        return [fail(name, f"no answer within {limit_s:g} s", "look at the network, or give it longer: --timeout")]
