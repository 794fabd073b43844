"""Access control lists of S3: canned ones, and lists of grants, of buckets, objects and logs.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from plan_review.findings.declared import at_path
from plan_review.findings.found import FoundRight, Kind, itself, left_to_aws, named_object
from plan_review.findings.policies import Statement
from plan_review.plan.model import Change, World
from plan_review.plan.values import Hidden, Unknown, Value, get, show, text

_PRIVATE = frozenset({"", "private", "bucket-owner-read", "bucket-owner-full-control"})
#: Canned list -> who gets what besides the owner.
_CANNED: Mapping[str, tuple[str, str]] = {
    "public-read": ("*", "READ"),
    "public-read-write": ("*", "READ and WRITE"),
    "authenticated-read": ("*", "READ (with any AWS account)"),
    "aws-exec-read": ("Service ec2.amazonaws.com", "READ"),
    "log-delivery-write": ("Service logging.s3.amazonaws.com", "WRITE"),
}
_GROUPS: Mapping[str, str] = {
    "http://acs.amazonaws.com/groups/global/AllUsers": "*",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers": "*",
    "http://acs.amazonaws.com/groups/s3/LogDelivery": "Service logging.s3.amazonaws.com",
}


@dataclass(frozen=True, slots=True)
class _AclPlace:
    """Where a type keeps its list, and the attribute with the bucket that it protects, "" for the object itself."""

    grants: str
    permission: str
    on: str


_PLACES: Mapping[str, _AclPlace] = {
    "aws_s3_bucket": _AclPlace("grant", "permissions", ""),
    "aws_s3_bucket_acl": _AclPlace("access_control_policy.grant", "permission", "bucket"),
    "aws_s3_bucket_logging": _AclPlace("target_grant", "permission", "target_bucket"),
    "aws_s3_bucket_object": _AclPlace("", "", ""),
    "aws_s3_object": _AclPlace("", "", ""),
    "aws_s3_object_copy": _AclPlace("grant", "permissions", ""),
}
ACL_TYPES = frozenset(_PLACES)


def read_acl(world: World, change: Change) -> Iterator[FoundRight]:
    """What the lists of an object give to others than its owner."""
    place = _PLACES[change.type]
    holder = named_object(world, change, place.on) if place.on else itself(world, change)
    value = change.at(world.phase)
    statements = [*_canned(world, change, get(value, "acl"))]
    if place.grants and not _default(world, change, place.grants.partition(".")[0]):
        blocks = at_path(value, place.grants)
        owners = {v for v in at_path(value, "access_control_policy.owner.id") if isinstance(v, str)}
        statements += [_granted(block, place.permission) for block in blocks if not _owners(block, blocks, owners)]
    for statement in statements:
        yield FoundRight(Kind.RESOURCE, holder, statement, change)


def _default(world: World, change: Change, attribute: str) -> bool:
    value = get(change.at(world.phase), attribute)
    return isinstance(value, Unknown) and left_to_aws(world, change, attribute)


def _canned(world: World, change: Change, acl: Value) -> Iterator[Statement]:
    if _default(world, change, "acl"):
        return
    if isinstance(acl, Unknown | Hidden) or (text(acl) not in _PRIVATE and text(acl) not in _CANNED):
        yield Statement(principals=("*",), actions=(f"(what the ACL {show(acl)} allows)",), opaque=True)
    elif text(acl) in _CANNED:
        who, may = _CANNED[text(acl)]
        yield Statement(principals=(who,), actions=(f"{may} by the ACL {text(acl)}",))


def _owners(block: Value, blocks: Sequence[Value], owners: set[str]) -> bool:
    """Whether a grant is the owner's own. A list that holds one grant to a person holds that of the owner."""
    named = [v for path in ("grantee.id", "id") for v in at_path(block, path) if isinstance(v, str)]
    alone = len(blocks) == 1 and not owners and "FULL_CONTROL" in at_path(block, "permissions")
    return bool(named) and (alone or set(named) <= owners)


def _granted(block: Value, permission: str) -> Statement:
    if isinstance(block, Unknown | Hidden):
        return Statement(principals=("*",), actions=(f"(what the ACL allows: {show(block)})",), opaque=True)
    grantee = [v for key in ("grantee", "uri", "id", "email_address", "email") for v in at_path(block, key)]
    inner = [v for key in ("uri", "id", "email_address") for item in grantee for v in at_path(item, key)]
    named = inner or [v for v in grantee if not isinstance(v, dict | list)]
    who = tuple(dict.fromkeys(_GROUPS.get(v, v) if isinstance(v, str) else show(v) for v in named))
    may = tuple(v if isinstance(v, str) else show(v) for v in at_path(block, permission))
    return Statement(principals=who or ("(not known)",), actions=tuple(f"{m} by the ACL" for m in may) or ("(ACL)",))
