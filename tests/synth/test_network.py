"""What the task may reach, and what may reach it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.synth.support import ARN, Stack, deployment, source
from tests.synth.test_stacks import FULL

Synthesize = Callable[..., Stack]
OWN: dict[str, Any] = {"vpcId": "vpc-0123", "subnetIds": ["subnet-01", "subnet-02"]}


def egress_ports(stack: Stack) -> list[int]:
    return sorted(rule["from_port"] for rule in stack.all("aws_vpc_security_group_egress_rule").values())


def test_there_is_no_way_in(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(source())
    assert not stack.all("aws_vpc_security_group_ingress_rule")
    assert not stack.all("aws_security_group_rule")
    for group in stack.all("aws_security_group").values():
        assert not {"ingress", "egress"} & set(group)


def test_the_task_reaches_443_and_the_port_of_its_sink(adapter_stack: Synthesize) -> None:
    assert egress_ports(adapter_stack(source())) == [443]
    assert egress_ports(adapter_stack(source(sink={"uri": "http://example.com"}))) == [80, 443]
    assert egress_ports(adapter_stack(source(sink={"uri": "https://example.com:8443"}))) == [443, 8443]
    dead = {"deadLetterSink": {"uri": "http://example.com:9000"}}
    assert egress_ports(adapter_stack(source(delivery=dead))) == [443, 9000]
    assert egress_ports(adapter_stack(source(sink={"sqs": {"create": "users"}}))) == [443]
    for rule in adapter_stack(source()).all("aws_vpc_security_group_egress_rule").values():
        assert (rule["ip_protocol"], rule["from_port"]) == ("tcp", rule["to_port"])


def test_the_task_reaches_the_collector_that_it_sends_traces_to(adapter_stack: Synthesize) -> None:
    def ports(value: str) -> list[int]:
        env = [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": value}]
        return egress_ports(adapter_stack(source(adapterOverrides={"env": env})))

    assert ports("http://collector.internal:4318") == [443, 4318]
    assert ports("https://collector.example.com") == [443]
    assert ports("http://localhost:4318") == [443]
    assert ports("nonsense") == [443]


def test_out_of_the_box_it_runs_in_the_default_vpc(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(source())
    assert stack.all("data.aws_vpc") == {"default": {"default": True}}
    assert stack.one("data.aws_subnets")["filter"] == [
        {"name": "vpc-id", "values": ["${data.aws_vpc.default.id}"]},
        {"name": "default-for-az", "values": ["true"]},
    ]
    assert stack.one("aws_ecs_service")["network_configuration"] == {
        "assign_public_ip": True,
        "security_groups": ["${aws_security_group.customers_egress.id}"],
        "subnets": "${data.aws_subnets.default-subnets.ids}",
    }


def test_in_a_vpc_of_the_manifest_it_has_no_public_address(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(source(network=OWN))
    assert not stack.all("data.aws_vpc")
    assert stack.one("aws_security_group")["vpc_id"] == "vpc-0123"
    assert stack.one("aws_ecs_service")["network_configuration"] == {
        "assign_public_ip": False,
        "security_groups": ["${aws_security_group.customers_egress.id}"],
        "subnets": ["subnet-01", "subnet-02"],
    }


def test_given_security_groups_are_used_and_none_is_made(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(source(network={**OWN, "securityGroupIds": ["sg-01"], "assignPublicIp": True}))
    assert not stack.all("aws_security_group")
    network = stack.one("aws_ecs_service")["network_configuration"]
    assert (network["security_groups"], network["assign_public_ip"]) == (["sg-01"], True)


def test_the_network_of_the_deployment_is_that_of_sources_without_one(adapter_stack: Synthesize) -> None:
    other = {"vpcId": "vpc-0456", "subnetIds": ["subnet-09"]}
    stack = adapter_stack(
        deployment(network=OWN), source(), source("staff", ARN.replace("AbCdEfGhI", "Staff"), network=other)
    )
    services = stack.all("aws_ecs_service")
    assert services["customers_service"]["network_configuration"]["subnets"] == ["subnet-01", "subnet-02"]
    assert services["staff_service"]["network_configuration"]["subnets"] == ["subnet-09"]


def test_endpoints_cover_what_the_task_calls_and_let_only_the_task_in(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(*FULL)
    endpoints = stack.all("aws_vpc_endpoint").values()
    services = {each["service_name"].removeprefix("com.amazonaws.eu-central-1.") for each in endpoints}
    assert services == {
        *("cognito-idp", "ecr.api", "ecr.dkr", "logs", "secretsmanager", "sts"),
        *("events", "sqs", "dynamodb", "s3"),
    }
    for each in endpoints:
        if each["vpc_endpoint_type"] == "Gateway":
            assert each["route_table_ids"] == ["rtb-01"]
        else:
            assert each["private_dns_enabled"] is True
            assert each["subnet_ids"] == ["subnet-01", "subnet-02"]
    (rule,) = stack.all("aws_vpc_security_group_ingress_rule").values()
    assert rule["referenced_security_group_id"] == "${aws_security_group.customers_egress.id}"
    assert (rule["from_port"], rule["to_port"]) == (443, 443)
    assert not {"cidr_ipv4", "cidr_ipv6"} & set(rule)
