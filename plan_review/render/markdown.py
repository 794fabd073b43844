"""The review as Markdown for a comment on a pull request: the verdict open, everything else to unfold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from plan_review.findings import prices
from plan_review.findings.found import Kind
from plan_review.findings.grants import Grant, Standing
from plan_review.gates import GateResult
from plan_review.plan.diff import field_changes
from plan_review.plan.model import Action, Change
from plan_review.render.escape import clip, code, markdown
from plan_review.render.graph import picture
from plan_review.render.svg import mermaid
from plan_review.report import Review
from plan_review.sentences import SIGNS, VERBS, change_notes, conditions_text, flow_sentence, money
from plan_review.verdict import by_holder, findings, tones

#: GitHub takes comments of 65,536 characters; what doesn't fit is left out section by section, and said so.
LENGTH_MAX = 60_000
_VALUE_MAX = 160
_ROWS_MAX = 100
_ICONS = {"good": "✅", "warn": "⚠️", "bad": "❌"}
_STANDINGS = {Standing.ADDED: "**new**", Standing.KEPT: "as before", Standing.REMOVED: "~~taken away~~"}


def render(found: Review, gates: Sequence[GateResult] = ()) -> str:
    """The whole comment."""
    first, *rest = tones(found)
    head = [f"## Plan review: {markdown(first[1])}", ""]
    head += [f"- {_ICONS[tone]} {markdown(sentence)}" for tone, sentence in rest]
    head += ["", *_gates(gates)]
    parts = ["\n".join(head)]
    sections = [
        ("Needs a look", list(_attention(found)), True),
        ("Who may do what", list(_rights(found)), False),
        ("Network", list(_network(found)), False),
        ("Secrets", list(_secrets(found)), False),
        (f"Cost: about ${found.cost.after:,.0f} a month", list(_cost(found)), False),
        ("Picture", _picture(found), False),
        ("Changes", list(_changes(found)), False),
    ]
    left = LENGTH_MAX - len(parts[0])
    omitted = []
    for title, lines, open_ in sections:
        if not lines:
            continue
        text = _section(title, lines, unfolded=open_)
        if len(text) > left:
            omitted.append(title)
            continue
        left -= len(text)
        parts.append(text)
    if omitted:
        parts.append(
            f"*Left out, because a comment may not be longer: {', '.join(omitted)}. The HTML review has it all.*\n"
        )
    return "\n".join(parts)


def _section(title: str, lines: list[str], *, unfolded: bool) -> str:
    body = "\n".join(lines)
    opened = " open" if unfolded else ""
    return f"<details{opened}><summary><b>{title}</b></summary>\n\n{body}\n\n</details>\n"


def _gates(gates: Sequence[GateResult]) -> Iterator[str]:
    if not gates:
        return
    for gate in gates:
        icon, word = (_ICONS["good"], "passed") if gate.passed else (_ICONS["bad"], "failed")
        yield f"- {icon} gate {code(gate.rule)} {word}"
        for reason in gate.reasons:
            yield f"  - {markdown(reason)}"
        if gate.remedy:
            yield f"  - What to do: {markdown(gate.remedy)}."
    yield ""


def _attention(found: Review) -> Iterator[str]:
    listed = findings(found)
    for finding in listed[:_ROWS_MAX]:
        yield f"- {_ICONS[finding.tone]} {code(finding.where)} {markdown(clip(finding.what, 300))}"
    yield from _more(len(listed), "- ")


def _rights(found: Review) -> Iterator[str]:
    for (kind, holder), members in by_holder(found)[:_ROWS_MAX]:
        yield f"**{markdown(holder)}** {kind.value}"
        yield ""
        for grant in members:
            yield f"- {_grant(grant)}"
        yield ""


def _grant(grant: Grant) -> str:
    statement = grant.statement
    words = [_STANDINGS[grant.standing]]
    if not statement.allows:
        words.append("**forbidden:**")
    if grant.kind is not Kind.IDENTITY:
        who = ["anyone" if p in ("*", "AWS *") else p for p in statement.principals] or ["nobody"]
        words.append(("everybody except " if statement.not_principals else "") + _codes(who))
    words.append(("everything except " if statement.not_actions else "") + _codes(statement.actions))
    if grant.kind is Kind.IDENTITY and statement.resources:
        words.append(("on everything except " if statement.not_resources else "on ") + _codes(statement.resources))
    if statement.conditions:
        words.append(f"if {code(conditions_text(statement))}")
    if grant.marks and grant.standing is not Standing.REMOVED:
        words.append(f"⚠️ {markdown(', '.join(grant.marks))}")
    return " ".join(words)


def _codes(items: Sequence[str]) -> str:
    shown = [code(clip(item, _VALUE_MAX)) for item in items[:20]]
    if len(items) > len(shown):
        shown.append(f"and {len(items) - len(shown)} more")
    return " ".join(shown)


def _network(found: Review) -> Iterator[str]:
    for exposure in found.public[:_ROWS_MAX]:
        yield f"- ❌ {code(exposure.address)} {markdown(exposure.what)}{' (as before)' if exposure.already else ''}"
    for flow in found.flows[:_ROWS_MAX]:
        told = f" ({markdown(flow.description)})" if flow.description else ""
        yield f"- {'as before' if flow.kept else '**new**'} {code(flow_sentence(flow))}{told}"
    yield from _more(len(found.flows), "- ")
    for address in found.network.public_addresses[:_ROWS_MAX]:
        yield f"- {code(address)}: public IPv4 address, reachable only as far as a rule lets somebody in"


def _secrets(found: Review) -> Iterator[str]:
    for leak in found.secrecy.plain[:_ROWS_MAX]:
        gone = "" if leak.after else " (the plan removes it; change that secret all the same)"
        yield f"- ❌ {code(leak.address)} {code(leak.path)} holds {markdown(leak.why)} in clear{gone}"
    for address, attribute in found.secrecy.in_state[:_ROWS_MAX]:
        yield f"- ⚠️ {code(address)}: Terraform's state will hold its {code(attribute)} in clear"
    for address, where in found.secrecy.stores[:_ROWS_MAX]:
        yield f"- {code(address)}: {markdown(where)}"


def _cost(found: Review) -> Iterator[str]:
    if found.cost.lines:
        yield "| A month | What | How it comes about |"
        yield "|---:|---|---|"
    for line in found.cost.lines[:_ROWS_MAX]:
        was = f" (was {money(line.before)})" if abs(line.after - line.before) >= 0.005 and line.before else ""
        yield f"| {markdown(money(line.after) + was)} | {code(line.address)} | {markdown(line.basis)} |"
    yield ""
    yield f"List prices of {prices.REGION}, {prices.AS_OF}; other regions differ. Without traffic, tax and free tier."
    for address in found.cost.not_priced[:_ROWS_MAX]:
        yield f"- {code(address)} costs money, but there is no price for it here"


def _picture(found: Review) -> list[str]:
    diagram = mermaid(picture(found.plans))
    return ["```mermaid", diagram, "```"] if diagram else []


def _changes(found: Review) -> Iterator[str]:
    listed = (*found.changes, *found.deferred)
    for change in listed[:_ROWS_MAX]:
        yield _headline(change)
        if change.action in (Action.UPDATE, Action.REPLACE):
            yield from _fields(change)
    yield from _more(len(listed), "- ")
    for change in found.drift[:_ROWS_MAX]:
        yield f"- changed outside of Terraform: {code(change.label)}"
        yield from _fields(change)
    for change in found.outputs[:_ROWS_MAX]:
        yield _headline(change)


def _headline(change: Change) -> str:
    notes = change_notes(change)
    told = f": {markdown('; '.join(notes))}" if notes else ""
    return f"- {code(SIGNS[change.action])} {VERBS[change.action]} {code(change.label)}{told}"


def _fields(change: Change) -> Iterator[str]:
    for item in field_changes(change)[:30]:
        old = code(clip(item.old, _VALUE_MAX)) if item.old is not None else "nothing"
        new = code(clip(item.new, _VALUE_MAX)) if item.new is not None else "nothing"
        forced = " **forces the replacement**" if item.forces_replacement else ""
        yield f"  - {code(item.path)}: {old} → {new}{forced}"


def _more(number: int, lead: str) -> Iterator[str]:
    if number > _ROWS_MAX:
        yield f"{lead}… and {number - _ROWS_MAX} more"
