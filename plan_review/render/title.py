"""The review in one line, for the title of a pull request or a message: counts and words, nothing of a name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from plan_review.findings.unjudged import Question
from plan_review.gates import GateResult
from plan_review.plan.model import Action
from plan_review.report import Review


def render(found: Review, gates: Sequence[GateResult] = ()) -> str:
    """For example `3 to add, 1 right wider, nothing public, $18 more a month, 2 not judged`, with the line's end."""
    failed = [gate.rule.partition("=")[0] for gate in gates if not gate.passed]
    parts = [
        *([f"{', '.join(failed)} failed"] if failed else []),
        *_state(found),
        *_changes(found),
        *_rights(found),
        *_network(found),
        *_losses(found),
        *_cost(found),
        *_lacking(found),
    ]
    return ", ".join(parts) + "\n"


def _state(found: Review) -> Iterator[str]:
    if any(plan.errored for plan in found.plans):
        yield "FAILED half way"
    if any(plan.incomplete for plan in found.plans):
        yield "not complete"


def _changes(found: Review) -> Iterator[str]:
    counts = found.counts
    numbers = (
        (counts[Action.CREATE], "to add"),
        (counts[Action.UPDATE], "to change"),
        (counts[Action.REPLACE], "to replace"),
        (counts[Action.DELETE], "to destroy"),
        (counts[Action.FORGET], "to forget"),
        (counts[Action.OTHER], "to do something unknown to"),
        (found.moved, "to move"),
        (found.imported, "to import"),
        (len(found.deferred), "for a later run"),
        (len(found.invocations), "to invoke"),
    )
    said = [f"{number} {what}" for number, what in numbers if number]
    yield from said or ["no changes"]


def _rights(found: Review) -> Iterator[str]:
    if found.widening:
        yield f"{_count(len(found.widening), 'right')} wider"
    elif _is_known(found, Question.RIGHTS):
        yield "no right wider"


def _network(found: Review) -> Iterator[str]:
    if found.public:
        yield f"{len(found.public)} public"
    elif _is_known(found, Question.NETWORK):
        yield "nothing public"


def _is_known(found: Review, question: Question) -> bool:
    """Whether an all-clear is one: everything was judged, and the plan shows everything that it leads to."""
    partial = any(plan.errored or plan.incomplete for plan in found.plans)
    return not (partial or found.invocations or found.lacks(question))


def _losses(found: Review) -> Iterator[str]:
    if found.risks:
        yield f"{_count(len(found.risks), 'store')} at risk"
    if found.leaks:
        yield f"{_count(len(found.leaks), 'secret')} in plaintext"
    if found.failed_checks:
        yield f"{_count(len(found.failed_checks), 'check')} failed"


def _cost(found: Review) -> Iterator[str]:
    change = round(found.cost.after - found.cost.before)
    if change:
        yield f"${abs(change):,} {'more' if change > 0 else 'less'} a month"
    if found.cost.not_priced:
        yield f"{len(found.cost.not_priced)} without a price"


def _lacking(found: Review) -> Iterator[str]:
    if found.unjudged:
        yield f"{found.unjudged_objects} not judged"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
