"""Rights in every form: groups, boundaries, exclusive lists, shares, grants, assignments, credentials."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plan_review.coverage import Trait, coverage_table
from plan_review.findings.declared_rights import DECLARED
from plan_review.findings.found import Kind
from plan_review.findings.grants import Standing
from plan_review.findings.policies import Statement
from plan_review.findings.readers import READERS
from plan_review.report import Review
from plan_review.sentences import grant_sentence
from plan_review.verdict import findings
from tests.unit.plan_review.support import allow, gate, kept, plan, policy, resource, review
from tools.docs.coverage import resource_types

TRUST = policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
DENY = policy({"Effect": "Deny", "Action": "*", "Resource": "*"})
ROLE = {"name": "app", "arn": "arn:aws:iam::123456789012:role/app", "assume_role_policy": TRUST}
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
READ_ONLY = "arn:aws:iam::123456789012:policy/read-only"


def widened(found: Review) -> list[str]:
    """What is wider, in words."""
    return [grant_sentence(g) for g in found.widening]


def created(kind: str, **values: Any) -> Review:
    return review(plan(resource(f"{kind}.x", after=values)))


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        ("aws_iam_group_membership", {"group": "admins", "users": ["ann"]}, "user ann may (all that group admins may)"),
        ("aws_iam_user_group_membership", {"user": "ann", "groups": ["admins"]}, "user ann may (all that group admins"),
        ("aws_iam_instance_profile", {"name": "p", "role": "app"}, "instances with the profile may (act as it) on app"),
        ("aws_iam_access_key", {"user": "ann"}, "whoever holds the access key may (act as it) on ann"),
        (
            "aws_iam_role_policy_attachments_exclusive",
            {"role_name": "app", "policy_arns": [ADMIN]},
            "role app may * on *",
        ),
        (
            "aws_iam_openid_connect_provider",
            {"url": "https://token.actions.githubusercontent.com", "client_id_list": ["sts.amazonaws.com"]},
            "https://token.actions.githubusercontent.com may (sign in with tokens for sts.amazonaws.com",
        ),
        (
            "aws_ssoadmin_account_assignment",
            {"principal_id": "g-1", "permission_set_arn": "arn:ps", "target_id": "123456789012"},
            "g-1 may (all that the permission set allows in account 123456789012) on arn:ps",
        ),
        (
            "aws_ssoadmin_managed_policy_attachment",
            {"permission_set_arn": "arn:ps", "managed_policy_arn": ADMIN},
            "arn:ps may * on *",
        ),
        (
            "aws_ssoadmin_permission_set_inline_policy",
            {"permission_set_arn": "arn:ps", "inline_policy": policy(allow("s3:*"))},
            "arn:ps may s3:* on *",
        ),
        (
            "aws_eks_access_policy_association",
            {
                "cluster_name": "c",
                "principal_arn": "arn:aws:iam::123456789012:role/app",
                "policy_arn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
                "access_scope": [{"type": "cluster"}],
            },
            "role/app may (arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
        ),
        (
            "aws_kms_grant",
            {"key_id": "k", "grantee_principal": "arn:aws:iam::1:role/x", "operations": ["Decrypt"]},
            "arn:aws:iam::1:role/x may Decrypt on k",
        ),
        (
            "aws_lakeformation_permissions",
            {"principal": "arn:aws:iam::1:role/x", "permissions": ["ALL"], "database": [{"name": "d"}]},
            "arn:aws:iam::1:role/x may ALL",
        ),
        (
            "aws_ram_principal_association",
            {"principal": "123456789012", "resource_share_arn": "arn:share"},
            "AWS 123456789012 may (use what the share holds) on arn:share",
        ),
        (
            "aws_s3control_access_grant",
            {"grantee": [{"grantee_identifier": "arn:aws:iam::1:role/x"}], "permission": "READWRITE"},
            "arn:aws:iam::1:role/x may (READWRITE",
        ),
        (
            "aws_vpc_endpoint_service_allowed_principal",
            {"vpc_endpoint_service_id": "vpce-svc-1", "principal_arn": "arn:aws:iam::123456789012:root"},
            "arn:aws:iam::123456789012:root may (connect to the service) on vpce-svc-1",
        ),
        ("aws_s3_bucket_acl", {"bucket": "b", "acl": "log-delivery-write"}, "logging.s3.amazonaws.com may WRITE"),
        (
            "aws_organizations_policy_attachment",
            {"policy_id": "p-1", "target_id": "r-1"},
            "r-1 may (what the organization's policy",
        ),
    ],
)
def test_a_right_given_in_any_form_is_told_and_is_wider(kind: str, values: dict[str, Any], said: str) -> None:
    found = created(kind, **values)
    assert any(said in sentence for sentence in widened(found)), widened(found)
    assert not gate(found, "no-iam-widening").passed
    same = review(plan(kept(f"{kind}.x", values)))
    assert gate(same, "no-iam-widening").passed


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("aws_ami_launch_permission", {"image_id": "ami-1", "group": "all"}),
        ("aws_snapshot_create_volume_permission", {"snapshot_id": "snap-1", "account_id": "all"}),
        ("aws_db_snapshot", {"db_snapshot_identifier": "s", "shared_accounts": ["all"]}),
        ("aws_ssm_document", {"name": "d", "permissions": {"type": "Share", "account_ids": "All"}}),
        ("aws_lambda_permission", {"function_name": "f", "principal": "*", "action": "lambda:InvokeFunction"}),
        (
            "aws_lambda_layer_version_permission",
            {"layer_name": "l", "principal": "*", "action": "lambda:GetLayerVersion"},
        ),
        ("aws_cloudwatch_event_permission", {"event_bus_name": "b", "principal": "*", "action": "events:PutEvents"}),
        ("aws_vpc_endpoint_service", {"allowed_principals": ["*"]}),
        ("aws_s3_object", {"bucket": "b", "key": "k", "acl": "public-read"}),
        ("aws_s3_bucket", {"bucket": "b", "acl": "public-read-write"}),
        (
            "aws_s3_bucket_acl",
            {
                "bucket": "b",
                "access_control_policy": [
                    {
                        "grant": [
                            {
                                "permission": "READ",
                                "grantee": [{"uri": "http://acs.amazonaws.com/groups/global/AllUsers"}],
                            }
                        ]
                    }
                ],
            },
        ),
        (
            "aws_cognito_identity_pool_roles_attachment",
            {"identity_pool_id": "p", "roles": {"unauthenticated": "arn:r"}},
        ),
    ],
)
def test_what_is_shared_with_everybody_is_public_too(kind: str, values: dict[str, Any]) -> None:
    found = created(kind, **values)
    assert not gate(found, "no-public").passed
    assert not gate(found, "no-iam-widening").passed


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (
            "aws_lambda_permission",
            {"function_name": "f", "principal": "*", "action": "lambda:Invoke", "principal_org_id": "o-a1b2c3"},
        ),
        (
            "aws_lambda_permission",
            {"function_name": "f", "principal": "123456789012", "action": "lambda:Invoke"},
        ),
        (
            "aws_lambda_layer_version_permission",
            {"layer_name": "l", "principal": "*", "action": "lambda:GetLayerVersion", "organization_id": "o-a1b2c3"},
        ),
        ("aws_ami_launch_permission", {"image_id": "ami-1", "account_id": "123456789012"}),
        ("aws_s3_bucket", {"bucket": "b", "acl": "private"}),
    ],
)
def test_what_is_shared_with_some_is_not_public(kind: str, values: dict[str, Any]) -> None:
    assert gate(created(kind, **values), "no-public").passed


def test_what_a_list_gives_the_owner_is_no_right_of_others() -> None:
    owner = {"id": "canonical", "type": "CanonicalUser"}
    grants = [{"permission": "FULL_CONTROL", "grantee": [owner]}]
    acl = {"bucket": "b", "acl": "private", "access_control_policy": [{"owner": [owner], "grant": grants}]}
    bucket = {"bucket": "b", "grant": [{**owner, "permissions": ["FULL_CONTROL"], "uri": ""}]}
    assert created("aws_s3_bucket_acl", **acl).grants == ()
    assert created("aws_s3_bucket", **bucket).grants == ()


@pytest.mark.parametrize(
    ("provider", "condition", "anyone"),
    [
        ("token.actions.githubusercontent.com", {"StringEquals": {"@:aud": "sts.amazonaws.com"}}, True),
        ("token.actions.githubusercontent.com", {"StringLike": {"@:sub": "*"}}, True),
        ("token.actions.githubusercontent.com", {"StringLike": {"@:sub": "repo:*"}}, True),
        ("token.actions.githubusercontent.com", {"StringLike": {"@:sub": "repo:mine/*"}}, False),
        ("token.actions.githubusercontent.com", {"StringEqualsIfExists": {"@:sub": "repo:mine/it:*"}}, True),
        ("oidc.eks.eu-central-1.amazonaws.com/id/A1", {"StringEquals": {"@:sub": "system:serviceaccount:a:b"}}, False),
        ("oidc.eks.eu-central-1.amazonaws.com/id/A1", {}, True),
        ("cognito-identity.amazonaws.com", {"StringEquals": {"@:aud": "eu-central-1:pool"}}, False),
        ("accounts.google.com", {}, True),
    ],
)
def test_a_role_for_any_token_of_a_provider_is_marked(provider: str, condition: Any, *, anyone: bool) -> None:
    """Tokens of shared providers are given to everybody; only a subject (or an audience of one's own) ties them."""
    filled = json.loads(json.dumps(condition).replace("@", provider))
    federated = provider if provider.startswith(("cognito", "accounts")) else f"arn:aws:iam::1:oidc-provider/{provider}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": federated},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": filled,
    }
    found = created("aws_iam_role", name="app", assume_role_policy=policy(statement))
    (grant,) = found.grants
    assert ("anyone with a token of the provider" in grant.marks) is anyone


