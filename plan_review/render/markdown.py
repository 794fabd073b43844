"""The review as Markdown for a comment on a pull request: the verdict open, everything else to unfold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment

from plan_review.findings import prices
from plan_review.findings.grants import Grant
from plan_review.findings.unjudged import Question
from plan_review.gates import GateResult
from plan_review.render import escape
from plan_review.render.environment import environment, trusted
from plan_review.render.fields import shown_fields
from plan_review.render.fit import Fitted, Rows, RowWriter, fit
from plan_review.render.graph import picture
from plan_review.render.svg import mermaid
from plan_review.report import Review
from plan_review.sentences import SIGNS, VERBS, change_notes, conditions_text, flow_sentence, money, principals
from plan_review.verdict import by_holder, findings, tones

#: GitHub takes comments of 65,536 characters; a workflow may want to add a line of its own.
LENGTH_MAX = 65_000
#: Room for the line that says what was left out.
_NOTE_MAX = 1_500
_NAME_MAX = 300
_ICONS = {"good": trusted("✅"), "warn": trusted("⚠️"), "bad": trusted("❌")}


@dataclass(frozen=True, slots=True)
class _Statement:
    """A row of rights; the first of its holder has the title."""

    grant: Grant
    title: str


@dataclass(frozen=True, slots=True)
class _Row:
    """Something to be shown, and the template's macro for it."""

    macro: str
    item: Any


@dataclass(frozen=True, slots=True)
class _Section:
    title: str
    rows: Sequence[_Row]
    unfolded: bool = False
    above: str = ""
    below: str = ""
    weight: int = 1


def render(found: Review, gates: Sequence[GateResult] = (), notes: Sequence[str] = ()) -> str:
    """The whole comment.

    Args:
        found: the review.
        gates: results of gates, shown right below the verdict.
        notes: what else is to be said of the gates.
    """
    macros: Any = _environment().get_template("review.md.j2").module
    first, *rest = tones(found)
    sentences = [*rest, *(("warn", note) for note in notes)]
    head = str(macros.head(first[1], sentences[:30])).lstrip("\n")
    written = [
        Rows(s.title, s.rows, _writer(macros, s.rows), _framer(s), s.above, s.below, s.weight)
        for s in _sections(found, gates)
        if s.rows
    ]
    fitted = fit(written, LENGTH_MAX - len(head) - _NOTE_MAX)
    return "\n".join([head, *(f.text for f in fitted if f.text), *_left_out(fitted)])


def _writer(macros: Any, rows: Sequence[_Row]) -> RowWriter:
    def write(index: int, *, short: bool) -> str:
        row = rows[index]
        return str(getattr(macros, row.macro)(row.item, short)).rstrip("\n") + "\n"

    return write


def _framer(section: _Section) -> Callable[[str], str]:
    opened = " open" if section.unfolded else ""
    return lambda body: f"<details{opened}><summary><b>{section.title}</b></summary>\n\n{body}\n</details>\n"


def _left_out(fitted: Sequence[Fitted]) -> Iterator[str]:
    told = []
    for section in fitted:
        parts = [f"{section.omitted} rows"] if section.omitted else []
        parts += [f"details of {section.shortened} rows"] if section.shortened else []
        if parts:
            told.append(f"{section.title} ({', '.join(parts)})")
    if told:
        yield f"*Left out, because a comment may not be longer: {'; '.join(told)}. The HTML review has more.*\n"


def _sections(found: Review, gates: Sequence[GateResult]) -> Iterator[_Section]:
    yield _Section("Gates", _rows("gate", gates), unfolded=True, weight=3)
    yield _Section("Needs a look", _rows("finding", findings(found)), unfolded=True, weight=3)
    rights = [*_rows("statement", list(_statements(found))), *_rows("not_judged", found.lacks(Question.RIGHTS))]
    yield _Section("Who may do what", rights, weight=2)
    network = [
        *_rows("exposure", found.public),
        *_rows("flow", found.flows),
        *_rows("link", found.network.links),
        *_rows("public_address", found.network.public_addresses),
        *_rows("not_judged", found.lacks(Question.NETWORK)),
    ]
    yield _Section("Network", network)
    secrets = [
        *_rows("leak", found.secrecy.plain),
        *_rows("in_state", found.secrecy.in_state),
        *_rows("store", found.secrecy.stores),
    ]
    yield _Section("Secrets", secrets)
    table = "| A month | What | How it comes about |\n|---:|---|---|\n"
    caveat = f"List prices of {prices.REGION}, {prices.AS_OF}; other regions differ. Without traffic, tax, free tier."
    title = f"Cost: about ${found.cost.after:,.0f} a month"
    yield _Section(title, _rows("cost_line", found.cost.lines), above=table, below=f"\n{caveat}\n")
    yield _Section("Not priced", _rows("not_priced", found.cost.not_priced))
    diagram = mermaid(picture(found.plans))
    yield _Section("Picture", _rows("diagram", [trusted(diagram)] if diagram else []))
    yield _Section("Changes", _rows("change", found.changes), weight=4)
    yield _Section("Left to a later run", _rows("change", found.deferred), weight=2)
    drift = [*_rows("drift", found.drift), *_rows("other_drift", [found.other_drift] if found.other_drift else [])]
    yield _Section("Changed outside of Terraform", drift)
    yield _Section("Outputs", _rows("change", found.outputs))


def _rows(macro: str, items: Sequence[Any]) -> list[_Row]:
    return [_Row(macro, item) for item in items]


def _statements(found: Review) -> Iterator[_Statement]:
    for (_, holder), members in by_holder(found):
        for index, grant in enumerate(members):
            yield _Statement(grant, "" if index else holder)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return environment(
        "markdown",
        filters={
            "code": lambda text, length=_NAME_MAX: trusted(escape.code(escape.clip(str(text), length))),
            "cell": lambda text, length=_NAME_MAX: trusted(escape.cell(escape.clip(str(text), length))),
        },
        names={
            "icons": _ICONS,
            "who": principals,
            "signs": SIGNS,
            "verbs": VERBS,
            "money": money,
            "shown_fields": shown_fields,
            "change_notes": change_notes,
            "conditions_text": conditions_text,
            "flow_sentence": flow_sentence,
        },
    )
