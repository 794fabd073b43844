"""What the minted key may do under IAM enforcement: ListUsers on its pools, and not one other thing."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore import UNSIGNED, xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from iam.aws import actions_of
from tests.emulator.iam_world import NAME, IamWorld, world

__all__ = ["world"]

#: The rules of the emulator evaluate these services against the named resource, as AWS does.
OTHERS = ["iam:ListUsers", "iam:GetUser", "secretsmanager:ListSecrets", "dynamodb:ListTables", "sqs:ListQueues"]


def client_of(world: IamWorld, service: str) -> Any:
    key = world.secret()
    session: Any = boto3.Session()
    return session.client(
        service,
        region_name="eu-central-1",
        aws_access_key_id=key.key_id,
        aws_secret_access_key=key.secret,
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )


def code_of(client: Any, operation: str, pool_id: str) -> str:
    """The code that an operation fails with, empty when it succeeds."""
    shape = client.meta.service_model.operation_model(operation).input_shape
    given = {"UserPoolId": pool_id} if shape and "UserPoolId" in shape.members else {}
    try:
        getattr(client, xform_name(operation))(**given)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@pytest.fixture
def pool_id(world: IamWorld) -> str:
    world.bootstrap()
    return world.pool.rpartition("/")[2]


def test_every_action_of_cognito_but_list_users_is_denied(world: IamWorld, pool_id: str) -> None:
    client = client_of(world, "cognito-idp")
    model = client.meta.service_model
    operations = list(model.operation_names)
    # Sign-up, sign-in and the like carry no signature, so no key makes a difference to them: they take a user's token,
    # or an app client's id.
    unsigned = {each for each in operations if model.operation_model(each).auth_type == "none"}
    for each in unsigned:
        assert {"AccessToken", "ClientId", "FeedbackToken"} & set(model.operation_model(each).input_shape.members), each
    codes = {each: code_of(client, each, pool_id) for each in operations if each not in unsigned}
    assert sorted(f"cognito-idp:{each}" for each in codes) == actions_of("cognito-idp")
    assert len(codes) > 90
    assert codes.pop("ListUsers") == ""
    assert set(codes.values()) == {"AccessDeniedException"}, codes


def test_list_users_on_another_pool_is_denied(world: IamWorld, pool_id: str) -> None:
    other = world.aws.create_pool("other").rpartition("/")[2]
    client = client_of(world, "cognito-idp")
    assert code_of(client, "ListUsers", pool_id) == ""
    assert code_of(client, "ListUsers", other) == "AccessDeniedException"
    neighbour = pool_id[:-1] + ("1" if pool_id.endswith("0") else "0")
    assert code_of(client, "ListUsers", neighbour) == "AccessDeniedException"


@pytest.mark.parametrize("action", OTHERS)
def test_other_services_are_denied(world: IamWorld, pool_id: str, action: str) -> None:
    service, operation = action.split(":")
    assert code_of(client_of(world, service), operation, pool_id).startswith("AccessDenied")


def test_an_inactive_key_and_a_wrong_secret_are_refused(world: IamWorld, pool_id: str) -> None:
    key = world.secret()
    wrong = world.aws.client_with("cognito-idp", key.key_id, key.secret[::-1])
    assert code_of(wrong, "ListUsers", pool_id) == "InvalidSignatureException"
    world.client("iam").update_access_key(UserName=NAME, AccessKeyId=key.key_id, Status="Inactive")
    assert code_of(client_of(world, "cognito-idp"), "ListUsers", pool_id) == "UnrecognizedClientException"


def test_a_request_without_a_key_is_refused(world: IamWorld, pool_id: str) -> None:
    session: Any = boto3.Session()
    client = session.client("cognito-idp", region_name="eu-central-1", config=Config(signature_version=UNSIGNED))
    assert code_of(client, "ListUsers", pool_id) != ""
