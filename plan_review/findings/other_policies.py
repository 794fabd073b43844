"""Documents that aren't attached as IAM does: of permission sets, organizations, IoT and OpenSearch Serverless."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from plan_review.findings.declared import at_path
from plan_review.findings.found import FoundRight, Holder, Kind, name_of, named_object, statements_of
from plan_review.findings.managed import managed_statements
from plan_review.findings.policies import Statement, statements
from plan_review.plan.model import Change, World
from plan_review.plan.values import Hidden, Unknown, Value, get, is_empty, show, text, texts

#: Of an organization's policies, those that say what may be done at all.
_LIMITING = ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY")


def _inline_of_set(world: World, change: Change) -> Iterator[FoundRight]:
    holder = named_object(world, change, "permission_set_arn")
    return statements_of(world, change, "inline_policy", Kind.IDENTITY, holder)


def _managed_of_set(world: World, change: Change) -> Iterator[FoundRight]:
    holder = named_object(world, change, "permission_set_arn")
    for statement in managed_statements(get(change.at(world.phase), "managed_policy_arn")):
        yield FoundRight(Kind.IDENTITY, holder, statement, change)


def _customer_managed_of_set(world: World, change: Change) -> Iterator[FoundRight]:
    """Each account has its own policy of this name."""
    names = at_path(change.at(world.phase), "customer_managed_policy_reference")
    shown = ", ".join(text(get(n, "name")) or show(n) for n in names) or "(known after apply)"
    statement = Statement(actions=(f"(all that each account's policy {shown} allows)",), unseen=True)
    yield FoundRight(Kind.IDENTITY, named_object(world, change, "permission_set_arn"), statement, change)


def _boundary_of_set(world: World, change: Change) -> Iterator[FoundRight]:
    """A boundary takes rights, so that it is told as a Deny: one that goes, or becomes another, may widen."""
    boundary = get(change.at(world.phase), "permissions_boundary")
    statement = Statement(effect="Deny", actions=(f"(all outside of the boundary {show(boundary)})",))
    yield FoundRight(Kind.IDENTITY, named_object(world, change, "permission_set_arn"), statement, change)


def _of_organization(world: World, change: Change) -> Iterator[FoundRight]:
    if _limits(world, change):
        holder = Holder(world.plan.key(change), f"accounts under {name_of(change, world.phase)}")
        yield from statements_of(world, change, "content", Kind.IDENTITY, holder)


def _limits(world: World, change: Change) -> bool:
    """Not a policy of tags or backups. The type of a policy that doesn't say is a service control policy."""
    kind = get(change.at(world.phase), "type")
    return not isinstance(kind, str) or kind in _LIMITING


def _attached_to_organization(world: World, change: Change) -> Iterator[FoundRight]:
    holder = named_object(world, change, "target_id")
    meant = {c.address: c for c in world.meant(change, "policy_id") if c.type == "aws_organizations_policy"}
    own = next(iter(meant.values())) if len(meant) == 1 else None
    if own is None:
        policy_id = get(change.at(world.phase), "policy_id")
        named = f"(what the organization's policy {show(policy_id)} allows and denies)"
        yield FoundRight(Kind.IDENTITY, holder, Statement(actions=(named,), unseen=True), change)
    elif _limits(world, own):
        for found in statements_of(world, own, "content", Kind.IDENTITY, holder):
            yield FoundRight(Kind.IDENTITY, holder, found.statement, change)


def _of_iot(world: World, change: Change) -> Iterator[FoundRight]:
    holder = Holder(world.plan.key(change), f"whoever {name_of(change, world.phase)} is attached to")
    return statements_of(world, change, "policy", Kind.IDENTITY, holder)


def _of_access_point(world: World, change: Change) -> Iterator[FoundRight]:
    holder = named_object(world, change, "details.name")
    for document in at_path(change.at(world.phase), "details.policy"):
        for statement in statements(document):
            yield FoundRight(Kind.RESOURCE, holder, statement, change)


def _of_serverless(world: World, change: Change) -> Iterator[FoundRight]:
    """https://docs.aws.amazon.com/opensearch-service/latest/developerguide/serverless-data-access.html."""
    policy = get(change.at(world.phase), "policy")
    holder = Holder(world.plan.key(change), f"what {change.address} covers")
    for item in policy if isinstance(policy, list) else [policy]:
        for statement in _serverless(item):
            yield FoundRight(Kind.RESOURCE, holder, statement, change)


def _serverless(item: Value) -> Iterator[Statement]:
    principals = texts(get(item, "Principal")) if isinstance(item, dict) else ()
    rules = at_path(item, "Rules") if isinstance(item, dict) else ()
    if not principals or not rules or isinstance(item, Unknown | Hidden):
        if not is_empty(item):
            yield Statement(actions=(f"(a policy that can't be read: {show(item)})",), opaque=True)
        return
    for rule in rules:
        yield Statement(
            principals=principals, actions=texts(get(rule, "Permission")), resources=texts(get(rule, "Resource"))
        )


OTHER_POLICIES: Mapping[str, Callable[[World, Change], Iterator[FoundRight]]] = {
    "aws_iot_policy": _of_iot,
    "aws_opensearchserverless_access_policy": _of_serverless,
    "aws_organizations_policy": _of_organization,
    "aws_organizations_policy_attachment": _attached_to_organization,
    "aws_s3control_multi_region_access_point_policy": _of_access_point,
    "aws_ssoadmin_customer_managed_policy_attachment": _customer_managed_of_set,
    "aws_ssoadmin_managed_policy_attachment": _managed_of_set,
    "aws_ssoadmin_permission_set_inline_policy": _inline_of_set,
    "aws_ssoadmin_permissions_boundary_attachment": _boundary_of_set,
}
