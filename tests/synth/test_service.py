"""The task, the service, the table, and what they may do. What the emulated run prunes is asserted here."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from adapter.config import settings as config
from tests.synth.support import ARN, SECRET, Stack, deployment, source

Synthesize = Callable[..., Stack]


def test_the_container_is_confined(adapter_stack: Synthesize) -> None:
    container = adapter_stack(source()).container()
    assert container["user"] == "10001:10001"
    assert container["readonlyRootFilesystem"] is True
    assert container["privileged"] is False
    assert container["linuxParameters"] == {"capabilities": {"drop": ["ALL"]}, "initProcessEnabled": True}
    assert container["mountPoints"] == [{"sourceVolume": "tmp", "containerPath": "/tmp", "readOnly": False}]
    assert "portMappings" not in container
    assert adapter_stack(source()).one("aws_ecs_task_definition")["volume"] == [{"name": "tmp"}]


def test_the_container_is_watched_and_stopped_in_peace(adapter_stack: Synthesize) -> None:
    container = adapter_stack(source()).container()
    assert container["healthCheck"]["command"] == ["CMD", "python", "-m", "adapter", "health"]
    assert container["stopTimeout"] == 30
    assert (
        container["logConfiguration"]["options"]["awslogs-group"] == "${aws_cloudwatch_log_group.customers_logs.name}"
    )
    assert container["logConfiguration"]["options"]["mode"] == "non-blocking"


def test_the_adapter_accepts_the_environment_of_its_container(adapter_stack: Synthesize) -> None:
    variables = adapter_stack(source()).variables()
    settings = config.load({name: re.sub(r"\$\{[^}]*\}", SECRET, value) for name, value in variables.items()})
    assert str(settings.pool) == ARN
    assert variables["STATE_URL"] == "dynamodb://cognito-source-customers?region=eu-central-1"
    assert variables["METRICS_EMF"] == "true"
    assert variables["CREDENTIALS_SECRET_ARN"] == "${aws_secretsmanager_secret.customers_key.arn}"
    # The image turns the status page off; nothing turns it on again.
    assert "STATUS_ADDRESS" not in variables


def test_no_secret_is_in_the_environment_of_the_container(adapter_stack: Synthesize) -> None:
    container = adapter_stack(source(delivery={"headersSecretArn": SECRET})).container()
    named = {each["name"] for each in container["environment"]}
    assert named.isdisjoint({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "DELIVERY_HEADERS"})
    own = "${aws_secretsmanager_secret.customers_key.arn}"
    assert container["secrets"] == [
        {"name": "AWS_ACCESS_KEY_ID", "valueFrom": f"{own}:AWS_ACCESS_KEY_ID::"},
        {"name": "AWS_SECRET_ACCESS_KEY", "valueFrom": f"{own}:AWS_SECRET_ACCESS_KEY::"},
        {"name": "DELIVERY_HEADERS", "valueFrom": SECRET},
    ]


def test_the_service_runs_one_task_and_never_two(adapter_stack: Synthesize) -> None:
    service = adapter_stack(source()).one("aws_ecs_service")
    assert service["desired_count"] == 1
    assert service["deployment_minimum_healthy_percent"] == 0
    assert service["deployment_maximum_percent"] == 100
    assert service["availability_zone_rebalancing"] == "DISABLED"


def test_a_deployment_that_does_not_start_is_rolled_back_and_told(adapter_stack: Synthesize) -> None:
    service = adapter_stack(source()).one("aws_ecs_service")
    assert service["deployment_circuit_breaker"] == {"enable": True, "rollback": True}
    assert service["wait_for_steady_state"] is True
    assert service["enable_execute_command"] is False
    assert service["propagate_tags"] == "SERVICE"
    assert service["enable_ecs_managed_tags"] is True


def test_the_table_is_protected_and_backed_up(adapter_stack: Synthesize) -> None:
    table = adapter_stack(source()).one("aws_dynamodb_table")
    assert table["billing_mode"] == "PAY_PER_REQUEST"
    assert (table["hash_key"], table["range_key"]) == ("pk", "sk")
    assert table["point_in_time_recovery"] == {"enabled": True}
    assert table["deletion_protection_enabled"] is True


def test_the_table_follows_the_manifest(adapter_stack: Synthesize) -> None:
    dynamodb = {"tableName": "users-state", "deletionProtection": False, "pointInTimeRecovery": False}
    stack = adapter_stack(source(state={"dynamodb": dynamodb}))
    table = stack.one("aws_dynamodb_table")
    assert (table["name"], table["deletion_protection_enabled"]) == ("users-state", False)
    assert table["point_in_time_recovery"] == {"enabled": False}
    assert stack.variables()["STATE_URL"] == "dynamodb://users-state?region=eu-central-1"


@pytest.mark.parametrize(
    ("resources", "size"),
    [
        ({}, ("256", "512")),
        ({"limits": {"cpu": "250m", "memory": "512Mi"}}, ("256", "512")),
        ({"limits": {"cpu": "250m", "memory": "513Mi"}}, ("256", "1024")),
        ({"limits": {"cpu": 1}, "requests": {"memory": "9Gi"}}, ("2048", "9216")),
        ({"requests": {"cpu": "0.3"}}, ("512", "1024")),
        ({"requests": {"cpu": 0.5, "memory": "1e9"}}, ("512", "1024")),
        ({"limits": {"cpu": 64}}, ("16384", "122880")),
        ({"limits": {"cpu": float("inf")}}, ("16384", "122880")),
    ],
)
def test_kubernetes_resources_become_the_smallest_task_that_holds_them(
    adapter_stack: Synthesize, resources: dict[str, object], size: tuple[str, str]
) -> None:
    task = adapter_stack(source(adapterOverrides={"resources": resources})).one("aws_ecs_task_definition")
    assert (task["cpu"], task["memory"]) == size


def test_overrides_with_a_meaning_on_ecs_are_used(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(
        source(
            adapterOverrides={
                "labels": {"team": "identity"},
                "annotations": {"example.com/owner": "a@example.com"},
                "env": [{"name": "LOG_LEVEL", "value": "debug"}],
                "architecture": "ARM64",
            }
        )
    )
    task = stack.one("aws_ecs_task_definition")
    tags = {"Source": "customers", "team": "identity", "example.com/owner": "a@example.com"}
    assert task["tags"] == stack.one("aws_ecs_service")["tags"] == tags
    assert task["runtime_platform"] == {"cpu_architecture": "ARM64", "operating_system_family": "LINUX"}
    assert stack.variables()["LOG_LEVEL"] == "debug"


def test_sources_share_a_cluster_and_nothing_else(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(source(), source("staff", ARN.replace("AbCdEfGhI", "Staff")))
    assert len(stack.all("aws_ecs_cluster")) == 1
    for kind in ("aws_ecs_service", "aws_dynamodb_table", "aws_iam_user", "aws_secretsmanager_secret"):
        assert len(stack.all(kind)) == 2
    staff = str(stack.policy("aws_iam_role_policy", "staff_task-policy"))
    assert "customers" not in staff


def test_logs_are_kept_for_a_year_unless_the_manifest_says_otherwise(adapter_stack: Synthesize) -> None:
    assert adapter_stack(source()).one("aws_cloudwatch_log_group")["retention_in_days"] == 365
    stack = adapter_stack(deployment(logRetentionDays=30), source())
    assert stack.one("aws_cloudwatch_log_group")["retention_in_days"] == 30


def test_container_insights_is_by_manifest(adapter_stack: Synthesize) -> None:
    for wanted in ("disabled", "enabled", "enhanced"):
        stack = adapter_stack(deployment(containerInsights=wanted), source())
        assert stack.one("aws_ecs_cluster")["setting"] == [{"name": "containerInsights", "value": wanted}]


def test_the_image_is_that_of_our_registry_or_the_given_one(adapter_stack: Synthesize) -> None:
    assert adapter_stack(deployment(image={"uri": "example.com/a@sha256:00"}), source()).container()["image"] == (
        "example.com/a@sha256:00"
    )
    assert adapter_stack(deployment(image={"registry": {"tag": "7"}}), source()).container()["image"] == (
        "${data.aws_caller_identity.current.account_id}.dkr.ecr.eu-central-1."
        "${data.aws_partition.partition.dns_suffix}/cognito-source:7"
    )


@pytest.mark.parametrize(
    ("uri", "repository"),
    [
        (
            "210987654321.dkr.ecr.eu-west-1.amazonaws.com/team/adapter:1.0",
            "arn:aws:ecr:eu-west-1:210987654321:repository/team/adapter",
        ),
        ("example.com/adapter:1.0", None),
    ],
)
def test_the_task_may_pull_the_image_of_the_manifest(
    adapter_stack: Synthesize, uri: str, repository: str | None
) -> None:
    stack = adapter_stack(deployment(image={"uri": uri}), source())
    statements = {each["Sid"]: each for each in stack.policy("aws_iam_role_policy", "customers_execution-policy")}
    assert statements.get("PullImage", {}).get("Resource") == repository


def test_outputs_tell_the_next_commands(adapter_stack: Synthesize) -> None:
    outputs = {name: each["value"] for name, each in adapter_stack(source()).document["output"].items()}
    logs = "${aws_cloudwatch_log_group.customers_logs.name}"
    assert outputs["customers-logs-command"] == f"aws logs tail {logs} --follow --region eu-central-1"
    assert outputs["customers-rotate-command"] == "python3 -m iam rotate ${aws_iam_user.customers_user.name}"
    assert outputs["dashboard-url"].startswith("https://eu-central-1.console.aws.amazon.com/cloudwatch/home")


def test_a_metrics_port_of_the_manifest_is_kept(adapter_stack: Synthesize) -> None:
    assert adapter_stack(source()).variables()["METRICS_PROMETHEUS_PORT"] == "0"
    env = [{"name": "METRICS_PROMETHEUS_PORT", "value": "9092"}]
    assert adapter_stack(source(adapterOverrides={"env": env})).variables()["METRICS_PROMETHEUS_PORT"] == "9092"


def test_one_customer_key_encrypts_everything(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(
        deployment(encryption={"createKey": True}, alarms={"createTopic": True}),
        source(sink={"sqs": {"create": "users"}}),
    )
    key = "${aws_kms_key.key.arn}"
    assert stack.one("aws_secretsmanager_secret")["kms_key_id"] == key
    assert stack.one("aws_cloudwatch_log_group")["kms_key_id"] == key
    assert stack.one("aws_dynamodb_table")["server_side_encryption"] == {"enabled": True, "kms_key_arn": key}
    assert stack.one("aws_sqs_queue")["kms_master_key_id"] == key
    assert stack.one("aws_sns_topic")["kms_master_key_id"] == key
    assert stack.one("aws_kms_key")["enable_key_rotation"] is True


def test_a_key_that_exists_is_used_and_not_made(adapter_stack: Synthesize) -> None:
    key = "arn:aws:kms:eu-central-1:123456789012:key/1234"
    stack = adapter_stack(deployment(encryption={"keyArn": key}), source())
    assert stack.one("aws_secretsmanager_secret")["kms_key_id"] == key
    assert not stack.all("aws_kms_key")


def test_a_queue_of_ours_is_encrypted_and_keeps_messages_for_two_weeks(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(source(sink={"sqs": {"create": "users.fifo"}}))
    assert stack.one("aws_sqs_queue") == {
        "fifo_queue": True,
        "message_retention_seconds": 1209600,
        "name": "users.fifo",
        "sqs_managed_sse_enabled": True,
    }
    assert stack.variables()["K_SINK"] == "${aws_sqs_queue.sink_queue_users_fifo.arn}"


def test_two_sources_may_share_a_bus_that_is_made_for_them(adapter_stack: Synthesize) -> None:
    bus = {"eventBridge": {"create": "users"}}
    stack = adapter_stack(source(sink=bus), source("staff", ARN.replace("AbCdEfGhI", "Staff"), sink=bus))
    assert stack.all("aws_cloudwatch_event_bus") == {"sink_bus_users": {"name": "users"}}
    assert stack.variables("staff_task")["K_SINK"] == "${aws_cloudwatch_event_bus.sink_bus_users.arn}"
