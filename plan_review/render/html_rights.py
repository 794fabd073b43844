"""The section of the HTML page that tells who may do what."""

from __future__ import annotations

from plan_review.findings.found import Kind
from plan_review.findings.grants import Grant, Standing
from plan_review.render.markup import Markup, el
from plan_review.report import Review
from plan_review.sentences import conditions_text
from plan_review.verdict import by_holder

_HOLDERS_MAX = 200
_WORDS = {
    Standing.ADDED: ("new", "good"),
    Standing.KEPT: ("as before", "dim"),
    Standing.REMOVED: ("taken away", "dim"),
}
_TITLES = {Kind.IDENTITY: "may", Kind.TRUST: "may be assumed by", Kind.RESOURCE: "may be used by"}


def rights(found: Review) -> list[Markup] | None:
    """One card for each identity or resource, those with changes first."""
    groups = by_holder(found)
    cards = [_card(kind, holder, members) for (kind, holder), members in groups[:_HOLDERS_MAX]]
    if len(groups) > _HOLDERS_MAX:
        cards.append(el("p", f"… and {len(groups) - _HOLDERS_MAX} more", class_="hint"))
    return cards or None


def _card(kind: Kind, holder: str, members: list[Grant]) -> Markup:
    changed = [g for g in members if g.standing is not Standing.KEPT]
    kept = [g for g in members if g.standing is Standing.KEPT]
    return el(
        "div",
        el("div", el("h3", holder), el("span", _TITLES[kind], class_="hint"), class_="holder"),
        [_grant(g) for g in changed],
        _kept(kept, folded=bool(changed) or len(kept) > 3),
        class_="card",
    )


def _kept(kept: list[Grant], *, folded: bool) -> Markup | list[Markup] | None:
    if not kept or not folded:
        return [_grant(g) for g in kept]
    return el("details", el("summary", f"{len(kept)} as before"), [_grant(g) for g in kept])


def _grant(grant: Grant) -> Markup:
    statement = grant.statement
    word, tone = _WORDS[grant.standing]
    loud = grant.loud
    badges = [el("span", word, class_=f"badge {'bad' if loud else tone}")]
    if not statement.allows:
        badges.append(el("span", "forbidden", class_="badge dim"))
    mark_tone = "bad" if loud else "dim"
    badges += [el("span", mark, class_=f"badge {mark_tone}") for mark in grant.marks]
    rows: list[Markup] = []
    if grant.kind is not Kind.IDENTITY:
        who = ["anyone" if p in ("*", "AWS *") else p for p in statement.principals] or ["nobody"]
        rows += _row("everybody except" if statement.not_principals else "who", who)
    rows += _row("everything except" if statement.not_actions else "what", statement.actions)
    if grant.kind is Kind.IDENTITY:
        rows += _row("on all except" if statement.not_resources else "on", statement.resources)
    if statement.conditions:
        rows += [el("dt", "if"), el("dd", conditions_text(statement))]
    rows += [
        el("dt", "by"),
        el("dd", el("span", grant.source, class_="addr"), f" ({statement.sid})" if statement.sid else None),
    ]
    return el("div", el("div", badges), el("dl", rows), class_=f"grant {grant.standing.value}{' loud' if loud else ''}")


def _row(label: str, items: tuple[str, ...] | list[str]) -> list[Markup]:
    return [el("dt", label), el("dd", [el("code", item) for item in items])] if items else []