# --- boundaries and what denies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "passes"),
    [
        (READ_ONLY, ADMIN, False),
        (READ_ONLY, None, False),
        (ADMIN, None, False),
        (None, READ_ONLY, True),
        (ADMIN, READ_ONLY, True),
        (READ_ONLY, READ_ONLY, True),
        (READ_ONLY, "arn:aws:iam::123456789012:policy/other", False),
    ],
)
def test_a_boundary_that_goes_or_grows_is_wider(old: str | None, new: str | None, *, passes: bool) -> None:
    rights = {**ROLE, "managed_policy_arns": [ADMIN]}
    change = resource(
        "aws_iam_role.app",
        "update",
        before={**rights, "permissions_boundary": old},
        after={**rights, "permissions_boundary": new},
    )
    assert gate(review(plan(change)), "no-iam-widening").passed is passes


def test_a_boundary_of_the_plan_is_compared_by_what_it_allows() -> None:
    narrow = kept("aws_iam_policy.narrow", {"arn": "arn:n", "policy": policy(allow("s3:GetObject"))})
    wide = kept("aws_iam_policy.wide", {"arn": "arn:w", "policy": policy(allow("s3:*"))})
    for old, new, passes in (("arn:w", "arn:n", True), ("arn:n", "arn:w", False)):
        change = resource(
            "aws_iam_role.app",
            "update",
            before={**ROLE, "permissions_boundary": old},
            after={**ROLE, "permissions_boundary": new},
        )
        assert gate(review(plan(narrow, wide, change)), "no-iam-widening").passed is passes


