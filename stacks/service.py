"""The adapter as a Fargate service: one task, no way in, as little power as it can work with.

Resources: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/ecs_service and
https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/ecs_task_definition
Container definition: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from stacks.base import Home, output
from stacks.bindings import (
    CloudwatchLogGroup,
    DynamodbTable,
    EcsCluster,
    EcsService,
    EcsTaskDefinition,
    IamRole,
    IamRolePolicy,
    TerraformStack,
)
from stacks.credentials import PoolCredentials
from stacks.inputs import Inputs, SourceInputs
from stacks.names import fit
from stacks.network import Place
from stacks.observability import Watched
from stacks.permissions import ecs_tasks_trust, json_policy, pull_image, read_secrets, use_key, use_table, write_logs
from stacks.registry import ImageReference

#: The user of the image (Dockerfile).
CONTAINER_USER = "10001:10001"
CONTAINER = "adapter"


@dataclass(frozen=True, kw_only=True)
class ServiceParts:
    """What the service is put together from."""

    cluster: EcsCluster
    image: ImageReference
    credentials: PoolCredentials
    table: DynamodbTable
    place: Place
    sink_target: str
    dead_letter_target: str
    sink_statements: list[dict[str, Any]] = field(default_factory=list)
    kms_key_arn: str = ""


def add_service(
    stack: TerraformStack, inputs: Inputs, home: Home, source: SourceInputs, parts: ServiceParts
) -> Watched:
    """The log group, the two roles, the task definition and the service of one source."""
    logs = CloudwatchLogGroup(
        stack,
        f"{source.name}_logs",
        name=f"/{inputs.name}/{source.name}",
        retention_in_days=inputs.shared.log_retention_days,
        kms_key_id=parts.kms_key_arn or None,
    )
    execution = _role(stack, inputs, home, source, "execution", "starts the task: logs, image, secrets")
    execution_policy = IamRolePolicy(
        stack,
        f"{source.name}_execution-policy",
        name="start-task",
        role=execution.id,
        policy=json_policy(*execution_statements(home, source, parts, logs.arn)),
    )
    task = _role(stack, inputs, home, source, "task", "the adapter itself: its state, its sink, its key")
    task_policy = IamRolePolicy(
        stack,
        f"{source.name}_task-policy",
        name="run-adapter",
        role=task.id,
        policy=json_policy(*task_statements(home, parts)),
    )
    definition = EcsTaskDefinition(
        stack,
        f"{source.name}_task",
        family=source.full_name,
        requires_compatibilities=["FARGATE"],
        network_mode="awsvpc",
        cpu=str(source.size.cpu),
        memory=str(source.size.memory),
        runtime_platform={"operating_system_family": "LINUX", "cpu_architecture": source.architecture},
        execution_role_arn=execution.arn,
        task_role_arn=task.arn,
        # The root file system is read-only: a volume of the task's own for what is temporary.
        volume=[{"name": "tmp"}],
        container_definitions=json.dumps([container(inputs, source, parts, logs.name)], sort_keys=True),
        tags=source.tags,
    )
    service = EcsService(
        stack,
        f"{source.name}_service",
        name=source.full_name,
        cluster=parts.cluster.id,
        task_definition=definition.arn,
        launch_type="FARGATE",
        platform_version="LATEST",
        desired_count=1,
        # One task, never two: the old one ends before the new one begins. Zone rebalancing would need 200 %.
        deployment_minimum_healthy_percent=0,
        deployment_maximum_percent=100,
        availability_zone_rebalancing="DISABLED",
        deployment_circuit_breaker={"enable": True, "rollback": True},
        enable_execute_command=False,
        enable_ecs_managed_tags=True,
        propagate_tags="SERVICE",
        wait_for_steady_state=True,
        network_configuration={
            "subnets": parts.place.subnet_ids,
            "security_groups": parts.place.security_group_ids,
            "assign_public_ip": parts.place.assign_public_ip,
        },
        tags=source.tags,
        # The first task must find its permissions and its key.
        depends_on=[execution_policy, task_policy, *parts.credentials.ready],
    )
    output(stack, f"{source.name}-service-name", service.name, "ECS service that runs the adapter.")
    output(stack, f"{source.name}-task-definition-arn", definition.arn, "Task definition of the adapter.")
    output(stack, f"{source.name}-log-group", logs.name, "Log group of the adapter.")
    tail = f"aws logs tail {logs.name} --follow --region {inputs.region}"
    output(stack, f"{source.name}-logs-command", tail, "Shows what the adapter does.")
    return Watched(source=source, service=service.name, log_group=logs.name)


def execution_statements(home: Home, source: SourceInputs, parts: ServiceParts, log_group: str) -> list[dict[str, Any]]:
    """What ECS needs to start the task: this log group, these secrets, this repository."""
    secrets = [each for each in (parts.credentials.secret_arn, source.headers_secret_arn) if each]
    statements = [write_logs(log_group)]
    if secrets:
        statements.append(read_secrets(secrets))
    if parts.image.repository_arn:
        statements += pull_image(parts.image.repository_arn)
    if parts.kms_key_arn and secrets:
        statements.append(use_key(parts.kms_key_arn, [home.endpoint("secretsmanager")], write=False))
    return statements


def task_statements(home: Home, parts: ServiceParts) -> list[dict[str, Any]]:
    """What the adapter itself needs: this table, its own secret (to read a rotated key), this sink."""
    statements = [use_table(parts.table.arn)]
    services = ["dynamodb"]
    if parts.credentials.secret_arn:
        statements.append(read_secrets([parts.credentials.secret_arn]))
        services.append("secretsmanager")
    statements += parts.credentials.task_statements
    statements += parts.sink_statements
    if any(each["Action"] == "sqs:SendMessage" for each in parts.sink_statements):
        services.append("sqs")
    if parts.kms_key_arn:
        statements.append(use_key(parts.kms_key_arn, [home.endpoint(each) for each in services], write=True))
    return statements


def container(inputs: Inputs, source: SourceInputs, parts: ServiceParts, log_group: str) -> dict[str, Any]:
    """The container definition, without what equals ECS's defaults except where a reviewer looks for it."""
    # Nobody can scrape it: a port is only listened on if the manifest asks for it.
    variables = {"METRICS_PROMETHEUS_PORT": "0"} | source.environment
    variables |= {
        "K_SINK": parts.sink_target,
        "STATE_URL": f"dynamodb://{source.table_name}?region={inputs.region}",
        "METRICS_EMF": "true",
        # Only the container's own health check asks.
        "HEALTH_ADDRESS": "127.0.0.1:8080",
    }
    if parts.dead_letter_target:
        variables["DELIVERY_DEAD_LETTER_SINK"] = parts.dead_letter_target
    secret = parts.credentials.secret_arn
    secrets = {}
    if secret:
        variables["CREDENTIALS_SECRET_ARN"] = secret
        secrets = {name: f"{secret}:{name}::" for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    if source.headers_secret_arn:
        secrets["DELIVERY_HEADERS"] = source.headers_secret_arn
    return {
        "name": CONTAINER,
        "image": parts.image.uri,
        "essential": True,
        "user": CONTAINER_USER,
        "readonlyRootFilesystem": True,
        "privileged": False,
        "linuxParameters": {"capabilities": {"drop": ["ALL"]}, "initProcessEnabled": True},
        "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp", "readOnly": False}],  # noqa: S108 - its own volume
        "environment": [{"name": name, "value": value} for name, value in sorted(variables.items())],
        "secrets": [{"name": name, "valueFrom": value} for name, value in sorted(secrets.items())],
        "healthCheck": {
            "command": ["CMD", "python", "-m", "adapter", "health"],
            "interval": 30,
            "timeout": 10,
            "retries": 3,
            "startPeriod": 60,
        },
        "stopTimeout": 30,
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": log_group,
                "awslogs-region": inputs.region,
                "awslogs-stream-prefix": CONTAINER,
                # CloudWatch out of reach must not stop the adapter.
                "mode": "non-blocking",
                "max-buffer-size": "25m",
            },
        },
    }


def _role(
    stack: TerraformStack, inputs: Inputs, home: Home, source: SourceInputs, kind: str, description: str
) -> IamRole:
    return IamRole(
        stack,
        f"{source.name}_{kind}-role",
        name=fit(f"{source.full_name}-{inputs.region}-{kind}", 64),
        path=source.credentials.user_path,
        description=f"{source.full_name}: {description}",
        assume_role_policy=ecs_tasks_trust(partition=home.partition, region=home.region, account=home.account),
        permissions_boundary=source.credentials.permissions_boundary_arn,
    )
