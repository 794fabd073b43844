"""What a review comes to: the verdict in a few sentences, and what should be looked at twice."""

from __future__ import annotations

from dataclasses import dataclass

from plan_review.findings.found import Kind
from plan_review.findings.grants import Grant, Standing
from plan_review.findings.unjudged import Question
from plan_review.plan.model import Action, Invocation, Plan
from plan_review.plan.values import show
from plan_review.report import Review

#: Types and providers that the verdict names of those that weren't judged.
_NAMES_MAX = 4


def counts_sentence(found: Review) -> str:
    """For example "Creates 21, changes 0, replaces 0, destroys 0.", with what else happens behind it."""
    counts = found.counts
    parts = [
        f"creates {counts[Action.CREATE]}",
        f"changes {counts[Action.UPDATE]}",
        f"replaces {counts[Action.REPLACE]}",
        f"destroys {counts[Action.DELETE]}",
    ]
    more = (
        ("forgets", counts[Action.FORGET]),
        ("moves", found.moved),
        ("imports", found.imported),
        ("leaves for later", len(found.deferred)),
        ("does something unknown to", counts[Action.OTHER]),
    )
    parts += [f"{verb} {number}" for verb, number in more if number]
    return _capital(", ".join(parts)) + "."


def verdict(found: Review) -> tuple[str, ...]:
    """The review in a few sentences, the most important ones first."""
    sentences = [*warnings(found), counts_sentence(found)]
    if found.risks:
        sentences.append(f"Data at risk in {_count(len(found.risks), 'store')}.")
    if found.unjudged:
        sentences.append(_unjudged_sentence(found))
    sentences += [_grants_sentence(found), _public_sentence(found), _secret_sentence(found), _cost_sentence(found)]
    return tuple(sentences)


def warnings(found: Review) -> list[str]:
    """What a reader must know before anything else: why the review can't be the whole story."""
    said = []
    if any(plan.errored for plan in found.plans):
        said.append("The plan FAILED half way: it is incomplete and can't be applied.")
    elif any(not plan.applyable and not _changes_nothing(plan) for plan in found.plans):
        said.append("Terraform says that this plan CAN'T BE APPLIED.")
    if any(plan.incomplete for plan in found.plans):
        said.append("The plan is NOT COMPLETE: after it, another plan and apply are needed, and may do more.")
    if any(plan.format_version.startswith("0.") for plan in found.plans):
        said.append("An OLD FORMAT (0.x): it doesn't mark sensitive values, so some may be shown below.")
    if found.invocations:
        said.append(f"Invokes {_count(len(found.invocations), 'action')}: what an action does IS NOT IN THE PLAN.")
    if found.failed_checks:
        said.append(f"{_capital(_count(len(found.failed_checks), 'check'))} FAILED.")
    return said


def _changes_nothing(plan: Plan) -> bool:
    return all(c.action in (Action.NOOP, Action.READ) for c in plan.changes)


