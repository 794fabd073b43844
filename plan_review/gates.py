"""Rules that a pipeline can insist on. A gate that fails says what broke it and what to do."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from plan_review.baseline import Acceptance
from plan_review.findings.grants import Grant, Standing
from plan_review.findings.network import Exposure
from plan_review.findings.unjudged import Question
from plan_review.plan.model import Action, Change, Invocation
from plan_review.report import Review
from plan_review.sentences import grant_sentence
from plan_review.verdict import invocation_text

#: More reasons than this only make the output longer; the number of the others is told.
REASONS_MAX = 20


_UNKNOWN_EFFECT = "what it does is not in the plan"


class GateError(ValueError):
    """Not a rule. The message is one line with what is allowed."""


def fingerprint(*parts: str) -> str:
    """16 hexadecimal digits for what these texts together name.

    64 bits of a digest: nobody finds a name whose breach has the id of one that is accepted.
    """
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Breach:
    """One thing that breaks a rule."""

    rule: str
    #: The object, or whom it concerns.
    where: str
    #: The whole sentence.
    text: str
    #: What it is: the same in another plan, different for one that goes further.
    identity: tuple[str, ...]
    #: It can be accepted by a baseline: a plan that doesn't show everything can't.
    acceptable: bool = True
    #: The label of the plan that it belongs to.
    plan: str = ""
    #: Why it doesn't count.
    accepted: Acceptance | None = None

    @property
    def id(self) -> str:
        """By which a baseline accepts it, 16 hexadecimal digits; "" when it can't be accepted."""
        if not self.acceptable:
            return ""
        return fingerprint(self.rule, *self.identity)


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate's answer."""

    rule: str
    #: Everything that breaks the rule, what is accepted included.
    breaches: tuple[Breach, ...]
    #: What to do about what breaks it.
    how_to_pass: str = ""

    @property
    def failing(self) -> tuple[Breach, ...]:
        """What breaks the rule and nobody accepted."""
        return tuple(b for b in self.breaches if b.accepted is None)

    @property
    def accepted(self) -> tuple[Breach, ...]:
        """What breaks the rule and is accepted for now."""
        return tuple(b for b in self.breaches if b.accepted is not None)

    @property
    def passed(self) -> bool:
        """Whether nothing breaks the rule that isn't accepted."""
        return not self.failing

    @property
    def reasons(self) -> tuple[str, ...]:
        """One sentence for each thing that makes it fail; of very many, the number of the others."""
        failing = self.failing
        kept = [b.text for b in failing[:REASONS_MAX]]
        if len(failing) > REASONS_MAX:
            kept.append(f"and {len(failing) - REASONS_MAX} more")
        return tuple(kept)

    @property
    def remedy(self) -> str:
        """What to do about it; "" when it passed."""
        return "" if self.passed else self.how_to_pass


#: Types whose objects are revisions: a new one takes nothing away but the possibility to start the old one.
_REVISIONS = frozenset({"aws_ecs_task_definition", "aws_lambda_layer_version"})


def _no_destroy(found: Review) -> list[Breach]:
    rule = "no-destroy"
    return [
        *(
            Breach(rule, c.label, _destroyed(c), _identity(c), plan=c.plan)
            for c in (*found.changes, *found.deferred)
            if (c.destroys or "delete" in c.raw_actions or c.action is Action.OTHER)
            and not (c.action is Action.REPLACE and c.type in _REVISIONS)
        ),
        *(
            Breach(rule, i.label, f"{i.label} {invocation_text(i)}: {_UNKNOWN_EFFECT}", _called(i), plan=i.plan)
            for i in found.invocations
        ),
        *_unfinished(rule, found),
    ]


def _identity(change: Change) -> tuple[str, ...]:
    return (change.plan, change.address, change.provider, change.action.value, change.deposed)


def _called(invocation: Invocation) -> tuple[str, ...]:
    return (invocation.plan, invocation.address, invocation_text(invocation))


def _destroyed(change: Change) -> str:
    if change.action is Action.REPLACE:
        forced = f" because of {', '.join(change.replace_paths)}" if change.replace_paths else ""
        return f"{change.label} is replaced{forced}: the object that exists is destroyed"
    if change.action is Action.OTHER and "delete" not in change.raw_actions:
        return f"{change.label}: what {' and '.join(change.raw_actions) or 'no action at all'} does to it is not known"
    why = f" ({change.reason})" if change.reason else ""
    old = " an old object left by an earlier run of" if change.deposed else ""
    return f"{change.label}:{old} is destroyed{why}" if not old else f"{old.strip()} {change.label} is destroyed"


def _no_iam_widening(found: Review) -> list[Breach]:
    rule = "no-iam-widening"
    return [
        *(
            Breach(rule, g.source, _widened(g), (g.plan, g.key, g.standing.value, grant_sentence(g)), plan=g.plan)
            for g in found.widening
        ),
        *_unjudged(rule, found, Question.RIGHTS),
        *_unfinished(rule, found),
    ]


