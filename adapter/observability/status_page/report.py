"""What the status page shows, as JSON values: the numbers of /metrics, the last hours, and what is going on now."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final

from adapter.arn import PoolArn
from adapter.cognito.rate_limiter import RateLimiter
from adapter.config.settings import Settings
from adapter.config.values import shown
from adapter.observability.health import Health
from adapter.observability.metrics import Finished, Metrics
from adapter.observability.status_page.history import POINTS, SPANS, History
from adapter.state.sqlite.lock import Holder
from adapter.version import VERSION

#: How many deliveries are shown.
LAST_EVENTS: Final = 50
_HASH_BYTES: Final = 5
#: Enough for every number that is shown.
_DIGITS: Final = 4


class Report:
    """All that is known of a running adapter. Thread-safe; `tick` is to be called about once a second.

    Args:
        settings: how the adapter is configured.
        health: how it is.
        metrics: what it did; told here to keep the last deliveries.
        limiter: how fast it may ask.
        clock: monotonic seconds.
        wall_s: seconds since the epoch.
        key: what usernames are hashed with.
    """

    def __init__(
        self,
        settings: Settings,
        health: Health,
        metrics: Metrics,
        limiter: RateLimiter,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
        key: bytes | None = None,
    ) -> None:
        self._settings, self._health, self._metrics, self._limiter = settings, health, metrics, limiter
        self._wall_s = wall_s
        self._clock = clock
        self._key = secrets.token_bytes(32) if key is None else key
        self._me = Holder.this_process()
        self._history = History(clock)
        self._begun_s = clock()
        metrics.recent = deque(maxlen=LAST_EVENTS)

    def tick(self) -> None:
        """Book what happened since the last time."""
        self._history.sample(self._metrics.totals())

    def status(self, span: str) -> dict[str, Any]:
        """Everything, with the history of this span (`SPANS` of adapter.observability.status_page.history).

        Raises:
            KeyError: there is no such span.
        """
        self.tick()
        past = self._history.past(span)
        now_s = self._wall_s()
        unready, dead = self._health.unready(), self._health.dead()
        holder = self._health.holder
        return {
            **self._metrics.status(),
            "version": VERSION,
            "now": round(now_s, 3),
            "up_seconds": round(self._clock() - self._begun_s, 1),
            "ready": not unready and not dead,
            "unready": unready,
            "dead": dead,
            "lease_holder": str(holder) if holder else None,
            "holds_lease": holder is not None and (holder.host, holder.pid) == (self._me.host, self._me.pid),
            "pool": _pool(self._settings.pool),
            "settings": self._facts(),
            "pace_rps": round(self._limiter.rps, 2),
            "events_by_kind": dict(self._metrics.totals().kinds),
            "usernames_hashed": not self._settings.servers.status_show_users,
            "last_events": [self._event(each) for each in reversed(self._metrics.last())],
            "history": {
                "span": past.span.name,
                "spans": [each.name for each in SPANS],
                "step_seconds": past.span.step_s,
                "points": POINTS,
                "newest_begins": round(now_s - past.newest_age_s, 3),
                "summary": {each.name: _short(getattr(past.summary, each.name)) for each in fields(past.summary)},
                "series": {each.name: [*map(_short, getattr(past.series, each.name))] for each in fields(past.series)},
            },
        }

    def _facts(self) -> dict[str, Any]:
        settings = self._settings
        return {
            "sink": shown(settings.sink),
            "dead_letter_sink": shown(settings.dead_letter_sink) or None,
            "state": settings.state.url,
            "max_rps": settings.polling.max_rps,
            "poll_min_seconds": settings.polling.min_seconds,
            "poll_max_seconds": settings.polling.max_seconds,
            "initial": settings.events.initial,
            "deletions": settings.events.deleted,
        }

    def _event(self, finished: Finished) -> dict[str, Any]:
        attributes = finished.attributes
        return {
            "id": attributes.get("id", ""),
            "kind": finished.kind.value,
            "changed": attributes.get("changed", ""),
            "user": self._user(finished.username),
            "time": attributes.get("time", ""),
            "ended": round(finished.wall_s, 3),
            "lag_seconds": None if finished.lag_s is None else round(finished.lag_s, 3),
            "outcome": finished.status.value,
            "code": finished.code,
        }

    def _user(self, username: str) -> str:
        """The name, or what stands for it: the same in one life of the adapter, nothing beyond it."""
        if self._settings.servers.status_show_users:
            return username
        text = username.encode(errors="surrogatepass")
        return hashlib.blake2b(text, key=self._key, digest_size=_HASH_BYTES).hexdigest()


def _pool(pool: PoolArn) -> Mapping[str, str]:
    return {"arn": str(pool), "id": pool.pool_id, "region": pool.region, "account": pool.account}


def _short(number: float | None) -> float | int | None:
    """As short as JSON can be: a whole number without a fraction."""
    if number is None:
        return None
    rounded = round(number, _DIGITS)
    return int(rounded) if rounded == int(rounded) else rounded
