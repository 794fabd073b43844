"""The policy documents: exact text, every partition, size limits, and what is refused."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import iam.policy
from adapter.arn import PoolArn
from iam.policy import (
    MANAGED_POLICY_MAX,
    POLICIES_PER_USER,
    PolicyError,
    document,
    list_users_statement,
    policy_documents,
    policy_size,
    policy_text,
    statement,
)

PARTITIONS = [
    ("aws", "eu-central-1"),
    ("aws-cn", "cn-north-1"),
    ("aws-us-gov", "us-gov-west-1"),
    ("aws-iso", "us-iso-east-1"),
    ("aws-iso-b", "us-isob-east-1"),
    ("aws-eusc", "eusc-de-east-1"),
]


def pool(
    number: int = 1, partition: str = "aws", region: str = "eu-central-1", account: str = "123456789012"
) -> PoolArn:
    return PoolArn(partition, region, account, f"{region}_{number:09}")


def granted(documents: list[dict[str, object]]) -> list[str]:
    arns: list[str] = []
    for each in documents:
        (only,) = json.loads(policy_text(each))["Statement"]
        assert only["Action"] == "cognito-idp:ListUsers"
        assert only["Effect"] == "Allow"
        arns += [only["Resource"]] if isinstance(only["Resource"], str) else only["Resource"]
    return arns


def test_the_policy_of_one_pool_is_exactly_this_text() -> None:
    (only,) = policy_documents([pool()])
    assert policy_text(only) == (
        '{"Version":"2012-10-17","Statement":[{"Sid":"ListUsersOfPools","Effect":"Allow","Action":"cognito-idp:ListUsers",'
        '"Resource":"arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_000000001"}]}'
    )


@pytest.mark.parametrize(("partition", "region"), PARTITIONS)
def test_the_policy_keeps_the_partition_of_its_pools(partition: str, region: str) -> None:
    arns = granted(policy_documents([pool(1, partition, region), pool(2, partition, region)]))
    assert arns == [f"arn:{partition}:cognito-idp:{region}:123456789012:userpool/{region}_00000000{n}" for n in (1, 2)]


@pytest.mark.parametrize("pool_id", ["*", "eu-central-1_*", "eu-central-1_????????", "", "no-underscore"])
def test_a_pool_that_is_not_exactly_one_pool_is_refused_with_the_reason(pool_id: str) -> None:
    with pytest.raises(PolicyError, match="named one by one"):
        list_users_statement([PoolArn("aws", "eu-central-1", "123456789012", pool_id)])


def test_no_pools_is_refused() -> None:
    with pytest.raises(PolicyError, match="at least one user pool"):
        policy_documents([])


def test_pools_of_two_accounts_are_refused_because_a_user_belongs_to_one() -> None:
    with pytest.raises(PolicyError, match=r"aws:111111111111, aws:222222222222"):
        policy_documents([pool(account="111111111111"), pool(account="222222222222")])


def test_a_pool_named_twice_is_granted_once() -> None:
    assert granted(policy_documents([pool(1), pool(2), pool(1)])) == [str(pool(1)), str(pool(2))]


@given(st.integers(1, 600), st.sampled_from(PARTITIONS))
def test_hundreds_of_pools_are_split_into_policies_within_the_size_limit(count: int, home: tuple[str, str]) -> None:
    pools = [pool(n, *home) for n in range(count)]
    documents = policy_documents(pools)
    assert granted(documents) == [str(each) for each in pools]
    assert all(policy_size(each) <= MANAGED_POLICY_MAX for each in documents)
    assert len(documents) <= POLICIES_PER_USER


def test_pool_ids_at_their_length_limit_still_fit() -> None:
    longest = [PoolArn("aws-us-gov", "us-gov-west-1", "123456789012", f"us-gov-west-1_{n:041}") for n in range(400)]
    assert all(len(each.pool_id) == 55 for each in longest)
    documents = policy_documents(longest)
    assert granted(documents) == [str(each) for each in longest]
    assert all(policy_size(each) <= MANAGED_POLICY_MAX for each in documents)


def test_a_policy_that_is_full_to_the_last_character_is_not_refused() -> None:
    sizes = [policy_size(policy_documents([pool(n) for n in range(count)])[0]) for count in range(70, 90)]
    assert MANAGED_POLICY_MAX - 100 < max(sizes) <= MANAGED_POLICY_MAX


def test_more_pools_than_one_user_can_be_granted_is_one_clear_error() -> None:
    with pytest.raises(PolicyError) as caught:
        policy_documents([pool(n) for n in range(2_000)])
    assert "2000 pools need" in str(caught.value)
    assert "several users" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_statement_has_its_condition() -> None:
    made = statement(
        "ReadSecret", ["secretsmanager:GetSecretValue"], ["arn"], {"StringEquals": {"aws:ResourceTag/a": "b"}}
    )
    assert made == {
        "Sid": "ReadSecret",
        "Effect": "Allow",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "arn",
        "Condition": {"StringEquals": {"aws:ResourceTag/a": "b"}},
    }


@pytest.mark.parametrize("action", ["*", "cognito-idp:*", "cognito-idp:List*", "cognito-idp", "cognito-idp:List?sers"])
def test_an_action_with_a_wildcard_is_refused(action: str) -> None:
    with pytest.raises(PolicyError, match="wildcard"):
        statement("Sid", [action], ["arn"])


def test_any_resource_needs_a_reason_and_a_reason_needs_any_resource() -> None:
    allowed = statement(
        "Login", ["ecr:GetAuthorizationToken"], ["*"], any_resource_because="the action has no resource type"
    )
    assert allowed["Resource"] == "*"
    with pytest.raises(PolicyError, match="reason"):
        statement("Login", ["ecr:GetAuthorizationToken"], ["*"])
    with pytest.raises(PolicyError, match="reason"):
        statement("Login", ["ecr:GetAuthorizationToken"], ["arn"], any_resource_because="none")


@pytest.mark.parametrize(
    ("sid", "actions", "resources"), [("no-dash", ["a:B"], ["c"]), ("S", [], ["c"]), ("S", ["a:B"], [])]
)
def test_a_malformed_statement_is_refused(sid: str, actions: list[str], resources: list[str]) -> None:
    with pytest.raises(PolicyError):
        statement(sid, actions, resources)


def test_a_document_needs_statements_with_different_sids() -> None:
    one = statement("One", ["a:B"], ["c"])
    assert document(one, {**one, "Sid": "Two"})["Statement"] == [one, {**one, "Sid": "Two"}]
    for bad in ([], [one, one]):
        with pytest.raises(PolicyError, match="different Sid"):
            document(*bad)


def test_the_policy_module_imports_neither_boto3_nor_cdktf_nor_any_io() -> None:
    tree = ast.parse(Path(iam.policy.__file__).read_text(encoding="utf-8"))
    found = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    found |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert found <= {"__future__", "json", "re", "collections.abc", "typing", "adapter.arn"}
