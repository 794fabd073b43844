"""How a synthesized stack is rewritten for the old provider: every rule, on a schema small enough to read."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from emulator.provider_downgrade import DowngradeError, Edit, rewrite

ENDPOINT = "http://127.0.0.1:5000"


def _block(attributes: str = "", **blocks: dict[str, Any]) -> dict[str, Any]:
    return {"block": {"attributes": {name: {} for name in attributes.split()}, "block_types": blocks}}


SCHEMA: dict[str, Any] = {
    "provider": _block("region", endpoints=_block("iam ecs")),
    "resource_schemas": {
        "aws_thing": _block("id arn name", part=_block("size", inner=_block("depth"))),
        "aws_security_group_rule": _block("id type"),
        "aws_sqs_queue": _block("id arn name"),
        "aws_ecs_service": _block("id", deployment_circuit_breaker=_block("enable")),
    },
    "data_source_schemas": {"aws_subnet_ids": _block("ids vpc_id"), "aws_vpc": _block("id")},
}


def _stack(**parts: Any) -> dict[str, Any]:
    return {
        "terraform": {"required_providers": {"aws": {"source": "aws", "version": "6.25.0"}}},
        "provider": {"aws": [{"region": "eu-central-1"}]},
        **parts,
    }


def _rewritten(**parts: Any) -> tuple[dict[str, Any], set[str]]:
    document, edits = rewrite(_stack(**parts), SCHEMA, ENDPOINT)
    return document, {f"{edit.what}: {edit.how}" for edit in edits if not edit.what.startswith("terraform.")}


def test_the_provider_is_pinned_and_every_service_points_at_the_emulator() -> None:
    document, edits = rewrite(_stack(), SCHEMA, ENDPOINT)

    assert document["terraform"]["required_providers"] == {"aws": {"source": "hashicorp/aws", "version": "3.39.0"}}
    assert document["provider"]["aws"][0]["endpoints"] == [{"iam": ENDPOINT, "ecs": ENDPOINT}]
    assert edits == [Edit("terraform.required_providers.aws.version", "6.25.0 -> 3.39.0")]


def test_unknown_attributes_are_left_out_at_any_depth_and_told() -> None:
    body = {
        "name": "a",
        "new": 1,
        "part": [{"size": 1, "inner": {"depth": 2, "newer": 3}}],
        "depends_on": ["aws_thing.b"],
    }
    document, edits = _rewritten(resource={"aws_thing": {"a": body, "b": {"//": {"metadata": 1}}}})

    assert document["resource"]["aws_thing"]["a"] == {
        "name": "a",
        "part": [{"size": 1, "inner": {"depth": 2}}],
        "depends_on": ["aws_thing.b"],
    }
    assert edits == {"aws_thing.new: left out", "aws_thing.part.inner.newer: left out"}


def test_the_stack_that_is_given_stays_as_it_is() -> None:
    stack = _stack(resource={"aws_thing": {"a": {"new": 1}}})
    before = copy.deepcopy(stack)
    rewrite(stack, SCHEMA, ENDPOINT)
    assert stack == before


def test_a_rule_of_a_security_group_becomes_the_older_kind_and_references_follow() -> None:
    rule = {"security_group_id": "sg", "ip_protocol": "tcp", "from_port": 443, "to_port": 443, "cidr_ipv4": "0.0.0.0/0"}
    document, edits = _rewritten(
        resource={
            "aws_vpc_security_group_egress_rule": {"out": rule},
            "aws_thing": {"a": {"name": "${aws_vpc_security_group_egress_rule.out.id}"}},
        }
    )

    assert document["resource"]["aws_thing"]["a"]["name"] == "${aws_security_group_rule.out.id}"
    assert "aws_vpc_security_group_egress_rule" not in document["resource"]
    assert "aws_vpc_security_group_egress_rule: -> aws_security_group_rule" in edits


def test_the_subnets_of_a_vpc_are_looked_up_the_older_way() -> None:
    wanted = [{"name": "vpc-id", "values": ["${data.aws_vpc.v.id}"]}]
    document, _ = _rewritten(
        data={"aws_subnets": {"all": {"filter": wanted}}, "aws_vpc": {"v": {}}},
        resource={"aws_thing": {"a": {"name": "${data.aws_subnets.all.ids}"}}},
    )
    assert document["data"]["aws_subnet_ids"]["all"] == {"vpc_id": "${data.aws_vpc.v.id}"}
    assert document["resource"]["aws_thing"]["a"]["name"] == "${data.aws_subnet_ids.all.ids}"


def test_a_renamed_attribute_is_followed_inside_of_longer_texts() -> None:
    text = '[{"url": "${aws_sqs_queue.q.url}", "plain": "aws_sqs_queue.q.url"}]'
    document, edits = _rewritten(resource={"aws_sqs_queue": {"q": {}}, "aws_thing": {"a": {"name": text}}})

    assert (
        document["resource"]["aws_thing"]["a"]["name"]
        == '[{"url": "${aws_sqs_queue.q.id}", "plain": "aws_sqs_queue.q.url"}]'
    )
    assert edits == {"aws_sqs_queue.url: -> id"}


def test_what_the_old_provider_gets_wrong_is_left_out() -> None:
    _, edits = _rewritten(resource={"aws_ecs_service": {"s": {"deployment_circuit_breaker": {"enable": True}}}})
    assert edits == {"aws_ecs_service.deployment_circuit_breaker: left out"}


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"resource": {"aws_brand_new": {"a": {}}}}, "aws_brand_new"),
        ({"resource": {"aws_thing": {"a": {"name": "${aws_thing.a.fresh}"}}}}, "aws_thing.a.fresh"),
        ({"provider": {"aws": [{"region": "x", "assume_role": []}]}}, "assume_role"),
        (
            {
                "resource": {
                    "aws_cloudwatch_query_definition": {"q": {}},
                    "aws_thing": {"a": {"name": "${aws_cloudwatch_query_definition.q.id}"}},
                }
            },
            "aws_cloudwatch_query_definition",
        ),
        ({"terraform": {"required_providers": {"random": {}}}}, "random"),
    ],
)
def test_what_nobody_decided_about_stops_the_rewriting(parts: dict[str, Any], told: str) -> None:
    with pytest.raises(DowngradeError, match=told):
        rewrite(_stack() | parts, SCHEMA, ENDPOINT)
