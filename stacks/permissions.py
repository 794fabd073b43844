"""Who may do what in the deployed service, as plain statements: no cdktf, no AWS call.

Actions and resources: https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapter.state.dynamodb.requirements import ACTIONS
from iam.policy import document, policy_text, statement


def json_policy(*statements: Mapping[str, Any]) -> str:
    """A policy document as text."""
    return policy_text(document(*statements))


def ecs_tasks_trust(*, partition: str, region: str, account: str) -> str:
    """Lets ECS tasks of this account and region, and nobody else's, take a role.

    The conditions stop a confused deputy:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html#create_task_iam_policy_and_role
    """
    return policy_text(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "EcsTasksOfThisAccount",
                    "Effect": "Allow",
                    "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                    "Condition": {
                        "StringEquals": {"aws:SourceAccount": account},
                        "ArnLike": {"aws:SourceArn": f"arn:{partition}:ecs:{region}:{account}:*"},
                    },
                }
            ],
        }
    )


def write_logs(log_group_arn: str) -> dict[str, Any]:
    """Write to the streams of one log group."""
    return statement("WriteOwnLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log_group_arn}:log-stream:*"])


def read_secrets(arns: Sequence[str]) -> dict[str, Any]:
    """Read these secrets."""
    return statement("ReadSecrets", ["secretsmanager:GetSecretValue"], arns)


def pull_image(repository_arn: str) -> list[dict[str, Any]]:
    """Pull images from one ECR repository."""
    return [
        statement(
            "PullImage",
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            [repository_arn],
        ),
        statement(
            "LogInToRegistry",
            ["ecr:GetAuthorizationToken"],
            ["*"],
            any_resource_because="the action takes no resource: it gives a token for what the other actions allow",
        ),
    ]


def use_table(table_arn: str) -> dict[str, Any]:
    """Read and write the rows of the state table."""
    return statement("KeepState", ACTIONS, [table_arn])


def put_events(bus_arns: Sequence[str]) -> dict[str, Any]:
    """Send events to these buses."""
    return statement("SendToBuses", ["events:PutEvents"], bus_arns)


def send_messages(queue_arns: Sequence[str]) -> dict[str, Any]:
    """Send messages to these queues."""
    return statement("SendToQueues", ["sqs:SendMessage"], queue_arns)


def assume_role(role_arn: str) -> dict[str, Any]:
    """Take the role that may read the pool."""
    return statement("TakePoolRole", ["sts:AssumeRole"], [role_arn])


def use_key(key_arn: str, services: Sequence[str], *, write: bool) -> dict[str, Any]:
    """Use the customer key through these services (`secretsmanager.eu-central-1.amazonaws.com`), not directly."""
    actions = ["kms:Decrypt", *(["kms:GenerateDataKey"] if write else [])]
    return statement("UseKey", actions, [key_arn], {"StringEquals": {"kms:ViaService": list(services)}})


def customer_key_policy(*, partition: str, region: str, account: str, dns_suffix: str, log_groups: str) -> str:
    """The policy of the customer key: IAM decides within the account; Logs and alarms use it for this account only.

    In a key's policy the resource `*` is the key itself
    (https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html).
    """
    logs = f"arn:{partition}:logs:{region}:{account}"
    itself = "in a key's policy it names the key itself"
    return policy_text(
        document(
            {
                "Sid": "IamOfThisAccountDecides",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{partition}:iam::{account}:root"},
                "Action": "kms:*",
                "Resource": "*",
            },
            statement(
                "LogsOfThisDeployment",
                [
                    "kms:Decrypt",
                    "kms:DescribeKey",
                    "kms:Encrypt",
                    "kms:GenerateDataKey",
                    "kms:ReEncryptFrom",
                    "kms:ReEncryptTo",
                ],
                ["*"],
                condition={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"{logs}:log-group:{log_groups}"}},
                any_resource_because=itself,
            )
            | {"Principal": {"Service": f"logs.{region}.{dns_suffix}"}},
            statement(
                "AlarmsOfThisAccount",
                ["kms:Decrypt", "kms:GenerateDataKey"],
                ["*"],
                condition={"StringEquals": {"aws:SourceAccount": account}},
                any_resource_because=itself,
            )
            | {"Principal": {"Service": "cloudwatch.amazonaws.com"}},
        )
    )
