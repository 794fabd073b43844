"""The HTML of a review in a real browser: opens quietly, fits a phone, in both themes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plan_review.gates import judge, parse_rules
from plan_review.render import html as render_html
from tests.browser import Browser, Page, open_browser
from tests.unit.plan_review.support import load, plan, resource, review

LONG = "x" * 300


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("review") / "review.html"
    awkward = plan(
        resource(
            f'aws_sqs_queue.q["{LONG}"]', "update", before={"name": "a", LONG: "b"}, after={"name": LONG, LONG: LONG}
        ),
        resource(
            "aws_iam_role_policy.p", after={"role": LONG, "policy": {"Statement": [{"Action": LONG, "Resource": LONG}]}}
        ),
    )
    found = review(load("change.json"), awkward)
    path.write_text(render_html.render(found, judge(found, parse_rules(["no-destroy,no-public,no-iam-widening"]))))
    return path


def opened(browser: Browser, file: Path, width: int, *, dark: bool) -> Page:
    page = browser.page()
    page.view(width, 800, dark=dark)
    page.open(file)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    return page


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_opens_without_a_request_or_a_complaint_and_fits_the_window(
    browser: Browser, file: Path, width: int, dark: bool
) -> None:
    page = opened(browser, file, width, dark=dark)
    assert page.evaluate("document.querySelector('h1').textContent").startswith("Creates ")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.requests == [file.resolve().as_uri()]
    assert page.problems == []


def test_both_themes_have_readable_contrast(browser: Browser, file: Path) -> None:
    measure = """
    (() => {
      const rgb = t => t.match(/[\\d.]+/g).map(Number);
      const lum = c => [0, 1, 2].map(i => c[i] / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
      const behind = e => { for (; e; e = e.parentElement) {
        const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } };
      let worst = [99, ''];
      for (const e of document.querySelectorAll('body *')) {
        const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
        if (!own || e.closest('svg, .skip')) continue;
        const [a, b] = [lum(rgb(getComputedStyle(e).color)), lum(behind(e))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < worst[0]) worst = [ratio, e.outerHTML.slice(0, 120)];
      }
      return worst;
    })()"""
    backgrounds = set()
    for dark in (False, True):
        page = opened(browser, file, 1280, dark=dark)
        ratio, element = page.evaluate(measure)
        assert ratio >= 4.5, element
        backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2


def test_texts_of_the_picture_stay_inside_of_their_boxes(browser: Browser, file: Path) -> None:
    page = opened(browser, file, 1280, dark=False)
    outside = page.evaluate(
        """[...document.querySelectorAll('svg .node')].filter(g => {
          const box = g.querySelector('.box').getBBox();
          const [title, kind, sign] = ['title', 'kind', 'sign'].map(c => g.querySelector('text.' + c).getBBox());
          return title.x + title.width > sign.x + 1 || kind.x + kind.width > box.x + box.width;
        }).map(g => g.textContent)"""
    )
    assert outside == []
