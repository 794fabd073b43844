"""Who may do what: every IAM statement before and after the plan, by principal, with what the plan adds and removes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from plan_review.findings.found import (
    IDENTITIES,
    Found,
    Kind,
    holder_of,
    left_to_aws,
    name_of,
    statements_of,
    target_of,
)
from plan_review.findings.managed import managed_statements
from plan_review.findings.policies import Statement, covered, statements
from plan_review.findings.rights import NO_NARROWER, marks
from plan_review.plan.model import Action, Change, Phase, Plan, World
from plan_review.plan.values import Hidden, Unknown, Value, as_list, get, is_empty, show, text


class Standing(StrEnum):
    """How a statement after the plan relates to what was there before."""

    ADDED = "added"
    KEPT = "kept"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One statement with the one that it concerns."""

    plan: str
    kind: Kind
    #: The identity that may do something, or the resource (or role) that somebody may use.
    holder: str
    statement: Statement
    #: Address of the object that holds the policy.
    source: str
    standing: Standing
    #: The statement allows something that nothing allowed before (or no longer denies something).
    widens: bool
    #: What stands out, in a few words each: "any resource", "anyone", "can raise its own rights".
    marks: tuple[str, ...]

    @property
    def loud(self) -> bool:
        """Whether something in it should be looked at twice before it is given."""
        return self.widens and any(mark != NO_NARROWER for mark in self.marks)


#: Policies inside of an identity's own object: type -> attribute with the identity's name.
_INLINE = {"aws_iam_role_policy": "role", "aws_iam_user_policy": "user", "aws_iam_group_policy": "group"}
_ATTACHMENTS = {
    "aws_iam_role_policy_attachment": ("role",),
    "aws_iam_user_policy_attachment": ("user",),
    "aws_iam_group_policy_attachment": ("group",),
    "aws_iam_policy_attachment": ("roles", "users", "groups"),
}
#: Attributes that hold a resource's policy, and what names the resource where it isn't the object itself.
_POLICY_ATTRIBUTES = ("policy", "access_policy", "access_policies", "policy_document", "resource_policy")
_NOT_RESOURCE_POLICIES = {*_INLINE, *IDENTITIES, *_ATTACHMENTS, "aws_iam_policy", "aws_organizations_policy"}


def grants(plan: Plan) -> list[Grant]:
    """All statements after the plan, then those that it removes."""
    before = _once(_collect(plan.worlds[Phase.BEFORE]))
    after = _once(_collect(plan.worlds[Phase.AFTER]))
    old: dict[tuple[Kind, str], list[Found]] = {}
    new: dict[tuple[Kind, str], list[Found]] = {}
    for index, found in ((old, before), (new, after)):
        for item in found:
            index.setdefault((item.kind, item.holder), []).append(item)
    made = [_after(item, old.get((item.kind, item.holder), [])) for item in after]
    for item in before:
        now = new.get((item.kind, item.holder), [])
        if not _still_there(item, now):
            denied = not item.statement.allows and not covered(item.statement, (n.statement for n in now))
            made.append(_grant(item, Standing.REMOVED, widens=denied and bool(now)))
    return made


def _once(found: Iterable[Found]) -> list[Found]:
    """Two objects that say the same of one holder (a role and its attachment) are one grant."""
    return list({(f.kind, f.holder, f.statement): f for f in found}.values())


def _after(item: Found, old: Iterable[Found]) -> Grant:
    old = list(old)
    if _still_there(item, old):
        return _grant(item, Standing.KEPT, widens=False)
    widens = item.statement.allows and not covered(item.statement, (o.statement for o in old))
    return _grant(item, Standing.ADDED, widens=widens)


def _still_there(item: Found, others: Iterable[Found]) -> bool:
    """Whether the same statement stands on the other side: literally, or in an object that doesn't change."""
    return any(
        o.statement == item.statement and (not item.statement.opaque or item.change.action is Action.NOOP)
        for o in others
    )


def _grant(item: Found, standing: Standing, *, widens: bool) -> Grant:
    return Grant(
        plan=item.change.plan,
        kind=item.kind,
        holder=item.holder,
        statement=item.statement,
        source=item.change.address,
        standing=standing,
        widens=widens,
        marks=marks(item.statement, of_resource=item.kind is not Kind.IDENTITY),
    )


def _collect(world: World) -> Iterator[Found]:
    attached = _attached(world)
    for change in world.managed():
        kind = change.type
        if kind in _INLINE:
            holder = holder_of(world, change, _INLINE[kind])
            yield from statements_of(world, change, "policy", Kind.IDENTITY, holder)
        elif kind in IDENTITIES:
            yield from _identity(world, change)
        elif kind in _ATTACHMENTS:
            yield from _attachment(world, change)
        elif kind == "aws_iam_policy":
            if change.address not in attached:
                yield from _unattached(world, change)
        elif kind == "aws_lambda_permission":
            yield _lambda(world, change)
        elif kind not in _NOT_RESOURCE_POLICIES:
            yield from _resource_policy(world, change)


