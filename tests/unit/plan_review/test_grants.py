"""Who may do what after a plan, and what it adds and removes."""

from __future__ import annotations

from typing import Any

import pytest

from plan_review.findings.found import Kind
from plan_review.findings.grants import Grant, Standing
from plan_review.findings.policies import Statements, statements
from plan_review.report import Review
from plan_review.sentences import grant_sentence
from tests.unit.plan_review.support import POOL, allow, gate, kept, load, plan, policy, resource, review

TRUST = policy({"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"})


def told(found: Review, standing: Standing) -> list[str]:
    return [grant_sentence(g) for g in found.grants if g.standing is standing]


def one(found: Review) -> Grant:
    (grant,) = found.grants
    return grant


def changed(before: str, after: str) -> Review:
    """A role's policy before and after."""
    values = {"name": "p", "role": "task"}
    return review(
        plan(
            resource(
                "aws_iam_role_policy.p",
                "update",
                before={**values, "policy": before},
                after={**values, "policy": after},
            )
        )
    )


def test_a_new_statement_is_told_as_principal_actions_resources_and_conditions() -> None:
    document = policy(
        allow("sqs:SendMessage", "arn:aws:sqs:x:1:q", Condition={"Bool": {"aws:SecureTransport": "true"}})
    )
    found = review(plan(resource("aws_iam_user_policy.p", after={"user": "ann", "policy": document})))
    assert told(found, Standing.ADDED) == [
        "user ann may sqs:SendMessage on arn:aws:sqs:x:1:q if Bool aws:SecureTransport true"
    ]
    assert one(found).widens


def test_what_doesnt_change_is_kept_and_widens_nothing() -> None:
    document = policy(allow("sqs:SendMessage", "arn:aws:sqs:x:1:q"))
    found = review(plan(kept("aws_iam_user_policy.p", {"user": "ann", "policy": document})))
    assert one(found).standing is Standing.KEPT
    assert gate(found, "no-iam-widening").passed


@pytest.mark.parametrize(
    ("before", "after", "widens"),
    [
        (allow("s3:*", "*"), allow("s3:GetObject", "*"), False),
        (allow("s3:GetObject", "*"), allow("s3:*", "*"), True),
        (allow("s3:Get*", "*"), allow("S3:getobject", "*"), False),
        (allow("s3:Get?", "*"), allow("s3:Get*", "*"), True),
        (allow(["a:B", "a:C"], "*"), allow("a:C", "*"), False),
        (allow("a:B", "arn:x/*"), allow("a:B", "arn:x/y"), False),
        (allow("a:B", "arn:x/y"), allow("a:B", "arn:x/*"), True),
        (allow("a:B", "r"), allow("a:B", ["r", "s"]), True),
        (allow("a:B", "r"), allow("a:B", "r", Condition={"Bool": {"k": "true"}}), False),
        (allow("a:B", "r", Condition={"Bool": {"k": "true"}}), allow("a:B", "r"), True),
        (
            allow("a:B", "r", Condition={"StringEquals": {"k": ["1", "2"]}}),
            allow("a:B", "r", Condition={"StringEquals": {"k": "1"}}),
            False,
        ),
        (
            allow("a:B", "r", Condition={"StringEquals": {"k": "1"}}),
            allow("a:B", "r", Condition={"StringEquals": {"k": ["1", "2"]}}),
            True,
        ),
        (
            allow("a:B", "r", Condition={"StringNotEquals": {"k": ["1", "2"]}}),
            allow("a:B", "r", Condition={"StringNotEquals": {"k": "1"}}),
            True,
        ),
        (allow("a:B", "r"), {"Effect": "Allow", "NotAction": "a:B", "Resource": "r"}, True),
        (allow("*", "*"), {"Effect": "Allow", "NotAction": "a:B", "Resource": "*"}, True),
        (allow("a:B", "r"), {"Effect": "Allow", "Action": "a:B", "NotResource": "r"}, True),
    ],
)
def test_widening_is_what_nothing_allowed_before(before: Any, after: Any, widens: bool) -> None:
    found = changed(policy(before), policy(after))
    assert gate(found, "no-iam-widening").passed is not widens


def test_a_statement_that_moves_to_another_policy_of_the_same_role_widens_nothing() -> None:
    document = policy(allow("a:B", "r"))
    found = review(
        plan(
            resource("aws_iam_role_policy.old", "delete", before={"role": "task", "policy": document}),
            resource("aws_iam_role_policy.new", after={"role": "task", "policy": document}),
        )
    )
    assert told(found, Standing.REMOVED) == []
    assert gate(found, "no-iam-widening").passed