@pytest.mark.parametrize(
    "gone",
    [
        resource("aws_iam_role_policy.p", "delete", before={"name": "p", "role": "app", "policy": DENY}),
        resource(
            "aws_iam_role_policy_attachment.p",
            "delete",
            before={"role": "app", "policy_arn": "arn:aws:iam::aws:policy/AWSDenyAll"},
        ),
        resource("aws_iam_role_policy_attachment.p", "delete", before={"role": "app", "policy_arn": READ_ONLY}),
        resource("aws_iam_group_membership.p", "delete", before={"group": "no-mfa-no-rights", "users": ["ann"]}),
        resource(
            "aws_organizations_policy.p",
            "delete",
            before={"name": "scp", "content": DENY},
        ),
        resource("aws_sqs_queue_policy.p", "delete", before={"queue_url": "q", "policy": DENY}),
        resource(
            "aws_ssoadmin_permissions_boundary_attachment.p",
            "delete",
            before={"permission_set_arn": "arn:ps", "permissions_boundary": [{"managed_policy_arn": READ_ONLY}]},
        ),
    ],
    ids=["inline", "AWSDenyAll", "unseen", "group", "scp", "queue", "boundary"],
)
def test_what_denies_and_goes_is_wider(gone: dict[str, Any]) -> None:
    found = review(plan(gone))
    (reason,) = gate(found, "no-iam-widening").reasons
    assert reason.startswith(("no longer (a Deny goes): ", "no longer (it may deny something, which goes): "))
    assert [f.label for f in findings(found)] == ["rights"], "it is named among what needs a look"


def test_a_hidden_policy_that_goes_may_have_denied_something() -> None:
    gone = resource(
        "aws_iam_role_policy.p",
        "delete",
        before={"name": "p", "role": "app", "policy": DENY},
        was_sensitive={"policy": True},
    )
    assert not gate(review(plan(gone)), "no-iam-widening").passed


def test_a_deny_that_goes_with_its_role_gives_nobody_anything() -> None:
    found = review(
        plan(
            resource("aws_iam_role.app", "delete", before=ROLE),
            resource("aws_iam_role_policy.p", "delete", before={"name": "p", "role": "app", "policy": DENY}),
        )
    )
    assert gate(found, "no-iam-widening").passed


def test_a_policy_of_aws_that_only_allows_may_go() -> None:
    gone = resource("aws_iam_role_policy_attachment.p", "delete", before={"role": "app", "policy_arn": ADMIN})
    assert gate(review(plan(gone)), "no-iam-widening").passed


def test_a_boundary_for_a_permission_set_only_takes_rights() -> None:
    values = {"permission_set_arn": "arn:ps", "permissions_boundary": [{"managed_policy_arn": READ_ONLY}]}
    found = created("aws_ssoadmin_permissions_boundary_attachment", **values)
    assert [g.standing for g in found.grants] == [Standing.ADDED]
    assert gate(found, "no-iam-widening").passed


