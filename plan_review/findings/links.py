"""What joins networks without letting the internet in (peerings, tunnels, routes, endpoints), and public addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from plan_review.findings.declared import at_path, filled
from plan_review.plan.model import World
from plan_review.plan.values import Hidden, Unknown, get


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLink:
    """A way between networks, or a route to one."""

    plan: str
    address: str
    what: str
    #: It leads to other networks: of other accounts, of an office, of clients. Routes and endpoints only use such ways.
    loud: bool
    #: It was there before.
    kept: bool = False


_ATTACHED = "joins {vpc_id?} {subnet_ids?} with the transit gateway {transit_gateway_id?}"
_INTERFACE = "a virtual interface to {connection_id?}, peer {bgp_asn?} {amazon_address?}"
_CORE = "joins {core_network_id?} with {vpc_arn?} {transport_attachment_id?} {direct_connect_gateway_arn?}"
#: Ways to other networks.
_WAYS: Mapping[str, str] = {
    "aws_dx_connection_association": "joins {connection_id?} with {lag_id?}",
    "aws_dx_bgp_peer": "a peer {bgp_asn?} {amazon_address?} of {virtual_interface_id?}",
    "aws_dx_gateway_association": "joins {dx_gateway_id?} with {associated_gateway_id?} for {allowed_prefixes?}",
    "aws_dx_gateway_association_proposal": "offers {associated_gateway_id?} to {dx_gateway_owner_account_id?}",
    "aws_dx_hosted_connection": "a connection for the account {owner_account_id?}",
    **{
        f"aws_dx_{kind}_virtual_interface{end}": _INTERFACE
        for kind, ends in (
            ("private", ("",)),
            ("public", ("",)),
            ("transit", ("",)),
            ("hosted_private", ("", "_accepter")),
            ("hosted_public", ("", "_accepter")),
            ("hosted_transit", ("", "_accepter")),
        )
        for end in ends
    },
    "aws_ec2_carrier_gateway": "joins {vpc_id?} with a carrier's network",
    "aws_ec2_client_vpn_authorization_rule": "clients of {access_group_id?} may reach {target_network_cidr?}",
    "aws_ec2_client_vpn_endpoint": "clients join by VPN, signed in by {authentication_options?}",
    "aws_ec2_client_vpn_network_association": "clients of {client_vpn_endpoint_id?} reach {subnet_id?}",
    "aws_ec2_local_gateway_route_table_vpc_association": "joins {vpc_id?} with a local gateway",
    "aws_ec2_traffic_mirror_session": "copies the traffic of {network_interface_id?} to {traffic_mirror_target_id?}",
    "aws_ec2_traffic_mirror_target": "takes copies of traffic: {network_interface_id?} {network_load_balancer_arn?}",
    "aws_ec2_transit_gateway": "joins networks, attachments accepted by themselves: {auto_accept_shared_attachments?}",
    "aws_ec2_transit_gateway_connect": "joins {transit_gateway_id?} with {transport_attachment_id?}",
    "aws_ec2_transit_gateway_connect_peer": "joins {transit_gateway_attachment_id?} with {peer_address?}",
    "aws_ec2_transit_gateway_multicast_domain": "shares multicast on {transit_gateway_id?}",
    "aws_ec2_transit_gateway_multicast_domain_association": "gets multicast: {subnet_id?}",
    "aws_ec2_transit_gateway_peering_attachment": "joins {transit_gateway_id?} and {peer_transit_gateway_id?}, account"
    " {peer_account_id?}",
    "aws_ec2_transit_gateway_peering_attachment_accepter": "accepts {transit_gateway_attachment_id?}",
    "aws_ec2_transit_gateway_vpc_attachment": _ATTACHED,
    "aws_ec2_transit_gateway_vpc_attachment_accepter": "accepts {transit_gateway_attachment_id?}",
    "aws_networkfirewall_firewall_transit_gateway_attachment_accepter": "accepts {transit_gateway_attachment_id?}",
    "aws_networkmanager_attachment_accepter": "accepts {attachment_id?}",
    "aws_networkmanager_connect_attachment": _CORE,
    "aws_networkmanager_connect_peer": "joins {connect_attachment_id?} with {peer_address?}",
    "aws_networkmanager_core_network": "joins networks by {base_policy_document?}",
    "aws_networkmanager_core_network_policy_attachment": "joins networks by {policy_document?}",
    "aws_networkmanager_dx_gateway_attachment": _CORE,
    "aws_networkmanager_site_to_site_vpn_attachment": _CORE,
    "aws_networkmanager_transit_gateway_peering": "joins {core_network_id?} with {transit_gateway_arn?}",
    "aws_networkmanager_transit_gateway_registration": "joins {global_network_id?} with {transit_gateway_arn?}",
    "aws_networkmanager_transit_gateway_route_table_attachment": "joins {transit_gateway_route_table_arn?}",
    "aws_networkmanager_vpc_attachment": _CORE,
    "aws_odb_network_peering_connection": "joins {odb_network_id?} with {peer_network_id?}",
    "aws_vpc_endpoint_connection_accepter": "accepts {vpc_endpoint_id?} for {vpc_endpoint_service_id?}",
    "aws_vpc_peering_connection": "joins {vpc_id?} with {peer_vpc_id?} of account {peer_owner_id?}",
    "aws_vpc_peering_connection_accepter": "accepts {vpc_peering_connection_id?}",
    "aws_vpc_route_server_peer": "takes routes from {peer_address?}",
    "aws_vpclattice_resource_configuration": "offers {resource_configuration_definition?} to service networks",
    "aws_vpclattice_service": "a service for service networks, signing in: {auth_type?}",
    "aws_vpclattice_service_network": "joins services and networks, signing in: {auth_type?}",
    "aws_vpclattice_service_network_resource_association": "offers {resource_configuration_identifier?}",
    "aws_vpclattice_service_network_service_association": "offers {service_identifier?}",
    "aws_vpclattice_service_network_vpc_association": "joins {vpc_identifier?} with {service_network_identifier?}",
    "aws_vpn_concentrator": "joins sites by VPN with {transit_gateway_id?}",
    "aws_vpn_connection": "a tunnel to {customer_gateway_id?}",
    "aws_vpn_gateway_attachment": "joins {vpc_id?} with {vpn_gateway_id?}",
}
_ROUTE = (
    "a route to {destination_cidr_block?} {destination_ipv6_cidr_block?} {destination_prefix_list_id?}"
    " by {gateway_id?} {nat_gateway_id?} {transit_gateway_id?} {vpc_peering_connection_id?} {network_interface_id?}"
)
#: What uses such ways, and doors for what is inside.
_USES: Mapping[str, str] = {
    "aws_default_route_table": "routes {route?}",
    "aws_ec2_client_vpn_route": "a route to {destination_cidr_block?}",
    "aws_ec2_instance_connect_endpoint": "people who may use it reach instances by {subnet_id?}",
    "aws_ec2_local_gateway_route": "a route to {destination_cidr_block?}",
    "aws_ec2_transit_gateway_policy_table_association": "uses {transit_gateway_policy_table_id?}",
    "aws_ec2_transit_gateway_prefix_list_reference": "a route to {prefix_list_id?}",
    "aws_ec2_transit_gateway_route": "a route to {destination_cidr_block?} by {transit_gateway_attachment_id?}",
    "aws_ec2_transit_gateway_route_table_association": "uses {transit_gateway_route_table_id?}",
    "aws_ec2_transit_gateway_route_table_propagation": "gives routes to {transit_gateway_route_table_id?}",
    "aws_elasticsearch_vpc_endpoint": "reaches {domain_arn?} from {vpc_options?}",
    "aws_globalaccelerator_custom_routing_endpoint_group": "leads to {endpoint_configuration?}",
    "aws_globalaccelerator_endpoint_group": "leads to {endpoint_configuration?}",
    "aws_internet_gateway": "a gateway to the internet for {vpc_id?}",
    "aws_internet_gateway_attachment": "a gateway to the internet for {vpc_id?}",
    "aws_main_route_table_association": "{vpc_id?} uses {route_table_id?}",
    "aws_msk_vpc_connection": "reaches {target_cluster_arn?} from {vpc_id?}",
    "aws_network_interface_sg_attachment": "{network_interface_id?} is in {security_group_id?}",
    "aws_networkfirewall_vpc_endpoint_association": "an endpoint of {firewall_arn?} in {vpc_id?}",
    "aws_opensearch_vpc_endpoint": "reaches {domain_arn?} from {vpc_options?}",
    "aws_opensearchserverless_vpc_endpoint": "reaches collections from {vpc_id?}",
    "aws_quicksight_vpc_connection": "QuickSight reaches {subnet_ids?}",
    "aws_redshift_endpoint_access": "reaches {cluster_identifier?} from {subnet_group_name?}",
    "aws_redshiftserverless_endpoint_access": "reaches {workgroup_name?} from {subnet_ids?}",
    "aws_route": _ROUTE,
    "aws_route53_resolver_endpoint": "answers or asks names ({direction}) from {ip_address?}",
    "aws_route53_zone_association": "{vpc_id?} sees {zone_id?}",
    "aws_route_table": "routes {route?}",
    "aws_route_table_association": "{subnet_id?} {gateway_id?} uses {route_table_id?}",
    "aws_s3outposts_endpoint": "reaches {outpost_id?} from {subnet_id?}",
    "aws_vpc_endpoint": "reaches {service_name?} from {vpc_id?}",
    "aws_vpc_security_group_vpc_association": "{security_group_id?} may be used in {vpc_id?}",
    "aws_vpclattice_resource_gateway": "leads into {vpc_id?}",
    "aws_vpn_connection_route": "a route to {destination_cidr_block?}",
    "aws_vpn_gateway": "a gateway for tunnels of {vpc_id?}",
    "aws_vpn_gateway_route_propagation": "gives routes to {route_table_id?}",
    "aws_workspacesweb_network_settings": "the portal reaches {subnet_ids?}",
}
#: Attributes that give an object a public address, and what then has it.
_ADDRESSES: Mapping[str, tuple[str, str]] = {
    "aws_cloudwatch_event_target": ("ecs_target.network_configuration.assign_public_ip", "the tasks of "),
    "aws_default_subnet": ("map_public_ip_on_launch", "everything started in "),
    "aws_drs_replication_configuration_template": ("create_public_ip", "the servers of "),
    "aws_ecs_service": ("network_configuration.assign_public_ip", "the tasks of "),
    "aws_ecs_task_set": ("network_configuration.assign_public_ip", "the tasks of "),
    "aws_instance": ("associate_public_ip_address", ""),
    "aws_launch_configuration": ("associate_public_ip_address", "the instances of "),
    "aws_launch_template": ("network_interfaces.associate_public_ip_address", "the instances of "),
    "aws_pipes_pipe": (
        "target_parameters.ecs_task_parameters.network_configuration.aws_vpc_configuration.assign_public_ip",
        "the tasks of ",
    ),
    "aws_scheduler_schedule": (
        "target.ecs_parameters.network_configuration.assign_public_ip",
        "the tasks of ",
    ),
    "aws_spot_fleet_request": ("launch_specification.associate_public_ip_address", "the instances of "),
    "aws_spot_instance_request": ("associate_public_ip_address", ""),
    "aws_subnet": ("map_public_ip_on_launch", "everything started in "),
}
_ADDRESS_OBJECTS = ("aws_eip", "aws_eip_association", "aws_lightsail_static_ip", "aws_lightsail_static_ip_attachment")
LINKS = frozenset({*_WAYS, *_USES, *_ADDRESSES, *_ADDRESS_OBJECTS})


def links(world: World) -> Iterator[NetworkLink]:
    """All ways between networks in a world."""
    for templates, loud in ((_WAYS, True), (_USES, False)):
        for change in world.objects(*templates):
            what = filled(templates[change.type], change.at(world.phase))
            yield NetworkLink(plan=change.plan, address=change.address, what=what, loud=loud)


def public_addresses(world: World) -> Iterator[str]:
    """What has a public address: reachable only if a rule lets somebody in."""
    for change in world.objects(*_ADDRESSES):
        path, whose = _ADDRESSES[change.type]
        values = at_path(change.at(world.phase), path)
        if any(isinstance(value, Unknown | Hidden) for value in values):
            yield f"{whose}{change.address} (perhaps; not known before apply)"
        elif any(value in (True, "true", "ENABLED") for value in values if not isinstance(value, dict | list)):
            yield f"{whose}{change.address}"
    for change in world.objects(*_ADDRESS_OBJECTS):
        if get(change.at(world.phase), "domain") != "private":
            yield change.address
