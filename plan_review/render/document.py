"""The review as JSON for other programs; `schemas/plan-review.schema.json` is made from its records.

Names and meanings of what is there stay as they are; fields and values of a kind may be added. Values that are
sensitive are as hidden here as everywhere: `(sensitive)`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal, cast

import msgspec

from plan_review.findings import prices
from plan_review.findings.grants import Grant
from plan_review.gates import Breach, GateResult
from plan_review.plan.diff import field_changes
from plan_review.plan.model import Action, Change
from plan_review.render import title
from plan_review.render.records import (
    AcceptedItem,
    ActionItem,
    BreachItem,
    ChangeItem,
    CheckItem,
    ConditionItem,
    CostItem,
    CostTotal,
    CountsItem,
    ExposureItem,
    FieldItem,
    GateItem,
    LinkItem,
    LookItem,
    PlanItem,
    ReviewDocument,
    RightItem,
    RiskItem,
    RuleItem,
    SecretItem,
    SentenceItem,
    Tone,
    UnjudgedItem,
)
from plan_review.report import Review
from plan_review.sentences import change_notes
from plan_review.verdict import findings, invocation_text, tones

#: Where the published schema is found in the project's repository.
SCHEMA_FILE = "schemas/plan-review.schema.json"
_VERSION: Literal[1] = 1


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
