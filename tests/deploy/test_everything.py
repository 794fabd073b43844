"""One deployment that asks for everything: all modes of credentials, a customer key, an own VPC, buses and queues.

tests/synth holds what is synthesized to the letter; here real Terraform plans, applies, plans again and destroys it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emulator.aws import EmulatedAws
from emulator.deployment import Deployment
from emulator.processes import ROOT
from emulator.task import assume, resolve_secret, task_of
from tests.synth.support import deployment as deployment_document
from tests.synth.support import manifest, source

ROLE = "arn:aws:iam::210987654321:role/reader"
UNPROTECTED = {"dynamodb": {"deletionProtection": False}}


@dataclass(frozen=True)
class DeployedWorld:
    """What was there before, and what was deployed."""

    aws: EmulatedAws
    deployment: Deployment
    outputs: dict[str, str]
    pools: dict[str, str]
    secret: str

    def definition(self, name: str) -> dict[str, Any]:
        """The task definition of a source."""
        found = self.aws.client("ecs").describe_task_definition(
            taskDefinition=self.outputs[f"{name}-task-definition-arn"]
        )["taskDefinition"]
        assert isinstance(found, dict)
        return found

    def variables(self, name: str) -> dict[str, str]:
        """The environment of a source's container."""
        (container,) = self.definition(name)["containerDefinitions"]
        return {each["name"]: each["value"] for each in container["environment"]}


def _documents(aws: EmulatedAws, pools: dict[str, str], secret: str) -> list[dict[str, Any]]:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for n, zone in enumerate(("eu-central-1a", "eu-central-1b"))
    ]
    table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]["RouteTableId"]
    private = {"vpcId": vpc, "subnetIds": subnets, "vpcEndpoints": True, "routeTableIds": [table]}
    return [
        deployment_document(
            "identity",
            tags={"team": "identity"},
            encryption={"createKey": True},
            alarms={"createTopic": True},
            containerInsights="enabled",
        ),
        source("minted", pools["minted"], state=UNPROTECTED, sink={"uri": "http://127.0.0.1:9080/users"}),
        source(
            "managed",
            pools["managed"],
            state=UNPROTECTED,
            sink={"eventBridge": {"create": "users"}},
            delivery={"deadLetterSink": {"sqs": {"create": "dead"}}, "headersSecretArn": secret},
            credentials={"mode": "terraform"},
            network=private,
        ),
        source(
            "given",
            pools["given"],
            state=UNPROTECTED,
            credentials={"mode": "existing", "secretArn": secret},
            sink={"sqs": {"create": "users.fifo"}},
        ),
        source("own", pools["own"], state=UNPROTECTED, credentials={"mode": "role"}),
    ]


