"""Nothing that may give rights or open something is passed over: the table of types, and what has no reader."""

from __future__ import annotations

import json

import pytest

from plan_review.coverage import Trait, coverage_table, traits
from plan_review.findings.readers import READERS
from plan_review.findings.unjudged import Question
from plan_review.verdict import findings, verdict
from tests.unit.plan_review.support import gate, kept, plan, resource, review
from tools.docs.coverage import TABLE, complaints, rendered, resource_types


def test_the_table_holds_every_type_of_the_provider_and_marks_what_its_attributes_show() -> None:
    table = json.loads(TABLE.read_text())["types"]
    assert complaints(table, resource_types()) == [], "run: python -m tools.docs.coverage --add, then decide about each"


def test_the_table_is_kept_as_it_is_written() -> None:
    kept_table = json.loads(TABLE.read_text())
    assert rendered(kept_table["source"], kept_table["types"]) == TABLE.read_text()


def test_a_new_type_of_the_provider_is_a_complaint() -> None:
    table = json.loads(TABLE.read_text())["types"]
    types = {**resource_types(), "aws_new_sharing_policy": frozenset({"policy"})}
    assert complaints(table, types) == ["aws_new_sharing_policy: missing in the table"]
    table["aws_new_sharing_policy"] = ["unreviewed"]
    wrong = complaints(dict(sorted(table.items())), types)
    assert wrong == [
        "aws_new_sharing_policy: it has not been reviewed",
        "aws_new_sharing_policy: has policy, but isn't marked as gives_rights",
    ]


def test_what_is_read_is_in_the_table() -> None:
    for question, kinds in READERS.items():
        assert {kind for kind in kinds if kind.startswith("aws_") and traits(kind) is None} == set(), question


@pytest.mark.parametrize(
    ("kind", "rights", "network"),
    [
        ("aws_cloudformation_stack", False, False),  # its template may hold everything
        ("aws_a_type_of_next_year", False, False),
        ("azurerm_kubernetes_cluster", False, False),
        ("google_container_cluster", False, False),
        ("kubernetes_cluster_role_binding", False, False),
        ("aws_cloudwatch_metric_alarm", True, True),
        ("random_password", True, True),
    ],
)
def test_a_type_without_a_reader_fails_the_gates_that_need_one(kind: str, *, rights: bool, network: bool) -> None:
    found = review(plan(resource(f"{kind}.x", after={"name": "x"})))
    assert gate(found, "no-iam-widening").passed is rights
    assert gate(found, "no-public").passed is network
    said = [f.where for f in findings(found) if f.label == "not judged"]
    assert said == [f"{kind}.x"] * 2 if not rights else said == []


def test_the_verdict_says_what_was_not_judged() -> None:
    found = review(
        plan(
            resource("azurerm_role_definition.a", after={"name": "a"}),
            resource("azurerm_role_definition.b", after={"name": "b"}),
            resource("aws_ram_sharing_with_organization_x.c", after={}),
        )
    )
    sentences = verdict(found)
    words = "resources (aws_ram_sharing_with_organization_x, azurerm)"
    assert f"Not judged: rights of 3 {words}; network of 3 {words}." in sentences
    assert "Gives no new rights, as far as it was judged." in sentences
    assert "Nothing is open to the internet, as far as it was judged." in sentences


@pytest.mark.parametrize(
    "change",
    [
        kept("azurerm_role_definition.x", {"name": "x"}),
        resource("azurerm_role_definition.x", "forget", before={"name": "x"}),
        resource("azurerm_role_definition.x", "read", after={"name": "x"}, mode="data"),
        resource(
            "azurerm_role_definition.x",
            "update",
            before={"name": "x", "tags": {"a": "1"}},
            after={"name": "x", "tags": {"a": "2"}},
        ),
    ],
    ids=["no-op", "forget", "data", "tags"],
)
def test_what_changes_nothing_needs_no_reader(change: dict[str, object]) -> None:
    found = review(plan(change))
    assert found.unjudged == ()
    assert gate(found, "no-iam-widening").passed
    assert gate(found, "no-public").passed


def test_an_unknown_type_that_goes_is_not_judged_either() -> None:
    """What is destroyed may have been a Deny, or a guard against the public."""
    found = review(plan(resource("azurerm_management_lock.x", "delete", before={"name": "x"})))
    assert not gate(found, "no-iam-widening").passed
    assert not gate(found, "no-public").passed


@pytest.mark.parametrize("provider", ["registry.terraform.io/evil/null", "registry.example.com/hashicorp/null"])
def test_a_provider_that_only_has_the_name_of_a_known_one_is_not_judged(provider: str) -> None:
    found = review(plan(resource("null_firewall.x", after={}, provider_name=provider)))
    assert not gate(found, "no-iam-widening").passed
    assert not gate(found, "no-public").passed
    assert all(each.provider == provider for each in found.unjudged)


@pytest.mark.parametrize(
    "provider", ["null", "registry.opentofu.org/hashicorp/null", "registry.terraform.io/hashicorp/null"]
)
def test_a_known_provider_is_known_from_every_registry(provider: str) -> None:
    found = review(plan(resource("null_resource.x", after={}, provider_name=provider)))
    assert found.unjudged == ()


def test_many_of_one_type_are_one_reason() -> None:
    found = review(plan(*(resource(f'aws_cloudformation_stack.x["{n}"]', after={}) for n in range(50))))
    reasons = gate(found, "no-iam-widening").reasons
    assert [r.partition(":")[0] for r in reasons] == ['aws_cloudformation_stack.x["0"] and 49 more']


def test_the_table_knows_the_kinds_of_the_types_that_matter_most() -> None:
    assert traits("aws_iam_role_policy") == frozenset({Trait.GIVES_RIGHTS})
    assert traits("aws_s3_bucket") == frozenset({Trait.GIVES_RIGHTS, Trait.OPENS, Trait.HOLDS_DATA, Trait.COSTS})
    assert traits("aws_cloudwatch_metric_alarm") == frozenset({Trait.COSTS})
    assert traits("aws_no_such_type") is None
    assert len(coverage_table().types) > 1_500


def test_every_question_has_readers() -> None:
    assert set(READERS) == set(Question)
