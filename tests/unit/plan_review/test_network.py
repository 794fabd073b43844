"""Who can reach what after a plan, and what it costs."""

from __future__ import annotations

from typing import Any

import pytest

from plan_review.report import Review
from plan_review.sentences import flow_sentence
from tests.unit.plan_review.support import gate, kept, load, plan, resource, review

#: The four parts of a bucket's protection; what isn't set is off.
_BLOCKS = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")


def flows(found: Review) -> list[str]:
    return [flow_sentence(f) for f in found.flows]


def rule(port: int, **peer: Any) -> dict[str, Any]:
    return {"from_port": port, "to_port": port, "protocol": "tcp", **peer}


def test_inline_rules_of_a_security_group_are_told() -> None:
    group = {
        "name": "web",
        "ingress": [
            rule(443, cidr_blocks=["0.0.0.0/0"], ipv6_cidr_blocks=["::/0"]),
            rule(22, security_groups=["sg-1"]),
        ],
        "egress": [{"from_port": 0, "to_port": 0, "protocol": "-1", "cidr_blocks": ["10.0.0.0/8"]}],
    }
    found = review(plan(resource("aws_security_group.g", after=group)))
    assert flows(found) == [
        "anyone -> web: tcp 443",
        "anyone -> web: tcp 443",
        "security group sg-1 -> web: tcp 22",
        "web -> 10.0.0.0/8: all traffic",
    ]
    assert not gate(found, "no-public").passed


def test_rules_of_the_older_rule_resource_are_told_with_their_group() -> None:
    found = review(
        plan(
            resource("aws_security_group.g", after={"name": "web"}, unknown={"id": True}),
            resource(
                "aws_security_group_rule.r",
                after={
                    "type": "ingress",
                    "from_port": 80,
                    "to_port": 90,
                    "protocol": "6",
                    "cidr_blocks": ["10.0.0.0/8"],
                },
                unknown={"security_group_id": True},
            ),
            expressions={
                "aws_security_group_rule.r": {"security_group_id": {"references": ["aws_security_group.g.id"]}}
            },
        )
    )
    assert flows(found) == ["10.0.0.0/8 -> web: tcp 80-90"]
    assert gate(found, "no-public").passed


def test_rules_of_the_newer_rule_resources_are_told_with_their_group() -> None:
    common = {"security_group_id": "sg-1", "from_port": 443, "to_port": 443, "ip_protocol": "tcp"}
    found = review(
        plan(
            kept("aws_security_group.g", {"name": "web", "id": "sg-1"}),
            resource("aws_vpc_security_group_ingress_rule.i", after={**common, "cidr_ipv4": "0.0.0.0/0"}),
            resource("aws_vpc_security_group_egress_rule.e", after={**common, "referenced_security_group_id": "sg-2"}),
        )
    )
    assert flows(found) == ["anyone -> web: tcp 443", "web -> security group sg-2: tcp 443"]
    assert not gate(found, "no-public").passed


def test_egress_to_anywhere_is_told_but_is_no_exposure() -> None:
    found = review(load("create.json"))
    assert flows(found) == ["cognito-source-adapter -> anywhere: tcp 443"]
    assert gate(found, "no-public").passed


def test_a_public_address_alone_is_told_but_is_no_exposure() -> None:
    assert review(load("create.json")).network.public_addresses == ("the tasks of aws_ecs_service.adapter",)


def test_a_peer_that_is_unknown_before_apply_is_not_taken_for_private() -> None:
    group = {"name": "web", "ingress": [{**rule(443), "cidr_blocks": [None]}]}
    found = review(plan(resource("aws_security_group.g", after=group, unknown={"ingress": [{"cidr_blocks": [True]}]})))
    (reason,) = gate(found, "no-public").reasons
    assert "not certain before apply" in reason


