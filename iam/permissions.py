"""Whether the caller may do what a plan needs, asked of IAM's own policy simulation before anything is changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from adapter.arn import parse_arn
from iam.aws import Aws
from iam.errors import AwsError, RefusedError
from iam.plan import Permission

SIMULATE = "iam:SimulatePrincipalPolicy"


def check(aws: Aws, needs: Sequence[Permission]) -> str:
    """Make sure that the caller has these permissions, as far as IAM tells.

    Returns:
        Why it could not be told, for a person; empty when it could.

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
        missing = denied(aws, principal, needs)
    except AwsError as error:
        return f"permissions could not be checked beforehand ({error.action}: {error.code})"
    if missing:
        lines = [f"{caller} lacks permissions; nothing was changed. Missing:"]
        for resource in dict.fromkeys(need.resource for need in missing):
            actions = ", ".join(need.action for need in missing if need.resource == resource)
            lines.append(f"  {actions} on {resource}")
        raise RefusedError("\n".join(lines))
    return ""


def denied(aws: Aws, principal: str, needs: Sequence[Permission]) -> list[Permission]:
    """Which of the permissions IAM would deny to the principal, for certain.

    A denial that hangs on a context that a simulation doesn't know (request tags, for example) is not certain.
    """
    by_resource: defaultdict[str, list[str]] = defaultdict(list)
    for action, resource in needs:
        by_resource[resource].append(action)
    missing: list[Permission] = []
    for resource, actions in by_resource.items():
        marker: dict[str, str] = {}
        while True:
            answer = aws.call(
                SIMULATE, principal, PolicySourceArn=principal, ActionNames=actions, ResourceArns=[resource], **marker
            )
            missing += [
                Permission(result["EvalActionName"], resource)
                for result in answer["EvaluationResults"]
                if result["EvalDecision"] != "allowed" and not result.get("MissingContextValues")
            ]
            if not answer.get("IsTruncated"):
                break
            marker = {"Marker": answer["Marker"]}
    return missing


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