def _identity(world: World, change: Change) -> Iterator[Found]:
    value = change.at(world.phase)
    holder = name_of(change, world.phase)
    yield from statements_of(world, change, "assume_role_policy", Kind.TRUST, holder)
    if world.phase is Phase.AFTER and _boundary(change.before) and not _boundary(change.after):
        statement = Statement(actions=(f"(no longer limited by the boundary {_boundary(change.before)})",))
        yield Found(Kind.IDENTITY, holder, statement, change)
    for block in as_list(get(value, "inline_policy")) if not left_to_aws(world, change, "inline_policy") else ():
        for statement in statements(get(block, "policy")):
            yield Found(Kind.IDENTITY, holder, statement, change)
    if not left_to_aws(world, change, "managed_policy_arns"):
        for arn in as_list(get(value, "managed_policy_arns")):
            yield from _managed(world, change, arn, holder, "managed_policy_arns")


def _boundary(value: Value) -> str:
    boundary = get(value, "permissions_boundary")
    return "" if is_empty(boundary) else show(boundary)


def _attachment(world: World, change: Change) -> Iterator[Found]:
    arn = get(change.at(world.phase), "policy_arn")
    for attribute in _ATTACHMENTS[change.type]:
        named = get(change.at(world.phase), attribute)
        if isinstance(named, list):
            holders = [f"{attribute.removesuffix('s')} {n}" if isinstance(n, str) else "" for n in named]
            for holder in holders:
                yield from _managed(world, change, arn, holder or holder_of(world, change, attribute), "policy_arn")
        elif not is_empty(named):
            yield from _managed(world, change, arn, holder_of(world, change, attribute), "policy_arn")


def _managed(world: World, change: Change, arn: Value, holder: str, attribute: str) -> Iterator[Found]:
    """The statements of a managed policy: the plan's own when it is there, else its name as one statement."""
    policy = _own_policy(world, change, arn, attribute)
    if policy is not None:
        for found in statements_of(world, policy, "policy", Kind.IDENTITY, holder):
            yield Found(Kind.IDENTITY, holder, found.statement, policy)
        return
    for statement in managed_statements(arn):
        yield Found(Kind.IDENTITY, holder, statement, change)


def _own_policy(world: World, change: Change, arn: Value, attribute: str) -> Change | None:
    named = world.found("aws_iam_policy", "arn", arn) if isinstance(arn, str) else None
    if named is not None:
        return named
    if isinstance(arn, Unknown) or world.phase is Phase.BEFORE:
        return world.first_referred(change, attribute, {"aws_iam_policy"})
    return None


def _unattached(world: World, change: Change) -> Iterator[Found]:
    """A managed policy that nothing in the plan attaches gives nobody anything yet, but is worth reading."""
    holder = f"whoever {name_of(change, world.phase)} is attached to"
    yield from statements_of(world, change, "policy", Kind.IDENTITY, holder)


def _attached(world: World) -> set[str]:
    """Addresses of the managed policies of this plan that something in it attaches."""
    found: set[str] = set()
    for kind, attribute in (*((kind, "policy_arn") for kind in _ATTACHMENTS), ("aws_iam_role", "managed_policy_arns")):
        for other in world.objects(kind):
            policies = (
                _own_policy(world, other, arn, attribute) for arn in as_list(get(other.at(world.phase), attribute))
            )
            found.update(p.address for p in policies if p is not None)
    return found


def _lambda(world: World, change: Change) -> Found:
    value = change.at(world.phase)
    conditions = [
        (operator, key, (text(get(value, attribute)),))
        for operator, key, attribute in (
            ("ArnLike", "AWS:SourceArn", "source_arn"),
            ("StringEquals", "AWS:SourceAccount", "source_account"),
        )
        if text(get(value, attribute))
    ]
    principal = text(get(value, "principal"))
    statement = Statement(
        sid=text(get(value, "statement_id")),
        principals=("*" if principal == "*" else f"Service {principal}",),
        actions=(text(get(value, "action")) or "lambda:InvokeFunction",),
        conditions=tuple(conditions),
    )
    return Found(Kind.RESOURCE, target_of(world, change), statement, change)


def _resource_policy(world: World, change: Change) -> Iterator[Found]:
    if not change.sides.mentions(b"polic"):
        return
    for attribute in _POLICY_ATTRIBUTES:
        value = get(change.at(world.phase), attribute)
        if isinstance(value, dict) and "Statement" not in value:
            continue
        if isinstance(value, Unknown) and left_to_aws(world, change, attribute):
            continue
        if isinstance(value, dict | Unknown | Hidden):
            yield from statements_of(world, change, attribute, Kind.RESOURCE, target_of(world, change))
