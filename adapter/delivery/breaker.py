"""The circuit breaker: notices that the sink is down for everybody, and finds out when it is back.

Pure: every method is told the time (seconds of a monotonic clock), nothing here waits.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Breaker:
    """Opens after retryable failures of requests for `users` different users in a row; one user's can never open it.

    Once open it lets single probes through: after 1, 2, 4, 8, 16, 30, 30, ... s (`first_probe_s`, doubled up to
    `max_probe_s`). Any answer that shows the sink alive closes it.
    """

    users: int = 5
    first_probe_s: float = 1.0
    max_probe_s: float = 30.0
    _failing: set[str] = field(default_factory=set, init=False, repr=False)
    _probe_delay_s: float = field(default=0.0, init=False)
    _probe_at: float = field(default=0.0, init=False)
    _probing: bool = field(default=False, init=False)

    @property
    def open(self) -> bool:
        """Whether the sink counts as down."""
        return self._probe_delay_s > 0

    def wait_s(self, now: float) -> float | None:
        """How long nothing may be sent: 0 to send now (one probe, while open); None while a probe is under way."""
        if not self.open:
            return 0.0
        return None if self._probing else max(0.0, self._probe_at - now)

    def probe(self) -> bool:
        """Note that something is sent now. True: it is the probe of an open breaker."""
        self._probing = self.open
        return self._probing

    def answered(self) -> bool:
        """The sink took an event, or refused one for good: it is alive. True: this closed the breaker."""
        closed = self.open
        self._failing.clear()
        self._probe_delay_s = 0.0
        self._probing = False
        return closed

    def failed(self, user: str, now: float, *, probe: bool = False) -> bool:
        """A retryable failure of this user's event. True: it opened the breaker."""
        if probe:
            self._probing = False
            self._probe_delay_s = min(self._probe_delay_s * 2, self.max_probe_s)
        elif not self.open:
            self._failing.add(user)
            if len(self._failing) < self.users:
                return False
            self._probe_delay_s = self.first_probe_s
        else:  # sent before the breaker opened: says nothing new
            return False
        self._probe_at = now + self._probe_delay_s
        return not probe

    def probe_lost(self) -> None:
        """The probe came back without having been sent: another one may go."""
        self._probing = False
