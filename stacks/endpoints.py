"""Private ways from a VPC to the AWS services that the adapter calls, for subnets without a NAT gateway.

Resource: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/vpc_endpoint
Cognito's endpoint: https://docs.aws.amazon.com/cognito/latest/developerguide/vpc-interface-endpoints.html
"""

from __future__ import annotations

from stacks.bindings import (
    SecurityGroup,
    TerraformStack,
    VpcEndpoint,
    VpcSecurityGroupIngressRule,
)
from stacks.inputs import Inputs, SourceInputs
from stacks.names import fit

#: Needed by every task: its image, its secrets, its logs, Cognito, and STS for roles.
_INTERFACES = ("cognito-idp", "ecr.api", "ecr.dkr", "logs", "secretsmanager", "sts")
#: Free of charge; image layers come from S3.
_GATEWAYS = ("dynamodb", "s3")


def add_endpoints(stack: TerraformStack, inputs: Inputs, groups: dict[str, list[str]]) -> None:
    """One set of endpoints for each VPC of a source that asks for them.

    Args:
        stack: where to add them.
        inputs: the deployment.
        groups: for each source, the security groups of its task: what may call the endpoints.
    """
    vpcs: dict[str, list[SourceInputs]] = {}
    for source in inputs.sources:
        if source.network.vpc_endpoints and source.network.vpc_id:
            vpcs.setdefault(source.network.vpc_id, []).append(source)
    for vpc_id, sources in vpcs.items():
        _endpoints(stack, inputs, vpc_id, sources, groups)


def _endpoints(
    stack: TerraformStack, inputs: Inputs, vpc_id: str, sources: list[SourceInputs], groups: dict[str, list[str]]
) -> None:
    prefix = vpc_id.replace("-", "_")
    group = SecurityGroup(
        stack,
        f"{prefix}-endpoints",
        name=fit(f"{inputs.name}-endpoints-{vpc_id}", 255),
        description="Lets the adapter's tasks call AWS endpoints inside the VPC",
        vpc_id=vpc_id,
    )
    for source in sources:
        for number, task_group in enumerate(groups[source.name]):
            VpcSecurityGroupIngressRule(
                stack,
                f"{prefix}-endpoints-from-{source.name}-{number}",
                security_group_id=group.id,
                description=f"Tasks of {source.full_name}",
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                referenced_security_group_id=task_group,
            )
    subnets = sorted({subnet for source in sources for subnet in source.network.subnet_ids})
    kinds = {each.kind for source in sources for each in (source.sink, source.dead_letter_sink) if each}
    more = [name for kind, name in (("bus", "events"), ("queue", "sqs")) if kind in kinds]
    for service in sorted((*_INTERFACES, *more)):
        VpcEndpoint(
            stack,
            f"{prefix}-{service.replace('.', '-')}",
            vpc_id=vpc_id,
            service_name=f"com.amazonaws.{inputs.region}.{service}",
            vpc_endpoint_type="Interface",
            private_dns_enabled=True,
            subnet_ids=subnets,
            security_group_ids=[group.id],
        )
    tables = sorted({table for source in sources for table in source.network.route_table_ids})
    for service in _GATEWAYS:
        VpcEndpoint(
            stack,
            f"{prefix}-{service}",
            vpc_id=vpc_id,
            service_name=f"com.amazonaws.{inputs.region}.{service}",
            vpc_endpoint_type="Gateway",
            route_table_ids=tables,
        )
