"""IAM policy documents as plain values: names in, dicts out, no AWS call.

The key of a source may do one thing: `cognito-idp:ListUsers` on the listed user pools. Both `python -m iam` and the
stacks take that policy from here. Nothing in this module knows a partition, account or region: they come with the ARNs.

Facts:
- Actions and resource types of Cognito user pools:
  https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncognitouserpools.html
- Size of a managed policy (6,144 characters, white space not counted) and managed policies per user (10 by default, at
  most 20): https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
- A Sid has letters and digits only:
  https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from adapter.arn import ArnError, PoolArn, parse_pool_arn

#: Characters of one managed policy, white space not counted.
MANAGED_POLICY_MAX = 6_144
#: Managed policies that one user may have without asking AWS for more.
POLICIES_PER_USER = 10
LIST_USERS = "cognito-idp:ListUsers"
LIST_USERS_SID = "ListUsersOfPools"

_VERSION = "2012-10-17"
_SID = re.compile(r"[A-Za-z0-9]+")
_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9]+")


class PolicyError(ValueError):
    """A policy that must not or can't be written. The message is one sentence that says why and what to do."""


def statement(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    condition: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    any_resource_because: str = "",
) -> dict[str, Any]:
    """One Allow statement for one purpose.

    Args:
        sid: what the statement is for, letters and digits only.
        actions: `service:Action`, one or more, none with a wildcard.
        resources: ARNs (or references that become ARNs); `*` alone only with a reason.
        condition: the Condition element, None for none.
        any_resource_because: why the actions take no narrower resource than `*`; needed for `*` and only then.

    Raises:
        PolicyError: a bad Sid, no action or resource, a wildcard action, or `*` without a reason.
    """
    if not _SID.fullmatch(sid):
        raise PolicyError(f"the Sid {sid!r} may only have letters and digits")
    if not actions or not resources:
        raise PolicyError(f"the statement {sid} needs at least one action and one resource")
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise PolicyError(
                f"{action!r} in {sid} is not one action like {LIST_USERS}: a wildcard grants unreviewed actions"
            )
    if ("*" in resources) != bool(any_resource_because):
        raise PolicyError(f"{sid}: the resource '*' needs a reason (any_resource_because), and a reason needs '*'")
    made: dict[str, Any] = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": _one_or_many(actions),
        "Resource": _one_or_many(resources),
    }
    if condition:
        made["Condition"] = {operator: dict(keys) for operator, keys in condition.items()}
    return made


def list_users_statement(pools: Sequence[PoolArn]) -> dict[str, Any]:
    """Allow `cognito-idp:ListUsers` on exactly these pools; doubles are dropped, the order is kept.

    Raises:
        PolicyError: no pool, or one whose ARN is not that of exactly one pool (a wildcard, for example).
    """
    return statement(LIST_USERS_SID, [LIST_USERS], _pool_arns(pools))


def document(*statements: Mapping[str, Any]) -> dict[str, Any]:
    """A policy document of these statements.

    Raises:
        PolicyError: no statement, or two with the same Sid.
    """
    sids = [str(each["Sid"]) for each in statements]
    if not sids or len(set(sids)) != len(sids):
        raise PolicyError(f"a policy needs at least one statement and a different Sid for each; found {sids}")
    return {"Version": _VERSION, "Statement": [dict(each) for each in statements]}


def policy_documents(pools: Sequence[PoolArn]) -> list[dict[str, Any]]:
    """As few documents as the size of a managed policy allows, together ListUsers on exactly these pools.

    A pool's ARN has some 75 characters, so 10 policies hold more than 600 pools.

    Raises:
        PolicyError: no pool, a wildcard, pools of several accounts or partitions (an IAM user belongs to one of them),
            or more pools than the managed policies of one user can hold.
    """
    arns = _pool_arns(pools)
    homes = sorted({f"{pool.partition}:{pool.account}" for pool in pools})
    if len(homes) > 1:
        raise PolicyError(f"the pools belong to several accounts ({', '.join(homes)}); make one user in each of them")
    documents: list[dict[str, Any]] = []
    chunk: list[PoolArn] = []
    size = 0
    for pool in map(parse_pool_arn, arns):
        entry = len(f'"{pool}",')
        if chunk and size + entry > MANAGED_POLICY_MAX:
            documents.append(document(list_users_statement(chunk)))
            chunk = []
        if not chunk:
            # Around the list; the last comma is one character too many, which errs on the safe side.
            size = policy_size(document({**list_users_statement([pool]), "Resource": []}))
        chunk.append(pool)
        size += entry
    documents.append(document(list_users_statement(chunk)))
    if len(documents) > POLICIES_PER_USER:
        raise PolicyError(
            f"{len(pools)} pools need {len(documents)} managed policies, and one user may have {POLICIES_PER_USER};"
            " spread the pools over several users (--name)"
        )
    return documents


def policy_text(policy: Mapping[str, Any]) -> str:
    """The JSON that goes to IAM: no white space, the order of the statements kept."""
    return json.dumps(policy, separators=(",", ":"), ensure_ascii=False)


def policy_size(policy: Mapping[str, Any]) -> int:
    """Characters of a policy as IAM counts them for its limit: without white space."""
    return len(re.sub(r"\s", "", policy_text(policy)))


def _pool_arns(pools: Sequence[PoolArn]) -> list[str]:
    arns = list(dict.fromkeys(str(pool) for pool in pools))
    if not arns:
        raise PolicyError("a policy needs at least one user pool")
    for arn in arns:
        try:
            parse_pool_arn(arn)
        except ArnError as error:
            raise PolicyError(f"{error}; the policy allows ListUsers on pools that are named one by one") from error
    return arns


def _one_or_many(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
