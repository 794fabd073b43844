"""`cdktf deploy` with real Terraform: what is there, what a second deploy would do, and that destroy leaves nothing.

The tests run in this order on one deployment; the last one destroys it.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.deployment import changes_of, forms_of
from emulator.task import assume, task_of
from tests.deploy.conftest import Deployed

#: What emulator/provider_downgrade.py may change for the old provider and the emulator. A new line here is a decision:
#: whatever is left out is proven by no test of this folder, so tests/synth must assert it.
ALLOWED_EDITS = {
    "aws_cloudwatch_query_definition: left out",
    "aws_dynamodb_table.deletion_protection_enabled: left out",
    "aws_ecr_repository.force_delete: left out",
    "aws_ecs_service.availability_zone_rebalancing: left out",
    "aws_ecs_service.deployment_circuit_breaker: left out",
    "aws_ecs_task_definition.runtime_platform: left out",
    "aws_vpc_security_group_egress_rule: -> aws_security_group_rule",
    "data.aws_subnets: -> data.aws_subnet_ids",
    "terraform.required_providers.aws.version: >= 6.25.0, < 7.0.0 -> 3.39.0",
}


def _code(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    code: str = caught.value.response["Error"]["Code"]
    return code


def test_the_stacks_are_edited_only_as_decided(deployed: Deployed) -> None:
    edits = json.loads((deployed.deployment.outdir / "edits.json").read_text())
    assert {f"{edit['what']}: {edit['how']}" for edit in edits} <= ALLOWED_EDITS


def test_every_call_of_the_provider_goes_to_the_emulator(deployed: Deployed) -> None:
    for folder in deployed.deployment.stack_folders:
        (provider,) = json.loads((folder / "cdk.tf.json").read_text())["provider"]["aws"]
        (endpoints,) = provider["endpoints"]
        assert set(endpoints.values()) == {deployed.aws.endpoint}
        assert {"iam", "ecs", "dynamodb", "secretsmanager", "sts", "ec2", "cognitoidp"} <= set(endpoints)


def test_the_key_may_list_the_users_of_its_pool_and_nothing_else(deployed: Deployed) -> None:
    key_id, secret = deployed.key()
    pool_id = deployed.pool.rpartition("/")[2]
    other = deployed.aws.create_pool("other").rpartition("/")[2]
    cognito = deployed.aws.client_with("cognito-idp", key_id, secret)

    assert cognito.list_users(UserPoolId=pool_id)["Users"] == []
    assert _code(cognito.list_users, UserPoolId=other) == "AccessDeniedException"
    assert _code(cognito.describe_user_pool, UserPoolId=pool_id) == "AccessDeniedException"
    assert _code(cognito.list_groups, UserPoolId=pool_id) == "AccessDeniedException"
    secrets = deployed.aws.client_with("secretsmanager", key_id, secret)
    assert _code(secrets.get_secret_value, SecretId=deployed.outputs["customers-secret-arn"]) == "AccessDeniedException"
    user = deployed.outputs["customers-user-name"]
    assert _code(deployed.aws.client_with("iam", key_id, secret).create_access_key, UserName=user) == "AccessDenied"


def test_the_user_has_one_active_key(deployed: Deployed) -> None:
    keys = deployed.aws.client("iam").list_access_keys(UserName=deployed.outputs["customers-user-name"])
    assert [(key["AccessKeyId"], key["Status"]) for key in keys["AccessKeyMetadata"]] == [(deployed.key()[0], "Active")]


def test_the_service_runs_one_task_that_nothing_can_reach(deployed: Deployed) -> None:
    outputs = deployed.outputs
    services = deployed.aws.client("ecs").describe_services(
        cluster=outputs["cluster-name"], services=[outputs["customers-service-name"]]
    )["services"]
    (service,) = services
    assert (service["desiredCount"], service["launchType"]) == (1, "FARGATE")
    assert service["deploymentConfiguration"]["maximumPercent"] == 100
    assert service["deploymentConfiguration"]["minimumHealthyPercent"] == 0

    groups = service["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"]
    (group,) = deployed.aws.client("ec2").describe_security_groups(GroupIds=groups)["SecurityGroups"]
    assert group["IpPermissions"] == []
    assert sorted(rule["FromPort"] for rule in group["IpPermissionsEgress"] if "FromPort" in rule) == [9, 443]


def test_the_task_definition_names_its_secrets_and_holds_none(deployed: Deployed) -> None:
    definition = deployed.task_definition()
    (container,) = definition["containerDefinitions"]
    names = {variable["name"] for variable in container["environment"]}

    assert {secret["name"] for secret in container["secrets"]} == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert names.isdisjoint({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"})
    assert container["readonlyRootFilesystem"] is True


def test_the_roles_give_the_task_what_it_needs_and_no_more(deployed: Deployed) -> None:
    with task_of(deployed.aws, deployed.outputs["customers-task-definition-arn"]) as task:
        assert task.environment["AWS_ACCESS_KEY_ID"] == deployed.key()[0]  # read as the execution role
    definition = deployed.task_definition()
    role = assume(deployed.aws, definition["taskRoleArn"])
    table = deployed.outputs["customers-table-name"]
    nobody = {"pk": {"S": "nobody"}, "sk": {"S": "nothing"}}
    assert "Item" not in role.client(deployed.aws, "dynamodb").get_item(TableName=table, Key=nobody)
    assert _code(role.client(deployed.aws, "dynamodb").delete_table, TableName=table) == "AccessDeniedException"
    pool_id = deployed.pool.rpartition("/")[2]
    assert _code(role.client(deployed.aws, "cognito-idp").list_users, UserPoolId=pool_id) == "AccessDeniedException"


def test_a_second_deploy_would_change_nothing(deployed: Deployed) -> None:
    plans = [plan for _, plan in deployed.deployment.plan("second")]
    assert plans
    assert [changes_of(plan) for plan in plans] == [[] for _ in plans]
    outputs = [output["actions"] for plan in plans for output in plan.get("output_changes", {}).values()]
    assert outputs
    assert [actions for actions in outputs if actions != ["no-op"]] == []


def test_the_secret_key_is_in_no_file_of_the_deployment(deployed: Deployed) -> None:
    places = [
        *deployed.deployment.files(),
        ("task definition", json.dumps(deployed.task_definition(), default=str).encode()),
    ]
    names = {name for name, _ in places}
    assert any(name.endswith(".tfstate") for name in names)
    assert any(name.endswith(".tfplan!tfplan") for name in names), "plans are archives: their members must be searched"
    assert any(name.endswith("-deploy.log") for name in names)

    assert _places_with(deployed.key()[1], places) == []


@pytest.mark.parametrize("form", ["raw", "base64", "base64 of a longer text", "JSON", "Go's JSON", "in a zip"])
def test_a_planted_secret_is_found_in_every_form(deployed: Deployed, form: str) -> None:
    secret = 'pl4nted/Secret+Key"<&>'
    folder = deployed.deployment.folder / "planted"
    folder.mkdir(exist_ok=True)
    file = folder / "file"
    text = {
        "raw": f"key={secret};",
        "base64": base64.b64encode(secret.encode()).decode(),
        "base64 of a longer text": base64.b64encode(f'{{"key": "{secret}"}}'.encode()).decode(),
        "JSON": json.dumps({"key": secret}),
        "Go's JSON": json.dumps({"key": secret})
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026"),
        "in a zip": "",
    }[form]
    try:
        if form == "in a zip":
            _zip(file, secret)
        else:
            file.write_text(text)
        assert [name.partition("!")[0] for name in _places_with(secret, list(deployed.deployment.files()))] == [
            "planted/file"
        ]
    finally:
        file.unlink()
        folder.rmdir()


def _zip(file: Path, secret: str) -> None:
    import zipfile

    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("member", secret * 3)


def _places_with(secret: str, places: list[tuple[str, bytes]]) -> list[str]:
    return [name for name, content in places if any(form in content for form in forms_of(secret))]


def test_no_path_of_this_machine_is_synthesized(deployed: Deployed) -> None:
    for folder in deployed.deployment.stack_folders:
        text = (folder / "unedited.json").read_text()
        assert str(Path(__file__).resolve().parents[2]) not in text
        assert not re.search(r'"[^"]*/(?:home|root|Users)/', text)


def test_destroy_leaves_nothing(deployed: Deployed) -> None:
    deployed.deployment.destroy()

    aws = deployed.aws
    assert deployed.deployment.resources() == []
    assert aws.client("iam").list_users()["Users"] == []
    assert aws.client("iam").list_roles()["Roles"] == []
    assert aws.client("iam").list_policies(Scope="Local")["Policies"] == []
    assert aws.client("secretsmanager").list_secrets()["SecretList"] == []
    assert aws.client("dynamodb").list_tables()["TableNames"] == []
    assert aws.client("logs").describe_log_groups()["logGroups"] == []
    assert aws.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    groups = aws.client("ec2").describe_security_groups()["SecurityGroups"]
    assert {group["GroupName"] for group in groups} == {"default"}
