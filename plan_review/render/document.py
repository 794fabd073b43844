"""The review as JSON for other programs; `schemas/plan-review.schema.json` is made from the classes here.

Names and meanings of what is there stay as they are; fields and values of a kind may be added. Values that are
sensitive are as hidden here as everywhere: `(sensitive)`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import msgspec

from plan_review.findings import prices
from plan_review.findings.grants import Grant
from plan_review.gates import Breach, GateResult
from plan_review.plan.diff import field_changes
from plan_review.plan.model import Action, Change
from plan_review.render import title
from plan_review.report import Review
from plan_review.sentences import change_notes
from plan_review.verdict import findings, invocation_text, tones

#: Where the published schema is found in the project's repository.
SCHEMA_FILE = "schemas/plan-review.schema.json"
Tone: TypeAlias = Literal["good", "warn", "bad"]
_VERSION: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class SentenceItem:
    """One sentence of the verdict."""

    tone: Tone
    text: str


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One of the plans that were reviewed, with what Terraform says of it. The label is "" when there is only one."""

    label: str
    tool: str
    format_version: str
    errored: bool
    applyable: bool
    complete: bool


class CountsItem(msgspec.Struct, frozen=True, rename={"import_": "import"}):
    """How many resources something happens to; each counts once, but for `move` and `import`, which may come on top."""

    create: int
    change: int
    replace: int
    destroy: int
    forget: int
    unknown: int
    move: int
    import_: int
    deferred: int


@dataclass(frozen=True, slots=True)
class AcceptedItem:
    """Why a breach doesn't count, and until when (the last day, in UTC)."""

    reason: str
    expires: str


@dataclass(frozen=True, slots=True)
class BreachItem:
    """One thing that breaks a rule. The id is what a baseline accepts it by; "" when it can't be accepted."""

    id: str
    where: str
    text: str
    accepted: AcceptedItem | None


@dataclass(frozen=True, slots=True)
class GateItem:
    """The answer of one gate that was asked."""

    rule: str
    passed: bool
    breaches: list[BreachItem]
    remedy: str


@dataclass(frozen=True, slots=True)
class LookItem:
    """One thing that somebody should look at twice, the worst first."""

    tone: Tone
    label: str
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class UnjudgedItem:
    """Objects of one type whose part in the answer to a question isn't known."""

    question: str
    type: str
    addresses: list[str]
    why: str


@dataclass(frozen=True, slots=True)
class ConditionItem:
    """One condition of a statement; all must hold."""

    operator: str
    key: str
    values: list[str]


@dataclass(frozen=True, slots=True)
class RightItem:
    """One statement of a policy, before or after the plan. The `not_...` flags say that a list names exceptions."""

    plan: str
    holder: str
    kind: str
    standing: str
    widens: bool
    marks: list[str]
    effect: str
    principals: list[str]
    not_principals: bool
    actions: list[str]
    not_actions: bool
    resources: list[str]
    not_resources: bool
    conditions: list[ConditionItem]
    source: str
    sid: str


@dataclass(frozen=True, slots=True)
class ExposureItem:
    """Something that the whole internet may reach or use after the plan."""

    plan: str
    address: str
    what: str
    already: bool
    certain: bool


@dataclass(frozen=True, slots=True)
class RuleItem:
    """A rule of a security group after the plan."""

    plan: str
    direction: str
    group: str
    peer: str
    ports: str
    public: bool
    certain: bool
    kept: bool
    description: str


@dataclass(frozen=True, slots=True)
class LinkItem:
    """A way between networks."""

    plan: str
    address: str
    what: str
    kept: bool


@dataclass(frozen=True, slots=True)
class RiskItem:
    """A store that is destroyed or replaced."""

    plan: str
    address: str
    action: str
    lost: str
    note: str


@dataclass(frozen=True, slots=True)
class SecretItem:
    """A secret that the plan's file holds in clear; `after` is false when the plan removes it."""

    plan: str
    address: str
    path: str
    why: str
    after: bool


@dataclass(frozen=True, slots=True)
class CostItem:
    """One object's part of the estimate, US dollars a month."""

    plan: str
    address: str
    before: float
    after: float
    basis: str


@dataclass(frozen=True, slots=True)
class CostTotal:
    """The estimate, US dollars a month, from list prices of a region at a date."""

    before: float
    after: float
    region: str
    as_of: str
    lines: list[CostItem]
    not_priced: list[str]


@dataclass(frozen=True, slots=True)
class FieldItem:
    """One field: its values as JSON, or words where one is hidden or not known yet; null for none."""

    path: str
    old: str | None
    new: str | None
    forces_replacement: bool


@dataclass(frozen=True, slots=True)
class ChangeItem:
    """What happens to one object or output."""

    plan: str
    address: str
    type: str
    action: str
    notes: list[str]
    fields: list[FieldItem]


@dataclass(frozen=True, slots=True)
class ActionItem:
    """An action that Terraform invokes."""

    plan: str
    address: str
    what: str


@dataclass(frozen=True, slots=True)
class CheckItem:
    """A check or condition that doesn't hold."""

    address: str
    status: str
    problems: list[str]


