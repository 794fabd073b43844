"""Who may do what in the deployed service, as plain statements: no cdktf, no AWS call.

Actions and resources: https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from iam.policy import document, policy_text, statement

#: What the DynamoDB state store calls on its table.
TABLE_ACTIONS = (
    "dynamodb:BatchGetItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:DescribeTable",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)


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
    return statement("KeepState", TABLE_ACTIONS, [table_arn])


def put_events(bus_arns: Sequence[str]) -> dict[str, Any]:
    """Send events to these buses."""
    return statement("SendToBuses", ["events:PutEvents"], bus_arns)


def send_messages(queue_arns: Sequence[str]) -> dict[str, Any]:
    """Send messages to these queues."""
    return statement("SendToQueues", ["sqs:SendMessage"], queue_arns)


def assume_role(role_arn: str) -> dict[str, Any]:
    """Take the role that may read the pool."""
    return statement("TakePoolRole", ["sts:AssumeRole"], [role_arn])


def use_key(key_arn: str, actions: Sequence[str]) -> dict[str, Any]:
    """Use a customer key."""
    return statement("UseKey", actions, [key_arn])
