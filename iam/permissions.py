"""Whether the caller may do what a plan needs, asked of IAM's own policy simulation before anything is changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from adapter.arn import parse_arn
from iam.aws import Aws
from iam.errors import AwsError, RefusedError
from iam.plan import Permission

SIMULATE = "iam:SimulatePrincipalPolicy"


@dataclass(frozen=True, slots=True)
class Simulation:
    """What IAM's simulation says. `missing` is denied for certain, `doubtful` perhaps; the rest is allowed."""

    missing: tuple[Permission, ...] = ()
    doubtful: tuple[Permission, ...] = ()


def check(aws: Aws, needs: Sequence[Permission]) -> str:
    """Make sure that the caller has these permissions, as far as IAM tells.

    Returns:
        What could not be told, and why, for a person; empty when all could.

    Raises:
        RefusedError: some are missing; all of them are named.
    """
    if not needs:
        return ""
    try:
        caller = aws.call("sts:GetCallerIdentity", "*")["Arn"]
        principal = principal_of(aws, caller)
        if principal is None:
            return ""
        told = simulate(aws, principal, needs)
    except AwsError as error:
        return f"permissions could not be checked beforehand ({error.action}: {error.reason})"
    if told.missing:
        refused = [f"{caller} lacks permissions; nothing was changed. Missing:", *_lines(told.missing)]
        if told.doubtful:
            refused += ["Perhaps missing, too:", *_lines(told.doubtful)]
        raise RefusedError("\n".join(refused))
    if not told.doubtful:
        return ""
    why = (
        "IAM's simulation denies these, but it does not judge the conditions of policies, such as the organization's"
        " service control policies, as a real call does; they are tried all the same:"
    )
    return "\n".join([why, *_lines(told.doubtful)])


def simulate(aws: Aws, principal: str, needs: Sequence[Permission]) -> Simulation:
    """Ask IAM which of the permissions it would deny to the principal.

    Two kinds of denial prove nothing. One hangs on a condition whose key the simulation doesn't know (a tag of the
    request, for example): IAM names the key. The other comes from the organization: conditions of a service control
    policy are judged as if all their keys were absent, and no key is named
    (https://github.com/aws/aws-cli/issues/10525, https://github.com/aws/aws-sdk/issues/102), so
    AllowedByOrganizations=false may stand for a call that works.
    """
    by_resource: defaultdict[str, list[str]] = defaultdict(list)
    for action, resource in needs:
        by_resource[resource].append(action)
    missing: list[Permission] = []
    doubtful: list[Permission] = []
    for resource, actions in by_resource.items():
        for result in _results(aws, principal, actions, resource):
            if result["EvalDecision"] == "allowed":
                continue
            organization = result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True)
            uncertain = result.get("MissingContextValues") or not organization
            (doubtful if uncertain else missing).append(Permission(result["EvalActionName"], resource))
    return Simulation(tuple(missing), tuple(doubtful))


def _results(aws: Aws, principal: str, actions: Sequence[str], resource: str) -> Iterator[dict[str, Any]]:
    marker: dict[str, str] = {}
    while True:
        answer = aws.call(
            SIMULATE, principal, PolicySourceArn=principal, ActionNames=actions, ResourceArns=[resource], **marker
        )
        yield from answer["EvaluationResults"]
        if not answer.get("IsTruncated"):
            return
        marker = {"Marker": answer["Marker"]}


def _lines(needs: Sequence[Permission]) -> list[str]:
    lines = []
    for resource in dict.fromkeys(need.resource for need in needs):
        actions = ", ".join(need.action for need in needs if need.resource == resource)
        lines.append(f"  {actions} on {resource}")
    return lines


def principal_of(aws: Aws, caller: str) -> str | None:
    """The user or role behind a caller's identity; None for the account's root, which nothing is denied."""
    arn = parse_arn(caller)
    if arn.resource == "root":
        return None
    if arn.service == "sts" and arn.resource.startswith("assumed-role/"):
        role = arn.resource.split("/")[1]
        try:
            # The session's ARN lacks the role's path.
            return str(aws.call("iam:GetRole", f"role/{role}", RoleName=role)["Role"]["Arn"])
        except AwsError:
            return f"arn:{arn.partition}:iam::{arn.account}:role/{role}"
    return caller
