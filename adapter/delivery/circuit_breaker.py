"""The circuit breaker: tells a sink that is down from users whose events it refuses, and finds out when it is back.

Pure: every method is told the time (seconds of a monotonic clock), nothing here waits.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from adapter.delivery.verdict import Verdict

#: How long a user counts as refused after its last failure, and how many such users are remembered.
REFUSED_FOR_S: Final = 3600.0
REFUSED_MAX: Final = 100_000


class CircuitState(Enum):
    """What may be sent."""

    #: Everything.
    CLOSED = "closed"
    #: Events of users who have not failed, to find out whether theirs are taken; of the others single probes.
    ASKING = "asking"
    #: Single probes.
    OPEN = "open"


@dataclass(slots=True, kw_only=True)
class CircuitBreaker:
    """Judges by what happened since the last proof that the sink works: an event that it took.

    - `signs` failures in a row that are signs of an outage (Verdict.OUTAGE) open it.
    - `signs` refusals of single events in a row, without a failure between them, close it. One alone proves nothing:
      a gateway before a sink that is down refuses what it does not like, too.
    - Failures of `users` different users stop their retries; `asked` different users without a success open it.
    - A user who failed before such a proof is *refused*: that it fails again is no news. So is a failure of a request
      that was under way while the sink took others.

    Until it closes single probes go out, one in `probe_s`, or in `hung_probe_s` while earlier ones have no answer
    (`probes` of these at most). `refused_probe_s` after the refusal of another user's event the next one may follow.
    """

    signs: int = 5
    users: int = 5
    asked: int = 1000
    probe_s: float = 1.5
    hung_probe_s: float = 4.0
    refused_probe_s: float = 0.5
    probes: int = 1
    _suspects: set[str] = field(default_factory=set, init=False, repr=False)
    _refused: OrderedDict[str, float] = field(default_factory=OrderedDict, init=False, repr=False)
    _signs: int = field(default=0, init=False)
    _refusals: int = field(default=0, init=False)
    #: What may be sent now; set by nobody else.
    state: CircuitState = field(default=CircuitState.CLOSED, init=False)
    _alive_at: float = field(default=float("-inf"), init=False)
    _probe_at: float = field(default=0.0, init=False)
    _probing: int = field(default=0, init=False)

    @property
    def closed(self) -> bool:
        """Whether the sink counts as working."""
        return self.state is CircuitState.CLOSED

    @property
    def untroubled(self) -> bool:
        """Whether no user's last event failed."""
        return not self._suspects and not self._refused

    def has_failed(self, user: str) -> bool:
        """Whether the last event of this user failed."""
        return user in self._suspects or user in self._refused

    def is_refused(self, user: str) -> bool:
        """Whether this user's events fail while the sink takes those of others."""
        return user in self._refused

    def record(self, user: str, verdict: Verdict, *, sent_at: float, now: float) -> bool:
        """Take in what became of an event of this user that was sent at `sent_at`. True: it opened or closed."""
        if verdict is Verdict.DELIVERED:
            self._suspects.discard(user)
            self._refused.pop(user, None)
            return self.proved_alive(now)
        if verdict is Verdict.REFUSED:
            return self._refused_alone(user, now)
        self._refusals = 0
        known = now - self._refused.get(user, float("-inf")) <= REFUSED_FOR_S
        if known or self._alive_at > sent_at:
            self._refuse(user, now)
            return False
        self._suspects.add(user)
        self._signs += verdict is Verdict.OUTAGE
        return self._judge(now)

    def proved_alive(self, now: float) -> bool:
        """The sink took an event: whoever failed before failed alone. True: it closed."""
        self._alive_at = now
        for user in self._suspects:
            self._refuse(user, now)
        return self._close()

    @property
    def has_refused(self) -> bool:
        """Whether the last answer refused a single event, and the sink does not count as working for that."""
        return self._refusals > 0 and not self.closed

    def nobody_waits(self) -> bool:
        """Nothing is left to ask with: a refusal will do. True: it closed."""
        return self.has_refused and self._close()

    def _refused_alone(self, user: str, now: float) -> bool:
        is_news = user not in self._refused
        self._suspects.discard(user)
        self._refuse(user, now)
        self._refusals += 1
        if self._refusals >= self.signs:
            return self._close()
        if is_news:
            self._probe_at = min(self._probe_at, now + self.refused_probe_s - self.probe_s)
        return False

    def _close(self) -> bool:
        self._signs = self._refusals = 0
        self._suspects.clear()
        if self.state is CircuitState.CLOSED:
            return False
        self.state = CircuitState.CLOSED
        return True

    def _judge(self, now: float) -> bool:
        before = self.state
        if self._signs >= self.signs or len(self._suspects) >= self.asked:
            self.state = CircuitState.OPEN
        elif len(self._suspects) >= self.users and before is CircuitState.CLOSED:
            self.state = CircuitState.ASKING
        if before is not CircuitState.CLOSED or self.closed:
            return False
        self._probe_at = now
        return True

    def _refuse(self, user: str, now: float) -> None:
        self._refused[user] = now
        self._refused.move_to_end(user)
        oldest, failed_at = next(iter(self._refused.items()))
        if len(self._refused) > REFUSED_MAX or now - failed_at > REFUSED_FOR_S:
            del self._refused[oldest]

    # -- probes ----------------------------------------------------------------------------------------------------

    def probe_wait_s(self, now: float) -> float | None:
        """How long until the next probe may be sent; None: not before something else happens."""
        if self.closed or self._probing >= self.probes:
            return None
        interval_s = self.hung_probe_s if self._probing else self.probe_s
        return max(0.0, self._probe_at + interval_s - now)

    def probe_sent(self, now: float) -> None:
        """A probe is sent now; `probe_ended` follows."""
        self._probing += 1
        self._probe_at = now

    def probe_ended(self) -> None:
        """A probe was answered, or came back without having been sent."""
        self._probing -= 1
