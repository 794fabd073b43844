"""What some of AWS's own managed policies allow, so that the review can show statements instead of a name.

Only those that a container service commonly uses. AWS may change them at any time:
https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html (read in 2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping

from plan_review.findings.policies import Statement
from plan_review.plan.values import Unknown, Value, show

_KNOWN: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "service-role/AmazonECSTaskExecutionRolePolicy": (
        (
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:GetAuthorizationToken",
            "ecr:GetDownloadUrlForLayer",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
        ),
        ("*",),
    ),
    "service-role/AWSLambdaBasicExecutionRole": (
        ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
        ("*",),
    ),
    "AdministratorAccess": (("*",), ("*",)),
}
#: Those that only deny: who loses one may do more.
_DENYING = ("AWSDenyAll", "AWSCompromisedKeyQuarantine")


def managed_statements(arn: Value) -> tuple[Statement, ...]:
    """The statements of a managed policy that isn't in the plan.

    One whose content isn't known here becomes one opaque statement that names it, AWS's own ones included.
    """
    if not isinstance(arn, str):
        named = ", ".join(arn.references) if isinstance(arn, Unknown) else show(arn)
        return (Statement(actions=(f"(all that the policy {named or 'known after apply'} allows)",), opaque=True),)
    _, of_aws, name = arn.partition(":aws:policy/")
    if of_aws and name in _KNOWN:
        actions, resources = _KNOWN[name]
        return (Statement(sid=f"AWS-managed {name}", actions=actions, resources=resources),)
    if of_aws and name.startswith(_DENYING):
        denied = "*" if name == "AWSDenyAll" else f"(all that {arn} denies)"
        return (Statement(sid=f"AWS-managed {name}", effect="Deny", actions=(denied,), resources=("*",)),)
    # Not opaque: the name identifies what it allows, and equal names allow the same.
    resources = ("*",) if of_aws else ()
    return (Statement(actions=(f"(all that {arn} allows)",), resources=resources, unseen=not of_aws),)
