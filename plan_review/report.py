"""Puts the analyses of one or more plans together into one review, and says in a sentence what they come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from plan_review.findings.cost import Cost, cost
from plan_review.findings.found import Kind
from plan_review.findings.grants import Grant, Standing, grants
from plan_review.findings.network import Exposure, Flow, Network, network
from plan_review.findings.readers import READERS
from plan_review.findings.secrecy import PlainSecret, Secrecy, secrecy
from plan_review.findings.stores import Risk, data_at_risk
from plan_review.findings.unjudged import Question, Unjudged, unjudged
from plan_review.plan.diff import Relevance, field_changes
from plan_review.plan.model import Action, Change, FailedCheck, Invocation, Phase, Plan
from plan_review.plan.values import show

#: The order in which changes are listed: what can hurt comes first.
ORDER = (
    Action.DELETE,
    Action.REPLACE,
    Action.OTHER,
    Action.FORGET,
    Action.UPDATE,
    Action.CREATE,
)


#: Types and providers that the verdict names of those that weren't judged.
_NAMES_MAX = 4


@dataclass(frozen=True)
class Review:
    """Everything that the renderers show and the gates judge."""

    plans: tuple[Plan, ...]
    grants: tuple[Grant, ...]
    network: Network
    secrecy: Secrecy
    risks: tuple[Risk, ...]
    cost: Cost
    #: What has no reader, although it may give rights or open something.
    unjudged: tuple[Unjudged, ...] = ()

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """Every resource that something happens to, what can hurt first; moves and imports alone count, too."""
        found = [
            c
            for plan in self.plans
            for c in plan.changes
            if c.managed and (c.action in ORDER or c.previous_address or c.importing)
        ]
        rank = {action: index for index, action in enumerate(ORDER)}
        return tuple(sorted(found, key=lambda c: (rank.get(c.action, len(ORDER)), c.plan, c.address)))

    @cached_property
    def counts(self) -> Counter[Action]:
        """How many resources are created, updated and so on; a replacement is one replacement."""
        return Counter(c.action for c in self.changes)

    @cached_property
    def moved(self) -> int:
        """Resources that only get another address (or that as well)."""
        return sum(bool(c.previous_address) for c in self.changes)

    @cached_property
    def imported(self) -> int:
        """Objects that Terraform takes over."""
        return sum(bool(c.importing) for c in self.changes)

    @cached_property
    def deferred(self) -> tuple[Change, ...]:
        """Changes that Terraform leaves to a later run."""
        return tuple(c for plan in self.plans for c in plan.deferred)

    @cached_property
    def _drift(self) -> tuple[list[Change], int]:
        shown, others = [], 0
        for plan in self.plans:
            relevant = Relevance(plan.relevant)
            for change in plan.drift:
                if not change.managed or (change.exists(Phase.AFTER) and not field_changes(change)):
                    continue
                if relevant.to(change):
                    shown.append(change)
                else:
                    others += 1
        return shown, others

    @property
    def drift(self) -> tuple[Change, ...]:
        """What was changed outside of Terraform and matters for what the plan does."""
        return tuple(self._drift[0])

    @property
    def other_drift(self) -> int:
        """How many more objects were changed outside of Terraform, without any effect on the plan."""
        return self._drift[1]

    @property
    def invocations(self) -> tuple[Invocation, ...]:
        """Actions that are invoked beside the changes."""
        return tuple(i for plan in self.plans for i in plan.invocations)

    @property
    def failed_checks(self) -> tuple[FailedCheck, ...]:
        """Checks and conditions that don't hold."""
        return tuple(c for plan in self.plans for c in plan.failed_checks)

    @cached_property
    def outputs(self) -> tuple[Change, ...]:
        """Outputs that change."""
        return tuple(c for plan in self.plans for c in plan.outputs if c.action is not Action.NOOP)

    @cached_property
    def widening(self) -> tuple[Grant, ...]:
        """Statements that allow what nothing allowed before."""
        return tuple(g for g in self.grants if g.widens)

    @cached_property
    def leaks(self) -> tuple[PlainSecret, ...]:
        """Secrets in clear anywhere in the plan's file, those too that the plan removes."""
        return self.secrecy.plain

    @cached_property
    def public(self) -> tuple[Exposure, ...]:
        """What the whole internet may reach (or may, for all the plan knows)."""
        return self.network.exposures

    @cached_property
    def commands(self) -> tuple[tuple[Change, tuple[str, ...]], ...]:
        """Changes that run commands (provisioners) on the machine that applies the plan, or elsewhere."""
        acting = {Action.CREATE, Action.REPLACE, Action.DELETE}
        with_kinds = (
            (c, plan.configuration.provisioners(c.address))
            for plan in self.plans
            for c in plan.changes
            if c.action in acting
        )
        return tuple((c, kinds) for c, kinds in with_kinds if kinds)

    def lacks(self, question: Question) -> tuple[Unjudged, ...]:
        """What the answer to a question lacks: objects that no reader understands."""
        return tuple(u for u in self.unjudged if u.question is question)

    @property
    def flows(self) -> tuple[Flow, ...]:
        """Rules of security groups after the plan."""
        return self.network.flows


def review(plans: Sequence[Plan]) -> Review:
    """Look at one or more plans (one for each stack) as one."""
    by_plan = [(plan, grants(plan)) for plan in plans]
    networks = [network(plan, found) for plan, found in by_plan]
    secrets = [secrecy(plan) for plan in plans]
    costs = [cost(plan) for plan in plans]
    lines = sorted((x for c in costs for x in c.lines), key=lambda x: (-max(x.after, x.before), x.plan, x.address))
    return Review(
        plans=tuple(plans),
        grants=tuple(g for _, found in by_plan for g in found),
        network=Network(
            tuple(f for n in networks for f in n.flows),
            tuple(e for n in networks for e in n.exposures),
            tuple(a for n in networks for a in n.public_addresses),
            tuple(link for n in networks for link in n.links),
        ),
        secrecy=Secrecy(
            tuple(s for found in secrets for s in found.stores),
            tuple(p for found in secrets for p in found.plain),
            tuple(a for found in secrets for a in found.in_state),
        ),
        risks=tuple(risk for plan in plans for risk in data_at_risk(plan)),
        cost=Cost(tuple(lines), tuple(n for c in costs for n in c.not_priced)),
        unjudged=unjudged(plans, READERS),
    )


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
        said.append(f"Invokes {_count(len(found.invocations), 'action')}: WHAT THEY DO is not in the plan.")
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
    listed += [Finding("bad", "secret", p.address, f"{p.path} holds {p.why} in clear") for p in found.leaks]
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
        Finding("warn", "state", address, f"Terraform's state will hold its {attribute} in clear")
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
        return f"{_count(len(found.leaks), 'secret')} in clear in the plan."
    if found.secrecy.in_state:
        return "No secret in the plan, but Terraform's state will hold one."
    return "No secret in the plan."


def _cost_sentence(found: Review) -> str:
    before, after = found.cost.before, found.cost.after
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
