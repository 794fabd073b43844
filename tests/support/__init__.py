"""Helpers that several tiers of tests share: `wait_until`, and the sink of emulator.sink that records CloudEvents."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from emulator.sink import ReceivedEvent, RecordingSink, SinkRequest, SinkResponse

__all__ = ["ReceivedEvent", "RecordingSink", "SinkRequest", "SinkResponse", "wait_until"]

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], timeout_s: float = 60.0, what: str = "the condition") -> T:
    """Ask until the answer is true, and give that answer.

    Raises:
        AssertionError: it was not true within `timeout_s` seconds; the message names `what` and the last answer.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:g} s for {what}; the last answer was {answer!r}")
        time.sleep(0.02)
