"""The HTML of a review in a real browser: opens quietly, fits a phone, in both themes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plan_review.gates import judge, parse_rules
from plan_review.render import html as render_html
from tests.support.browser import Browser, BrowserPage, open_browser
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
        resource("aws_cloudformation_stack.s", after={"name": LONG}),
    )
    found = review(load("change.json"), awkward)
    path.write_text(render_html.render(found, judge(found, parse_rules(["no-destroy,no-public,no-iam-widening"]))))
    return path


def opened(browser: Browser, file: Path, width: int, *, dark: bool) -> BrowserPage:
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


WIDTHS = pytest.mark.parametrize("width", [390, 1280])


@WIDTHS
def test_badges_and_tiles_break_between_words_only(browser: Browser, file: Path, width: int) -> None:
    page = opened(browser, file, width, dark=False)
    broken = page.evaluate(
        """[...document.querySelectorAll('.badge, .tile span, .tile b, th, .verdict li > span, h2, nav a')]
          .filter(e => !e.querySelector('.unseen')).filter(e => {
          const range = document.createRange();
          range.selectNodeContents(e);
          const lines = new Set([...range.getClientRects()].map(r => Math.round(r.top))).size;
          return lines > e.textContent.trim().split(/[\\s-]+/).length;
        }).map(e => e.outerHTML)"""
    )
    assert broken == []
    assert page.evaluate("document.querySelectorAll('.badge').length") > 20


@WIDTHS
def test_nothing_reaches_out_of_the_window_but_what_scrolls(browser: Browser, file: Path, width: int) -> None:
    page = opened(browser, file, width, dark=False)
    outside = page.evaluate(
        """[...document.querySelectorAll('body *')].filter(e => {
          const box = e.getBoundingClientRect();
          return box.width && !e.closest('.skip, nav ul, .scroll') && (box.right > innerWidth + 1 || box.left < -1);
        }).map(e => e.outerHTML.slice(0, 120))"""
    )
    assert outside == []


@WIDTHS
def test_the_picture_is_of_its_own_size_and_scrolls_where_it_is_wider(browser: Browser, file: Path, width: int) -> None:
    page = opened(browser, file, width, dark=False)
    frame = page.evaluate(
        """(() => { const card = document.querySelector('#picture .scroll'), svg = card.querySelector('svg');
        card.scrollLeft = 1e6;
        return {shown: card.clientWidth, whole: card.scrollWidth, svg: svg.getBoundingClientRect().width,
                asked: Number(svg.getAttribute('width')), moved: card.scrollLeft, focus: card.tabIndex}; })()"""
    )
    assert frame["svg"] == pytest.approx(frame["asked"], abs=1)
    assert frame["shown"] <= width
    assert frame["moved"] == pytest.approx(frame["whole"] - frame["shown"], abs=1)
    assert width > 400 or frame["moved"] > 100
    assert frame["focus"] == 0


@WIDTHS
def test_cells_of_tables_are_wide_enough_to_be_read(browser: Browser, file: Path, width: int) -> None:
    page = opened(browser, file, width, dark=False)
    narrow = page.evaluate(
        """[...document.querySelectorAll('td')].filter(e => e.textContent.trim().length > 12 && e.offsetWidth &&
          e.getBoundingClientRect().width < 100).map(e => e.outerHTML.slice(0, 120))"""
    )
    assert narrow == []


def test_tiles_say_what_is_at_risk_and_what_was_not_judged(browser: Browser, file: Path) -> None:
    page = opened(browser, file, 1280, dark=False)
    tiles = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('.tile')].map(t => [t.querySelector('span').textContent,"
        " t.querySelector('b').textContent]))"
    )
    assert tiles["data at risk"] == "2"
    assert tiles["not judged"] == "1"


def test_what_is_created_shows_its_significant_fields_and_folds_the_others(browser: Browser, file: Path) -> None:
    page = browser.page()
    page.open(file)
    fields = page.evaluate(
        """(() => { const all = [...document.querySelectorAll('#changes details')].find(
            d => d.querySelector('summary').textContent.includes('aws_s3_bucket.site'));
        all.open = true;
        const first = [...all.querySelectorAll(':scope > .fields > table td:first-child')];
        return {first: first.map(t => t.textContent.trim()),
                folded: all.querySelector('.fields details summary').textContent.trim(),
                open: all.querySelector('.fields details').open}; })()"""
    )
    assert fields["first"][:1] == ["bucket"]
    assert "more fields" in fields["folded"]
    assert not fields["open"]
