"""What every stack has: the provider, constraints, backend, tags, and the account it is deployed to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from stacks.bindings import (
    App,
    AwsProvider,
    CloudBackend,
    DataAwsCallerIdentity,
    DataAwsPartition,
    LocalBackend,
    NamedCloudWorkspace,
    S3Backend,
    TerraformOutput,
    TerraformStack,
)
from stacks.inputs import Inputs

#: Terraform 1.5 is the last under the MPL and the first with everything used here; OpenTofu counts from 1.6.
TERRAFORM_VERSIONS = ">= 1.5.0, < 2.0.0"
#: From what the bindings were made for to the end of that major version.
PROVIDER_VERSIONS = ">= 6.25.0, < 7.0.0"


@dataclass(frozen=True)
class Home:
    """Where a stack is deployed. `account` and `dns_suffix` are known when it is planned."""

    partition: str
    region: str
    account: str
    dns_suffix: str

    def arn(self, service: str, resource: str) -> str:
        """The ARN of something in this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def endpoint(self, service: str) -> str:
        """The name by which KMS knows that a service of this region calls it."""
        return f"{service}.{self.region}.{self.dns_suffix}"


def set_up(stack: TerraformStack, inputs: Inputs) -> Home:
    """Give a new stack its provider, version constraints, tags and backend."""
    AwsProvider(
        stack,
        "aws",
        region=inputs.region,
        # A wrong profile fails at once instead of deploying into somebody else's account.
        allowed_account_ids=list(inputs.accounts) or None,
        default_tags=[{"tags": {"Project": inputs.name, "ManagedBy": "cdktf", **inputs.shared.tags}}],
    )
    stack.add_override("terraform.required_version", TERRAFORM_VERSIONS)
    stack.add_override("terraform.required_providers.aws.version", PROVIDER_VERSIONS)
    _backend(stack, inputs)
    caller = DataAwsCallerIdentity(stack, "current")
    partition = DataAwsPartition(stack, "partition")
    return Home(inputs.partition, inputs.region, caller.account_id, partition.dns_suffix)


def output(stack: TerraformStack, name: str, value: str, description: str) -> None:
    """An output, always with a description; none of ours is a secret.

    The names of a source's outputs have dashes, the ids of its resources `SOURCE_` (no name of a source has that), so
    that no two of them are ever the same.
    """
    TerraformOutput(stack, name, value=value, description=description)


def project_root(stack: TerraformStack) -> str:
    """The folder of main.py as Terraform sees it, relative to where it runs: `../../..` from cdktf.out/stacks/NAME."""
    where = Path(App.of(stack).outdir).absolute() / "stacks" / stack.node.id
    return os.path.relpath(Path(__file__).absolute().parent.parent, where)


def _backend(stack: TerraformStack, inputs: Inputs) -> None:
    backend = inputs.shared.backend
    name = stack.node.id
    if backend.s3 is not None:
        S3Backend(
            stack,
            bucket=backend.s3.bucket,
            key=f"{backend.s3.key_prefix}/{name}.tfstate",
            region=backend.s3.region or inputs.region,
            encrypt=True,
            kms_key_id=backend.s3.kms_key_arn,
        )
        # The bindings are older than this argument (Terraform 1.10, OpenTofu 1.10).
        stack.add_override("terraform.backend.s3.use_lockfile", value=True)
    elif backend.hcp is not None:
        CloudBackend(
            stack,
            hostname=backend.hcp.hostname,
            organization=backend.hcp.organization,
            workspaces=NamedCloudWorkspace(f"{backend.hcp.workspace_prefix}{name}"),
        )
    else:
        # Relative to cdktf.out/stacks/NAME: beside main.py, and the same synth on every machine.
        LocalBackend(stack, path=f"../../../terraform.{name}.tfstate")
