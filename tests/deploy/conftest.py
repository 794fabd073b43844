"""One real deployment to an emulated AWS, shared by the tests of this folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emulator.aws import EmulatedAws
from emulator.deployment import MIRROR, SPEC, TERRAFORM, Deployment, write_manifest
from emulator.processes import ROOT
from emulator.task import resolve_secret


@dataclass(frozen=True)
class Deployed:
    """What `cdktf deploy` made, in an AWS that enforces its policies."""

    aws: EmulatedAws
    pool: str
    deployment: Deployment
    outputs: dict[str, str]

    def key(self) -> tuple[str, str]:
        """The minted key: its id and its secret."""
        client, arn = self.aws.client("secretsmanager"), self.outputs["customers-secret-arn"]
        return resolve_secret(client, f"{arn}:AWS_ACCESS_KEY_ID::"), resolve_secret(
            client, f"{arn}:AWS_SECRET_ACCESS_KEY::"
        )

    def task_definition(self) -> dict[str, Any]:
        """The deployed task definition."""
        arn = self.outputs["customers-task-definition-arn"]
        found: dict[str, Any] = self.aws.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
        return found


@pytest.fixture(scope="session")
def needs_provider() -> None:
    """Skip where no AWS provider can be had without Terraform's own registry."""
    if not MIRROR.exists():
        pytest.skip("the AWS provider for Terraform comes with `make tools`, on Linux x86-64 only")
    if not TERRAFORM.exists():
        pytest.skip("Terraform comes with `make tools`")


@pytest.fixture(scope="session")
def deployed(needs_provider: None) -> Iterator[Deployed]:
    """Our stacks, deployed once by the real cdktf and Terraform."""
    home = ROOT / ".demo"  # in the checkout, as a user's cdktf.out is: paths between the two are synthesized
    home.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="tests-", dir=home, ignore_cleanup_errors=True) as name,
        EmulatedAws.start(log=Path(name) / "emulated-aws.log") as aws,
    ):
        folder = Path(name)
        aws.enforce_iam(on=True)
        pool = aws.create_pool("customers")
        manifest = folder / "source.yaml"
        write_manifest(manifest, pool=pool, sink="http://127.0.0.1:9/users", spec=SPEC)
        deployment = Deployment(folder / "deployment", aws, manifest)
        yield Deployed(aws, pool, deployment, deployment.deploy())
