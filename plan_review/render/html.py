"""The review as one self-contained HTML file: no script, no request, readable on a phone, in light and dark."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from plan_review.gates import GateResult
from plan_review.plan.model import Action
from plan_review.render.graph import picture
from plan_review.render.html_changes import changes, drift, outputs
from plan_review.render.html_rights import rights
from plan_review.render.html_sections import (
    attention,
    cost_table,
    data_at_risk,
    gate_results,
    network_reach,
    secrets_found,
)
from plan_review.render.markup import Child, Markup, el
from plan_review.render.style import CSS
from plan_review.render.svg import draw
from plan_review.report import Review
from plan_review.verdict import tones, verdict

_MARKS = {"good": "✓", "warn": "!", "bad": "✕"}
_SPOKEN = {"good": "Fine: ", "warn": "Look: ", "bad": "Danger: "}


def render(found: Review, gates: Sequence[GateResult] = ()) -> str:
    """The whole page."""
    drawn = picture(found.plans)
    sections: list[tuple[str, str, Child]] = [
        ("look", "Needs a look", attention(found)),
        ("gates", "Gates", gate_results(gates)),
        ("rights", "Who may do what", rights(found)),
        ("network", "Network", network_reach(found)),
        ("data", "Data at risk", data_at_risk(found)),
        ("secrets", "Secrets", secrets_found(found)),
        ("cost", "Cost", cost_table(found)),
        ("picture", "Picture", _scroll(draw(drawn)) if drawn.nodes else None),
        ("changes", "Changes", changes(found)),
        ("drift", "Changed outside", drift(found)),
        ("outputs", "Outputs", outputs(found)),
    ]
    there = [(key, title, body) for key, title, body in sections if body]
    body = el(
        "body",
        el("a", "Skip to the review", href="#main", class_="skip"),
        el(
            "div",
            _header(found),
            el(
                "nav",
                el("ul", [el("li", el("a", title, href=f"#{key}")) for key, title, _ in there]),
                aria_label="Sections",
            ),
            el(
                "main",
                [el("section", el("h2", title), body, id=key, aria_label=title) for key, title, body in there],
                id="main",
            ),
            _footer(),
            class_="page",
        ),
    )
    return f"<!doctype html>\n{el('html', _head(found), body, lang='en')}\n"


def _head(found: Review) -> Markup:
    digest = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        # An empty icon: otherwise a browser asks the server for one.
        el("link", rel="icon", href="data:,"),
        el("title", f"Plan review: {verdict(found)[0]}"),
        Markup(f"<style>{CSS}</style>"),
    )


def _navigation(sections: Sequence[tuple[str, str]]) -> Markup:
    links = [el("li", el("a", title, href=f"#{key}")) for key, title in sections]
    return el("nav", el("ul", links), aria_label="Sections")


def _header(found: Review) -> Markup:
    counts = found.counts
    tiles = [
        ("create", counts[Action.CREATE], "good"),
        ("change", counts[Action.UPDATE], "warn"),
        ("replace", counts[Action.REPLACE], "bad"),
        ("destroy", counts[Action.DELETE], "bad"),
        ("new rights", len(found.widening), "warn"),
        ("open to the internet", len(found.public), "bad"),
        ("secrets in clear", len(found.leaks), "bad"),
    ]
    shown = [_tile(str(number), label, tone if number else "") for label, number, tone in tiles]
    shown.append(_tile(f"${found.cost.after:,.0f}", "a month, about", ""))
    plans = ", ".join(f"{p.label} ({p.tool})" if p.label else p.tool for p in found.plans)
    first, *rest = tones(found)
    return el(
        "header",
        el("p", f"Plan review · {plans}", class_="over"),
        el("h1", first[1]),
        el("ul", shown, class_="tiles"),
        el("ul", [_sentence(tone, sentence) for tone, sentence in rest], class_="verdict"),
    )


def _tile(number: str, label: str, tone: str) -> Markup:
    return el("li", el("b", number), el("span", label), class_=f"tile {tone}".strip())


def _sentence(tone: str, sentence: str) -> Markup:
    mark = el("span", _MARKS[tone], class_="mark", role="img", aria_label=_SPOKEN[tone])
    return el("li", mark, el("span", sentence), class_=tone)


def _scroll(inner: Markup) -> Markup:
    return el("div", inner, class_="card scroll", tabindex="0", role="region", aria_label="Picture, scrolls sideways")


def _footer() -> Markup:
    return el(
        "footer",
        "Made from the plan's JSON by ",
        el("code", "python -m stacks review"),
        ". Sensitive values are nowhere in this file. Costs are an estimate from list prices.",
    )
