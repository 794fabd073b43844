"""Where the task runs and what it may reach: no way in, out to port 443, the sink's port and that of a collector.

Resources: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/vpc_security_group_egress_rule
"""

from __future__ import annotations

from dataclasses import dataclass

from stacks.bindings import (
    DataAwsSubnets,
    DataAwsVpc,
    SecurityGroup,
    TerraformStack,
    VpcSecurityGroupEgressRule,
)
from stacks.inputs import SourceInputs


@dataclass(frozen=True, kw_only=True)
class Place:
    """The network configuration of a service."""

    subnet_ids: list[str]
    security_group_ids: list[str]
    assign_public_ip: bool


class DefaultVpc:
    """The account's default VPC, looked up once per stack and only if a source needs it."""

    def __init__(self, stack: TerraformStack) -> None:
        self._stack = stack
        self._found: tuple[str, list[str]] | None = None

    def find(self) -> tuple[str, list[str]]:
        """The ids of the VPC and of its default subnets."""
        if self._found is None:
            vpc = DataAwsVpc(self._stack, "default", default=True)
            subnets = DataAwsSubnets(
                self._stack,
                "default-subnets",
                filter=[
                    {"name": "vpc-id", "values": [vpc.id]},
                    {"name": "default-for-az", "values": ["true"]},
                ],
            )
            self._found = vpc.id, subnets.ids
        return self._found


def add_network(stack: TerraformStack, source: SourceInputs, default: DefaultVpc) -> Place:
    """The source's own network, or the default VPC. Its security group unless the manifest names some."""
    network = source.network
    vpc_id, subnet_ids = (network.vpc_id, list(network.subnet_ids)) if network.vpc_id else default.find()
    groups = list(network.security_group_ids)
    if not groups:
        group = SecurityGroup(
            stack,
            f"{source.name}_egress",
            name=source.full_name,
            description=f"{source.full_name}: no way in, out to AWS and the sink",
            vpc_id=vpc_id,
        )
        sinks = {source.sink.port, *([source.dead_letter_sink.port] if source.dead_letter_sink else [])}
        for port in sorted({443, *sinks, *source.collector_ports}):
            text = (
                "AWS endpoints and the sink"
                if port == 443
                else "The sink"
                if port in sinks
                else "The traces' collector"
            )
            VpcSecurityGroupEgressRule(
                stack,
                f"{source.name}_egress-{port}",
                security_group_id=group.id,
                description=text,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                cidr_ipv4="0.0.0.0/0",
            )
        groups = [group.id]
    public = network.assign_public_ip if network.assign_public_ip is not None else network.vpc_id is None
    # In the default VPC's public subnets a task without a public address reaches nothing, its image included.
    return Place(subnet_ids=subnet_ids, security_group_ids=groups, assign_public_ip=public)
