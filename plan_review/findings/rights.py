"""What stands out in a statement: wildcards, anyone as principal, actions that can be turned into more rights."""

from __future__ import annotations

import re

from plan_review.findings.conditions import Condition, tied, why_not
from plan_review.findings.policies import Statement

#: Actions that IAM can't limit to a resource: "*" is all that can be written
#: (https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html).
_NO_NARROWER = frozenset(
    action.lower()
    for action in [
        "cloudwatch:PutMetricData",
        "ecr:GetAuthorizationToken",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
        "sts:GetCallerIdentity",
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
        "logs:DescribeLogGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeNetworkInterfaces",
    ]
)
#: With one of these on any resource an identity can give itself (or somebody else) more rights.
_ESCALATION = frozenset(
    action.lower()
    for action in [
        "iam:AddUserToGroup",
        "iam:AttachGroupPolicy",
        "iam:AttachRolePolicy",
        "iam:AttachUserPolicy",
        "iam:CreateAccessKey",
        "iam:CreateLoginProfile",
        "iam:CreatePolicyVersion",
        "iam:DeleteRolePermissionsBoundary",
        "iam:DeleteUserPermissionsBoundary",
        "iam:PassRole",
        "iam:PutGroupPolicy",
        "iam:PutRolePolicy",
        "iam:PutUserPolicy",
        "iam:SetDefaultPolicyVersion",
        "iam:UpdateAssumeRolePolicy",
        "iam:UpdateLoginProfile",
        "lambda:UpdateFunctionCode",
        "sts:AssumeRole",
    ]
)
#: Managed policies of AWS that give far more than one service needs.
_BROAD_MANAGED = re.compile(
    r":aws:policy/(?:[\w-]+/)*(?:AdministratorAccess|PowerUserAccess|IAMFullAccess|\w+FullAccess)"
)
_INSIDE_OF_ONE = re.compile(
    r"arn:[^:*?]*:s3:::[^*?/]+/\*"
    r"|arn:[^:*?]*:[^:*?]*:[^:*?]*:[^:*?]*:[^*?:/]+[:/][^*?]+[:/]\*"
    r"|\$\{[^}]+\}(?:[:/][\w-]+)*[:/]\*"
)

ANYONE = "anyone"
WRITTEN = "as written beside the plan, not judged"
_EVERYBODY = frozenset({"*", "AWS *", "AWS arn:aws:iam::*:root", "Federated *"})
#: A mark that explains and doesn't warn.
NO_NARROWER = "any resource (IAM allows no narrower one for this)"


def marks(statement: Statement, *, of_resource: bool) -> tuple[str, ...]:
    """What a reviewer should look at twice, in a few words each.

    Args:
        statement: the statement.
        of_resource: it belongs to a resource's (or trust) policy, where "*" as resource means the resource itself.
    """
    if not statement.allows:
        return ()
    found = [WRITTEN] if statement.written else []
    if statement.opaque:
        found.append("can't be read before apply")
    if is_open_to_anyone(statement):
        found.append(ANYONE + _excuses(statement))
    elif _any_token(statement):
        found.append("anyone with a token of the provider")
    elif "*" in statement.principals:
        found.append("any principal, limited by the condition")
    if not (of_resource and statement.actions == ("kms:*",) and all(":root" in p for p in statement.principals)):
        found += _action_marks(statement)  # a key's policy always leaves the account itself in charge
    if not of_resource:
        found += _resource_marks(statement)
    if _escalates(statement):
        found.append("can raise its own rights")
    return tuple(found)


def is_open_to_anyone(statement: Statement) -> bool:
    """Whether the whole world may use it: any principal, and no condition that ties it to known callers."""
    if not statement.allows:
        return False
    anyone = statement.not_principals or any(p in _EVERYBODY for p in statement.principals)
    return anyone and not tied(statement.conditions)


def may_be_anyone(statement: Statement) -> bool:
    """Whether one of its principals is hidden or comes from nowhere that the plan tells, and no condition ties it."""
    unseen = any(_UNSEEN.search(principal) for principal in statement.principals)
    return statement.allows and unseen and not statement.written and not tied(statement.conditions)


#: What stands in the place of a text that isn't known and names no object that it comes from, or is hidden.
_UNSEEN = re.compile(r"\((?:known after apply\)|sensitive\)|hidden: )")


def _any_token(statement: Statement) -> bool:
    """Whether a role can be assumed with any token of an identity provider.

    The subject ties a token to one workload; of providers that are one's own pool, the audience does.
    """
    providers = [p for p in statement.principals if _WEB_IDENTITY.search(p)]
    return any(
        not any(_ties_token(condition, provider) for condition in statement.conditions) for provider in providers
    )


def _ties_token(condition: Condition, provider: str) -> bool:
    operator, key, values = condition
    claims = ("sub",) if "oidc-provider/" in provider else ("sub", "aud", "app_id", "amr")
    return (
        key.rpartition(":")[2] in claims
        and _EXACT.fullmatch(operator) is not None
        and bool(values)
        and not any(_LOOSE_SUBJECT.fullmatch(value) for value in values)
    )


_WEB_IDENTITY = re.compile(
    r"^Federated (?:.*:oidc-provider/|cognito-identity\.|accounts\.google\.|graph\.facebook\.|www\.amazon\.)"
)
_EXACT = re.compile(r"(?:ForAnyValue:)?String(?:Equals|EqualsIgnoreCase|Like)")
#: Any subject, or that of any organization: `*`, `repo:*`, `repo:*/*`, `system:serviceaccount:*`.
_LOOSE_SUBJECT = re.compile(r"(?:\w+:)*[*?/:]+(?:[*?:/\w.-]*)?")


def _excuses(statement: Statement) -> str:
    """Why its conditions don't limit it, the first two of them."""
    found = [f"{key}: {why_not((operator, key, values))}" for operator, key, values in statement.conditions]
    return f" ({'; '.join(found[:2])})" if found else ""


def _action_marks(statement: Statement) -> list[str]:
    if statement.not_actions:
        return ["everything except the listed actions"]
    found = []
    if any(a in ("*", "*:*") for a in statement.actions):
        found.append("any action")
    services = sorted({a.partition(":")[0] for a in statement.actions if a.endswith(":*") and a != "*:*"})
    found += [f"any {service} action" for service in services]
    if any(("*" in a or "?" in a) and not a.endswith(":*") and a != "*" and a[:1] != "(" for a in statement.actions):
        found.append("actions with a wildcard")
    if any(_BROAD_MANAGED.search(a) for a in statement.actions):
        found.append("broad AWS-managed policy")
    return found


def _resource_marks(statement: Statement) -> list[str]:
    if statement.not_resources:
        return ["everything except the listed resources"]
    if "*" in statement.resources:
        if all(a.lower() in _NO_NARROWER for a in statement.actions):
            return [NO_NARROWER]
        return ["any resource" + (", limited by the condition" if statement.conditions else "")]
    if any(_broad_arn(r) for r in statement.resources):
        return ["resources with a wildcard"]
    return []


def _broad_arn(resource: str) -> bool:
    """A wildcard that isn't just "what is inside of this one": `arn:...:log-group:NAME:*` and `BUCKET/*` are fine."""
    return ("*" in resource or "?" in resource) and not _INSIDE_OF_ONE.fullmatch(resource)


def _escalates(statement: Statement) -> bool:
    wide = statement.not_resources or any(r == "*" or _broad_arn(r) for r in statement.resources)
    actions = {a.lower() for a in statement.actions}
    return wide and not statement.not_actions and bool(actions & _ESCALATION or actions & {"*", "iam:*", "sts:*"})
