"""Rules that a pipeline can insist on. A gate that fails says what broke it and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from plan_review.findings.grants import Grant, Standing
from plan_review.findings.unjudged import Question
from plan_review.plan.model import Action, Change
from plan_review.report import Review
from plan_review.sentences import grant_sentence
from plan_review.verdict import invocation_text

#: More reasons than this only make the output longer; the number of the others is told.
REASONS_MAX = 20


class GateError(ValueError):
    """Not a rule. The message is one line with what is allowed."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate's answer."""

    rule: str
    passed: bool
    #: One sentence for each thing that breaks the rule.
    reasons: tuple[str, ...]
    #: What to do about it; "" when it passed.
    remedy: str = ""


#: Types whose objects are revisions: a new one takes nothing away but the possibility to start the old one.
_REVISIONS = frozenset({"aws_ecs_task_definition", "aws_lambda_layer_version"})


def _no_destroy(found: Review) -> list[str]:
    everything = (*found.changes, *found.deferred)
    reasons = [
        _destroyed(c)
        for c in everything
        if (c.destroys or "delete" in c.raw_actions) and not (c.action is Action.REPLACE and c.type in _REVISIONS)
    ]
    reasons += [f"{i.label} {invocation_text(i)}: what it does is not in the plan" for i in found.invocations]
    return [*reasons, *_unfinished(found)]


def _destroyed(change: Change) -> str:
    if change.action is Action.REPLACE:
        forced = f" because of {', '.join(change.replace_paths)}" if change.replace_paths else ""
        return f"{change.label} is replaced{forced}: the object that exists is destroyed"
    why = f" ({change.reason})" if change.reason else ""
    old = " an old object left by an earlier run of" if change.deposed else ""
    return f"{change.label}:{old} is destroyed{why}" if not old else f"{old.strip()} {change.label} is destroyed"


def _no_iam_widening(found: Review) -> list[str]:
    return [*(_widened(g) for g in found.widening), *_unjudged(found, Question.RIGHTS), *_unfinished(found)]


def _widened(grant: Grant) -> str:
    goes = f"no longer ({grant.marks[0]}): " if grant.standing is Standing.REMOVED else ""
    return f"{goes}{grant_sentence(grant)} [{grant.source}]"


def _no_public(found: Review) -> list[str]:
    reasons = [
        f"{e.address}: {e.what}{' (as before this plan)' if e.already else ''}"
        f"{' (not certain before apply)' if e.unknown else ''}"
        for e in found.public
    ]
    return [*reasons, *_unjudged(found, Question.NETWORK), *_unfinished(found)]


def _unjudged(found: Review, question: Question) -> list[str]:
    return [f"{u.where}: {u.why}" for u in found.lacks(question)]


def _no_plaintext_secret(found: Review) -> list[str]:
    return [*(f"{p.address}: {p.path} holds {p.why} in clear" for p in found.leaks), *_unfinished(found)]


def _unfinished(found: Review) -> list[str]:
    return [
        f"the plan{f' {p.label}' if p.label else ''} failed half way, so it doesn't show everything"
        for p in found.plans
        if p.errored
    ]


_RULES: Mapping[str, tuple[Callable[[Review], list[str]], str]] = {
    "no-destroy": (
        _no_destroy,
        "keep the object (undo the change, or add a `moved` block), or let somebody approve the loss",
    ),
    "no-iam-widening": (
        _no_iam_widening,
        "narrow the statement to what was allowed before, or let somebody approve the new right",
    ),
    "no-public": (_no_public, "limit who may reach it, or let somebody approve the exposure"),
    "no-plaintext-secret": (
        _no_plaintext_secret,
        "refer to a secret by its ARN instead of writing its value, or use a write-only attribute",
    ),
}
RULES = (*_RULES, "only=ADDRESS")


def parse_rules(texts: Sequence[str]) -> tuple[str, ...]:
    """Split what `--gate` was given into rules; every one is checked.

    Raises:
        GateError: a rule that doesn't exist.
    """
    rules = [rule.strip() for text in texts for rule in _split(text) if rule.strip()]
    for rule in rules:
        if rule not in _RULES and not (rule.startswith("only=") and len(rule) > len("only=")):
            raise GateError(f"unknown gate {rule!r}; expected one or more of {', '.join(RULES)}")
    return tuple(dict.fromkeys(rules))


def _split(text: str) -> list[str]:
    """At commas that aren't inside of a key in brackets: `only=a.b["x,y"],no-destroy`."""
    return re.findall(r"(?:\[(?:\"(?:[^\"\\]|\\.)*\"|[^\]])*\]|[^,\[]|\[)+", text)


def judge(found: Review, rules: Sequence[str]) -> tuple[GateResult, ...]:
    """Apply the rules; all `only=` together are one rule: a change must match one of them."""
    results = []
    for rule in rules:
        if rule.startswith("only="):
            continue
        check, remedy = _RULES[rule]
        results.append(_result(rule, check(found), remedy))
    globs = [rule.removeprefix("only=") for rule in rules if rule.startswith("only=")]
    if globs:
        results.append(_result(f"only={','.join(globs)}", _others(found, globs), "plan only what was agreed on"))
    return tuple(results)


def _result(rule: str, reasons: list[str], remedy: str) -> GateResult:
    kept = reasons[:REASONS_MAX]
    if len(reasons) > REASONS_MAX:
        kept.append(f"and {len(reasons) - REASONS_MAX} more")
    return GateResult(rule, not reasons, tuple(kept), remedy if reasons else "")


def _others(found: Review, globs: Sequence[str]) -> list[str]:
    patterns = [_glob(g) for g in globs]
    reasons = [
        f"{c.label} is to {_verb(c)}, and no only= names it"
        for c in (*found.changes, *found.deferred)
        if not any(p.fullmatch(c.address) for p in patterns)
    ]
    reasons += [
        f"{i.label} {invocation_text(i)}, and no only= names it"
        for i in found.invocations
        if not any(p.fullmatch(i.address) for p in patterns)
    ]
    return reasons + _unfinished(found)


def _verb(change: Change) -> str:
    if change.action is Action.NOOP:
        return "be moved" if change.previous_address else "be imported"
    verbs = {Action.OTHER: "be changed in a way that this review doesn't know", Action.UPDATE: "be changed"}
    past = {
        Action.CREATE: "be created",
        Action.REPLACE: "be replaced",
        Action.DELETE: "be destroyed",
        Action.FORGET: "be forgotten",
        Action.READ: "be read",
    }
    return {**verbs, **past}[change.action]


def _glob(glob: str) -> re.Pattern[str]:
    """`*` stands for anything, `?` for one character; brackets are part of addresses and mean themselves."""
    return re.compile("".join({"*": ".*", "?": "."}.get(c) or re.escape(c) for c in glob), re.DOTALL)