def tones(found: Review) -> list[tuple[str, str]]:
    """The sentences of the verdict, each with "good", "warn" or "bad"."""
    toned = []
    warned = set(warnings(found))
    for sentence in verdict(found):
        if sentence in warned or sentence.startswith("Data at risk"):
            tone = "bad"
        elif sentence.startswith(_NOT_JUDGED):
            tone = "warn"
        elif sentence == counts_sentence(found):
            tone = "good"
        elif sentence == _grants_sentence(found):
            tone = "warn" if found.widening or found.lacks(Question.RIGHTS) else "good"
            tone = "bad" if any(g.loud for g in found.widening) else tone
        elif sentence == _public_sentence(found):
            tone = "bad" if found.public else "warn" if found.lacks(Question.NETWORK) else "good"
        elif sentence == _secret_sentence(found):
            tone = "bad" if found.leaks else "warn" if found.secrecy.in_state else "good"
        else:
            tone = "warn" if found.cost.not_priced else "good"
        toned.append((tone, sentence))
    return toned


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that somebody should look at twice."""

    #: "bad" or "warn".
    tone: str
    label: str
    where: str
    what: str


def findings(found: Review) -> list[Finding]:
    """What should be looked at twice, the worst first."""
    exposed = {e.address for e in found.public}
    listed = [
        Finding("bad", "data lost", r.address, f"{_what_happens(r.action)}: loses {r.lost} ({r.note})")
        for r in found.risks
    ]
    listed += [Finding("bad", "secret", p.address, f"{p.path} holds {p.why} in plaintext") for p in found.leaks]
    listed += [
        Finding("warn" if e.already else "bad", "public", e.address, e.what + (" (as before)" if e.already else ""))
        for e in found.public
    ]
    listed += [
        Finding("bad", "rights", g.holder, f"{', '.join(g.marks)}: {', '.join(g.statement.actions)}")
        for g in found.widening
        if g.loud and g.source not in exposed
    ]
    listed += [Finding("warn", "not judged", u.where, u.why) for u in found.unjudged]
    listed += [Finding("bad", "check", c.address, ": ".join((c.status, *c.problems))) for c in found.failed_checks]
    listed += [Finding("warn", "action", i.label, invocation_text(i)) for i in found.invocations]
    listed += [
        Finding("warn", "networks", link.address, link.what)
        for link in found.network.links
        if link.loud and not link.kept
    ]
    listed += [
        Finding("warn", "command", c.label, f"runs a command where the plan is applied ({', '.join(kinds)})")
        for c, kinds in found.commands
    ]
    listed += [
        Finding("warn", "state", address, f"Terraform's state will hold its {attribute} in plaintext")
        for address, attribute in found.secrecy.in_state
    ]
    return listed + [Finding("warn", "later", c.label, f"left to a later run: {c.deferred}") for c in found.deferred]


def invocation_text(invocation: Invocation) -> str:
    """When an action is invoked, and with what."""
    when = f"{invocation.event or 'triggered'} of {invocation.resource}" if invocation.resource else "as asked for"
    later = f", left to a later run ({invocation.deferred})" if invocation.deferred else ""
    return f"is invoked {when}{later} with {show(invocation.values)}"


def _what_happens(action: Action) -> str:
    return "replaced" if action is Action.REPLACE else "destroyed"


def by_holder(found: Review) -> list[tuple[tuple[Kind, str], list[Grant]]]:
    """All statements by the one that they concern: identities first, those with changes before those without."""
    by_key: dict[tuple[str, Kind, str], list[Grant]] = {}
    for grant in found.grants:
        by_key.setdefault((grant.plan, grant.kind, grant.key), []).append(grant)
    groups = [((members[0].kind, members[0].holder), members) for members in by_key.values()]
    ranks = {Kind.IDENTITY: 0, Kind.RESOURCE: 1, Kind.TRUST: 2}

    def rank(group: tuple[tuple[Kind, str], list[Grant]]) -> tuple[int, bool, str]:
        (kind, holder), members = group
        return ranks[kind], all(g.standing is Standing.KEPT for g in members), holder

    return sorted(groups, key=rank)


_NOT_JUDGED = "Not judged: "


def _unjudged_sentence(found: Review) -> str:
    """For example "Not judged: rights of 2 resources (azurerm, google); network of 1 (aws_cloudformation_stack)."."""
    parts = []
    for question in Question:
        lacking = found.lacks(question)
        if lacking:
            names = list(dict.fromkeys(u.type if u.provider == "aws" else u.provider for u in lacking))
            more = f" and {len(names) - _NAMES_MAX} more" if len(names) > _NAMES_MAX else ""
            number = _count(sum(len(u.addresses) for u in lacking), "resource")
            parts.append(f"{question} of {number} ({', '.join(names[:_NAMES_MAX])}{more})")
    return f"{_NOT_JUDGED}{'; '.join(parts)}."


def _grants_sentence(found: Review) -> str:
    wide = found.widening
    removed = sum(g.standing is Standing.REMOVED for g in found.grants)
    if not wide:
        lacking = ", as far as it was judged" if found.lacks(Question.RIGHTS) else ""
        return "Gives no new rights" + lacking + (f", takes {removed} away." if removed else ".")
    identities = {(g.plan, g.key) for g in wide if g.kind is Kind.IDENTITY}
    marked = sum(g.loud for g in wide)
    text = f"Gives {_count(len(wide), 'new right')}"
    if identities:
        text += f" ({_count(len(identities), 'identity', 'identities')})"
    if marked:
        text += f", {marked} to look at twice"
    return text + "."


def _public_sentence(found: Review) -> str:
    if not found.public:
        lacking = ", as far as it was judged" if found.lacks(Question.NETWORK) else ""
        return f"Nothing is open to the internet{lacking}."
    new = [e for e in found.public if not e.already]
    unknown = sum(e.unknown for e in found.public)
    text = f"{_count(len(found.public), 'thing')} open to the internet, {len(new)} of them new"
    return text + (f" ({unknown} not certain before apply)." if unknown else ".")


def _secret_sentence(found: Review) -> str:
    if found.leaks:
        return f"{_count(len(found.leaks), 'secret')} in plaintext in the plan."
    if found.secrecy.in_state:
        return "No secret in the plan, but Terraform's state will hold one."
    return "No secret in the plan."


def _cost_sentence(found: Review) -> str:
    before, after = found.cost.before, found.cost.after
    if found.cost.not_priced and not found.cost.lines:
        number = _count(len(found.cost.not_priced), "resource")
        return f"Cost not estimated: no price for {number} that may cost something."
    text = f"About ${after:.0f} a month"
    if before and abs(after - before) >= 0.5:
        text += f" ({'+' if after > before else '-'}${abs(after - before):.0f})"
    if found.cost.not_priced:
        text += f", without {_count(len(found.cost.not_priced), 'resource')} that this estimate has no price for"
    return text + "."


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
