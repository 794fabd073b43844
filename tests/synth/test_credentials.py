"""Who calls Cognito, in each mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.synth.support import ARN, ROLE, SECRET, Stack, source

Synthesize = Callable[..., Stack]

LIST_USERS: dict[str, Any] = {
    "Sid": "ListUsersOfPools",
    "Effect": "Allow",
    "Action": "cognito-idp:ListUsers",
    "Resource": ARN,
}


def test_the_users_policy_is_list_users_on_its_pool_and_nothing_else(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(source())
    assert stack.policy("aws_iam_policy", "customers_list-users") == [LIST_USERS]
    assert stack.all("aws_iam_user_policy_attachment") == {
        "customers_user-list-users": {
            "user": "${aws_iam_user.customers_user.name}",
            "policy_arn": "${aws_iam_policy.customers_list-users.arn}",
        }
    }
    assert not stack.all("aws_iam_user_policy")


def test_the_user_can_be_destroyed_with_keys_that_terraform_does_not_know(adapter_stack: Synthesize) -> None:
    user = adapter_stack(source()).one("aws_iam_user")
    assert user["force_destroy"] is True
    assert user["path"] == "/cognito-source/"
    assert user["name"] == "cognito-source-customers-eu-central-1"
    assert user["tags"] == {"cognito-source:secret": "eu-central-1/cognito-source/customers/aws-key"}


def test_minted_puts_the_key_past_terraform(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(source())
    minted = stack.one("terraform_data")
    (provisioner,) = minted["provisioner"]
    assert provisioner["local-exec"]["command"] == (
        "python3 -m iam mint --user-name ${aws_iam_user.customers_user.name}"
        " --secret-id ${aws_secretsmanager_secret.customers_key.arn} --region eu-central-1"
    )
    assert minted["triggers_replace"] == {
        "secret": "${aws_secretsmanager_secret.customers_key.arn}",
        "user": "${aws_iam_user.customers_user.unique_id}",
    }
    assert "terraform_data.customers_minted-key" in stack.one("aws_ecs_service")["depends_on"]


def test_terraform_mode_makes_the_key_as_a_resource(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(source(credentials={"mode": "terraform"}))
    assert stack.one("aws_iam_access_key") == {"user": "${aws_iam_user.customers_user.name}"}
    assert stack.one("aws_secretsmanager_secret_version")["secret_string"] == (
        '{"AWS_ACCESS_KEY_ID": "${aws_iam_access_key.customers_access-key.id}",'
        ' "AWS_SECRET_ACCESS_KEY": "${aws_iam_access_key.customers_access-key.secret}"}'
    )
    assert not stack.all("terraform_data")
    depends = stack.one("aws_ecs_service")["depends_on"]
    assert "aws_secretsmanager_secret_version.customers_key-value" in depends


def test_existing_makes_no_user_and_reads_the_given_secret(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(source(credentials={"mode": "existing", "secretArn": SECRET}))
    assert not {each.split(".")[0] for each in stack.addresses()} & {"aws_iam_user", "aws_secretsmanager_secret"}
    assert stack.variables()["CREDENTIALS_SECRET_ARN"] == SECRET
    assert stack.container()["secrets"] == [
        {"name": name, "valueFrom": f"{SECRET}:{name}::"} for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    ]


def test_role_lets_the_task_itself_list_users(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(source(credentials={"mode": "role"}))
    assert not {each.split(".")[0] for each in stack.addresses()} & {"aws_iam_user", "aws_secretsmanager_secret"}
    assert LIST_USERS in stack.policy("aws_iam_role_policy", "customers_task-policy")
    assert stack.container()["secrets"] == []
    assert "CREDENTIALS_SECRET_ARN" not in stack.variables()


def test_an_assumed_role_replaces_the_permission_on_the_pool(adapter_stack: Synthesize) -> None:
    take = {"Sid": "TakePoolRole", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE}
    stack = adapter_stack(source(credentials={"assumeRole": ROLE}))
    assert stack.policy("aws_iam_policy", "customers_list-users") == [take]
    assert stack.variables()["AWS_ASSUME_ROLE_ARN"] == ROLE
    stack = adapter_stack(source(credentials={"mode": "role", "assumeRole": {"roleArn": ROLE}}))
    assert take in stack.policy("aws_iam_role_policy", "customers_task-policy")
    assert "cognito-idp" not in str(stack.policy("aws_iam_role_policy", "customers_task-policy"))


def test_the_originals_assume_role_field_works_too(adapter_stack: Synthesize) -> None:
    key = {"valueFromSecret": {"name": "aws", "key": "k"}}
    auth = {"credentials": {"accessKeyID": key, "secretAccessKey": key, "assumeIamRole": ROLE}}
    assert adapter_stack(source(auth=auth)).variables()["AWS_ASSUME_ROLE_ARN"] == ROLE


def test_names_path_and_boundary_follow_the_manifest(adapter_stack: Synthesize) -> None:
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    stack = adapter_stack(
        source(credentials={"userName": "reader", "userPath": "/apps/", "permissionsBoundaryArn": boundary})
    )
    user = stack.one("aws_iam_user")
    assert (user["name"], user["path"], user["permissions_boundary"]) == ("reader", "/apps/", boundary)
    roles = stack.all("aws_iam_role").values()
    assert {(role["path"], role["permissions_boundary"]) for role in roles} == {("/apps/", boundary)}


def test_the_secret_dies_with_its_user_unless_the_manifest_wants_it_kept(adapter_stack: Synthesize) -> None:
    assert adapter_stack(source()).one("aws_secretsmanager_secret")["recovery_window_in_days"] == 0
    stack = adapter_stack(source(credentials={"recoveryWindowDays": 30}))
    assert stack.one("aws_secretsmanager_secret")["recovery_window_in_days"] == 30
