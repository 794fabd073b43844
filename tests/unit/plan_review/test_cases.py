"""Plans that a review once got wrong, each with its right answer. Each stands for a kind of fault."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from plan_review.render.text import render
from plan_review.report import Review
from tests.unit.plan_review.support import PLANS, gate, review


@dataclass(frozen=True)
class Case:
    """What the review of a plan must say. Gates that aren't named are not asked."""

    name: str
    #: What reasons of a gate that fails begin with or hold, in any order; an empty tuple for a gate that passes.
    gates: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: What stands in the text.
    says: tuple[str, ...] = ()
    #: What stands nowhere in it.
    hides: tuple[str, ...] = ()


CASES = (
    Case(
        "new_tenant",
        {
            "no-iam-widening": ('role module.team["new"].aws_iam_role.r may s3:DeleteBucket', "Service ec2"),
            "no-public": ("may reach web-1 by tcp 22 (as before", "may reach web- by tcp 22"),
        },
        says=("2 things open to the internet, 1 of them new.",),
    ),
    Case(
        "role_same_name_two_accounts",
        {"no-iam-widening": ("role app (role app of aws.prod) may s3:* on * [aws_iam_role_policy.prod]",)},
    ),
    Case(
        "sg_same_name_two_vpcs",
        {"no-public": ("web (aws_security_group.dev) by tcp 22 (as", "web (aws_security_group.prod) by tcp 22")},
        says=("2 things open to the internet, 1 of them new.",),
    ),
    Case(
        "doc_plus_more",
        {"no-iam-widening": ("only known after apply (it refers to data.aws_iam_policy_document.d.json, aws_sqs",)},
    ),
    Case("lower_statement", {"no-iam-widening": ("role r may (a policy that can't be shown",)}),
    Case(
        "deferred",
        {
            "no-iam-widening": ("role app may * on * [aws_iam_role_policy.later]",),
            "no-public": ("aws_security_group_rule.later: anyone may reach sg-1 by all traffic",),
        },
        says=("The plan is NOT COMPLETE",),
    ),
    Case(
        "noop_sensitive",
        {"no-plaintext-secret": ("aws_db_instance.db: password holds", "random_password.x: result holds")},
        hides=("Hunter2", "Zx9"),
    ),
    Case(
        "prior_state_secret",
        {"no-plaintext-secret": ("data.aws_secretsmanager_secret_version.v: secret_string holds",)},
        hides=("Pr0d",),
    ),
    Case(
        "secrets",
        {
            "no-plaintext-secret": (
                "aws_instance.i: user_data",
                *(f"variables.{name} holds" for name in ("DATABASE_URL", "SLACK_WEBHOOK", "DB_PASSWORD", "PIN_SECRET")),
                *(f"variables.{name} holds" for name in ("ADMIN_PW", "OPENAI_KEY", "NPM", "SENDGRID", "TWILIO_AUTH")),
                "aws_ssm_parameter.p: insecure_value holds",
                "aws_cloudformation_stack.c: parameters.DBPassword holds",
                "aws_db_instance.d: password holds",
                "var.db_pw holds",
                "var.token holds",
            )
        },
        hides=(
            "Sup3r",
            "pa$$",
            "T00000000",
            "abcDEF",
            "12345",
            "hunter2",
            "sk-proj",
            "npm_",
            "SG.",
            "0123456789abcdef",
        ),
    ),
    Case(
        "provisioner",
        {"no-plaintext-secret": ("terraform_data.x.provisioner.command holds a password in a command",)},
        says=("runs a command where the plan is applied (local-exec: mysql …)",),
        hides=("S3cret",),
    ),
    Case(
        "actions_checks",
        {
            "no-destroy": ("action.aws_lambda_invoke.wipe is invoked as asked for",),
            "only=aws_sqs_*": ("action.aws_lambda_invoke.wipe is invoked as asked for",),
            "only=action.*": (),
        },
        says=("NOT COMPLETE", "Invokes 1 action", "wipe-database", "1 check FAILED", "certificate expires in 2 days"),
    ),
    Case(
        "create_fields",
        says=('instance_type: "p5.48xlarge"', "curl evil", 'value: "https://old" -> "https://new"'),
    ),
    Case(
        "list_order",
        says=(
            'container_definitions[a].command: ["delete", "--all", "keep"] -> ["keep", "--all", "delete"]',
            'order: ["a", "b"] -> ["b", "a"]',
        ),
    ),
    Case("tags_all_only", says=("only tags_all (the provider's default_tags)", 'tags_all.CostCenter: "1" -> "2"')),
    Case("import_identity", says=("imported from url https://sqs.eu-central-1.amazonaws.com/1/q",)),
    Case(
        "mix",
        {"no-destroy": ("aws_sqs_queue.t is replaced", "an old object left by an earlier run of aws_sqs_queue.dep")},
        says=("replaces 2, destroys 1, forgets 1, moves 1, imports 1.",),
    ),
    Case("driftnoise", says=("163 objects changed in ways that this plan doesn't depend on",)),
    Case(
        "boundary_swap",
        {"no-iam-widening": ('limited by the boundary "arn:aws:iam::aws:policy/AdministratorAccess" instead of',)},
    ),
    Case("pab_deleted", {"no-public": ("aws_s3_bucket_public_access_block.b: the protection is removed",)}),
    Case(
        "azure",
        {
            "no-iam-widening": (
                "x may (Owner) on /subscriptions/1 [azurerm_role_assignment.o]",
                "anyone may (roles/owner) on",
                "azurerm_kubernetes_cluster.k: rights not judged",
                "google_sql_database_instance.d: rights not judged",
            ),
            "no-public": (
                "azurerm_network_security_rule.r: anyone may reach 22 of any protocol",
                "lets anyone use (roles/owner)",
                "azurerm_kubernetes_cluster.k: network not judged",
                "google_sql_database_instance.d: network not judged",
            ),
        },
        says=("Not judged: rights of 2 resources (azurerm, google)", "network of 2 resources (azurerm, google)"),
    ),
)


def load_case(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PLANS / "cases" / f"{name}.json").read_text())
    return loaded


def reviewed(name: str) -> Review:
    return review(load_case(name))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_is_answered_right(case: Case) -> None:
    found = reviewed(case.name)
    for rule, expected in case.gates.items():
        reasons = gate(found, rule).reasons
        assert len(reasons) == len(expected), (rule, reasons)
        for part in expected:
            assert any(part in reason for reason in reasons), (rule, part, reasons)
    text = render(found)
    for part in case.says:
        assert part in text
    for part in case.hides:
        assert part not in text