@dataclass(frozen=True, slots=True)
class ReviewDocument:
    """The whole review."""

    version: Literal[1]
    title: str
    verdict: list[SentenceItem]
    plans: list[PlanItem]
    counts: CountsItem
    gates: list[GateItem]
    #: What is to be said of the baseline: entries that expired, or that nothing needs.
    baseline_notes: list[str]
    look: list[LookItem]
    unjudged: list[UnjudgedItem]
    rights: list[RightItem]
    exposures: list[ExposureItem]
    rules: list[RuleItem]
    links: list[LinkItem]
    public_addresses: list[str]
    data_at_risk: list[RiskItem]
    secrets: list[SecretItem]
    cost: CostTotal
    changes: list[ChangeItem]
    deferred: list[ChangeItem]
    drift: list[ChangeItem]
    #: Objects that changed outside of Terraform in ways that the plan doesn't depend on.
    other_drift: int
    outputs: list[ChangeItem]
    actions: list[ActionItem]
    failed_checks: list[CheckItem]


def render(found: Review, gates: Sequence[GateResult] = (), notes: Sequence[str] = ()) -> str:
    """The document as JSON in ASCII, so that no terminal can stumble over it."""
    return json.dumps(msgspec.to_builtins(document(found, gates, notes)), indent=2) + "\n"


def schema() -> dict[str, Any]:
    """The document's JSON Schema, draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The review of a Terraform plan, as `python -m plan_review --format json` writes it",
        **msgspec.json.schema(ReviewDocument),
    }


def document(found: Review, gates: Sequence[GateResult], notes: Sequence[str]) -> ReviewDocument:
    """The review as plain data."""
    return ReviewDocument(
        version=_VERSION,
        title=title.render(found, gates).rstrip("\n"),
        verdict=[SentenceItem(cast("Tone", tone), text) for tone, text in tones(found)],
        plans=[
            PlanItem(p.label, p.tool, p.format_version, p.errored, p.applyable, not p.incomplete) for p in found.plans
        ],
        counts=_counts(found),
        gates=[GateItem(g.rule, g.passed, [_breach(b) for b in g.breaches], g.remedy) for g in gates],
        baseline_notes=list(notes),
        look=[LookItem(cast("Tone", f.tone), f.label, f.where, f.what) for f in findings(found)],
        unjudged=[UnjudgedItem(u.question.value, u.type, list(u.addresses), u.why) for u in found.unjudged],
        rights=[_right(g) for g in found.grants],
        exposures=[ExposureItem(e.plan, e.address, e.what, e.already, not e.unknown) for e in found.public],
        rules=[
            RuleItem(
                f.plan, f.direction, f.group, f.peer, f.ports, f.public, not f.unknown, f.kept, f.description or ""
            )
            for f in found.flows
        ],
        links=[LinkItem(link.plan, link.address, link.what, link.kept) for link in found.network.links],
        public_addresses=list(found.network.public_addresses),
        data_at_risk=[RiskItem(r.plan, r.address, r.action.value, r.lost, r.note) for r in found.risks],
        secrets=[SecretItem(p.plan, p.address, p.path, p.why, p.after) for p in found.leaks],
        cost=CostTotal(
            round(found.cost.before, 2),
            round(found.cost.after, 2),
            prices.REGION,
            prices.AS_OF,
            [CostItem(c.plan, c.address, round(c.before, 2), round(c.after, 2), c.basis) for c in found.cost.lines],
            list(found.cost.not_priced),
        ),
        changes=[_change(c) for c in found.changes],
        deferred=[_change(c) for c in found.deferred],
        drift=[_change(c) for c in found.drift],
        other_drift=found.other_drift,
        outputs=[_change(c) for c in found.outputs],
        actions=[ActionItem(i.plan, i.address, invocation_text(i)) for i in found.invocations],
        failed_checks=[CheckItem(c.address, c.status, list(c.problems)) for c in found.failed_checks],
    )


def _counts(found: Review) -> CountsItem:
    counts = found.counts
    return CountsItem(
        create=counts[Action.CREATE],
        change=counts[Action.UPDATE],
        replace=counts[Action.REPLACE],
        destroy=counts[Action.DELETE],
        forget=counts[Action.FORGET],
        unknown=counts[Action.OTHER],
        move=found.moved,
        import_=found.imported,
        deferred=len(found.deferred),
    )


def _breach(breach: Breach) -> BreachItem:
    why = breach.accepted
    accepted = AcceptedItem(why.reason, why.expires.isoformat()) if why else None
    return BreachItem(breach.id, breach.where, breach.text, accepted)


def _right(grant: Grant) -> RightItem:
    s = grant.statement
    return RightItem(
        plan=grant.plan,
        holder=grant.holder,
        kind=grant.kind.name.lower(),
        standing=grant.standing.value,
        widens=grant.widens,
        marks=list(grant.marks),
        effect=s.effect,
        principals=list(s.principals),
        not_principals=s.not_principals,
        actions=list(s.actions),
        not_actions=s.not_actions,
        resources=list(s.resources),
        not_resources=s.not_resources,
        conditions=[ConditionItem(operator, key, list(values)) for operator, key, values in s.conditions],
        source=grant.source,
        sid=s.sid,
    )


def _change(change: Change) -> ChangeItem:
    return ChangeItem(
        plan=change.plan,
        address=change.address,
        type=change.type,
        action=change.action.value,
        notes=change_notes(change),
        fields=[FieldItem(f.path, f.old, f.new, f.forces_replacement) for f in field_changes(change)],
    )
