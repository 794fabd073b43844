"""iam:SimulatePrincipalPolicy, which moto lacks: what a user's policies say about actions and resources.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html: a Deny outweighs an Allow, and
what nothing allows is denied implicitly. Principals that are no users (the emulator's administrator) may do everything.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.responses import IamResponse


def apply() -> None:
    """Teach moto the action, once per process."""
    IamResponse.simulate_principal_policy = _simulate  # type: ignore[attr-defined] # it is new


def _simulate(self: Any) -> ActionResult:
    name = str(self._get_param("PolicySourceArn")).rpartition("/")[2]
    users = {user.name for user in self.backend.list_users("/", None, None)}
    policies = _policies(self.backend, name) if name in users else None
    results = [
        {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": _decision(policies, action, resource)}
        for action in self._get_param("ActionNames", [])
        for resource in self._get_param("ResourceArns") or ["*"]
    ]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


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
