"""Who may do what: every IAM statement before and after the plan, by principal, with what the plan adds and removes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from plan_review.findings.found import (
    IDENTITIES,
    Found,
    Holder,
    Kind,
    holder_named,
    holder_of,
    itself,
    left_to_aws,
    name_of,
    statements_of,
    target_of,
)
from plan_review.findings.managed import managed_statements
from plan_review.findings.policies import Statement, Statements, statements
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
    #: What the holder is (an address, an ARN, a name in an account): two may be called the same.
    key: str
    #: The identity that may do something, or the resource (or role) that somebody may use, as it is called.
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

_NOTHING = Statements(())


def grants(plan: Plan) -> list[Grant]:
    """All statements after the plan, then those that it removes."""
    apart = _kept_apart(plan)
    before = _once(_collect(plan.worlds[Phase.BEFORE], apart))
    after = _once(_collect(plan.worlds[Phase.AFTER], apart))
    old, new = _by_key(before), _by_key(after)
    labels = _labels([*after, *before])
    made = []
    for item in after:
        others = old.get(item.key, _NOTHING)
        kept = _still_there(item, others)
        widens = not kept and item.statement.allows and not item.statement.written
        widens = widens and not others.covers(item.statement)
        made.append(_grant(item, Standing.KEPT if kept else Standing.ADDED, labels, widens=widens))
    for item in before:
        now = new.get(item.key, _NOTHING)
        if not _still_there(item, now):
            lifted = not item.statement.allows and bool(now) and not now.covers(item.statement)
            made.append(_grant(item, Standing.REMOVED, labels, widens=lifted))
    return made


def _once(found: Iterable[Found]) -> list[Found]:
    """Two objects that say the same of one holder (a role and its attachment) are one grant.

    Two that can't be read only look the same.
    """
    return list({(*f.key, f.statement, f.change.address if f.statement.opaque else ""): f for f in found}.values())


def _by_key(found: Iterable[Found]) -> dict[tuple[Kind, str], Statements]:
    grouped: dict[tuple[Kind, str], list[Statement]] = {}
    for item in found:
        if not item.statement.written:
            grouped.setdefault(item.key, []).append(item.statement)
    return {key: Statements(members) for key, members in grouped.items()}


def _labels(found: Iterable[Found]) -> dict[tuple[Kind, str], str]:
    """What each holder is called; where two are called the same, with what tells them apart."""
    called: dict[tuple[Kind, str], str] = {}
    keys: dict[tuple[Kind, str], set[str]] = {}
    for item in found:
        label = called.setdefault(item.key, item.holder.label)
        keys.setdefault((item.kind, label), set()).add(item.holder.key)
    return {
        (kind, key): f"{label} ({key})" if len(keys[(kind, label)]) > 1 and key not in label else label
        for (kind, key), label in called.items()
    }


def _still_there(item: Found, others: Statements) -> bool:
    """Whether the same statement stands on the other side: literally, or in an object that doesn't change."""
    same = item.statement in others
    return same and (not item.statement.opaque or item.change.action is Action.NOOP)


def _grant(item: Found, standing: Standing, labels: Mapping[tuple[Kind, str], str], *, widens: bool) -> Grant:
    return Grant(
        plan=item.change.plan,
        kind=item.kind,
        key=item.holder.key,
        holder=labels[item.key],
        statement=item.statement,
        source=item.change.address,
        standing=standing,
        widens=widens,
        marks=marks(item.statement, of_resource=item.kind is not Kind.IDENTITY),
    )


def _kept_apart(plan: Plan) -> frozenset[tuple[str, str]]:
    """Policies of roles that are objects of their own, by the role's key and their name or ARN.

    The provider repeats them in the role (`inline_policy`, `managed_policy_arns`) as they were before the plan.
    """
    return frozenset(
        (holder_of(world, change, "role").key, named)
        for world in plan.worlds.values()
        for kind, attribute in (("aws_iam_role_policy", "name"), ("aws_iam_role_policy_attachment", "policy_arn"))
        for change in world.objects(kind)
        if isinstance(named := get(change.at(world.phase), attribute), str)
    )


def _collect(world: World, apart: frozenset[tuple[str, str]]) -> Iterator[Found]:
    attached = _attached(world)
    for change in world.managed():
        kind = change.type
        if kind in _INLINE:
            holder = holder_of(world, change, _INLINE[kind])
            yield from statements_of(world, change, "policy", Kind.IDENTITY, holder)
        elif kind in IDENTITIES:
            yield from _identity(world, change, apart)
        elif kind in _ATTACHMENTS:
            yield from _attachment(world, change)
        elif kind == "aws_iam_policy":
            if change.address not in attached:
                yield from _unattached(world, change)
        elif kind == "aws_lambda_permission":
            yield _lambda(world, change)
        elif kind not in _NOT_RESOURCE_POLICIES:
            yield from _resource_policy(world, change)


def _identity(world: World, change: Change, apart: frozenset[tuple[str, str]]) -> Iterator[Found]:
    holder = itself(world, change)
    yield from statements_of(world, change, "assume_role_policy", Kind.TRUST, holder)
    if world.phase is Phase.AFTER and _boundary(change.before) and not _boundary(change.after):
        statement = Statement(actions=(f"(no longer limited by the boundary {_boundary(change.before)})",))
        yield Found(Kind.IDENTITY, holder, statement, change)
    for block in _written(world, change, "inline_policy"):
        if (holder.key, get(block, "name")) not in apart:
            for statement in statements(get(block, "policy")):
                yield Found(Kind.IDENTITY, holder, statement, change)
    for arn in _written(world, change, "managed_policy_arns"):
        if (holder.key, arn) not in apart:
            yield from _managed(world, change, arn, holder, "managed_policy_arns")


def _written(world: World, change: Change, attribute: str) -> list[Value]:
    """The items of an attribute that AWS fills in when nobody sets it. A known value counts, whoever set it."""
    value = get(change.at(world.phase), attribute)
    return [] if isinstance(value, Unknown) and left_to_aws(world, change, attribute) else as_list(value)


def _boundary(value: Value) -> str:
    boundary = get(value, "permissions_boundary")
    return "" if is_empty(boundary) else show(boundary)


def _attachment(world: World, change: Change) -> Iterator[Found]:
    arn = get(change.at(world.phase), "policy_arn")
    for attribute in _ATTACHMENTS[change.type]:
        named = get(change.at(world.phase), attribute)
        for name in named if isinstance(named, list) else [] if is_empty(named) else [named]:
            yield from _managed(world, change, arn, holder_named(world, change, attribute, name), "policy_arn")


def _managed(world: World, change: Change, arn: Value, holder: Holder, attribute: str) -> Iterator[Found]:
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
        return world.only_referred(change, attribute, {"aws_iam_policy"})
    return None


def _unattached(world: World, change: Change) -> Iterator[Found]:
    """A managed policy that nothing in the plan attaches gives nobody anything yet, but is worth reading."""
    holder = Holder(world.plan.key(change), f"whoever {name_of(change, world.phase)} is attached to")
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
