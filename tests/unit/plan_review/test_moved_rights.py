"""Rights, limits and guards that change hands without a word of theirs changing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.plan_review.support import allow, gate, kept, plan, policy, resource, review

ADMIN = policy(allow("*"))
READ = policy(allow("s3:GetObject", "arn:aws:s3:::b/*"))
SHARED = policy(allow("s3:*", Principal={"AWS": "111122223333"}))
TRUST = policy(
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}},
)
ROLE = {"name": "app", "arn": "arn:aws:iam::123456789012:role/app", "assume_role_policy": TRUST}
BLOCK = dict.fromkeys(
    ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"), True
)
PERMISSION = {"function_name": "f", "action": "lambda:InvokeFunction", "principal": "111122223333"}


def _passes(rule: str, *resources: dict[str, Any], **more: Any) -> bool:
    return gate(review(plan(*resources, **more)), rule).passed


def _replaced(address: str, before: Any, after: Any, **more: Any) -> dict[str, Any]:
    return resource(address, ["delete", "create"], before=before, after=after, **more)


def test_an_inline_policy_that_takes_the_name_of_a_separate_one_is_read() -> None:
    old, new = [{"name": "x", "policy": READ}], [{"name": "x", "policy": ADMIN}]
    assert not _passes(
        "no-iam-widening",
        resource(
            "aws_iam_role.r", "update", before={**ROLE, "inline_policy": old}, after={**ROLE, "inline_policy": new}
        ),
        resource("aws_iam_role_policy.x", "delete", before={"name": "x", "role": "app", "policy": READ}),
    )


@pytest.mark.parametrize("limit", [None, "arn:aws:iam::aws:policy/AdministratorAccess"])
def test_a_role_that_comes_back_elsewhere_keeps_its_boundary(limit: str | None) -> None:
    limited = {**ROLE, "permissions_boundary": "arn:aws:iam::123456789012:policy/limit"}
    gone = resource("aws_iam_role.old", "delete", before=limited)
    back = resource("aws_iam_role.new", after={**limited, "permissions_boundary": limit})
    assert not _passes("no-iam-widening", gone, back)
    assert _passes("no-iam-widening", gone, resource("aws_iam_role.new", after=limited))


def test_a_document_that_shows_no_statement_may_be_anything() -> None:
    name = "data.aws_iam_policy_document.d"
    assert not _passes(
        "no-iam-widening",
        resource(name, "read", mode="data", after={}, unknown={"json": True}),
        resource(
            "aws_iam_role_policy.p",
            "update",
            before={"role": "app", "policy": READ},
            after={"role": "app"},
            unknown={"policy": True},
        ),
        expressions={name: {}, "aws_iam_role_policy.p": {"policy": {"references": [f"{name}.json", name]}}},
    )


def test_an_account_that_moves_to_another_unit_has_other_limits() -> None:
    account = {"name": "a", "role_name": "admin", "parent_id": "ou-strict"}
    moved = resource("aws_organizations_account.a", "update", before=account, after={**account, "parent_id": "ou-lax"})
    assert not _passes("no-iam-widening", moved)


def test_the_alias_of_a_function_is_part_of_the_right() -> None:
    before, after = {**PERMISSION, "qualifier": "test"}, {**PERMISSION, "qualifier": "live"}
    assert not _passes("no-iam-widening", _replaced("aws_lambda_permission.p", before, after))


@pytest.mark.parametrize("wide", [["a"], []])
def test_fewer_exceptions_widen_whatever_the_case_of_the_operator(wide: list[str]) -> None:
    def document(excepted: list[str]) -> dict[str, Any]:
        condition = {"stringnotequals": {"aws:PrincipalTag/team": excepted}}
        return {"role": "app", "policy": policy(allow("s3:*", Condition=condition))}

    change = resource("aws_iam_role_policy.p", "update", before=document(["a", "b"]), after=document(wide))
    assert not _passes("no-iam-widening", change)
    back = resource("aws_iam_role_policy.p", "update", before=document(["a"]), after=document(["a", "b"]))
    assert _passes("no-iam-widening", back)


# --- who or what is meant is another one -----------------------------------------------------------------------------


def _bucket(name: str) -> dict[str, Any]:
    return kept(f"aws_s3_bucket.{name}", {"bucket": name, "id": name})


def _of_bucket(name: str) -> dict[str, Any]:
    references = [f"aws_s3_bucket.{name}.id", f"aws_s3_bucket.{name}"]
    return {"aws_s3_bucket_policy.p": {"bucket": {"references": references}}}


def test_a_policy_that_moves_to_another_bucket_is_new_there() -> None:
    before, after = {"bucket": "a", "policy": SHARED}, {"bucket": "b", "policy": SHARED}
    change = _replaced("aws_s3_bucket_policy.p", before, after)
    assert not _passes("no-iam-widening", change)
    assert not _passes("no-iam-widening", _bucket("a"), _bucket("b"), change, expressions=_of_bucket("b"))


def test_a_policy_that_stays_with_its_bucket_is_as_before() -> None:
    before = {"bucket": "a", "policy": SHARED}
    updated = resource("aws_s3_bucket_policy.p", "update", before=before, after={**before, "id": "x"})
    assert _passes("no-iam-widening", _bucket("a"), updated, expressions=_of_bucket("a"))
    remade = _replaced("aws_s3_bucket.a", {"bucket": "a", "id": "a"}, {"bucket": "c"}, unknown={"id": True})
    follows = _replaced("aws_s3_bucket_policy.p", before, {"policy": SHARED}, unknown={"bucket": True})
    assert _passes("no-iam-widening", remade, follows, expressions=_of_bucket("a"))


@pytest.mark.parametrize(
    ("kind", "attribute"),
    [
        ("aws_sqs_queue_policy", "queue_url"),
        ("aws_api_gateway_rest_api_policy", "rest_api_id"),
        ("aws_vpc_endpoint_policy", "vpc_endpoint_id"),
        ("aws_secretsmanager_secret_policy", "secret_arn"),
        ("aws_ses_identity_policy", "identity"),
        ("aws_sns_topic_policy", "arn"),
    ],
)
def test_policies_of_every_kind_belong_to_what_they_name(kind: str, attribute: str) -> None:
    change = _replaced(f"{kind}.p", {attribute: "one", "policy": SHARED}, {attribute: "two", "policy": SHARED})
    assert not _passes("no-iam-widening", change)


def test_a_grant_that_moves_to_another_key_is_new_there() -> None:
    grant = {"operations": ["Decrypt"], "grantee_principal": "arn:aws:iam::123456789012:role/app"}
    assert not _passes(
        "no-iam-widening",
        kept("aws_kms_key.a", {"key_id": "id-a"}),
        kept("aws_kms_key.b", {"key_id": "id-b"}),
        _replaced("aws_kms_grant.g", {**grant, "key_id": "id-a"}, {**grant, "key_id": "id-b"}),
        expressions={"aws_kms_grant.g": {"key_id": {"references": ["aws_kms_key.b.key_id", "aws_kms_key.b"]}}},
    )


def test_an_attachment_that_is_given_a_policy_of_the_plan_had_another_one() -> None:
    arn = "arn:aws:iam::123456789012:policy/own"
    assert not _passes(
        "no-iam-widening",
        kept("aws_iam_policy.own", {"name": "own", "arn": arn, "policy": ADMIN}),
        _replaced(
            "aws_iam_role_policy_attachment.a",
            {"role": "app", "policy_arn": "arn:aws:iam::123456789012:policy/elsewhere"},
            {"role": "app", "policy_arn": arn},
        ),
        expressions={
            "aws_iam_role_policy_attachment.a": {
                "policy_arn": {"references": ["aws_iam_policy.own.arn", "aws_iam_policy.own"]}
            }
        },
    )


def test_an_account_that_gets_another_service_control_policy_is_told() -> None:
    deny = policy({"Effect": "Deny", "Action": "s3:*", "Resource": "*"})
    policies = [
        kept(f"aws_organizations_policy.{name}", {"id": f"p-{name}", "name": name, "content": text})
        for name, text in (("strict", deny), ("lax", ADMIN))
    ]
    before, after = ({"target_id": "111122223333", "policy_id": f"p-{name}"} for name in ("strict", "lax"))
    references = ["aws_organizations_policy.lax.id", "aws_organizations_policy.lax"]
    assert not _passes(
        "no-iam-widening",
        *policies,
        _replaced("aws_organizations_policy_attachment.a", before, after),
        expressions={"aws_organizations_policy_attachment.a": {"policy_id": {"references": references}}},
    )


# --- what is hidden only looks the same ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "attribute"),
    [
        ("aws_lambda_permission", PERMISSION, "principal"),
        ("aws_iam_saml_provider", {"name": "x", "saml_metadata_document": "<a/>"}, "saml_metadata_document"),
        ("aws_transfer_ssh_key", {"server_id": "s", "user_name": "u", "body": "ssh-ed25519 AAAA"}, "body"),
        ("aws_iam_role_policy_attachment", {"role": "app", "policy_arn": "arn:aws:iam::aws:policy/Some"}, "role"),
    ],
)
def test_a_hidden_part_that_changes_is_not_as_before(kind: str, value: dict[str, str], attribute: str) -> None:
    hidden = {attribute: True}
    change = _replaced(f"{kind}.x", value, {**value, attribute: "another"}, sensitive=hidden, was_sensitive=hidden)
    assert not _passes("no-iam-widening", change)
    tagged = resource(
        f"{kind}.x",
        "update",
        before={**value, "tags": {}},
        after={**value, "tags": {"a": "b"}},
        sensitive=hidden,
        was_sensitive=hidden,
    )
    assert _passes("no-iam-widening", tagged)


@pytest.mark.parametrize("parts", [{"sensitive": {"principal": True}}, {"unknown": {"principal": True}}])
def test_a_principal_that_nobody_sees_may_be_everybody(parts: dict[str, Any]) -> None:
    value = {**PERMISSION, "principal": None if "unknown" in parts else "*"}
    assert not _passes("no-public", resource("aws_lambda_permission.p", after=value, **parts))


def test_a_principal_that_an_object_of_the_plan_names_is_not_everybody() -> None:
    assert _passes(
        "no-public",
        resource("aws_lambda_permission.p", after={**PERMISSION, "principal": None}, unknown={"principal": True}),
        expressions={
            "aws_lambda_permission.p": {"principal": {"references": ["aws_iam_role.r.arn", "aws_iam_role.r"]}}
        },
    )


# --- guards and actions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "attribute", "more"),
    [
        ("aws_s3_bucket_public_access_block", "bucket", BLOCK),
        ("aws_wafv2_web_acl_association", "resource_arn", {"web_acl_arn": "arn:acl"}),
    ],
)
def test_a_guard_that_moves_leaves_what_it_guarded(kind: str, attribute: str, more: dict[str, Any]) -> None:
    change = _replaced(f"{kind}.g", {**more, attribute: "a"}, {**more, attribute: "b"})
    assert not _passes("no-public", change)
    assert _passes("no-public", _replaced(f"{kind}.g", {**more, attribute: "a"}, {**more, attribute: "a"}))


def test_a_guard_that_is_replaced_with_its_bucket_is_no_loss() -> None:
    bucket = _replaced("aws_s3_bucket.a", {"bucket": "a", "id": "a"}, {"bucket": "c"}, unknown={"id": True})
    guard = _replaced("aws_s3_bucket_public_access_block.g", {**BLOCK, "bucket": "a"}, BLOCK, unknown={"bucket": True})
    assert _passes("no-public", bucket, guard)


@pytest.mark.parametrize("actions", [["purge"], ["purge", "create"], []])
def test_an_action_that_is_not_known_may_destroy(actions: list[str]) -> None:
    found = review(plan(resource("aws_sqs_queue.q", actions, before={"name": "a"}, after={"name": "a"})))
    result = gate(found, "no-destroy")
    assert not result.passed
    assert "is not known" in result.reasons[0]
