"""Who calls Cognito: an IAM user whose key goes straight into a secret, a secret that exists, or the task's own role.

Resources: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/iam_user and
https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/secretsmanager_secret
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from iam.names import SECRET_TAG, secret_tag
from iam.policy import list_users_statement
from stacks.base import output, project_root
from stacks.bindings import (
    DataResource,
    IamAccessKey,
    IamPolicy,
    IamUser,
    IamUserPolicyAttachment,
    LocalExecProvisioner,
    SecretsmanagerSecret,
    SecretsmanagerSecretVersion,
    TerraformStack,
)
from stacks.inputs import Inputs, SourceInputs
from stacks.names import fit
from stacks.permissions import assume_role, json_policy


@dataclass(frozen=True, kw_only=True)
class PoolCredentials:
    """The result. `secret_arn` is "" when the task role itself calls Cognito; `ready` is what the service waits for."""

    secret_arn: str = ""
    task_statements: list[dict[str, Any]] = field(default_factory=list)
    ready: list[Any] = field(default_factory=list)


def pool_access(source: SourceInputs) -> dict[str, Any]:
    """The one thing that the key may do: list the users of its pool, or take the role that may."""
    if source.assumed_role:
        return assume_role(source.assumed_role)
    return list_users_statement([source.pool])


def add_credentials(stack: TerraformStack, inputs: Inputs, source: SourceInputs, kms_key_arn: str) -> PoolCredentials:
    """Add what the mode of the source's credentials asks for."""
    mode = source.credentials.mode
    if mode == "role":
        return PoolCredentials(task_statements=[pool_access(source)])
    if mode == "existing":
        return PoolCredentials(secret_arn=source.credentials.secret_arn or "")
    user = _user(stack, inputs, source)
    secret = SecretsmanagerSecret(
        stack,
        f"{source.name}_key",
        name=_secret_name(inputs, source),
        description=f"Access key that may list the users of {source.pool.pool_id}; used by {source.full_name}",
        kms_key_id=kms_key_arn or None,
        # The key dies with its user, so keeping the deleted secret helps nobody and blocks its name.
        recovery_window_in_days=source.credentials.recovery_window_days,
    )
    ready = (_minted if mode == "minted" else _managed)(stack, inputs, source, user, secret)
    output(stack, f"{source.name}-secret-arn", secret.arn, "Secret with the access key that calls Cognito.")
    output(stack, f"{source.name}-user-name", user.name, "IAM user that the access key belongs to.")
    if mode == "minted":
        rotate = f"python3 -m iam rotate {user.name}"
        output(stack, f"{source.name}-rotate-command", rotate, "Replaces the key without a failed sweep.")
    return PoolCredentials(secret_arn=secret.arn, ready=[ready])


def _user(stack: TerraformStack, inputs: Inputs, source: SourceInputs) -> IamUser:
    # IAM is global: the region keeps two deployments of one name apart.
    name = source.credentials.user_name or fit(f"{source.full_name}-{inputs.region}", 64)
    user = IamUser(
        stack,
        f"{source.name}_user",
        name=name,
        path=source.credentials.user_path,
        permissions_boundary=source.credentials.permissions_boundary_arn,
        # `python -m iam rotate` and `status` find the secret by this.
        tags={SECRET_TAG: secret_tag(inputs.region, _secret_name(inputs, source))},
        # Keys are made outside Terraform (minted, rotated); without this AWS refuses to delete the user.
        force_destroy=True,
    )
    policy = IamPolicy(
        stack,
        f"{source.name}_list-users",
        name=fit(f"{source.full_name}-{inputs.region}-list-users", 128),
        path=source.credentials.user_path,
        description=f"Lists the users of {source.pool.pool_id}, nothing else",
        policy=json_policy(pool_access(source)),
    )
    IamUserPolicyAttachment(stack, f"{source.name}_user-list-users", user=user.name, policy_arn=policy.arn)
    return user


def _secret_name(inputs: Inputs, source: SourceInputs) -> str:
    return f"{inputs.name}/{source.name}/aws-key"


def _minted(
    stack: TerraformStack, inputs: Inputs, source: SourceInputs, user: IamUser, secret: SecretsmanagerSecret
) -> DataResource:
    """A key made by `python -m iam mint`, so that the secret key is in no plan and no state."""
    return DataResource(
        stack,
        f"{source.name}_minted-key",
        triggers_replace={"user": user.unique_id, "secret": secret.arn},
        provisioners=[
            LocalExecProvisioner(
                type="local-exec",
                working_dir=project_root(stack),
                # A bare name: no path of the machine that synthesized.
                command=(
                    f"python3 -m iam mint --user-name {user.name} --secret-id {secret.arn} --region {inputs.region}"
                ),
            )
        ],
    )


def _managed(
    stack: TerraformStack, inputs: Inputs, source: SourceInputs, user: IamUser, secret: SecretsmanagerSecret
) -> SecretsmanagerSecretVersion:
    """A key made by Terraform, for runners without Python. Terraform's state then holds the secret key."""
    del inputs
    key = IamAccessKey(stack, f"{source.name}_access-key", user=user.name)
    value = json.dumps({"AWS_ACCESS_KEY_ID": key.id, "AWS_SECRET_ACCESS_KEY": key.secret})
    return SecretsmanagerSecretVersion(stack, f"{source.name}_key-value", secret_id=secret.id, secret_string=value)
