"""The status page in a real browser, over a real service: its numbers are those of /metrics and follow what happens."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapter.cognito.rate_limiter import RateLimiter
from adapter.config import settings as config
from adapter.config.values import Address
from adapter.observability.prometheus import serve
from adapter.observability.status_page.report import Report
from adapter.observability.status_page.server import StatusServer
from adapter.sinks.base import Delivered
from adapter.state.sqlite.lock import Holder
from emulator.task import free_port
from tests.support.browser import Browser, BrowserPage, open_browser
from tests.support.rig import ARN, DOWN, MemoryPool, MemorySink, Rig

HOSTILE = "<img src=x onerror=document.title='hacked'>"
#: How many numbers of the page can be compared with /metrics at a glance: text of the tile or fact.
TILE = "document.querySelector('.tile[data-name=\"{}\"] .value').textContent"
FACT = "document.querySelector('#facts [data-name=\"{}\"] dd').textContent"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


class PageWorld:
    """An adapter between a pool and a sink, with the servers for its page and for Prometheus."""

    def __init__(self, folder: Path, stack: ExitStack, **environment: str) -> None:
        self._stack = stack
        self.pool, self.sink = MemoryPool(), MemorySink()
        for name in ("amara", "bilal"):
            self.pool.create(name, at=time.time() - 60)
        self.rig = stack.enter_context(Rig.start(self.pool, self.sink, folder / "state.db"))
        settings = config.load({"ARN": ARN, "K_SINK": "http://events.example.com/", **environment})
        self.rig.health.holder = Holder.this_process()
        self.report = Report(settings, self.rig.health, self.rig.metrics, RateLimiter(settings.polling.max_rps))
        self.server = StatusServer(self.report, Address("127.0.0.1", 0))
        stack.enter_context(self.server)
        self.rig.sweep()

    def metrics(self) -> dict[str, float]:
        """What Prometheus reads, summed over labels other than the status."""
        port = free_port()
        stop = serve(self.rig.metrics, "127.0.0.1", port)
        try:
            text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30).read().decode()
        finally:
            stop()
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                status = sample.labels.get("status", "")
                name = f"{sample.name} {status}".strip()
                found[name] = found.get(name, 0) + sample.value
        return found

    def open(self, browser: Browser) -> BrowserPage:
        page = browser.page()
        page.view(1280, 900)
        page.visit(self.server.url)
        page.evaluate("timing.periodMs = 150")
        # Pages stay open in the browser: let this one ask nobody when its test is over.
        self._stack.callback(page.evaluate, "paused = true; clearTimeout(timer)")
        page.until("document.getElementById('verdict').dataset.state !== 'unknown'")
        return page


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def text(page: BrowserPage, template: str, name: str) -> str:
    return str(page.evaluate(template.format(name)))


def test_numbers_appear_follow_what_happens_and_match_the_metrics(
    browser: Browser, tmp_path: Path, stack: ExitStack
) -> None:
    world = PageWorld(tmp_path, stack)
    page = world.open(browser)
    assert page.evaluate("document.getElementById('state').textContent") == "Ready"
    assert page.evaluate("document.title") == "Ready · eu-central-1_AbCdEfGhI"
    assert (text(page, TILE, "Users"), text(page, TILE, "Events")) == ("2", "0")
    assert not page.evaluate("document.getElementById('no-events').hidden")
    for number in range(5):
        world.pool.create(f"user-{number}")
    world.rig.sweep()
    world.sink.answer = lambda _: DOWN
    world.pool.create("late")
    world.rig.sweep()
    page.until(TILE.format("Undelivered") + " === '1'")
    page.until("document.getElementById('events').rows.length === 6")
    found = world.metrics()
    assert text(page, TILE, "Users") == f"{found['cognito_source_users']:.0f}" == "8"
    assert text(page, TILE, "Undelivered") == f"{found['cognito_source_undelivered']:.0f}"
    assert text(page, TILE, "Events") == f"{found['cognito_source_events_total delivered']:.0f}" == "5"
    assert text(page, FACT, "Deliveries") == "delivered 5, undelivered 1"
    assert found["cognito_source_events_total undelivered"] == 1
    assert text(page, FACT, "Sweeps") == f"complete {found['cognito_source_sweeps_total']:.0f}"
    legend = page.evaluate("document.querySelector('#charts .legend').innerText")
    assert legend.split() == ["created", "5", "updated", "0", "deleted", "0", "not", "taken", "1"]
    assert page.evaluate("document.getElementById('state').textContent") == "Not ready"
    assert "undelivered" in page.evaluate("document.getElementById('reasons').textContent")
    first, *others = page.evaluate("[...document.getElementById('events').rows].map(row => row.innerText)")
    assert "undelivered 503" in first
    assert all("delivered" in row and "user-" not in row for row in others)
    world.rig.health.holder = Holder(host="elsewhere", pid=7, since="then")
    page.until("document.getElementById('state').textContent === 'Waiting'")
    assert text(page, FACT, "Lease holder") == "process 7 on elsewhere since then"
    assert page.problems == []


def test_a_hostile_username_stays_text(browser: Browser, tmp_path: Path, stack: ExitStack) -> None:
    world = PageWorld(tmp_path, stack, STATUS_SHOW_USERS="true")
    world.pool.create(HOSTILE)
    world.rig.sweep()
    page = world.open(browser)
    assert page.evaluate("document.querySelector('#events .user').textContent") == HOSTILE
    assert page.evaluate("document.querySelectorAll('img, #events script').length") == 0
    assert page.evaluate("document.title").startswith("Ready")
    # Even code of our own could not make markup of it: Trusted Types stop it.
    assert (
        page.evaluate("(() => { try { document.body.innerHTML = '<p>'; } catch { return 'stopped'; } })()") == "stopped"
    )
    assert {url.split("?")[0] for url in page.requests} <= {world.server.url, f"{world.server.url}status"}


def test_nothing_is_asked_of_anybody_else_and_nothing_complains(
    browser: Browser, tmp_path: Path, stack: ExitStack
) -> None:
    world = PageWorld(tmp_path, stack)
    page = world.open(browser)
    for span in ("3h", "24h", "15m"):
        page.evaluate(f"document.querySelector('input[value=\"{span}\"]').click()")
        page.until(f"document.querySelector('.at').textContent.includes(spanNames['{span}'])")
        assert page.evaluate("location.hash") == f"#{span}"
    asked = {url for url in page.requests if not url.startswith("data:")}
    assert asked <= {world.server.url, *(f"{world.server.url}status?span={span}" for span in ("15m", "3h", "24h"))}
    assert page.problems == []


def test_the_page_says_when_the_adapter_stopped_and_recovers(
    browser: Browser, tmp_path: Path, stack: ExitStack
) -> None:
    world = PageWorld(tmp_path, stack)
    page = world.open(browser)
    port = world.server.port
    world.server.__exit__()
    page.until("!document.getElementById('offline').hidden")
    assert page.evaluate("document.getElementById('offline').innerText").startswith(
        "The adapter does not answer since "
    )
    assert page.evaluate("document.title") == "No answer · cognito-source"
    assert page.evaluate("document.getElementById('verdict').dataset.state") == "unknown"
    with StatusServer(world.report, Address("127.0.0.1", port)):
        page.until("document.getElementById('offline').hidden")
        assert page.evaluate("document.getElementById('state').textContent") == "Ready"


def test_the_page_can_be_paused(browser: Browser, tmp_path: Path, stack: ExitStack) -> None:
    world = PageWorld(tmp_path, stack)
    page = world.open(browser)
    page.evaluate("document.getElementById('pause').click()")
    page.until("document.getElementById('pause').getAttribute('aria-pressed') === 'true'")
    asked = len(page.requests)
    world.pool.create("zoe")
    world.rig.sweep()
    page.evaluate("new Promise(done => setTimeout(done, 600))")  # 4 times as long as until the next question
    assert (len(page.requests), text(page, TILE, "Users")) == (asked, "2")
    page.evaluate("document.getElementById('pause').click()")
    page.until(TILE.format("Users") + " === '3'")


def press(page: BrowserPage, key: str) -> None:
    for kind in ("rawKeyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=_CODES[key])


_CODES = {"Tab": 9, "ArrowLeft": 37, "End": 35, "Escape": 27}


def test_a_chart_can_be_read_with_the_keyboard_and_as_a_table(
    browser: Browser, tmp_path: Path, stack: ExitStack
) -> None:
    world = PageWorld(tmp_path, stack)
    world.pool.create("zoe")
    world.rig.sweep()
    page = world.open(browser)
    page.evaluate("document.getElementById('pause').click()")
    plot = "document.querySelector('.plot')"
    for _ in range(12):
        press(page, "Tab")
        if page.evaluate(f"document.activeElement === {plot}"):
            break
    assert page.evaluate(f"document.activeElement === {plot}"), "the chart can't be reached with the Tab key"
    said = f"{plot}.getAttribute('aria-valuetext')"
    assert page.evaluate(said).startswith("last 15 minutes: created 1, updated 0")
    moments = []
    for key in ("End", "ArrowLeft", "ArrowLeft"):
        press(page, key)
        moments.append(page.evaluate(said))
    assert len(set(moments)) == 3
    assert [": created 1, updated 0, deleted 0" in moment for moment in moments].count(True) == 1
    press(page, "Escape")
    assert page.evaluate(said).startswith("last 15 minutes")
    page.evaluate("document.querySelector('details').open = true")
    page.until("document.querySelectorAll('details tbody tr').length >= 1")
    names = page.evaluate("[...document.querySelectorAll('details thead th')].map(each => each.textContent)")
    assert names == ["From", "created", "updated", "deleted", "snapshot", "not taken"]


CONTRAST = """
(() => {
  const rgb = t => t.match(/[\\d.]+/g).map(Number);
  const lum = c => [0, 1, 2].map(i => c[i] / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => { for (; e; e = e.parentElement) {
    const t = getComputedStyle(e).backgroundColor; if (!t.startsWith('rgb')) continue;
    const c = rgb(t); if (c.length < 4 || c[3] > 0) return c; } };
  let worst = [99, ''];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || e.closest('.skip, script, style, noscript, [hidden]')) continue;
    const style = getComputedStyle(e);
    const [a, b] = [lum(rgb(e.closest('svg') ? style.fill : style.color)), lum(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, e.outerHTML.slice(0, 120)];
  }
  return worst;
})()"""


def test_both_themes_are_readable_and_fit_a_phone(browser: Browser, tmp_path: Path, stack: ExitStack) -> None:
    world = PageWorld(tmp_path, stack)
    world.sink.answer = lambda event: DOWN if event.key == "zoe" else Delivered()
    for name in ("zoe", "amir"):
        world.pool.create(name)
    world.rig.sweep()
    backgrounds = set()
    page = world.open(browser)
    for dark in (False, True):
        for width in (390, 1280):
            page.view(width, 900, dark=dark)
            ratio, element = page.evaluate(CONTRAST)
            assert ratio >= 4.5, element
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2


def test_everything_has_a_name_for_those_who_do_not_see_it(browser: Browser, tmp_path: Path, stack: ExitStack) -> None:
    page = PageWorld(tmp_path, stack).open(browser)
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    roles: dict[str, list[str]] = {}
    for node in nodes:
        if not node.get("ignored"):
            roles.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    charts = ["Events", "Lag, from change to event", "Sweep duration", "ListUsers requests a second"]
    assert roles["slider"] == charts
    assert {"main", "banner", "contentinfo", "status", "table"} <= set(roles)
    for role in ("slider", "button", "radio", "region", "link", "table"):
        assert all(roles.get(role, [])), role
    assert page.evaluate("document.documentElement.lang") == "en"