def _widened(grant: Grant) -> str:
    goes = f"no longer ({grant.marks[0]}): " if grant.standing is Standing.REMOVED else ""
    return f"{goes}{grant_sentence(grant)} [{grant.source}]"


def _no_public(found: Review) -> list[Breach]:
    rule = "no-public"
    return [
        *(Breach(rule, e.address, _open(e), (e.plan, e.address, e.what), plan=e.plan) for e in found.public),
        *_unjudged(rule, found, Question.NETWORK),
        *_unfinished(rule, found),
    ]


def _open(exposure: Exposure) -> str:
    before = " (as before this plan)" if exposure.already else ""
    unknown = " (not certain before apply)" if exposure.unknown else ""
    return f"{exposure.address}: {exposure.what}{before}{unknown}"


def _unjudged(rule: str, found: Review, question: Question) -> list[Breach]:
    return [Breach(rule, u.where, f"{u.where}: {u.why}", (u.type, *u.addresses)) for u in found.lacks(question)]


def _no_plaintext_secret(found: Review) -> list[Breach]:
    rule = "no-plaintext-secret"
    return [
        *(
            Breach(
                rule,
                p.address,
                f"{p.address}: {p.path} holds {p.why} in plaintext",
                (p.plan, p.address, p.path, p.why),
                plan=p.plan,
            )
            for p in found.leaks
        ),
        *_unfinished(rule, found),
    ]


def _unfinished(rule: str, found: Review) -> list[Breach]:
    return [
        Breach(
            rule,
            p.label or "plan",
            f"the plan{f' {p.label}' if p.label else ''} failed half way, so it doesn't show everything",
            (),
            acceptable=False,
            plan=p.label,
        )
        for p in found.plans
        if p.errored
    ]


_RULES: Mapping[str, tuple[Callable[[Review], list[Breach]], str]] = {
    "no-destroy": (
        _no_destroy,
        "keep the object (undo the change, or add a moved block), or have the loss approved",
    ),
    "no-iam-widening": (
        _no_iam_widening,
        "narrow the statement to what was allowed before, or have the new right approved",
    ),
    "no-public": (_no_public, "limit who may reach it, or have the exposure approved"),
    "no-plaintext-secret": (
        _no_plaintext_secret,
        "refer to a secret by its ARN instead of writing its value, or use a write-only attribute",
    ),
}
#: What breaks each rule, in a few words.
RULE_TEXTS: Mapping[str, str] = {
    "no-destroy": "An object is destroyed or replaced, or may be",
    "no-iam-widening": "Somebody may do more than before, or it isn't known",
    "no-public": "Something is open to the internet, or it isn't known",
    "no-plaintext-secret": "The plan's file holds a secret in plaintext",
    "only": "Something changes that no only= names",
}
#: The rules that need no argument.
NAMED_RULES = tuple(_RULES)
RULES = (*NAMED_RULES, "only=ADDRESS")


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


def judge(
    found: Review, rules: Sequence[str], accepted: Mapping[str, Acceptance] | None = None
) -> tuple[GateResult, ...]:
    """Apply the rules; all `only=` together are one rule: a change must match one of them.

    Args:
        found: the review.
        rules: what `parse_rules` made.
        accepted: by the id of a breach, why it doesn't count.
    """
    known = accepted or {}
    results = []
    for rule in rules:
        if rule.startswith("only="):
            continue
        check, remedy = _RULES[rule]
        results.append(GateResult(rule, _accept(check(found), known), remedy))
    globs = [rule.removeprefix("only=") for rule in rules if rule.startswith("only=")]
    if globs:
        breaches = _accept(_others(found, globs), known)
        results.append(GateResult(f"only={','.join(globs)}", breaches, "plan only what was agreed on"))
    return tuple(results)


def _accept(breaches: Sequence[Breach], known: Mapping[str, Acceptance]) -> tuple[Breach, ...]:
    if not known:
        return tuple(breaches)
    return tuple(replace(b, accepted=known[b.id]) if b.id in known else b for b in breaches)


def _others(found: Review, globs: Sequence[str]) -> list[Breach]:
    patterns = [_glob(g) for g in globs]
    return [
        *(
            Breach("only", c.label, f"{c.label} is to {_verb(c)}, and no only= names it", _identity(c), plan=c.plan)
            for c in (*found.changes, *found.deferred)
            if not any(p.fullmatch(c.address) for p in patterns)
        ),
        *(
            Breach("only", i.label, f"{i.label} {invocation_text(i)}, and no only= names it", _called(i), plan=i.plan)
            for i in found.invocations
            if not any(p.fullmatch(i.address) for p in patterns)
        ),
        *_unfinished("only", found),
    ]


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
