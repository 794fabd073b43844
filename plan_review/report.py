"""Puts the analyses of one or more plans together into one review."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from plan_review.findings.cost import Cost, cost
from plan_review.findings.grants import Grant, grants
from plan_review.findings.network import Exposure, Flow, Network, network
from plan_review.findings.readers import READERS
from plan_review.findings.secrecy import PlainSecret, Secrecy, secrecy
from plan_review.findings.stores import Risk, data_at_risk
from plan_review.findings.unjudged import Question, Unjudged, unjudged
from plan_review.plan.diff import Relevance, field_changes
from plan_review.plan.model import Action, Change, FailedCheck, Invocation, Phase, Plan

#: The order in which changes are listed: what can hurt comes first.
ORDER = (
    Action.DELETE,
    Action.REPLACE,
    Action.OTHER,
    Action.FORGET,
    Action.UPDATE,
    Action.CREATE,
)


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
        """Secrets in plaintext anywhere in the plan's file, those too that the plan removes."""
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
    def unjudged_objects(self) -> int:
        """How many objects have a part in a question that wasn't judged."""
        return len({address for u in self.unjudged for address in u.addresses})

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
