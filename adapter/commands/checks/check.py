"""What a check says, and how long it may take to say it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
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


def limited(name: str, look: Callable[[], Iterable[Check]], limit_s: float) -> Iterator[Check]:
    """What a check says, as far as it says it in time. Whatever happens in it, the next ones get their turn.

    Args:
        name: of the check, should it say nothing itself.
        look: makes the checks.
        limit_s: after so many seconds it is left alone, in a thread that does not outlive the process.
    """
    answers: queue.SimpleQueue[Check | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            for check in look():
                answers.put(check)
        except Exception as error:  # noqa: BLE001 - the boundary of a check: a bug in one must not hide the others
            answers.put(_broken(name, error))
        answers.put(None)

    threading.Thread(target=run, name=f"check {name}", daemon=True).start()
    deadline = time.monotonic() + limit_s
    while True:
        try:
            check = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            yield fail(name, f"no answer within {limit_s:g} s", "look at the network, or give it longer: --timeout")
            return
        if check is None:
            return
        yield check


def _broken(name: str, error: Exception) -> Check:
    """What stopped a check. Its text is left out: it may quote what it stumbled over."""
    kind = type(error)
    if kind.__module__ == "botocore.parsers":
        mend = "something else answers, such as a proxy: check proxies, DNS and endpoints (AWS_ENDPOINT_URL)"
        return fail(name, "what answers is not AWS", mend)
    if kind.__module__ == "botocore.exceptions":
        mend = "check the AWS configuration of this machine: AWS_PROFILE, ~/.aws/config, regions, endpoints"
        return fail(name, f"botocore can't go on ({kind.__name__})", mend)
    return fail(name, f"this check is broken ({kind.__name__})", "please report it as a bug")
