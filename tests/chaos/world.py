"""What is around the adapter: a pool that changes all the time, and a sink that can't be relied on. All seeded."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from emulator.sink import SinkRequest, SinkResponse
from tests.chaos.consumer import Consumer, Shape, shape_of_pool
from tests.fake_cognito import FakeCognito

#: What a delivery attempt may take (K_SINK_TIMEOUT), in seconds; the sink hangs for longer.
SINK_TIMEOUT_S = 0.5
_HANG_S = 0.8

#: Faults of Cognito, each with what it needs.
_COGNITO_FAULTS: tuple[tuple[str, dict[str, object]], ...] = (
    ("throttle", {}),
    ("error", {"status": 500}),
    ("reset", {}),
    ("truncate", {}),
    ("cut", {}),
    ("html", {"status": 503}),
    ("expire_token", {}),
    ("repeat_token", {}),
    ("empty_page", {}),
    ("short_page", {}),
)


class Changes:
    """Creates, changes, disables, deletes and re-creates users at random."""

    def __init__(self, cognito: FakeCognito, rng: random.Random) -> None:
        self._cognito = cognito
        self._rng = rng
        self._names: list[str] = cognito.usernames()
        self._gone: list[str] = []
        self._enabled = dict.fromkeys(self._names, True)
        self._number = 0
        self.count = 0
        #: Whether users may be deleted: not before the first sweep is complete (nobody knows yet whom it has seen).
        self.deleting = True

    def make(self, changes: int) -> None:
        """Make so many changes."""
        for _ in range(changes):
            self._one()
            self.count += 1

    def break_cognito(self) -> None:
        """Let one of the next answers of Cognito fail."""
        kind, how = self._rng.choice(_COGNITO_FAULTS)
        self._cognito.inject(kind, after=self._rng.randrange(5), **how)  # type: ignore[arg-type]  # from the table above

    def _one(self) -> None:
        draw = self._rng.random()
        if draw < 0.25 or len(self._names) < 20:
            return self._create()
        name = self._rng.choice(self._names)
        if draw < 0.50 and self.deleting:
            return self._delete(name)
        if draw < 0.60:
            self._enabled[name] = not self._enabled[name]
            return (self._cognito.enable if self._enabled[name] else self._cognito.disable)(name)
        if draw < 0.65:
            return self._cognito.change(name, status=self._rng.choice(["CONFIRMED", "UNCONFIRMED", "RESET_REQUIRED"]))
        # Few values, so that users go back to forms which they had before; at times without a new date.
        return self._cognito.change(name, nickname=self._rng.choice("abc"), touch=self._rng.random() < 0.8)

    def _create(self) -> None:
        if self._gone and self._rng.random() < 0.3:
            name = self._gone.pop(self._rng.randrange(len(self._gone)))
        else:
            self._number += 1
            name = f"new <&> ü {self._number}"
        self._cognito.create(name, email=f"{self._number}@example.org")
        self._names.append(name)
        self._enabled[name] = True

    def _delete(self, name: str) -> None:
        self._cognito.delete(name)
        self._names.remove(name)
        self._gone.append(name)


@dataclass
class ChaosSink:
    """How the sink answers: one call of five fails, in every way there is, with or without having taken the events."""

    consumer: Consumer
    rng: random.Random
    #: Called with the number of each request, before the answer is decided and once it is.
    before: Callable[[int], None] = lambda _number: None
    after: Callable[[int], None] = lambda _number: None
    requests: int = 0
    failures: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: SinkRequest) -> SinkResponse:
        """Decide the answer to one request."""
        with self._lock:
            self.requests += 1
            number, draw, taken = self.requests, self.rng.random(), self.rng.random() < 0.5
        self.before(number)
        answer = self._outcome(draw)
        if answer.status == 204 or taken:
            self.consumer.take(request.events)
        if answer.status != 204:
            with self._lock:
                self.failures += 1
        self.after(number)
        return answer

    @staticmethod
    def _outcome(draw: float) -> SinkResponse:
        for limit, answer in (
            (0.80, SinkResponse()),
            (0.85, SinkResponse(503)),
            (0.88, SinkResponse(500, body=b"no")),
            (0.90, SinkResponse(429, {"Retry-After": "0"})),
            (0.91, SinkResponse(400)),
            (0.96, SinkResponse(0)),
            (1.00, SinkResponse(0, delay_s=_HANG_S)),
        ):
            if draw < limit:
                return answer
        raise AssertionError("unreachable")


def pool_shapes(cognito: FakeCognito) -> dict[str, Shape]:
    """The pool as it is."""
    return {name: shape_of_pool(shown) for name, shown in cognito.shown().items()}