def test_an_exposure_that_was_there_before_is_told_as_such() -> None:
    group = {"name": "web", "ingress": [rule(443, cidr_blocks=["0.0.0.0/0"])]}
    found = review(plan(kept("aws_security_group.g", group)))
    assert found.public[0].already
    assert "as before this plan" in gate(found, "no-public").reasons[0]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("aws_lb", {"internal": False, "load_balancer_type": "application"}),
        ("aws_s3_bucket_acl", {"acl": "public-read"}),
        ("aws_s3_bucket_public_access_block", {"block_public_policy": False}),
        ("aws_db_instance", {"publicly_accessible": True}),
        ("aws_lambda_function_url", {"authorization_type": "NONE"}),
        ("aws_eks_cluster", {"vpc_config": [{"endpoint_public_access": True}]}),
        ("aws_cloudfront_distribution", {"enabled": True}),
        ("aws_ecrpublic_repository", {"repository_name": "x"}),
    ],
)
def test_what_faces_the_internet_by_itself_is_public(kind: str, value: dict[str, Any]) -> None:
    assert not gate(review(plan(resource(f"{kind}.x", after=value))), "no-public").passed


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("aws_lb", {"internal": True}),
        ("aws_s3_bucket", {"bucket": "b", "acl": "private"}),
        ("aws_s3_bucket_public_access_block", dict.fromkeys(_BLOCKS, True)),
        ("aws_db_instance", {"publicly_accessible": False}),
        ("aws_lambda_function_url", {"authorization_type": "AWS_IAM"}),
        ("aws_eks_cluster", {"vpc_config": [{"endpoint_public_access": False}]}),
    ],
)
def test_what_stays_inside_is_not_public(kind: str, value: dict[str, Any]) -> None:
    assert gate(review(plan(resource(f"{kind}.x", after=value))), "no-public").passed


def test_a_public_thing_that_is_destroyed_is_public_no_longer() -> None:
    found = review(plan(resource("aws_lb.x", "delete", before={"internal": False})))
    assert gate(found, "no-public").passed


def cost_of(found: Review, address: str) -> float:
    (line,) = [x for x in found.cost.lines if x.address == address]
    return line.after


def test_a_fargate_service_costs_its_tasks_size_for_a_month() -> None:
    found = review(load("create.json"))
    # 0.25 vCPU and 0.5 GB on ARM64, and one public IPv4 address, 730 hours.
    assert cost_of(found, "aws_ecs_service.adapter") == pytest.approx((0.25 * 0.03238 + 0.5 * 0.00356 + 0.005) * 730)


def test_the_difference_to_before_is_told() -> None:
    found = review(load("change.json"))
    assert found.cost.before == pytest.approx(15.20, abs=0.01)
    assert found.cost.after > found.cost.before
    (line,) = [x for x in found.cost.lines if x.address == "aws_sqs_queue.dead"]
    assert (line.before, line.after) == (0.40, 0.0)


@pytest.mark.parametrize(
    ("kind", "value", "usd"),
    [
        ("aws_vpc_endpoint", {"vpc_endpoint_type": "Interface", "subnet_ids": ["a", "b"]}, 14.60),
        ("aws_nat_gateway", {"subnet_id": "a"}, 37.35),
        ("aws_cloudwatch_metric_alarm", {"period": 60}, 0.10),
        (
            "aws_cloudwatch_metric_alarm",
            {"metric_query": [{"metric": [{}]}, {"metric": [{}]}, {"expression": "x"}]},
            0.20,
        ),
        ("aws_cloudwatch_dashboard", {}, 3.00),
        ("aws_secretsmanager_secret", {}, 0.45),
        ("aws_dynamodb_table", {"billing_mode": "PROVISIONED", "read_capacity": 5, "write_capacity": 5}, 3.097),
        ("aws_ecs_cluster", {"setting": [{"name": "containerInsights", "value": "enabled"}]}, 3.90),
        ("aws_lb", {"internal": True}, 16.425),
    ],
)
def test_what_one_object_costs(kind: str, value: dict[str, Any], usd: float) -> None:
    assert cost_of(review(plan(resource(f"{kind}.x", after=value))), f"{kind}.x") == pytest.approx(usd, abs=0.001)


def test_a_gateway_endpoint_is_free_and_what_has_no_price_is_named() -> None:
    found = review(
        plan(
            resource("aws_vpc_endpoint.x", after={"vpc_endpoint_type": "Gateway"}),
            resource("aws_db_instance.d", after={"instance_class": "db.t4g.micro"}),
        )
    )
    assert found.cost.lines == ()
    assert found.cost.not_priced == ("aws_db_instance.d",)


def test_every_line_of_the_estimate_states_its_basis() -> None:
    assert all(line.basis for line in review(load("change.json")).cost.lines)
