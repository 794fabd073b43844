"""Takes the pictures of the status page for docs/: a made-up adapter's day, shown by the real page in a real browser.

    make status-docs

The adapter watches a pool of 48,000 users. What is counted in three hours is played through the real metrics at once,
with a clock of its own: an import of users, a spell of throttling, and a sink that is away for four minutes.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from random import Random
from typing import Final

from adapter.cognito.rate_limiter import RateLimiter
from adapter.config.settings import load
from adapter.config.values import Address
from adapter.delivery import Result, Status
from adapter.model import Event, Kind
from adapter.observability.health import Health
from adapter.observability.metrics import Metrics
from adapter.observability.status_page.report import Report
from adapter.observability.status_page.server import StatusServer
from adapter.state.sqlite.lock import Holder
from tests.support.browser import Browser, find_chromium, open_browser

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
WIDTH: Final = 1280
_HOURS: Final = 3.0
_PAGES: Final = 800
_SETTINGS: Final = {
    "ARN": "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI",
    "K_SINK": "https://events.example.com/users",
    "DELIVERY_DEAD_LETTER_SINK": "arn:aws:sqs:eu-central-1:123456789012:customers-dead-letters",
    "STATE_URL": "dynamodb://cognito-source-customers?region=eu-central-1",
    "NAMESPACE": "crm",
    "NAME": "customers",
    "POLL_MAX_SECONDS": "20",
    "MAX_RPS": "30",
}
_CHANGED: Final = ("attributes", "attributes", "status", "enabled", "attributes,status")


class Day:
    """Three hours of an adapter, minute by minute, ending now."""

    def __init__(self) -> None:
        self._random = Random(7)  # noqa: S311 - nothing secret is made of it
        self.begun_s = time.time() - _HOURS * 3600
        self.now_s = 0.0
        self.requests = self.throttled = 0
        settings = load(_SETTINGS)
        self.health = Health()
        self.metrics = Metrics(
            source=_SETTINGS["ARN"],
            namespace="crm",
            name="customers",
            traffic=lambda: (self.requests, self.throttled),
            wall_s=lambda: self.begun_s + self.now_s,
        )
        self.report = Report(
            settings,
            self.health,
            self.metrics,
            RateLimiter(settings.polling.max_rps),
            clock=lambda: self.now_s,
            wall_s=lambda: self.begun_s + self.now_s,
            key=b"the picture is the same every time",
        )
        self.health.holder = Holder(host="ip-10-0-12-7", pid=1, since=_iso(self.begun_s)[:19] + "+00:00")
        self.metrics.users = 47_930

    def pass_by(self) -> None:
        """Live through all of it."""
        sweep_ends_s, sweep_s = 0.0, 27.0
        while self.now_s < _HOURS * 3600 - 4:
            self.now_s += 1.0
            hour = self.now_s / 3600
            throttled = 1.25 < hour < 1.42
            away = 2.88 < hour < 2.95
            pace = 11.0 if throttled else 29.0
            if self.now_s >= sweep_ends_s:
                self.metrics.swept("complete", sweep_s, _PAGES)
                sweep_s = _PAGES / pace * self._random.uniform(0.97, 1.12)
                sweep_ends_s = self.now_s + sweep_s + 1
            self.requests += round(pace * self._random.uniform(0.93, 1.03))
            self.throttled += self._random.random() < 0.7 if throttled else self._random.random() < 0.002
            self._changes(hour, sweep_s, away=away)
            self.report.tick()
        self.health.polled()

    def _changes(self, hour: float, sweep_s: float, *, away: bool) -> None:
        rate = 0.045 + 0.03 * math.sin(hour * 2.1) + (0.55 if 0.55 < hour < 0.68 else 0.0)
        while self._random.random() < rate:
            kind = self._random.choices([Kind.CREATED, Kind.UPDATED, Kind.DELETED], [5, 4, 1])[0]
            self.metrics.users += {Kind.CREATED: 1, Kind.DELETED: -1}.get(kind, 0)
            early = kind is Kind.CREATED and self._random.random() < 0.8
            lag_s = self._random.uniform(0.4, 3.0) if early else self._random.uniform(0.5, sweep_s)
            if away and self._random.random() < 0.6:
                self.tell(kind, None, Status.UNDELIVERED, "503")
            else:
                self.tell(kind, lag_s + (90 if away else 0), Status.DELIVERED, "202")
            rate *= 0.6

    def tell(self, kind: Kind, lag_s: float | None, status: Status, code: str, username: str = "") -> None:
        """An event ended now."""
        attributes = {
            "id": self._random.randbytes(16).hex(),
            "type": "com.amazon.cognito-idp.sync_trigger",
            "time": _iso(self.begun_s + self.now_s - (lag_s or 0)),
            "changed": self._random.choice(_CHANGED) if kind is Kind.UPDATED else "",
        }
        event = Event(attributes=attributes, data=b"", key=username or self._random.randbytes(4).hex())
        self.metrics.finished([(Result(event=event, status=status, code=code), kind, lag_s)])


def take(browser: Browser, url: str, target: Path, *, dark: bool) -> None:
    """The whole page as a PNG, when it shows numbers."""
    page = browser.page()
    page.view(WIDTH, 900, dark=dark)
    page.visit(f"{url}#3h")
    page.until("document.getElementById('verdict').dataset.state === 'ready'")
    height = page.evaluate("Math.ceil(document.documentElement.getBoundingClientRect().height)")
    page.view(WIDTH, height, dark=dark)
    page.until("document.querySelectorAll('.plot svg path').length > 10")
    target.write_bytes(page.screenshot())


def main(folder: Path = DOCS) -> int:
    """Write docs/status-page.png and docs/status-page-dark.png."""
    if find_chromium() is None:
        print("no headless browser: the pictures stay as they are", file=sys.stderr)
        return 1
    day = Day()
    day.pass_by()
    with StatusServer(day.report, Address("127.0.0.1", 0)) as server, open_browser() as browser:
        take(browser, server.url, folder / "status-page.png", dark=False)
        take(browser, server.url, folder / "status-page-dark.png", dark=True)
    return 0


def _iso(epoch_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(epoch_s)) + f".{int(epoch_s % 1 * 1000):03d}Z"


if __name__ == "__main__":
    sys.exit(main())
