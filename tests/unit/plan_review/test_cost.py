"""What the estimate has no price for is named, and what doesn't run on Fargate isn't priced as if it did."""

from __future__ import annotations

from typing import Any

import pytest

from plan_review.report import Review
from plan_review.verdict import verdict
from tests.unit.plan_review.support import plan, resource, review

TASK = {"family": "t", "cpu": "256", "memory": "512"}


def service(value: dict[str, Any], *others: dict[str, Any], **more: Any) -> Review:
    task = resource("aws_ecs_task_definition.t", after=TASK, unknown={"arn": True})
    item = {"desired_count": 1, "task_definition": "t", **value}
    return review(plan(task, resource("aws_ecs_service.s", after=item), *others, **more))


@pytest.mark.parametrize(
    ("value", "priced"),
    [
        ({"launch_type": "FARGATE"}, True),
        ({"launch_type": "EC2"}, False),
        ({"launch_type": "EXTERNAL"}, False),
        ({"capacity_provider_strategy": [{"capacity_provider": "FARGATE_SPOT"}]}, True),
        ({"capacity_provider_strategy": [{"capacity_provider": "asg"}]}, False),
        ({"capacity_provider_strategy": [{"capacity_provider": "FARGATE"}, {"capacity_provider": "asg"}]}, False),
        ({}, False),
    ],
)
def test_only_what_runs_on_fargate_has_its_price(value: dict[str, Any], priced: bool) -> None:
    found = service(value)
    assert [line.address for line in found.cost.lines] == (["aws_ecs_service.s"] if priced else [])
    assert [name.partition(" ")[0] for name in found.cost.not_priced] == ([] if priced else ["aws_ecs_service.s"])


@pytest.mark.parametrize("provider", ["FARGATE", "asg"])
def test_a_service_without_a_launch_type_runs_where_its_cluster_says(provider: str) -> None:
    strategy = {"default_capacity_provider_strategy": [{"capacity_provider": provider}]}
    names = {"references": ["aws_ecs_cluster.c.name", "aws_ecs_cluster.c"]}
    found = service(
        {},
        resource("aws_ecs_cluster.c", after={"name": "c"}, unknown={"id": True}),
        resource("aws_ecs_cluster_capacity_providers.p", after={**strategy, "cluster_name": "c"}),
        expressions={
            "aws_ecs_service.s": {"cluster": names},
            "aws_ecs_cluster_capacity_providers.p": {"cluster_name": names},
        },
    )
    assert bool(found.cost.lines) is (provider == "FARGATE")


def test_what_costs_and_has_no_price_is_named_whatever_provider_it_is_of() -> None:
    found = review(
        plan(
            resource("aws_mwaa_environment.m", after={}),
            resource("azurerm_linux_virtual_machine.v", after={}),
            resource("aws_made_up_type.x", after={}),
            resource("aws_iam_role.r", after={"name": "r"}),
            resource("random_password.p", after={}),
        )
    )
    named = ("aws_made_up_type.x", "aws_mwaa_environment.m", "azurerm_linux_virtual_machine.v")
    assert tuple(sorted(found.cost.not_priced)) == named
    assert verdict(found)[-1] == "Cost not estimated: no price for 3 resources that may cost something."


@pytest.mark.parametrize(
    "kind", ["aws_dynamodb_table", "aws_keyspaces_table", "azurerm_mssql_database", "google_sql_database"]
)
def test_what_holds_data_is_at_risk_when_it_is_destroyed(kind: str) -> None:
    found = review(plan(resource(f"{kind}.x", "delete", before={"name": "x"})))
    assert [risk.address for risk in found.risks] == [f"{kind}.x"]


@pytest.mark.parametrize("kind", ["aws_iam_role_policy", "azurerm_resource_group", "terraform_data"])
def test_what_holds_none_is_not(kind: str) -> None:
    assert review(plan(resource(f"{kind}.x", "delete", before={"name": "x"}))).risks == ()