def test_a_removed_deny_widens() -> None:
    deny = {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"}
    found = changed(policy(allow("s3:*"), deny), policy(allow("s3:*")))
    (reason,) = gate(found, "no-iam-widening").reasons
    assert "task may NOT s3:DeleteObject" in reason
    assert gate(changed(policy(allow("s3:*")), policy(allow("s3:*"), deny)), "no-iam-widening").passed


def test_a_removed_permissions_boundary_widens() -> None:
    role = {"name": "task", "assume_role_policy": TRUST}
    found = review(
        plan(resource("aws_iam_role.r", "update", before={**role, "permissions_boundary": "arn:b"}, after=role))
    )
    (reason,) = gate(found, "no-iam-widening").reasons
    assert "no longer limited by the boundary" in reason


def test_a_managed_policy_is_told_for_each_identity_that_it_is_attached_to() -> None:
    found = review(
        plan(
            resource(
                "aws_iam_policy.p", after={"name": "p", "policy": policy(allow("a:B", "r"))}, unknown={"arn": True}
            ),
            resource("aws_iam_role_policy_attachment.a", after={"role": "task"}, unknown={"policy_arn": True}),
            resource("aws_iam_user_policy_attachment.b", after={"user": "ann"}, unknown={"policy_arn": True}),
            expressions={
                "aws_iam_role_policy_attachment.a": {
                    "policy_arn": {"references": ["aws_iam_policy.p.arn", "aws_iam_policy.p"]}
                },
                "aws_iam_user_policy_attachment.b": {
                    "policy_arn": {"references": ["aws_iam_policy.p.arn", "aws_iam_policy.p"]}
                },
            },
        )
    )
    assert sorted(told(found, Standing.ADDED)) == ["role task may a:B on r", "user ann may a:B on r"]


def test_a_managed_policy_that_nothing_attaches_is_still_told() -> None:
    found = review(plan(resource("aws_iam_policy.p", after={"name": "p", "policy": policy(allow("a:B", "r"))})))
    assert told(found, Standing.ADDED) == ["whoever iam policy p is attached to may a:B on r"]


def test_aws_own_execution_policy_is_told_as_its_statements() -> None:
    arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    found = review(plan(resource("aws_iam_role_policy_attachment.a", after={"role": "x", "policy_arn": arn})))
    assert "logs:PutLogEvents" in one(found).statement.actions
    assert one(found).marks == ("any resource",)


def test_other_managed_policies_are_told_by_name_and_broad_ones_marked() -> None:
    arn = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    found = review(plan(resource("aws_iam_role_policy_attachment.a", after={"role": "x", "policy_arn": arn})))
    assert f"(all that {arn} allows)" in one(found).statement.actions
    assert "broad AWS-managed policy" in one(found).marks


def test_a_policy_that_is_unknown_before_apply_is_told_from_its_policy_document() -> None:
    found = review(load("create.json"))
    told_now = told(found, Standing.ADDED)
    assert (
        "role cognito-source-task may secretsmanager:GetSecretValue on aws_secretsmanager_secret.key.arn (after apply)"
        in told_now
    )
    assert f"user cognito-source-users may cognito-idp:ListUsers on {POOL}" in told_now


def test_a_policy_that_can_not_be_read_before_apply_is_never_taken_for_harmless() -> None:
    found = review(
        plan(
            resource("aws_iam_role_policy.p", after={"role": "task"}, unknown={"policy": True}),
            expressions={"aws_iam_role_policy.p": {"policy": {"references": ["aws_sqs_queue.q.arn"]}}},
        )
    )
    assert "can't be read before apply" in one(found).marks
    assert "aws_sqs_queue.q.arn" in grant_sentence(one(found))
    assert not gate(found, "no-iam-widening").passed


def test_what_a_file_beside_the_plan_says_explains_and_decides_nothing() -> None:
    written = policy(allow("sqs:SendMessage", "${aws_sqs_queue.q.arn}"))
    item = plan(
        resource("aws_iam_role_policy.p", after={"role": "task"}, unknown={"policy": True}),
        expressions={"aws_iam_role_policy.p": {"policy": {"references": ["aws_sqs_queue.q.arn"]}}},
    )
    found = review(item, sources={("aws_iam_role_policy.p", "policy"): written})
    assert told(found, Standing.ADDED) == [
        "role task may (what a policy says that is only known after apply (it refers to aws_sqs_queue.q.arn))",
        "role task may sqs:SendMessage on ${aws_sqs_queue.q.arn}",
    ]
    assert [g.statement.opaque for g in found.widening] == [True]


def test_a_file_beside_the_plan_never_makes_a_gate_pass() -> None:
    same = policy(allow("s3:GetObject"))
    value = {"name": "p", "role": "task"}
    before = {**value, "policy": same}
    changed = resource("aws_iam_role_policy.p", "update", before=before, after=value, unknown={"policy": True})
    item = plan(changed, expressions={"aws_iam_role_policy.p": {"policy": {"references": ["aws_sqs_queue.q.arn"]}}})
    for sources in (None, {("aws_iam_role_policy.p", "policy"): same}):
        assert not gate(review(item, sources=sources), "no-iam-widening").passed


def test_hidden_policies_are_never_taken_for_equal() -> None:
    found = review(
        plan(
            resource(
                "aws_iam_role_policy.p",
                "update",
                before={"role": "task", "policy": policy(allow("a:B", "r"))},
                after={"role": "task", "policy": policy(allow("*", "*"))},
                sensitive={"policy": True},
                was_sensitive={"policy": True},
            )
        )
    )
    assert not gate(found, "no-iam-widening").passed


def test_who_may_assume_a_role_is_told_and_a_wider_trust_widens() -> None:
    wide = policy({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})
    role = {"name": "task"}
    found = review(
        plan(
            resource(
                "aws_iam_role.r",
                "update",
                before={**role, "assume_role_policy": TRUST},
                after={**role, "assume_role_policy": wide},
            )
        )
    )
    assert told(found, Standing.ADDED) == ["anyone may sts:AssumeRole on role task"]
    assert told(found, Standing.REMOVED) == ["Service ecs-tasks.amazonaws.com may sts:AssumeRole on role task"]
    assert not gate(found, "no-iam-widening").passed
    assert not gate(found, "no-public").passed


@pytest.mark.parametrize(
    ("kind", "attribute"),
    [
        ("aws_secretsmanager_secret_policy", "policy"),
        ("aws_sqs_queue_policy", "policy"),
        ("aws_sqs_queue", "policy"),
        ("aws_kms_key", "policy"),
        ("aws_s3_bucket_policy", "policy"),
        ("aws_cloudwatch_event_bus_policy", "policy"),
        ("aws_sns_topic_policy", "policy"),
        ("aws_dynamodb_resource_policy", "policy"),
        ("aws_cloudwatch_log_resource_policy", "policy_document"),
        ("aws_opensearch_domain_policy", "access_policies"),
        ("aws_something_of_tomorrow", "policy"),
    ],
)
def test_every_resource_policy_is_read_and_one_open_to_anyone_is_public(kind: str, attribute: str) -> None:
    document = policy({"Effect": "Allow", "Principal": "*", "Action": "x:Y", "Resource": "*"})
    found = review(plan(resource(f"{kind}.p", after={attribute: document, "name": "n"})))
    assert one(found).kind is Kind.RESOURCE
    assert one(found).marks == ("anyone",)
    assert not gate(found, "no-public").passed


def test_a_condition_on_the_caller_makes_any_principal_less_than_everybody() -> None:
    tied = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    document = policy({"Effect": "Allow", "Principal": "*", "Action": "x:Y", "Condition": tied})
    found = review(plan(resource("aws_sqs_queue_policy.p", after={"policy": document})))
    assert "limited by the condition" in one(found).marks[0]
    assert gate(found, "no-public").passed


def test_a_lambda_permission_is_a_resource_policy() -> None:
    value = {
        "function_name": "f",
        "principal": "events.amazonaws.com",
        "action": "lambda:InvokeFunction",
        "source_arn": "arn:r",
    }
    found = review(plan(resource("aws_lambda_permission.p", after=value)))
    assert "Service events.amazonaws.com may lambda:InvokeFunction" in grant_sentence(one(found))
    assert "arn:r" in grant_sentence(one(found))


@pytest.mark.parametrize(
    ("statement", "mark"),
    [
        (allow("*", "*"), "any action"),
        (allow("s3:*", "arn:aws:s3:::a"), "any s3 action"),
        (allow("s3:Get*", "arn:aws:s3:::a"), "actions with a wildcard"),
        (allow("s3:GetObject", "*"), "any resource"),
        (allow("s3:GetObject", "arn:aws:s3:::*"), "resources with a wildcard"),
        (allow("cloudwatch:PutMetricData", "*"), "any resource (IAM allows no narrower one for this)"),
        (allow("iam:PassRole", "*"), "can raise its own rights"),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "everything except the listed actions"),
        ({"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "a"}, "everything except the listed resources"),
    ],
)
def test_wildcards_are_marked(statement: Any, mark: str) -> None:
    found = review(plan(resource("aws_iam_role_policy.p", after={"role": "r", "policy": policy(statement)})))
    assert mark in one(found).marks


@pytest.mark.parametrize(
    "on", ["arn:aws:logs:eu-central-1:123456789012:log-group:name:*", "arn:aws:s3:::bucket-of-mine/*"]
)
def test_what_is_inside_of_one_resource_is_no_wildcard_to_look_at(on: str) -> None:
    found = review(
        plan(resource("aws_iam_role_policy.p", after={"role": "r", "policy": policy(allow("s3:GetObject", on))}))
    )
    assert one(found).marks == ()


def test_several_statements_together_cover_what_one_says() -> None:
    old = statements({"Statement": [allow("a:B", "r"), allow("a:C", "r")]})
    (new,) = statements({"Statement": [allow(["a:B", "a:C"], "r")]})
    assert Statements(old).covers(new)


def test_computed_echoes_of_attached_policies_are_not_counted_twice() -> None:
    roles = [g for g in review(load("change.json")).grants if g.holder == "role cognito-source-execution"]
    assert sum(g.kind is Kind.IDENTITY for g in roles) == 1
