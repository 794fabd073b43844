"""The review as one self-contained HTML file: no script, no request, readable on a phone, in light and dark."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import groupby

from jinja2 import Environment

from plan_review.findings import prices
from plan_review.gates import REASONS_MAX, GateResult
from plan_review.plan.model import Action, Change
from plan_review.render import svg
from plan_review.render.environment import environment, trusted
from plan_review.render.fields import shown_fields
from plan_review.render.graph import picture
from plan_review.render.layout import HEIGHT, WIDTH, lay_out
from plan_review.report import Review
from plan_review.sentences import SIGNS, change_notes, conditions_text, money, principals
from plan_review.verdict import by_holder, findings, tones

_LIMITS = {
    "list_max": 300,
    "reasons_max": REASONS_MAX,
    "holders_max": 200,
    "unjudged_max": 20,
    "changes_max": 400,
    "fields_max": 60,
    "new_fields_max": 8,
    "value_max": 600,
}
_GROUPS = {
    Action.CREATE: "Created",
    Action.UPDATE: "Changed in place",
    Action.REPLACE: "Replaced: the old object is destroyed, a new one is made",
    Action.DELETE: "Destroyed",
    Action.FORGET: "Forgotten: Terraform lets go of it, it stays in AWS",
    Action.OTHER: "Something that this review doesn't know",
    Action.NOOP: "Only moved or imported",
}


@dataclass(frozen=True, slots=True)
class _Tile:
    number: str
    label: str
    tone: str


@dataclass(frozen=True, slots=True)
class _PageSection:
    """A section of the page; its key is the name of its macro."""

    key: str
    title: str
    there: bool


def render(found: Review, gates: Sequence[GateResult] = (), notes: Sequence[str] = ()) -> str:
    """The whole page.

    Args:
        found: the review.
        gates: results of gates.
        notes: what else is to be said of the gates.
    """
    env = _environment()
    css = resources.files("plan_review.render").joinpath("templates", "review.css").read_text(encoding="utf-8")
    drawn = picture(found.plans)
    drawing = lay_out(drawn)
    listed = findings(found)
    holders = by_holder(found)
    sections = [
        _PageSection("gates", "Gates", bool(gates)),
        _PageSection("look", "Needs a look", bool(listed)),
        _PageSection("unjudged", "Not judged", bool(found.unjudged)),
        _PageSection("rights", "Who may do what", bool(holders)),
        _PageSection("network", "Network", bool(found.flows or found.public or any(_ways(found)))),
        _PageSection("data", "Data at risk", bool(found.risks)),
        _PageSection("secrets", "Secrets", any((found.leaks, found.secrecy.in_state, found.secrecy.stores))),
        _PageSection("cost", "Cost", bool(found.cost.lines or found.cost.not_priced)),
        _PageSection("picture", "Picture", bool(drawn.nodes)),
        _PageSection("changes", "Changes", bool(found.changes or found.deferred)),
        _PageSection("drift", "Changed outside", bool(found.drift or found.other_drift)),
        _PageSection("outputs", "Outputs", bool(found.outputs)),
    ]
    return env.get_template("review.html.j2").render(
        found=found,
        css=trusted(css),
        digest=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
        sentences=[*tones(found), *(("warn", note) for note in notes)],
        tiles=list(_tiles(found)),
        sections=[s for s in sections if s.there],
        gate_results=gates,
        findings=listed,
        holders=holders,
        drawn=drawn,
        drawing=drawing,
        boxes=svg.boxes(drawn, drawing),
    )


def _ways(found: Review) -> Iterator[object]:
    yield from found.network.links
    yield from found.network.public_addresses


def _tiles(found: Review) -> Iterator[_Tile]:
    counts = found.counts
    for label, number, tone in (
        ("create", counts[Action.CREATE], "good"),
        ("change", counts[Action.UPDATE], "warn"),
        ("replace", counts[Action.REPLACE], "bad"),
        ("destroy", counts[Action.DELETE], "bad"),
        ("new rights", len(found.widening), "warn"),
        ("open to the internet", len(found.public), "bad"),
        ("data at risk", len(found.risks), "bad"),
        ("secrets in plaintext", len(found.leaks), "bad"),
        ("not judged", found.unjudged_objects, "warn"),
    ):
        yield _Tile(str(number), label, tone if number else "none")
    if found.cost.not_priced and not found.cost.lines:
        yield _Tile("?", "a month, no price", "warn")
    else:
        yield _Tile(f"${found.cost.after:,.0f}", "a month, about", "")


def _by_action(changes: Sequence[Change]) -> list[tuple[Action, list[Change]]]:
    return [(action, list(members)) for action, members in groupby(changes, key=lambda c: c.action)]


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return environment(
        "html",
        filters={"groupby_action": _by_action, "number": lambda value: f"{value:g}"},
        names={
            **_LIMITS,
            "marks": {"good": "✓", "warn": "!", "bad": "✕"},
            "spoken": {"good": "Fine: ", "warn": "Look: ", "bad": "Danger: "},
            "standings": {"added": ("new", "good"), "kept": ("as before", "dim"), "removed": ("taken away", "dim")},
            "groups": _GROUPS,
            "signs": SIGNS,
            "styles": svg.CLASSES,
            "curve": svg.curve,
            "box_width": WIDTH,
            "box_height": HEIGHT,
            "region": prices.REGION,
            "as_of": prices.AS_OF,
            "money": money,
            "who": principals,
            "conditions_text": conditions_text,
            "change_notes": change_notes,
            "shown_fields": shown_fields,
        },
    )
