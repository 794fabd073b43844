"""The records of the JSON document; `schemas/plan-review.schema.json` is made from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

Tone: TypeAlias = Literal["good", "warn", "bad"]


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
    """A secret that the plan's file holds in plaintext; `after` is false when the plan removes it."""

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
