"""A caller who may not do everything is told what is missing, before anything is changed where that can be known."""

from __future__ import annotations

import json

import pytest

from iam import aws as edge
from tests.emulator import iam_world
from tests.emulator.iam_world import NAME, IamWorld, world

__all__ = ["world"]

#: What the plan of a bootstrap in an empty account takes, and reading what is there.
CHANGES = [
    "secretsmanager:CreateSecret",
    "secretsmanager:TagResource",
    "iam:CreateUser",
    "iam:TagUser",
    "iam:CreatePolicy",
    "iam:TagPolicy",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:DeleteAccessKey",
    "secretsmanager:PutSecretValue",
    "secretsmanager:GetSecretValue",
    "secretsmanager:UpdateSecretVersionStage",
]
READS = [
    "sts:GetCallerIdentity",
    "iam:GetUser",
    "iam:ListAccessKeys",
    "iam:ListAttachedUserPolicies",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:ListPolicyVersions",
    "iam:GetAccessKeyLastUsed",
    "secretsmanager:DescribeSecret",
]
SIMULATE = "iam:SimulatePrincipalPolicy"


def become(world: IamWorld, monkeypatch: pytest.MonkeyPatch, allowed: list[str]) -> None:
    """Run the next commands as a user who may do only these things."""
    client = world.client("iam")
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": allowed, "Resource": "*"}]}
    client.create_user(UserName="caller")
    client.put_user_policy(UserName="caller", PolicyName="may", PolicyDocument=json.dumps(document))
    key = client.create_access_key(UserName="caller")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    monkeypatch.setattr(iam_world, "door", lambda *_: edge.connect(None, "eu-central-1"))


def test_exactly_the_named_permissions_are_enough(world: IamWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    become(world, monkeypatch, [*CHANGES, *READS, SIMULATE])
    done = world.bootstrap()
    assert "note:" not in done.stderr
    assert world.works(world.secret())


@pytest.mark.parametrize("missing", [each for each in CHANGES if "Tag" not in each])
def test_a_missing_permission_is_named_before_anything_is_changed(
    world: IamWorld, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    become(world, monkeypatch, [*(each for each in CHANGES if each != missing), *READS, SIMULATE])
    before = world.snapshot()
    done = world.bootstrap(ok=False)
    assert done.exit_code == 2
    first, second = done.stderr.splitlines()
    assert (
        first == f"error: arn:aws:iam::{world.aws.account}:user/caller lacks permissions; nothing was changed. Missing:"
    )
    assert second.startswith(f"  {missing} on arn:aws:")
    assert world.snapshot() == before


def test_a_dry_run_names_missing_permissions_too(world: IamWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    become(world, monkeypatch, [*READS, SIMULATE])
    done = world.bootstrap("--dry-run", ok=False)
    assert done.exit_code == 2
    assert all(action in done.stderr for action in CHANGES)


def test_where_iam_may_not_be_asked_the_failing_call_is_named_and_the_next_run_finishes(
    world: IamWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(world, monkeypatch, [*(each for each in CHANGES if each != "iam:CreateAccessKey"), *READS])
    failed = world.bootstrap(ok=False)
    assert failed.exit_code == 1
    assert (
        "note: permissions could not be checked beforehand (iam:SimulatePrincipalPolicy: AccessDenied)" in failed.stderr
    )
    assert f"error: not permitted: iam:CreateAccessKey on arn:aws:iam::{world.aws.account}:user/" in failed.stderr
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    world.client("iam").put_user_policy(UserName="caller", PolicyName="may", PolicyDocument=json.dumps(document))
    world.bootstrap()
    assert world.works(world.secret())


@pytest.mark.parametrize("missing", READS[1:4])
def test_a_missing_permission_to_look_is_named_as_well(
    world: IamWorld, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    world.bootstrap()
    become(world, monkeypatch, [*CHANGES, *(each for each in READS if each != missing)])
    done = world.run("rotate", NAME, ok=False)
    assert done.exit_code == 1
    assert f"not permitted: {missing} on " in done.stderr


@pytest.mark.parametrize("action", ["*", "iam:CreateUser"])
def test_a_no_of_the_organization_s_policies_in_the_simulation_is_a_perhaps(world: IamWorld, action: str) -> None:
    """Their conditions are judged without their keys: https://github.com/aws/aws-cli/issues/10525."""
    world.organization_denies(action, {"StringNotEquals": {"aws:RequestedRegion": "eu-central-1"}})
    done = world.bootstrap()
    assert "note: IAM's simulation denies these, but it does not judge the conditions of policies" in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("  iam:CreateUser")]
    assert line.endswith(f" on arn:aws:iam::{world.aws.account}:user/cognito-source/{NAME}")
    assert world.works(world.secret())
