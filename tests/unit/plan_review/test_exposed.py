"""What faces the internet by what it is, guards that go, pieces that hold much of the internet, and other clouds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plan_review.findings.unjudged import Question
from plan_review.report import Review
from plan_review.sentences import grant_sentence
from plan_review.verdict import findings
from tests.unit.plan_review.support import gate, kept, plan, resource, review

_ALL_ON = dict.fromkeys(
    ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"), True
)


def created(kind: str, **values: Any) -> Review:
    return review(plan(resource(f"{kind}.x", after=values)))


def reasons(found: Review) -> str:
    return "\n".join(gate(found, "no-public").reasons)


OPEN: list[tuple[str, dict[str, Any]]] = [
    ("aws_rds_cluster_instance", {"publicly_accessible": True}),
    ("aws_neptune_cluster_instance", {"publicly_accessible": True}),
    ("aws_redshiftserverless_workgroup", {"publicly_accessible": True}),
    ("aws_timestreaminfluxdb_db_instance", {"publicly_accessible": True}),
    ("aws_lightsail_database", {"publicly_accessible": True}),
    ("aws_neptunegraph_graph", {"public_connectivity": True}),
    (
        "aws_msk_cluster",
        {"broker_node_group_info": [{"connectivity_info": [{"public_access": [{"type": "SERVICE_PROVIDED_EIPS"}]}]}]},
    ),
    ("aws_apprunner_service", {"service_name": "s"}),
    (
        "aws_apprunner_service",
        {"network_configuration": [{"ingress_configuration": [{"is_publicly_accessible": True}]}]},
    ),
    ("aws_opensearch_domain", {"domain_name": "d"}),
    ("aws_elasticsearch_domain", {"domain_name": "d"}),
    (
        "aws_opensearchserverless_security_policy",
        {"type": "network", "policy": json.dumps([{"AllowFromPublic": True}])},
    ),
    ("aws_transfer_server", {"endpoint_type": "PUBLIC"}),
    ("aws_transfer_server", {}),
    ("aws_transfer_server", {"endpoint_type": "VPC", "endpoint_details": [{"address_allocation_ids": ["eipalloc-1"]}]}),
    ("aws_lightsail_instance_public_ports", {"port_info": [{"from_port": 22, "to_port": 22, "cidrs": ["0.0.0.0/0"]}]}),
    ("aws_lightsail_instance_public_ports", {"port_info": [{"from_port": 22, "to_port": 22}]}),
    ("aws_lightsail_instance", {"name": "i"}),
    ("aws_lambda_function_url", {"function_name": "f", "authorization_type": "NONE"}),
    ("aws_apigatewayv2_route", {"route_key": "GET /"}),
    ("aws_appsync_graphql_api", {"authentication_type": "API_KEY"}),
    ("aws_cognito_identity_pool", {"allow_unauthenticated_identities": True}),
    ("aws_cognito_user_pool", {"name": "p"}),
    ("aws_codebuild_project", {"project_visibility": "PUBLIC_READ"}),
    ("aws_eks_node_group", {"remote_access": [{"ec2_ssh_key": "k"}]}),
    ("aws_eks_cluster", {"vpc_config": [{"public_access_cidrs": ["0.0.0.0/1", "128.0.0.0/1"]}]}),
    ("aws_mwaa_environment", {"webserver_access_mode": "PUBLIC_ONLY"}),
    ("aws_s3_account_public_access_block", {"block_public_acls": True}),
    ("aws_ebs_snapshot_block_public_access", {"state": "unblocked"}),
    ("aws_ec2_image_block_public_access", {"state": "unblocked"}),
    (
        "aws_ssm_service_setting",
        {"setting_id": "/ssm/documents/console/public-sharing-permission", "setting_value": "Enable"},
    ),
    ("aws_ec2_managed_prefix_list", {"name": "l", "entry": [{"cidr": "0.0.0.0/1"}, {"cidr": "128.0.0.0/1"}]}),
    ("aws_db_security_group", {"ingress": [{"cidr": "0.0.0.0/0"}]}),
    ("aws_workspaces_ip_group", {"rules": [{"source": "0.0.0.0/0"}]}),
    ("azurerm_network_security_rule", {"access": "Allow", "direction": "Inbound", "source_address_prefix": "Internet"}),
    (
        "azurerm_network_security_group",
        {"security_rule": [{"access": "Allow", "direction": "Inbound", "source_address_prefix": "*"}]},
    ),
    (
        "google_compute_firewall",
        {"direction": "INGRESS", "allow": [{"protocol": "tcp"}], "source_ranges": ["0.0.0.0/0"]},
    ),
    ("google_compute_firewall", {"allow": [{"protocol": "tcp"}]}),
    ("google_storage_bucket_iam_member", {"bucket": "b", "role": "roles/storage.objectViewer", "member": "allUsers"}),
]

CLOSED: list[tuple[str, dict[str, Any]]] = [
    ("aws_rds_cluster_instance", {"publicly_accessible": False}),
    (
        "aws_apprunner_service",
        {"network_configuration": [{"ingress_configuration": [{"is_publicly_accessible": False}]}]},
    ),
    ("aws_opensearchserverless_security_policy", {"type": "encryption", "policy": "{}"}),
    (
        "aws_opensearchserverless_security_policy",
        {"type": "network", "policy": json.dumps([{"AllowFromPublic": False}])},
    ),
    ("aws_transfer_server", {"endpoint_type": "VPC", "endpoint_details": [{"vpc_id": "vpc-1"}]}),
    (
        "aws_lightsail_instance_public_ports",
        {"port_info": [{"from_port": 22, "to_port": 22, "cidrs": ["203.0.113.0/24"]}]},
    ),
    ("aws_lambda_function_url", {"function_name": "f", "authorization_type": "AWS_IAM"}),
    ("aws_cognito_user_pool", {"admin_create_user_config": [{"allow_admin_create_user_only": True}]}),
    ("aws_eks_node_group", {"remote_access": [{"ec2_ssh_key": "k", "source_security_group_ids": ["sg-1"]}]}),
    ("aws_eks_cluster", {"vpc_config": [{"endpoint_public_access": False}]}),
    ("aws_eks_cluster", {"vpc_config": [{"public_access_cidrs": ["203.0.113.0/24"]}]}),
    ("aws_s3_account_public_access_block", _ALL_ON),
    ("aws_s3_bucket_ownership_controls", {"bucket": "b", "rule": [{"object_ownership": "BucketOwnerEnforced"}]}),
    ("aws_ec2_managed_prefix_list", {"name": "l", "entry": [{"cidr": "203.0.113.0/24"}]}),
    ("aws_opensearch_domain", {"vpc_options": [{"subnet_ids": ["subnet-1"]}]}),
    (
        "azurerm_network_security_rule",
        {"access": "Allow", "direction": "Inbound", "source_address_prefix": "10.0.0.0/8"},
    ),
    ("azurerm_network_security_rule", {"access": "Deny", "direction": "Inbound", "source_address_prefix": "*"}),
    ("azurerm_network_security_rule", {"access": "Allow", "direction": "Outbound", "source_address_prefix": "*"}),
    ("google_compute_firewall", {"allow": [{"protocol": "tcp"}], "source_tags": ["web"]}),
    ("google_compute_firewall", {"deny": [{"protocol": "all"}], "source_ranges": ["0.0.0.0/0"]}),
    ("google_project_iam_member", {"project": "p", "role": "roles/viewer", "member": "user:ann@example.com"}),
]


@pytest.mark.parametrize(("kind", "values"), OPEN)
def test_what_faces_the_internet_is_public(kind: str, values: dict[str, Any]) -> None:
    found = created(kind, **values)
    assert f"{kind}.x" in reasons(found)
    assert not found.lacks(Question.NETWORK)


@pytest.mark.parametrize(("kind", "values"), CLOSED)
def test_what_is_closed_passes(kind: str, values: dict[str, Any]) -> None:
    assert reasons(created(kind, **values)) == ""


@pytest.mark.parametrize(
    ("kind", "attribute"),
    [
        ("aws_db_instance", "publicly_accessible"),
        ("aws_lambda_function_url", "authorization_type"),
        ("aws_s3_bucket_public_access_block", "block_public_acls"),
        ("aws_transfer_server", "endpoint_type"),
        ("aws_cognito_identity_pool", "allow_unauthenticated_identities"),
    ],
)
def test_what_is_not_known_yet_fails(kind: str, attribute: str) -> None:
    values = dict(_ALL_ON) if kind.endswith("_access_block") else {}
    values.pop(attribute, None)
    found = review(plan(resource(f"{kind}.x", after=values, unknown={attribute: True})))
    assert "not known yet" in reasons(found)


# --- guards -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("aws_s3_bucket_public_access_block", {"bucket": "b", **_ALL_ON}),
        ("aws_s3_account_public_access_block", _ALL_ON),
        ("aws_ebs_snapshot_block_public_access", {"state": "block-all-sharing"}),
        ("aws_vpc_block_public_access_options", {"internet_gateway_block_mode": "block-bidirectional"}),
        ("aws_emr_block_public_access_configuration", {"block_public_security_group_rules": True}),
        ("aws_wafv2_web_acl_association", {"resource_arn": "arn:lb", "web_acl_arn": "arn:acl"}),
    ],
)
def test_a_guard_that_goes_opens(kind: str, values: dict[str, Any]) -> None:
    gone = review(plan(resource(f"{kind}.x", "delete", before=values)))
    assert "the protection is removed" in reasons(gone)
    assert reasons(review(plan(kept(f"{kind}.x", values)))) == ""
    assert reasons(review(plan(resource(f"{kind}.x", "forget", before=values)))) == ""


def test_a_guard_that_goes_with_its_bucket_opens_nothing() -> None:
    found = review(
        plan(
            resource("aws_s3_bucket.b", "delete", before={"bucket": "b", "id": "b"}),
            resource("aws_s3_bucket_public_access_block.b", "delete", before={"bucket": "b", **_ALL_ON}),
        )
    )
    assert reasons(found) == ""


def test_a_part_of_a_guard_that_is_lifted_is_named() -> None:
    found = review(
        plan(
            resource(
                "aws_s3_bucket_public_access_block.b",
                "update",
                before={"bucket": "b", **_ALL_ON},
                after={"bucket": "b", **_ALL_ON, "block_public_policy": False},
            )
        )
    )
    assert "is off (block_public_policy)" in reasons(found)


# --- security groups --------------------------------------------------------------------------------------------------


def rule(name: str, **values: Any) -> dict[str, Any]:
    ports = {"type": "ingress", "protocol": "tcp", "from_port": 22, "to_port": 22, "security_group_id": "sg-1"}
    return resource(f"aws_security_group_rule.{name}", after={**ports, **values})


@pytest.mark.parametrize(
    "rules",
    [
        [rule("a", cidr_blocks=["0.0.0.0/1", "128.0.0.0/1"])],
        [rule("a", cidr_blocks=["0.0.0.0/1"]), rule("b", cidr_blocks=["128.0.0.0/1"])],
        [rule(f"r{n}", cidr_blocks=[f"{n * 16}.0.0.0/4"]) for n in range(16)],
        [rule("a", ipv6_cidr_blocks=["2000::/3"])],
        [rule("a", ipv6_cidr_blocks=["::/0"])],
        [rule("a", cidr_blocks=["64.0.0.0/2"])],
    ],
)
def test_pieces_of_the_internet_are_as_open_as_all_of_it(rules: list[dict[str, Any]]) -> None:
    found = review(plan(*rules))
    assert len(gate(found, "no-public").reasons) == len(found.flows)
    assert all(flow.public for flow in found.flows)


def test_a_host_beside_a_wide_opening_is_not_called_open() -> None:
    found = review(plan(rule("a", cidr_blocks=["0.0.0.0/0", "10.0.0.0/8", "203.0.113.7/32"])))
    assert [f.peer for f in found.flows if f.public] == ["anyone"]


def test_a_prefix_list_is_what_it_holds() -> None:
    everything = resource("aws_ec2_managed_prefix_list.l", after={"id": "pl-1", "entry": [{"cidr": "10.0.0.0/8"}]})
    more = resource("aws_ec2_managed_prefix_list_entry.e", after={"prefix_list_id": "pl-1", "cidr": "0.0.0.0/0"})
    by_list = rule("a", prefix_list_ids=["pl-1"])
    assert "anyone may reach sg-1" in reasons(review(plan(everything, more, by_list)))
    assert reasons(review(plan(everything, by_list))) == ""
    unseen = reasons(review(plan(by_list)))
    assert "prefix list pl-1 may reach sg-1 by tcp 22 (not certain before apply)" in unseen


@pytest.mark.parametrize(
    "reference",
    [
        ["aws_vpc_endpoint.s3.prefix_list_id", "aws_vpc_endpoint.s3"],
        ["data.aws_ec2_managed_prefix_list.s3.id", "data.aws_ec2_managed_prefix_list.s3"],
    ],
)
def test_a_list_of_one_service_of_aws_is_no_question(reference: list[str]) -> None:
    """https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html."""
    expressions = {
        "aws_security_group_rule.a": {"prefix_list_ids": {"references": reference}},
        "aws_vpc_endpoint.s3": {},
        "data.aws_ec2_managed_prefix_list.s3": {"name": {"constant_value": "com.amazonaws.eu-central-1.s3"}},
    }
    endpoint = kept("aws_vpc_endpoint.s3", {"prefix_list_id": "pl-1", "policy": None})
    found = review(plan(endpoint, rule("a", prefix_list_ids=["pl-1"]), expressions=expressions))
    assert reasons(found) == ""


def test_lists_count_again_when_a_bucket_of_before_changes_its_owner_rule() -> None:
    preferred = {"bucket": "b", "rule": [{"object_ownership": "BucketOwnerPreferred"}]}
    enforced = {"bucket": "b", "rule": [{"object_ownership": "BucketOwnerEnforced"}]}
    opened = resource("aws_s3_bucket_ownership_controls.b", "update", before=enforced, after=preferred)
    assert "access control lists" in reasons(review(plan(opened)))
    assert reasons(review(plan(kept("aws_s3_bucket_ownership_controls.b", preferred)))) == ""
    new = resource("aws_s3_bucket.b", after={"bucket": "b"})
    assert reasons(review(plan(new, resource("aws_s3_bucket_ownership_controls.b", after=preferred)))) == ""


def test_a_listener_of_a_load_balancer_outside_of_the_plan_is_not_certain() -> None:
    listener = resource("aws_lb_listener.l", after={"load_balancer_arn": "arn:lb", "port": 443})
    assert "isn't in the plan" in reasons(review(plan(listener)))
    inside = kept("aws_lb.b", {"arn": "arn:lb", "internal": True})
    assert reasons(review(plan(listener, inside))) == ""


def test_what_joins_networks_is_told_and_opens_nothing_to_the_internet() -> None:
    values = {"vpc_id": "vpc-1", "peer_vpc_id": "vpc-2", "peer_owner_id": "123456789012"}
    found = created("aws_vpc_peering_connection", **values)
    assert [link.what for link in found.network.links] == ["joins vpc-1 with vpc-2 of account 123456789012"]
    assert [f.label for f in findings(found)] == ["networks"]
    assert reasons(found) == ""
    assert findings(review(plan(kept("aws_vpc_peering_connection.x", values)))) == []


# --- other clouds -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        (
            "azurerm_role_assignment",
            {"role_definition_name": "Owner", "principal_id": "p", "scope": "/subscriptions/1"},
            "p may (Owner) on /subscriptions/1",
        ),
        (
            "google_project_iam_member",
            {"project": "p", "role": "roles/owner", "member": "user:ann@example.com"},
            "user:ann@example.com may (roles/owner) on p",
        ),
        (
            "google_folder_iam_binding",
            {"folder": "f", "role": "roles/editor", "members": ["group:a@example.com"]},
            "group:a@example.com may (roles/editor) on f",
        ),
        (
            "google_storage_bucket_iam_policy",
            {"bucket": "b", "policy_data": json.dumps({"bindings": [{"role": "roles/x", "members": ["allUsers"]}]})},
            "anyone may (roles/x) on b",
        ),
    ],
)
def test_the_commonest_rights_of_other_clouds_are_read(kind: str, values: dict[str, Any], said: str) -> None:
    found = created(kind, **values)
    assert [grant_sentence(g) for g in found.widening] == [said]
    assert found.unjudged == ()
    assert not gate(found, "no-iam-widening").passed
    assert gate(review(plan(kept(f"{kind}.x", values))), "no-iam-widening").passed
