"""The review as plain text for a terminal: the verdict first, then what needs a look, then everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from plan_review.findings import prices
from plan_review.findings.found import Kind
from plan_review.findings.grants import Grant
from plan_review.findings.unjudged import Question
from plan_review.gates import GateResult
from plan_review.plan.diff import field_changes
from plan_review.plan.model import Action, Change
from plan_review.render.escape import clip, plain
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

_VALUE_MAX = 160
_FINDING_MAX = 200
#: Objects and fields that are listed one by one; of more, the number is told.
CHANGES_MAX = 400
FIELDS_MAX = 60
#: Fields of an object that is created or destroyed.
VALUES_MAX = 12

Paint = Callable[[str, str], str]


def no_paint(text: str, style: str) -> str:
    """Text without colours."""
    return text


def render(found: Review, gates: Sequence[GateResult] = (), paint: Paint = no_paint) -> str:
    """The whole review.

    Args:
        found: the review.
        gates: results of gates, shown right below the verdict.
        paint: colours a text in a style ("good", "bad", "warn", "dim", "head"); the text is already harmless.
    """
    lines = [paint("PLAN REVIEW", "head") + "  " + plain(_titles(found))]
    lines += [*verdict(found), *_gates(gates, paint)]
    for title, section in (
        ("NEEDS A LOOK", _attention(found)),
        ("WHO MAY DO WHAT", _grants(found)),
        ("NETWORK", _network(found)),
        ("SECRETS", _secrets(found)),
        ("COST A MONTH (estimate)", _cost(found)),
        ("CHANGES", _changes(found)),
        ("CHANGED OUTSIDE OF TERRAFORM", _drift(found)),
        ("OUTPUTS", _outputs(found)),
    ):
        body = [plain(line) for line in section]
        if body:
            lines += ["", paint(title, "head"), *(_painted(line, paint) for line in body)]
    return "\n".join(lines) + "\n"


def _painted(line: str, paint: Paint) -> str:
    style = {"+": "good", "-": "bad", "~": "warn", "±": "bad", "!": "warn"}.get(line.lstrip()[:1], "")
    return paint(line, style) if style else line


def _titles(found: Review) -> str:
    return ", ".join(f"{p.label} ({p.tool})" if p.label else p.tool for p in found.plans)


def _gates(gates: Sequence[GateResult], paint: Paint) -> Iterator[str]:
    for gate in gates:
        word = paint("ok  ", "good") if gate.passed else paint("FAIL", "bad")
        yield f"{word} gate {plain(gate.rule)}" + (f" ({len(gate.reasons)})" if gate.reasons else "")
        for reason in gate.reasons:
            yield f"       {plain(reason)}"
        if gate.remedy:
            yield f"       What to do: {gate.remedy}."


def _attention(found: Review) -> Iterator[str]:
    for finding in findings(found):
        yield f"! {finding.where}: {clip(finding.what, _FINDING_MAX)}"


def _grants(found: Review) -> Iterator[str]:
    for (kind, holder), members in by_holder(found):
        yield f"{holder} {kind}"
        for grant in members:
            yield from _grant(grant)
    yield from _not_judged(found, Question.RIGHTS)


def _not_judged(found: Review, question: Question) -> Iterator[str]:
    for lacking in found.lacks(question):
        yield f"  ! {lacking.where}: {lacking.why}"


def _grant(grant: Grant) -> Iterator[str]:
    statement = grant.statement
    sign = STANDINGS[grant.standing]
    deny = "" if statement.allows else "NOT "
    if grant.kind is Kind.IDENTITY:
        text = f"{deny}{actions_text(statement)}{on_resources(statement)}"
    else:
        text = f"{principals_text(statement)} {deny}({actions_text(statement)})"
    conditions = conditions_text(statement)
    marked = f"   <-- {', '.join(grant.marks)}" if grant.marks else ""
    yield f"  {sign} {text}{f' if {conditions}' if conditions else ''}{marked}"


def _network(found: Review) -> Iterator[str]:
    for flow in found.flows:
        yield f"  {'=' if flow.kept else '+'} {flow_sentence(flow)}" + (
            f"  ({flow.description})" if flow.description else ""
        )
    for link in found.network.links:
        yield f"  {'=' if link.kept else '+'} {link.address}: {link.what}"
    for address in found.network.public_addresses:
        yield f"    {address}: public IPv4 address; reachable only as far as the rules above let somebody in"
    yield from _not_judged(found, Question.NETWORK)


def _secrets(found: Review) -> Iterator[str]:
    for address, where in found.secrecy.stores:
        yield f"  {address}: {where}"
    for leak in found.secrecy.plain:
        gone = "" if leak.after else " (the plan removes it; change that secret all the same)"
        yield f"  ! {leak.address}: {leak.path} holds {leak.why} in clear{gone}"
    for address, attribute in found.secrecy.in_state:
        yield f"  ! {address}: {attribute} will be in Terraform's state in clear"


def _cost(found: Review) -> Iterator[str]:
    for line in found.cost.lines:
        was = f" (was {money(line.before)})" if abs(line.before - line.after) >= 0.005 and line.before else ""
        yield f"  {money(line.after):>9}  {line.address}{was}: {line.basis}"
    if found.cost.lines:
        caveat = f"List prices of {prices.REGION}, {prices.AS_OF}; without traffic, tax and free tier."
        yield f"  {money(found.cost.after):>9}  in all. {caveat}"
    for address in found.cost.not_priced:
        yield f"          ?  {address}: costs money, no price here"


def _changes(found: Review) -> Iterator[str]:
    for change in found.changes[:CHANGES_MAX]:
        yield f"{_headline(change)}"
        yield from _fields(change)
    if len(found.changes) > CHANGES_MAX:
        yield f"... and {len(found.changes) - CHANGES_MAX} more"


def _drift(found: Review) -> Iterator[str]:
    for change in found.drift:
        yield f"  {change.label}"
        yield from _fields(change)
    if found.other_drift:
        others = "1 object" if found.other_drift == 1 else f"{found.other_drift} objects"
        yield f"  {others} changed in ways that this plan doesn't depend on"


def _outputs(found: Review) -> Iterator[str]:
    for change in found.outputs:
        yield _headline(change)
        yield from _fields(change)


def _headline(change: Change) -> str:
    notes = change_notes(change)
    told = f"  ({'; '.join(notes)})" if notes else ""
    return f"{SIGNS[change.action]} {VERBS[change.action]} {change.label}{told}"


def _fields(change: Change) -> Iterator[str]:
    fields = field_changes(change)
    if change.action in (Action.CREATE, Action.DELETE):
        for item in fields[:VALUES_MAX]:
            yield f"      {item.path}: {clip(item.new or item.old or '(nothing)', _VALUE_MAX)}"
        if len(fields) > VALUES_MAX:
            yield f"      ... and {len(fields) - VALUES_MAX} more fields"
        return
    for item in fields[:FIELDS_MAX]:
        old = clip(item.old, _VALUE_MAX) if item.old is not None else "(nothing)"
        new = clip(item.new, _VALUE_MAX) if item.new is not None else "(nothing)"
        forced = "   <-- forces the replacement" if item.forces_replacement else ""
        yield f"      {item.path}: {old} -> {new}{forced}"
    if len(fields) > FIELDS_MAX:
        yield f"      ... and {len(fields) - FIELDS_MAX} more fields"
