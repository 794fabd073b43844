"""iam:SimulatePrincipalPolicy, which moto lacks: what a user's policies say about actions and resources.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html: a Deny outweighs an Allow, and
what nothing allows is denied implicitly. Principals that are no users (the emulator's administrator) may do everything.

Service control policies of the organization are judged as AWS's simulation does: with none of the keys that their
conditions ask for (https://github.com/aws/aws-cli/issues/10525), so a Deny with a condition denies.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.responses import IamResponse
from moto.organizations.models import organizations_backends


def apply() -> None:
    """Teach moto the action, once per process."""
    IamResponse.simulate_principal_policy = _simulate  # type: ignore[attr-defined] # it is new


def _simulate(self: Any) -> ActionResult:
    name = str(self._get_param("PolicySourceArn")).rpartition("/")[2]
    users = {user.name for user in self.backend.list_users("/", None, None)}
    policies = _policies(self.backend, name) if name in users else None
    organization = _service_control_policies(self.current_account, self.partition)
    results = [
        _result(policies, organization, action, resource)
        for action in self._get_param("ActionNames", [])
        for resource in self._get_param("ResourceArns") or ["*"]
    ]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def _result(
    policies: list[IAMPolicy] | None, organization: list[IAMPolicy], action: str, resource: str
) -> dict[str, Any]:
    result: dict[str, Any] = {"EvalActionName": action, "EvalResourceName": resource, "MissingContextValues": []}
    result["EvalDecision"] = _decision(policies, action, resource)
    if organization:
        denied = any(each.is_action_permitted(action, resource) == PermissionResult.DENIED for each in organization)
        result["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": not denied}
        if denied:
            result["EvalDecision"] = "implicitDeny"
    return result


def _service_control_policies(account: str, partition: str) -> list[IAMPolicy]:
    """Those that are attached to anything, without their conditions."""
    documents = []
    for policy in organizations_backends[account][partition].policies:
        if policy.type == "SERVICE_CONTROL_POLICY" and policy.attachments:
            document = json.loads(policy.content or "{}")
            for statement in document.get("Statement", []):
                statement.pop("Condition", None)
            documents.append(IAMPolicy(json.dumps(document)))
    return documents


def _decision(policies: list[IAMPolicy] | None, action: str, resource: str) -> str:
    if policies is None:
        return "allowed"
    said = {policy.is_action_permitted(action, resource) for policy in policies}
    if PermissionResult.DENIED in said:
        return "explicitDeny"
    return "allowed" if PermissionResult.PERMITTED in said else "implicitDeny"


def _policies(backend: Any, user: str) -> list[IAMPolicy]:
    documents = [backend.get_user_policy(user, name) for name in backend.list_user_policies(user)]
    documents += backend.list_attached_user_policies(user)[0]
    for group in backend.get_groups_for_user(user):
        documents += [backend.get_group_policy(group.name, name) for name in backend.list_group_policies(group.name)]
        documents += backend.list_attached_group_policies(group.name)[0]
    return [IAMPolicy(document) for document in documents]
