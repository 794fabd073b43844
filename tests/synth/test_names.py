"""Names are stable: an upgrade or a small change of the manifest replaces nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stacks.names import fit
from tests.synth.support import ARN, Stack, deployment, source
from tests.synth.test_policies import golden

Synthesize = Callable[..., Stack]
#: What loses data or keys when it is replaced, and the arguments that force it.
PRECIOUS = {
    "aws_dynamodb_table": ("name", "hash_key", "range_key"),
    "aws_secretsmanager_secret": ("name",),
    "aws_iam_user": ("name",),
    "aws_cloudwatch_log_group": ("name",),
    "aws_sqs_queue": ("name", "fifo_queue"),
    "aws_cloudwatch_event_bus": ("name",),
}


def changed(before: Any, after: Any, path: str = "") -> set[str]:
    """The paths at which two documents differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        return {
            found
            for key in {*before, *after}
            for found in changed(before.get(key), after.get(key), f"{path}.{key}" if path else key)
        }
    return set() if before == after else {path}


def test_the_addresses_of_resources_are_those_of_the_release_before(adapter_stack: Synthesize) -> None:
    golden("addresses-smallest", sorted(adapter_stack(source()).addresses()))


def test_what_forces_a_replacement_is_that_of_the_release_before(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(source(sink={"sqs": {"create": "users"}}))
    golden(
        "precious",
        {
            f"{kind}.{name}": {field: body.get(field) for field in fields}
            for kind, fields in PRECIOUS.items()
            for name, body in stack.all(kind).items()
        },
    )


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"polling": {"maxRps": 5}}, {"resource.aws_ecs_task_definition.customers_task.container_definitions"}),
        (
            {"events": {"initial": "snapshot"}},
            {"resource.aws_ecs_task_definition.customers_task.container_definitions"},
        ),
        (
            {"state": {"dynamodb": {"deletionProtection": False}}},
            {"resource.aws_dynamodb_table.customers_state.deletion_protection_enabled"},
        ),
        (
            {"adapterOverrides": {"architecture": "ARM64"}},
            {"resource.aws_ecs_task_definition.customers_task.runtime_platform.cpu_architecture"},
        ),
        (
            {"credentials": {"recoveryWindowDays": 7}},
            {"resource.aws_secretsmanager_secret.customers_key.recovery_window_in_days"},
        ),
    ],
)
def test_one_changed_field_changes_one_thing(
    adapter_stack: Synthesize, spec: dict[str, Any], expected: set[str]
) -> None:
    assert changed(adapter_stack(source()).document, adapter_stack(source(**spec)).document) == expected


def test_a_deployment_wide_field_changes_only_what_it_is_about(adapter_stack: Synthesize) -> None:
    plain = adapter_stack(deployment(), source()).document
    longer = adapter_stack(deployment(logRetentionDays=30), source()).document
    assert changed(plain, longer) == {"resource.aws_cloudwatch_log_group.customers_logs.retention_in_days"}
    assert not changed(plain, adapter_stack(source()).document)


def test_another_source_leaves_the_first_one_alone(adapter_stack: Synthesize) -> None:
    alone = adapter_stack(source()).document
    both = adapter_stack(source(), source("staff", ARN.replace("AbCdEfGhI", "Staff"))).document
    shared = {"aws_cloudwatch_dashboard", "aws_cloudwatch_query_definition"}
    for path in changed(alone, both):
        assert "staff" in path or path.split(".")[1] in shared, path


def test_sources_with_look_alike_names_do_not_collide(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(
        source("a"), source("a-minted", ARN.replace("AbCdEfGhI", "B")), source("a-user", ARN.replace("AbCdEfGhI", "C"))
    )
    assert len(stack.all("aws_iam_user")) == 3


def test_a_name_with_dots_as_kubernetes_has_them_works(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(source("users.example.com"))
    assert stack.one("aws_ecs_service")["name"] == "cognito-source-users-example-com"
    assert stack.variables("users-example-com_task")["NAME"] == "users.example.com"
    dimensions = stack.one("aws_cloudwatch_metric_alarm", "users-example-com_no-sweep-alarm")["dimensions"]
    assert dimensions == {"Source": "users.example.com"}


def test_a_long_name_is_shortened_in_a_stable_and_unique_way(adapter_stack: Synthesize) -> None:
    names = ["x" * 253, "x" * 252 + "y"]
    stack = adapter_stack(source(names[0]), source(names[1], ARN.replace("AbCdEfGhI", "B")))
    for kind, limit in (("aws_iam_user", 64), ("aws_iam_role", 64), ("aws_iam_policy", 128), ("aws_sqs_queue", 80)):
        made = [body["name"] for body in stack.all(kind).values()]
        assert len(set(made)) == len(made)
        assert all(len(name) <= limit for name in made)
    assert fit("a" * 70, 64) == fit("a" * 70, 64)
    assert fit("short", 64) == "short"