def test_a_policy_of_a_dynamic_block_is_read() -> None:
    """Terraform leaves dynamic blocks out of the configuration; the value says what is in them."""
    role = {**ROLE, "inline_policy": [{"name": "p", "policy": policy(allow("s3:*"))}]}
    expressions = {"aws_iam_role.app": {"assume_role_policy": {"constant_value": TRUST}}}
    found = review(plan(resource("aws_iam_role.app", after=role), expressions=expressions))
    assert "role app may s3:* on *" in widened(found)


def test_a_policy_that_is_no_policy_is_never_empty() -> None:
    for document in ('{"statement": []}', "not JSON", json.dumps(["a"])):
        found = created("aws_sqs_queue_policy", queue_url="q", policy=document)
        assert [g.statement.opaque for g in found.grants] == [True], document
        assert not gate(found, "no-iam-widening").passed


def test_statements_of_opensearch_serverless_are_read() -> None:
    rules = [{"Resource": ["index/c/*"], "Permission": ["aoss:*"], "ResourceType": "index"}]
    document = json.dumps([{"Rules": rules, "Principal": ["arn:aws:iam::1:role/x"]}])
    found = created("aws_opensearchserverless_access_policy", name="p", type="data", policy=document)
    (grant,) = found.grants
    assert grant.kind is Kind.RESOURCE
    assert grant.statement == Statement(
        principals=("arn:aws:iam::1:role/x",), actions=("aoss:*",), resources=("index/c/*",)
    )


# --- nothing passes in silence ----------------------------------------------------------------------------------------

_UNKNOWN_TYPES = resource_types()
#: They give nothing by being there, and are looked at for what goes: a boundary, a firewall.
_NOTHING_YET = frozenset({"aws_iam_user", "aws_wafregional_web_acl_association", "aws_wafv2_web_acl_association"})


def _says_something(found: Review) -> bool:
    shown = (found.grants, found.network.exposures, found.flows, found.network.links, found.network.public_addresses)
    return any(shown) or bool(findings(found))


@pytest.mark.parametrize("trait", [Trait.GIVES_RIGHTS, Trait.OPENS])
def test_nothing_that_gives_rights_or_opens_passes_both_gates_in_silence(trait: Trait) -> None:
    """Of every such type an object is created whose every attribute is only known after apply."""
    silent = []
    for kind, traits in coverage_table().types.items():
        if trait not in traits or kind in _NOTHING_YET:
            continue
        unknown = dict.fromkeys(_UNKNOWN_TYPES[kind], True)
        expressions = {f"{kind}.x": {name: {"references": ["local.x"]} for name in unknown}}
        found = review(plan(resource(f"{kind}.x", after={}, unknown=unknown), expressions=expressions))
        passes = gate(found, "no-iam-widening").passed and gate(found, "no-public").passed
        if passes and not _says_something(found):
            silent.append(kind)
    assert silent == []


_SHAPES: tuple[Any, ...] = (
    *("", "x", "*", 0, True, [], {}, [[]], [None], ["a", 1, None], {"a": {"b": [1]}}, [{"a": None}], [[["x"]]]),
    *('{"Statement": 3}', "[1]", {"Statement": [1, None, {"Effect": ["Allow"], "Principal": [{}], "Condition": [1]}]}),
    [{"grant": [{"grantee": ["x"], "permission": {}}], "owner": "x", "name": {"a": 1}, "policy": [1], "cidr": [1]}],
)


@pytest.mark.parametrize("shape", _SHAPES, ids=repr)
def test_no_reader_stumbles_over_a_value_of_another_shape(shape: Any) -> None:
    """One plan with an object of every type that is read, each attribute of the same shape."""
    always = {"policy", "role", "acl", "name", "policy_data", "members", "allow", "direction", "type", "id", "arn"}
    changes = [
        resource(f"{kind}.{name}", "update", before=before, after=after)
        for kind in sorted(set().union(*READERS.values()))
        for values in [dict.fromkeys({*always, *_UNKNOWN_TYPES.get(kind, ())}, shape)]
        for name, before, after in (("x", values, {}), ("y", {}, values))
    ]
    found = review(plan(*changes))
    assert gate(found, "no-public").reasons or gate(found, "no-iam-widening").reasons


def test_the_rules_name_attributes_that_the_types_have() -> None:
    assert DECLARED.keys() <= _UNKNOWN_TYPES.keys()
    missing = [
        (kind, path)
        for kind, rules in DECLARED.items()
        for rule in rules
        for path in (*rule.who, rule.on, rule.each)
        if path and path.partition(".")[0] not in {*_UNKNOWN_TYPES[kind], "name", "id"} and not rule.each
    ]
    assert missing == []
