"""The review as plain text for a terminal: the verdict first, then what needs a look, then everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from jinja2 import Environment
from markupsafe import Markup

from plan_review.findings import prices
from plan_review.findings.found import Kind
from plan_review.findings.grants import Grant
from plan_review.gates import REASONS_MAX, GateResult
from plan_review.render.environment import environment, trusted
from plan_review.render.fields import shown_fields
from plan_review.report import Review
from plan_review.sentences import (
    SIGNS,
    STANDINGS,
    VERBS,
    actions_text,
    change_notes,
    conditions_text,
    flow_sentence,
    money,
    on_resources,
    principals_text,
)
from plan_review.verdict import by_holder, findings, verdict

#: Objects and fields that are listed one by one; of more, the number is told.
_LIMITS = {
    "changes_max": 400,
    "fields_max": 60,
    "new_fields_max": 12,
    "value_max": 160,
    "finding_max": 200,
    "reasons_max": REASONS_MAX,
}
#: The colour of a line by the sign that it begins with.
_COLOURS = {"+": "good", "-": "bad", "~": "warn", "±": "bad", "!": "warn"}

Paint = Callable[[str, str], str]


def no_paint(text: str, style: str) -> str:
    """Text without colours."""
    return text


def render(found: Review, gates: Sequence[GateResult] = (), paint: Paint = no_paint, notes: Sequence[str] = ()) -> str:
    """The whole review.

    Args:
        found: the review.
        gates: results of gates, shown right below the verdict.
        paint: colours a text in a style ("good", "bad", "warn", "dim", "head"); the text is already harmless.
        notes: what else is to be said of the gates.
    """

    def painted(text: str, style: str) -> Markup:
        return trusted(paint(text, style))

    text = (
        _environment()
        .get_template("review.txt.j2")
        .render(
            found=found,
            gates=gates,
            notes=notes,
            sentences=verdict(found),
            findings=findings(found),
            holders=by_holder(found),
            paint=painted,
        )
    )
    return "".join(_coloured(line, paint) for line in text.splitlines(keepends=True))


def _coloured(line: str, paint: Paint) -> str:
    style = _COLOURS.get(line.lstrip()[:1])
    return f"{paint(line[:-1], style)}\n" if style else line


def _grant_text(grant: Grant) -> str:
    statement = grant.statement
    deny = "" if statement.allows else "NOT "
    if grant.kind is Kind.IDENTITY:
        text = f"{deny}{actions_text(statement)}{on_resources(statement)}"
    else:
        actions = actions_text(statement)
        named = actions if actions.startswith("(") and actions.endswith(")") else f"({actions})"
        text = f"{principals_text(statement)} {deny}{named}"
    conditions = conditions_text(statement)
    return f"{text} if {conditions}" if conditions else text


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return environment(
        "text",
        names={
            **_LIMITS,
            "signs": SIGNS,
            "verbs": VERBS,
            "standings": STANDINGS,
            "region": prices.REGION,
            "as_of": prices.AS_OF,
            "money": money,
            "grant_text": _grant_text,
            "flow_sentence": flow_sentence,
            "change_notes": change_notes,
            "shown_fields": shown_fields,
        },
    )
