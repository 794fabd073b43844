"""Rights that IAM itself gives: policies of identities in every form, group membership, boundaries, exclusive lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from plan_review.findings.found import (
    IDENTITIES,
    FoundRight,
    Holder,
    Kind,
    holder_named,
    holder_of,
    itself,
    left_to_aws,
    name_of,
    statements_of,
)
from plan_review.findings.managed import managed_statements
from plan_review.findings.policies import Statement, Statements, statements
from plan_review.plan.model import Change, Phase, Plan, World
from plan_review.plan.values import Unknown, Value, as_list, get, is_empty, show, text

#: Policies that are objects of their own: type -> attribute with the identity's name.
_INLINE = {"aws_iam_role_policy": "role", "aws_iam_user_policy": "user", "aws_iam_group_policy": "group"}
_ATTACHMENTS = {
    "aws_iam_role_policy_attachment": ("role",),
    "aws_iam_user_policy_attachment": ("user",),
    "aws_iam_group_policy_attachment": ("group",),
    "aws_iam_policy_attachment": ("roles", "users", "groups"),
}
#: Lists that are all an identity may have: type -> the kind of identity.
_EXCLUSIVE_ATTACHMENTS = {f"aws_iam_{kind}_policy_attachments_exclusive": kind for kind in ("role", "user", "group")}
_EXCLUSIVE_POLICIES = {f"aws_iam_{kind}_policies_exclusive": kind for kind in ("role", "user", "group")}
_MEMBERSHIPS = ("aws_iam_group_membership", "aws_iam_user_group_membership")


class IamReader:
    """Reads the IAM objects of one world; `READS` are their types."""

    READS = frozenset(
        {
            *_INLINE,
            *IDENTITIES,
            *_ATTACHMENTS,
            *_EXCLUSIVE_ATTACHMENTS,
            *_EXCLUSIVE_POLICIES,
            *_MEMBERSHIPS,
            "aws_iam_policy",
        }
    )

    def __init__(self, world: World, apart: frozenset[tuple[str, str]]) -> None:
        self._world = world
        self._apart = apart
        self._attached = self._attached_policies()
        readers: dict[str, Callable[[Change], Iterator[FoundRight]]] = {
            **dict.fromkeys(_INLINE, self._inline),
            **dict.fromkeys(IDENTITIES, self._identity),
            **dict.fromkeys(_ATTACHMENTS, self._attachment),
            **dict.fromkeys(_EXCLUSIVE_ATTACHMENTS, self._exclusive_attachments),
            **dict.fromkeys(_EXCLUSIVE_POLICIES, self._exclusive_policies),
            **dict.fromkeys(_MEMBERSHIPS, self._membership),
            "aws_iam_policy": self._unattached,
        }
        self._readers: Mapping[str, Callable[[Change], Iterator[FoundRight]]] = readers

    def read(self, change: Change) -> Iterator[FoundRight]:
        """The statements of an object of one of `READS`."""
        return self._readers[change.type](change)

    def _value(self, change: Change, *path: str) -> Value:
        return get(change.at(self._world.phase), *path)

    def _inline(self, change: Change) -> Iterator[FoundRight]:
        holder = holder_of(self._world, change, _INLINE[change.type])
        return statements_of(self._world, change, "policy", Kind.IDENTITY, holder)

    def _identity(self, change: Change) -> Iterator[FoundRight]:
        holder = itself(self._world, change)
        yield from statements_of(self._world, change, "assume_role_policy", Kind.TRUST, holder)
        yield from self._boundary(change, holder)
        for block in self._written(change, "inline_policy"):
            if not self._repeated(change, "inline_policy", block, (holder.key, text(get(block, "name")))):
                for statement in statements(get(block, "policy") if isinstance(block, dict) else block):
                    yield FoundRight(Kind.IDENTITY, holder, statement, change)
        for arn in self._written(change, "managed_policy_arns"):
            if not self._repeated(change, "managed_policy_arns", arn, (holder.key, text(arn))):
                yield from self._managed(change, arn, holder, "managed_policy_arns")

    def _repeated(self, change: Change, attribute: str, item: Value, named: tuple[str, str]) -> bool:
        """Whether a role only repeats, as it was before, a policy that is an object of its own."""
        return named in self._apart and item in as_list(get(change.before, attribute))

    def _boundary(self, change: Change, holder: Holder) -> Iterator[FoundRight]:
        """A boundary that goes, or that another one takes the place of, lets the identity do more."""
        earlier = self._world.plan.predecessor(change)
        old, new = get(earlier.before, "permissions_boundary"), get(change.after, "permissions_boundary")
        if self._world.phase is Phase.BEFORE or is_empty(old) or old == new or not change.exists(Phase.AFTER):
            return
        if is_empty(new):
            limit = f"(no longer limited by the boundary {show(old)})"
        elif self._narrower(earlier, change, new, old):
            return
        else:
            limit = f"(limited by the boundary {show(new)} instead of {show(old)})"
        yield FoundRight(Kind.IDENTITY, holder, Statement(actions=(limit,), lifts=True), change)

    def _narrower(self, earlier: Change, change: Change, new: Value, old: Value) -> bool:
        """Whether the new boundary allows nothing that the old one doesn't, as far as both are known."""
        before, after = self._world.plan.worlds[Phase.BEFORE], self._world
        had = [f.statement for f in _managed_in(before, earlier, old, _NOBODY, "permissions_boundary")]
        has = [f.statement for f in _managed_in(after, change, new, _NOBODY, "permissions_boundary")]
        allowed, denied = Statements(s for s in had if s.allows), [s for s in had if not s.allows]
        kept = Statements(s for s in has if not s.allows)
        return all(allowed.covers(s) for s in has if s.allows) and all(kept.covers(s) for s in denied)

    def _written(self, change: Change, attribute: str) -> list[Value]:
        """The items of an attribute that AWS fills in when nobody sets it. A known value counts, whoever set it."""
        value = self._value(change, attribute)
        return [] if isinstance(value, Unknown) and left_to_aws(self._world, change, attribute) else as_list(value)

    def _attachment(self, change: Change) -> Iterator[FoundRight]:
        arn = self._value(change, "policy_arn")
        for attribute in _ATTACHMENTS[change.type]:
            named = self._value(change, attribute)
            for name in named if isinstance(named, list) else [] if is_empty(named) else [named]:
                holder = holder_named(self._world, change, attribute, name)
                yield from self._managed(change, arn, holder, "policy_arn")

    def _exclusive_attachments(self, change: Change) -> Iterator[FoundRight]:
        kind = _EXCLUSIVE_ATTACHMENTS[change.type]
        holder = self._named(change, kind, f"{kind}_name")
        for arn in as_list(self._value(change, "policy_arns")):
            yield from self._managed(change, arn, holder, "policy_arns")
        yield self._others_go(change, holder, "attached policies", self._value(change, "policy_arns"))

    def _exclusive_policies(self, change: Change) -> Iterator[FoundRight]:
        kind = _EXCLUSIVE_POLICIES[change.type]
        holder = self._named(change, kind, f"{kind}_name")
        yield self._others_go(change, holder, "inline policies", self._value(change, "policy_names"))

    @staticmethod
    def _others_go(change: Change, holder: Holder, what: str, named: Value) -> FoundRight:
        kept = ", ".join(show(item) for item in as_list(named)) or "none"
        why = f"(loses all {what} but these, any that deny something too: {kept})"
        return FoundRight(Kind.IDENTITY, holder, Statement(actions=(why,), lifts=True), change)

    def _named(self, change: Change, kind: str, attribute: str) -> Holder:
        value = self._value(change, attribute)
        if isinstance(value, str):
            return holder_named(self._world, change, kind, value)
        referred = self._world.only_referred(change, attribute, {f"aws_iam_{kind}"})
        return itself(self._world, referred) if referred else Holder(change.address, f"{kind} of {change.address}")

    def _membership(self, change: Change) -> Iterator[FoundRight]:
        """Who is in a group may do what the group may. What denies something may come by a group, too."""
        by_group = change.type == "aws_iam_group_membership"
        users = self._members(change, "users" if by_group else "user")
        groups = self._members(change, "group" if by_group else "groups")
        for user in users:
            for group in groups:
                statement = Statement(actions=(f"(all that {group.label} may)",), unseen=True)
                yield FoundRight(Kind.IDENTITY, user, statement, change)

    def _members(self, change: Change, attribute: str) -> list[Holder]:
        values = as_list(self._value(change, attribute))
        return [holder_named(self._world, change, attribute, value) for value in values]

    def _managed(self, change: Change, arn: Value, holder: Holder, attribute: str) -> Iterator[FoundRight]:
        return _managed_in(self._world, change, arn, holder, attribute)

    def _unattached(self, change: Change) -> Iterator[FoundRight]:
        """A managed policy that nothing in the plan attaches gives nobody anything yet, but is worth reading."""
        if change.address in self._attached:
            return
        label = f"whoever {name_of(change, self._world.phase)} is attached to"
        holder = Holder(self._world.plan.key(change), label)
        yield from statements_of(self._world, change, "policy", Kind.IDENTITY, holder)

    def _attached_policies(self) -> set[str]:
        """Addresses of the managed policies of this plan that something in it attaches."""
        places = (
            *((kind, "policy_arn") for kind in _ATTACHMENTS),
            *((kind, "policy_arns") for kind in _EXCLUSIVE_ATTACHMENTS),
            ("aws_iam_role", "managed_policy_arns"),
        )
        found: set[str] = set()
        for kind, attribute in places:
            for other in self._world.objects(kind):
                arns = as_list(self._value(other, attribute))
                policies = (_own_policy(self._world, other, arn, attribute) for arn in arns)
                found.update(p.address for p in policies if p is not None)
        return found