@pytest.fixture(scope="module")
def world(needs_provider: None) -> Iterator[DeployedWorld]:
    home = ROOT / ".demo"
    home.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="tests-", dir=home, ignore_cleanup_errors=True) as name,
        EmulatedAws.start(log=Path(name) / "emulated-aws.log") as aws,
    ):
        aws.enforce_iam(on=True)
        pools = {each: aws.create_pool(each) for each in ("minted", "managed", "given", "own")}
        value = json.dumps({"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "given", "X-Token": "t"})
        secret = aws.client("secretsmanager").create_secret(Name="given", SecretString=value)["ARN"]
        file = Path(name) / "source.yaml"
        file.write_text(manifest(*_documents(aws, pools, secret)))
        deployment = Deployment(Path(name) / "deployment", aws, file)
        yield DeployedWorld(aws, deployment, deployment.deploy(), pools, secret)


def test_a_second_plan_changes_nothing(world: DeployedWorld) -> None:
    for _, plan in world.deployment.plan("second"):
        changes = {each["address"]: each["change"]["actions"] for each in plan.get("resource_changes", [])}
        assert {address: actions for address, actions in changes.items() if actions != ["no-op"]} == {}


def test_users_are_made_only_where_a_key_is(world: DeployedWorld) -> None:
    users = world.aws.client("iam").list_users(PathPrefix="/cognito-source/")["Users"]
    assert {each["UserName"] for each in users} == {"identity-minted-eu-central-1", "identity-managed-eu-central-1"}


@pytest.mark.parametrize("name", ["minted", "managed"])
def test_the_key_in_the_secret_lists_the_users_of_its_pool(world: DeployedWorld, name: str) -> None:
    reader = assume(world.aws, world.definition(name)["executionRoleArn"]).client(world.aws, "secretsmanager")
    arn = world.outputs[f"{name}-secret-arn"]
    key, secret = (resolve_secret(reader, f"{arn}:{each}::") for each in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    pool_id = world.pools[name].rpartition("/")[2]
    assert world.aws.client_with("cognito-idp", key, secret).list_users(UserPoolId=pool_id)["Users"] == []


def test_every_secret_of_a_task_can_be_read_by_its_execution_role(world: DeployedWorld) -> None:
    for name in world.pools:
        with task_of(world.aws, world.outputs[f"{name}-task-definition-arn"]) as task:
            has_key = "AWS_SECRET_ACCESS_KEY" in task.environment
            assert has_key == (name != "own")
            assert ("DELIVERY_HEADERS" in task.environment) == (name == "managed")


def test_without_a_user_the_task_role_lists_the_users_itself(world: DeployedWorld) -> None:
    role = assume(world.aws, world.definition("own")["taskRoleArn"])
    pool_id = world.pools["own"].rpartition("/")[2]
    assert role.client(world.aws, "cognito-idp").list_users(UserPoolId=pool_id)["Users"] == []


def test_task_roles_may_send_to_their_own_sinks(world: DeployedWorld) -> None:
    role = assume(world.aws, world.definition("managed")["taskRoleArn"])
    bus = world.variables("managed")["K_SINK"]
    entry = {"EventBusName": bus, "Source": "a", "DetailType": "b", "Detail": "{}"}
    assert role.client(world.aws, "events").put_events(Entries=[entry])["FailedEntryCount"] == 0
    dead = world.variables("managed")["DELIVERY_DEAD_LETTER_SINK"]
    assert dead.endswith(":dead")
    role = assume(world.aws, world.definition("given")["taskRoleArn"])
    queue = role.client(world.aws, "sqs")
    url = world.outputs["sink_queue_users_fifo_url"]
    assert queue.send_message(QueueUrl=url, MessageBody="{}", MessageGroupId="g", MessageDeduplicationId="d")[
        "MessageId"
    ]


def test_one_key_encrypts_secrets_logs_tables_queues_and_alarms(world: DeployedWorld) -> None:
    key, aws = world.outputs["key-arn"], world.aws
    table = aws.client("dynamodb").describe_table(TableName="identity-minted")["Table"]
    assert table["SSEDescription"]["KMSMasterKeyArn"] == key
    (group,) = aws.client("logs").describe_log_groups(logGroupNamePrefix="/identity/minted")["logGroups"]
    assert group["kmsKeyId"] == key
    secret = aws.client("secretsmanager").describe_secret(SecretId=world.outputs["minted-secret-arn"])
    assert secret["KmsKeyId"] == key
    queue = aws.client("sqs").get_queue_attributes(
        QueueUrl=world.outputs["sink_queue_dead_url"], AttributeNames=["All"]
    )
    assert queue["Attributes"]["KmsMasterKeyId"] == key
    topic = aws.client("sns").get_topic_attributes(TopicArn=world.outputs["alarm-topic-arn"])
    assert topic["Attributes"]["KmsMasterKeyId"] == key


def test_the_private_network_has_its_endpoints_and_no_public_address(world: DeployedWorld) -> None:
    services = world.aws.client("ecs").describe_services(
        cluster="identity", services=["identity-managed", "identity-minted"]
    )["services"]
    networks = {each["serviceName"]: each["networkConfiguration"]["awsvpcConfiguration"] for each in services}
    assert networks["identity-managed"]["assignPublicIp"] == "DISABLED"
    assert networks["identity-minted"]["assignPublicIp"] == "ENABLED"
    endpoints = world.aws.client("ec2").describe_vpc_endpoints()["VpcEndpoints"]
    assert len(endpoints) == 10


def test_destroy_leaves_only_what_was_there_before(world: DeployedWorld) -> None:
    world.deployment.destroy()
    assert world.deployment.resources() == []
    aws = world.aws
    assert aws.client("iam").list_users()["Users"] == []
    assert aws.client("dynamodb").list_tables()["TableNames"] == []
    assert [each["ARN"] for each in aws.client("secretsmanager").list_secrets()["SecretList"]] == [world.secret]
