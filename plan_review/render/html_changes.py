"""The section of the HTML page that lists every change with its fields."""

from __future__ import annotations

from itertools import groupby

from plan_review.plan.diff import FieldChange, field_changes
from plan_review.plan.model import Action, Change
from plan_review.render.escape import clip
from plan_review.render.markup import Markup, el
from plan_review.render.svg import CLASSES
from plan_review.report import Review
from plan_review.sentences import SIGNS, change_notes

_CHANGES_MAX = 400
_FIELDS_MAX = 60
_VALUE_MAX = 600
_FORCES = el("span", "forces the replacement", class_="badge bad")
_GROUPS = {
    Action.CREATE: "Created",
    Action.UPDATE: "Changed in place",
    Action.REPLACE: "Replaced: the old object is destroyed, a new one is made",
    Action.DELETE: "Destroyed",
    Action.FORGET: "Forgotten: Terraform lets go of it, it stays in AWS",
    Action.OTHER: "Something that this review doesn't know",
    Action.NOOP: "Only moved or imported",
}


def changes(found: Review) -> Markup | None:
    """Every change, grouped by what happens, each with its fields to unfold."""
    listed = [*found.changes[:_CHANGES_MAX]]
    if not listed and not found.deferred:
        return None
    parts: list[Markup] = []
    for action, members in groupby(listed, key=lambda c: c.action):
        group = list(members)
        parts.append(el("h3", f"{_GROUPS.get(action, action.value)} ({found.counts[action]})", class_="group"))
        parts += [_change(c) for c in group]
    if len(found.changes) > _CHANGES_MAX:
        parts.append(el("p", f"… and {len(found.changes) - _CHANGES_MAX} more", class_="hint"))
    if found.deferred:
        parts.append(el("h3", f"Left to a later run ({len(found.deferred)})", class_="group"))
        parts += [_change(c) for c in found.deferred[:_CHANGES_MAX]]
    return el("div", parts, class_="card")


def drift(found: Review) -> Markup | None:
    """What somebody changed outside of Terraform."""
    parts = [_change(c) for c in found.drift[:_CHANGES_MAX]]
    return el("div", parts, class_="card") if parts else None


def outputs(found: Review) -> Markup | None:
    """Outputs that change."""
    parts = [_change(c) for c in found.outputs[:_CHANGES_MAX]]
    return el("div", parts, class_="card") if parts else None


def _change(change: Change) -> Markup:
    fields = field_changes(change)
    notes = change_notes(change)
    return el(
        "details",
        el(
            "summary",
            el("span", SIGNS[change.action], class_="sig", aria_label=change.action.value, role="img"),
            el("span", change.label, class_="addr"),
        ),
        el(
            "div",
            el("p", f"{'; '.join(notes)}.", class_="hint") if notes else None,
            _fields(fields) if fields else el("p", "No field to show.", class_="hint"),
            class_="fields",
        ),
        class_=CLASSES[change.action],
        open_=change.action in (Action.REPLACE, Action.OTHER),
    )


def _fields(fields: list[FieldChange]) -> Markup:
    rows = [
        el(
            "tr",
            el(
                "td", f.path, el("span", "forces the replacement", class_="badge bad") if f.forces_replacement else None
            ),
            el(
                "td",
                el("div", clip(f.old, _VALUE_MAX), class_="old") if f.old is not None else None,
                el("div", clip(f.new, _VALUE_MAX), class_="new") if f.new is not None else None,
            ),
        )
        for f in fields[:_FIELDS_MAX]
    ]
    if len(fields) > _FIELDS_MAX:
        rows.append(el("tr", el("td", f"… and {len(fields) - _FIELDS_MAX} more fields", colspan="2")))
    return el("table", el("tbody", rows), class_="stack")