_NOBODY = Holder("", "")


def _managed_in(world: World, change: Change, arn: Value, holder: Holder, attribute: str) -> Iterator[FoundRight]:
    """The statements of a managed policy: the plan's own when it is there, else its name as one statement."""
    policy = _own_policy(world, change, arn, attribute)
    if policy is not None:
        for found in statements_of(world, policy, "policy", Kind.IDENTITY, holder):
            yield FoundRight(Kind.IDENTITY, holder, found.statement, policy)
        return
    for statement in managed_statements(arn):
        yield FoundRight(Kind.IDENTITY, holder, statement, change)


def _own_policy(world: World, change: Change, arn: Value, attribute: str) -> Change | None:
    named = world.found("aws_iam_policy", "arn", arn) if isinstance(arn, str) else None
    if named is not None:
        return named
    if isinstance(arn, Unknown):
        return world.only_referred(change, attribute, {"aws_iam_policy"})
    return None


def kept_apart(plan: Plan) -> frozenset[tuple[str, str]]:
    """Policies of roles that are objects of their own, by the role's key and their name or ARN.

    The provider repeats them in the role (`inline_policy`, `managed_policy_arns`) as they were before the plan.
    """
    return frozenset(
        (holder_of(world, change, "role").key, named)
        for world in plan.worlds.values()
        for kind, attribute in (("aws_iam_role_policy", "name"), ("aws_iam_role_policy_attachment", "policy_arn"))
        for change in world.objects(kind)
        if (named := text(get(change.at(world.phase), attribute)))
    )
