"""Events and sinks for the tests of the delivery."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence

from adapter.model import Event
from adapter.sinks.base import Delivered, Failed, Outcome

DOWN = Failed(code="503", reason="the sink answered 503", retryable=True)
REFUSED = Failed(code="403", reason="the sink answered 403", retryable=False)
OK = Delivered(code="202")

_ids = itertools.count()


def make_event(key: str = "ann", **attributes: str) -> Event:
    """A valid event of this user, with an id of its own that counts up."""
    given = {
        "specversion": "1.0",
        "id": f"id-{next(_ids):06d}",
        "type": "com.amazon.cognito-idp.sync_trigger",
        "source": "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI",
        "subject": "eu-central-1_AbCdEfGhI",
        "time": "2026-11-23T12:00:00.123Z",
        "datacontenttype": "application/json",
        "partitionkey": key,
        "changetype": "created",
    }
    return Event(attributes={**given, **attributes}, data=b'{"Username":"ann","Attributes":[]}', key=key)


class FakeSink:
    """Does what `answer` says, remembers what it was sent, and counts how many sends are under way."""

    target = "fake:"

    def __init__(self, answer: Callable[[Event], Outcome] = lambda _: OK, *, max_batch: int = 1) -> None:
        self.answer = answer
        self.max_batch = max_batch
        self.sent: list[list[Event]] = []
        self.most_at_once = 0
        self.keys_together = False
        self.gate = threading.Event()
        self.gate.set()
        self.arrived = threading.Semaphore(0)
        self._at_once: list[str] = []
        self._lock = threading.Lock()

    def send(self, events: Sequence[Event]) -> Sequence[Outcome]:
        keys = [event.key for event in events]
        with self._lock:
            self.sent.append(list(events))
            self.keys_together |= len({*self._at_once, *keys}) < len(self._at_once) + len(keys)
            self._at_once += keys
            self.most_at_once = max(self.most_at_once, len(self._at_once))
        self.arrived.release()
        try:
            assert self.gate.wait(20)
            return [self.answer(event) for event in events]
        finally:
            with self._lock:
                for key in keys:
                    self._at_once.remove(key)

    def close(self) -> None:
        self.gate.set()

    @property
    def events(self) -> list[Event]:
        return [event for batch in self.sent for event in batch]
