"""Which conditions of a statement tie it to known callers, and why others don't, in words.

The operators and keys: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
and .../reference_policies_condition-keys.html. Careful in one direction: what isn't understood ties nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

from plan_review.findings.internet import is_range, is_wide

#: Operator, key and values of one condition.
Condition: TypeAlias = "tuple[str, str, tuple[str, ...]]"

_ACCOUNTS = frozenset(
    {"aws:sourceaccount", "aws:sourceowner", "aws:principalaccount", "aws:vpceaccount", "kms:calleraccount"}
    | {"s3:dataaccesspointaccount"}
)
_ORGANIZATIONS = frozenset(
    {"aws:sourceorgid", "aws:sourceorgpaths", "aws:principalorgid", "aws:principalorgpaths", "aws:vpceorgid"}
    | {"aws:vpceorgpaths"}
)
_ARNS = frozenset({"aws:sourcearn", "aws:principalarn", "aws:sourcevpcarn", "s3:dataaccesspointarn"})
_NAMES = frozenset({"aws:sourcevpc", "aws:sourcevpce", "aws:userid"})
_ADDRESSES = frozenset({"aws:sourceip"})
#: Only from inside of the VPC: https://docs.aws.amazon.com/efs/latest/ug/efs-access-control-overview.html.
_FLAGS = frozenset({"elasticfilesystem:accessedviamounttarget"})
_KEYS = _ACCOUNTS | _ORGANIZATIONS | _ARNS | _NAMES | _ADDRESSES | _FLAGS
_EQUALS = re.compile(r"(?:ForAnyValue:)?(?:String(?:Equals|EqualsIgnoreCase|Like)|Arn(?:Equals|Like))", re.IGNORECASE)
#: What the review writes instead of a value that it doesn't know or mustn't show.
_NOT_KNOWN = re.compile(r"\((?:known after apply|sensitive|hidden)[^)]*\)")
_REGIONS_AND_ACCOUNT = 6
_WILD = re.compile(r"[*?]")


def ties(condition: Condition) -> bool:
    """Whether a condition keeps everybody out but known callers: an account, an organization, a network, a resource."""
    return not why_not(condition)


def tied(conditions: Iterable[Condition]) -> bool:
    """Whether one of the conditions ties the statement; all of them must hold for a call."""
    return any(ties(condition) for condition in conditions)


def why_not(condition: Condition) -> str:
    """Why a condition ties nobody, in a few words; "" when it ties."""
    operator, key, values = condition
    return _operator_fault(operator) or _key_fault(operator, key) or _values_fault(operator, key.lower(), values)


def _operator_fault(operator: str) -> str:
    lower = operator.lower()
    if lower.startswith("forallvalues:"):
        return "ForAllValues also holds when the key is absent"
    if lower.endswith("ifexists"):
        return "IfExists also holds when the key is absent"
    if lower == "null":
        return "Null only asks whether the key is there"
    if "not" in lower:
        return "it only keeps some out"
    return ""


def _key_fault(operator: str, key: str) -> str:
    lower = key.lower()
    if lower not in _KEYS:
        return "the key says nothing about whose call it is"
    wanted = "ipaddress" if lower in _ADDRESSES else "bool" if lower in _FLAGS else ""
    plain = operator.lower().removeprefix("foranyvalue:")
    if (wanted and plain != wanted) or (not wanted and not _EQUALS.fullmatch(operator)):
        return "the operator isn't one for this key"
    return ""


def _values_fault(operator: str, key: str, values: tuple[str, ...]) -> str:
    if not values:
        return "it names no value"
    if any(_NOT_KNOWN.search(value) for value in values):
        return "its value isn't known"
    if key in _FLAGS:
        return "" if all(value.lower() == "true" for value in values) else "it isn't true"
    if key in _ADDRESSES:
        if not all(is_range(value) or "(after apply)" in value for value in values):
            return "it isn't an address range"
        return "the addresses are much of the internet" if is_wide(values) else ""
    loose = [value for value in values if not _names_one(key, value, exact=operator.lower().endswith("equals"))]
    return f"{loose[0]} fits anybody's" if loose else ""


def _names_one(key: str, value: str, *, exact: bool) -> bool:
    """Whether a value stands for callers of one owner. Wildcards are only meant where the operator knows them."""
    wild = _WILD.search(value)
    if not value or value == "*":
        return False
    if not wild or (exact and key not in _ARNS):
        return True  # a wildcard in StringEquals is a character that no value has
    if key in _ORGANIZATIONS:
        # o-a1b2c3/*: everything below one organization.
        return "/" in value and not _WILD.search(value.partition("/")[0])
    if key in _ARNS:
        return _arn_names_one(value)
    return key == "aws:userid" and not _WILD.search(value.partition(":")[0])


def _arn_names_one(arn: str) -> bool:
    """An ARN with wildcards is one owner's when its account is written out, or the name of its bucket."""
    parts = arn.split(":", _REGIONS_AND_ACCOUNT - 1)
    if len(parts) < _REGIONS_AND_ACCOUNT or _WILD.search(parts[2]):
        return False
    if parts[4]:
        return not _WILD.search(parts[4])
    # Names of buckets are unique in the world, so the whole name must be there.
    return parts[2] == "s3" and not _WILD.search(parts[5].partition("/")[0])
