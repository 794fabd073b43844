"""Objects that are open to the internet, or to everybody, by what they are: one line for each type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from plan_review.findings.declared import at_path
from plan_review.findings.internet import is_wide
from plan_review.findings.links import LINKS
from plan_review.findings.other_providers import FIREWALLS, firewall_openings
from plan_review.findings.security_groups import RULE_TYPES
from plan_review.plan.model import Action, Change, Phase, World
from plan_review.plan.values import Hidden, Unknown, Value, get, is_empty, text


@dataclass(frozen=True, slots=True)
class OpenSide:
    """How an object is open. Whether it is may only be known after apply."""

    what: str
    unknown: bool = False


_ON = True
_OFF = False
Look = Callable[[Value], Iterator[OpenSide]]


def _not_known(what: str) -> OpenSide:
    return OpenSide(f"it is not known yet whether {what}", unknown=True)


def _if(path: str, *bad: object, what: str, unset: bool = False) -> Look:
    """Open when one of the values at a path is one of these; `unset` when there is none."""

    def look(value: Value) -> Iterator[OpenSide]:
        found = at_path(value, path)
        if any(isinstance(v, Unknown | Hidden) for v in found):
            yield _not_known(what)
        elif (not found and unset) or any(v == b and type(v) is type(b) for v in found for b in bad):
            yield OpenSide(what)

    return look


def _unless(path: str, *safe: object, what: str) -> Look:
    """Open unless all values at a path are among these."""

    def look(value: Value) -> Iterator[OpenSide]:
        found = at_path(value, path)
        if any(isinstance(v, Unknown | Hidden) for v in found):
            yield _not_known(what)
        elif not found or not all(v in safe for v in found if not isinstance(v, dict | list)):
            yield OpenSide(what)

    return look


def _without(path: str, what: str) -> Look:
    """Open when there is nothing at a path."""

    def look(value: Value) -> Iterator[OpenSide]:
        found = at_path(value, path)
        if any(isinstance(v, Unknown | Hidden) for v in found) and len(found) == 1:
            yield _not_known(what)
        elif not found:
            yield OpenSide(what)

    return look


def _with(path: str, what: str) -> Look:
    """Open when there is anything at a path."""
    return lambda value: iter((OpenSide(what),) if at_path(value, path) else ())


def _wide(what: str, *paths: str, unset: bool = False) -> Look:
    """Open when the ranges at the paths are much of the internet."""

    def look(value: Value) -> Iterator[OpenSide]:
        found = [v for path in paths for v in at_path(value, path)]
        if any(isinstance(v, Unknown | Hidden) for v in found):
            yield _not_known(what)
        elif (not found and unset) or is_wide(v for v in found if isinstance(v, str)):
            yield OpenSide(what)

    return look


def _always(what: str) -> Look:
    return lambda _: iter((OpenSide(what),))


def _all(*looks: Look) -> Look:
    return lambda value: (side for look in looks for side in look(value))


def _load_balancer(value: Value) -> Iterator[OpenSide]:
    if text(get(value, "load_balancer_type")) != "gateway":
        yield from _unless("internal", _ON, what="the load balancer faces the internet")(value)


def _cluster_endpoint(value: Value) -> Iterator[OpenSide]:
    config = get(value, "vpc_config", 0)
    if get(config, "endpoint_public_access") is not False:
        what = "the cluster's API server faces the internet"
        yield from _wide(what, "public_access_cidrs", unset=True)(config)


def _node_group(value: Value) -> Iterator[OpenSide]:
    if at_path(value, "remote_access.ec2_ssh_key"):
        yield from _without("remote_access.source_security_group_ids", "anyone may reach its machines by SSH")(value)


def _rest_api(value: Value) -> Iterator[OpenSide]:
    """Its methods are objects of their own, unless a document holds them all."""
    if "PRIVATE" not in at_path(value, "endpoint_configuration.types") and not is_empty(get(value, "body")):
        yield OpenSide("methods that its OpenAPI document describes may be open to anyone", unknown=True)


def _transfer(value: Value) -> Iterator[OpenSide]:
    what = "the server faces the internet"
    yield from _if("endpoint_type", "PUBLIC", what=what, unset=True)(value)
    if text(get(value, "endpoint_type")).startswith("VPC") and at_path(
        value, "endpoint_details.address_allocation_ids"
    ):
        yield OpenSide(what)


def _serverless_network(value: Value) -> Iterator[OpenSide]:
    if text(get(value, "type")) != "encryption":
        policy = get(value, "policy")
        what = "the collection faces the internet"
        if isinstance(policy, Unknown | Hidden):
            yield _not_known(what)
        elif not isinstance(policy, list | dict) or True in at_path(policy, "AllowFromPublic"):
            yield OpenSide(what)


def _amplify(value: Value) -> Iterator[OpenSide]:
    yield from _unless("enable_basic_auth", _ON, what="Amplify serves it to anyone")(value)


def _ports_of_lightsail(value: Value) -> Iterator[OpenSide]:
    """Ports without ranges are open to all."""
    for block in at_path(value, "port_info"):
        what = f"anyone may reach ports {get(block, 'from_port')} to {get(block, 'to_port')}"
        aliases = at_path(block, "cidr_list_aliases")
        yield from _wide(what, "cidrs", "ipv6_cidrs", unset=not aliases)(block)


def _public_sharing(value: Value) -> Iterator[OpenSide]:
    setting = get(value, "setting_id")
    if not isinstance(setting, str) or "public-sharing-permission" in setting:
        yield from _unless("setting_value", "Disable", what="documents may be shared with everybody")(value)


_BLOCKS = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")


def _bucket_block(prefix: str = "", *, unset: bool = True) -> Look:
    """What isn't set is off, but in an access point, where it is on."""

    def look(value: Value) -> Iterator[OpenSide]:
        inner = at_path(value, prefix) if prefix else [value]
        for block in inner or ([{}] if unset else []):
            state = {key: get(block, key) for key in _BLOCKS}
            off = [key for key, v in state.items() if v is False or (v is None and unset)]
            if off:
                yield OpenSide(f"the protection against public access is off ({', '.join(off)})")
            elif any(isinstance(v, Unknown | Hidden) for v in state.values()):
                yield _not_known("the protection against public access is on")

    return look


_BALANCERS = ("aws_alb", "aws_elb", "aws_lb")
_PUBLIC_ADDRESS = _if("publicly_accessible", _ON, what="it has a public address")
_OPEN: Mapping[str, Look] = {
    **dict.fromkeys(_BALANCERS, _load_balancer),
    **dict.fromkeys(
        (
            *("aws_db_instance", "aws_dms_replication_instance", "aws_lightsail_database", "aws_m2_environment"),
            *("aws_mq_broker", "aws_neptune_cluster_instance", "aws_rds_cluster_instance", "aws_rds_shard_group"),
            *("aws_redshift_cluster", "aws_redshiftserverless_workgroup", "aws_timestreaminfluxdb_db_cluster"),
            "aws_timestreaminfluxdb_db_instance",
        ),
        _PUBLIC_ADDRESS,
    ),
    "aws_amplify_app": _amplify,
    "aws_amplify_branch": _amplify,
    "aws_amplify_domain_association": _always("Amplify serves its apps at the domain"),
    "aws_amplify_webhook": _always("whoever knows its URL may start builds"),
    "aws_api_gateway_domain_name": _unless(
        "endpoint_configuration.types", "PRIVATE", what="the API's domain faces the internet"
    ),
    "aws_api_gateway_method": _if("authorization", "NONE", what="anyone may call the method"),
    "aws_api_gateway_rest_api": _rest_api,
    "aws_api_gateway_rest_api_put": _always("methods that its OpenAPI document describes may be open to anyone"),
    "aws_apigatewayv2_api": _always("the API's endpoint faces the internet"),
    "aws_apigatewayv2_domain_name": _always("the API's domain faces the internet"),
    "aws_apigatewayv2_route": _if("authorization_type", "NONE", what="anyone may call the route", unset=True),
    "aws_apprunner_custom_domain_association": _always("App Runner serves it at the domain"),
    "aws_apprunner_service": _unless(
        "network_configuration.ingress_configuration.is_publicly_accessible",
        _OFF,
        what="App Runner serves it to anyone",
    ),
    "aws_appsync_api": _if(
        "event_config.auth_provider.auth_type", "API_KEY", what="whoever has its key may use the API"
    ),
    "aws_appsync_api_key": _always("whoever has the key may use the API"),
    "aws_appsync_graphql_api": _all(
        _if("authentication_type", "API_KEY", what="whoever has its key may use the API"),
        _if(
            "additional_authentication_provider.authentication_type",
            "API_KEY",
            what="whoever has its key may use the API",
        ),
    ),
    "aws_bedrockagentcore_gateway": _if("authorizer_type", "NONE", what="anyone may call the gateway", unset=True),
    "aws_chime_voice_connector_termination": _wide("anyone may call out by it", "cidr_allow_list"),
    "aws_cloudfront_distribution": _unless("enabled", _OFF, what="CloudFront serves it to anyone"),
    "aws_codebuild_project": _if("project_visibility", "PUBLIC_READ", what="anyone may read its builds and logs"),
    "aws_cognito_identity_pool": _if(
        "allow_unauthenticated_identities", _ON, what="anyone gets credentials without signing in"
    ),
    "aws_cognito_user_pool": _unless(
        "admin_create_user_config.allow_admin_create_user_only", _ON, what="anyone may sign up"
    ),
    "aws_cognito_user_pool_domain": _always("its sign-in pages face the internet"),
    "aws_db_security_group": _wide("anyone may reach the databases", "ingress.cidr"),
    "aws_ec2_managed_prefix_list": _wide("the list holds much of the internet", "entry.cidr"),
    "aws_ec2_managed_prefix_list_entry": _wide("the list holds much of the internet", "cidr"),
    "aws_ecrpublic_repository": _always("anyone may pull its images"),
    "aws_ecs_express_gateway_service": _always("a load balancer serves it to anyone"),
    "aws_eks_cluster": _cluster_endpoint,
    "aws_eks_node_group": _node_group,
    "aws_elasticsearch_domain": _without("vpc_options.subnet_ids", "its endpoint is outside of a VPC"),
    "aws_gamelift_fleet": _wide("anyone may reach its servers", "ec2_inbound_permission.ip_range"),
    "aws_globalaccelerator_accelerator": _unless("enabled", _OFF, what="it has addresses that anyone may reach"),
    "aws_globalaccelerator_custom_routing_accelerator": _unless(
        "enabled", _OFF, what="it has addresses that anyone may reach"
    ),
    "aws_globalaccelerator_custom_routing_listener": _always("anyone may reach its ports"),
    "aws_globalaccelerator_listener": _always("anyone may reach its ports"),
    "aws_glue_dev_endpoint": _without("subnet_id", "it has a public address"),
    "aws_grafana_workspace": _without("network_access_control.prefix_list_ids", "its sign-in page faces the internet"),
    "aws_ivs_channel": _unless("authorized", _ON, what="anyone may watch it"),
    "aws_lambda_function_url": _unless("authorization_type", "AWS_IAM", what="anyone may call the function's URL"),
    "aws_lightsail_container_service_deployment_version": _with("public_endpoint", "its endpoint faces the internet"),
    "aws_lightsail_distribution": _unless("is_enabled", _OFF, what="it is served to anyone"),
    "aws_lightsail_instance": _always("anyone may reach its ports 22 and 80, if no other rules are set"),
    "aws_lightsail_instance_public_ports": _ports_of_lightsail,
    "aws_lightsail_lb": _always("the load balancer faces the internet"),
    "aws_medialive_input_security_group": _wide("anyone may send to its inputs", "whitelist_rules.cidr"),
    "aws_msk_cluster": _if(
        "broker_node_group_info.connectivity_info.public_access.type",
        "SERVICE_PROVIDED_EIPS",
        what="its brokers have public addresses",
    ),
    "aws_mwaa_environment": _if("webserver_access_mode", "PUBLIC_ONLY", what="its web server faces the internet"),
    "aws_neptunegraph_graph": _if("public_connectivity", _ON, what="its endpoint faces the internet"),
    "aws_opensearch_domain": _all(
        _without("vpc_options.subnet_ids", "its endpoint is outside of a VPC"),
        _if("advanced_security_options.anonymous_auth_enabled", _ON, what="it answers without signing in"),
    ),
    "aws_opensearchserverless_security_policy": _serverless_network,
    "aws_redshift_security_group": _wide("anyone may reach the clusters", "ingress.cidr"),
    "aws_sagemaker_workforce": _wide("workers may sign in from anywhere", "source_ip_config.cidrs", unset=True),
    "aws_ssm_service_setting": _public_sharing,
    "aws_storagegateway_nfs_file_share": _wide("anyone may mount it", "client_list"),
    "aws_transfer_server": _transfer,
    "aws_transfer_web_app": _always("the web app faces the internet"),
    "aws_verifiedaccess_endpoint": _always("it faces the internet; Verified Access's policies decide"),
    "aws_vpc_block_public_access_exclusion": _always("the block of the internet doesn't hold for it"),
    "aws_workspaces_ip_group": _wide("anyone may reach the desktops' sign-in", "rules.source"),
    "aws_workspacesweb_ip_access_settings": _wide("anyone may reach the portal", "ip_rule.ip_range"),
    "aws_workspacesweb_portal": _always("the portal's sign-in faces the internet"),
}
#: Guards: open when they are off, and when they go.
GUARDS: Mapping[str, Look] = {
    "aws_ebs_snapshot_block_public_access": _unless(
        "state", "block-all-sharing", what="snapshots may be shared with everybody"
    ),
    "aws_ec2_image_block_public_access": _unless(
        "state", "block-new-sharing", what="images may be shared with everybody"
    ),
    "aws_ec2_instance_metadata_defaults": _unless(
        "http_tokens", "required", what="the metadata service of new instances answers without a token"
    ),
    "aws_emr_block_public_access_configuration": _unless(
        "block_public_security_group_rules", _ON, what="clusters may use rules that let anyone in"
    ),
    "aws_quicksight_ip_restriction": _unless("enabled", _ON, what="anyone may reach the sign-in"),
    "aws_s3_access_point": _bucket_block("public_access_block_configuration", unset=False),
    "aws_s3_account_public_access_block": _bucket_block(),
    "aws_s3_bucket_public_access_block": _bucket_block(),
    "aws_s3control_multi_region_access_point": _bucket_block("details.public_access_block", unset=False),
    "aws_vpc_block_public_access_options": _if(
        "internet_gateway_block_mode", "off", what="the internet isn't blocked", unset=True
    ),
    "aws_wafregional_web_acl_association": lambda _: iter(()),
    "aws_wafv2_web_acl_association": lambda _: iter(()),
}
#: Guards whose end means nothing when what they guard ends, too: the attribute that names it.
_GUARDED = {
    "aws_s3_bucket_ownership_controls": "bucket",
    "aws_s3_bucket_public_access_block": "bucket",
    "aws_wafregional_web_acl_association": "resource_arn",
    "aws_wafv2_web_acl_association": "resource_arn",
}
#: They are guarded by what they are: nothing is open when they go.
_OWN_GUARDS = frozenset({"aws_s3_access_point", "aws_s3control_multi_region_access_point"})
_LISTENERS = ("aws_alb_listener", "aws_lb_listener")
#: Lists of a bucket that an earlier rule made void may be public ones.
_OWNERSHIP = "aws_s3_bucket_ownership_controls"
_LISTS_COUNT = _unless(
    "rule.object_ownership", "BucketOwnerEnforced", what="access control lists count, those from before too"
)
EXPOSED = frozenset({_OWNERSHIP, *_OPEN, *_LISTENERS, *FIREWALLS, *GUARDS, *LINKS, *RULE_TYPES})


def open_sides(world: World) -> Iterator[tuple[Change, OpenSide]]:
    """All objects of a world that are open, with how."""
    for looks in (_OPEN, GUARDS):
        for change in world.objects(*looks):
            for side in looks[change.type](change.at(world.phase)):
                yield change, side
    for change in world.objects(*FIREWALLS):
        for what, unknown in firewall_openings(change.at(world.phase)):
            yield change, OpenSide(what, unknown=unknown)
    for change in world.objects(_OWNERSHIP):
        if change.action is not Action.NOOP and not _bucket_is_new(world, change):
            for side in _LISTS_COUNT(change.at(world.phase)):
                yield change, side
    for change in world.objects(*_LISTENERS):
        if change.action is not Action.NOOP and not _balancer_known(world, change):
            yield change, _not_known("its load balancer, which isn't in the plan, faces the internet")


def _bucket_is_new(world: World, change: Change) -> bool:
    """No list was written before: those of the plan are read by themselves."""
    named = get(change.at(world.phase), "bucket")
    found = world.found("aws_s3_bucket", "bucket", named, near=change) if isinstance(named, str) else None
    bucket = found or world.first_referred(change, "bucket", ("aws_s3_bucket",))
    return bucket is not None and not bucket.exists(Phase.BEFORE)


def _balancer_known(world: World, change: Change) -> bool:
    """A load balancer of the plan is judged by itself."""
    arn = get(change.at(world.phase), "load_balancer_arn")
    if isinstance(arn, str):
        return any(world.found(kind, "arn", arn, near=change) for kind in _BALANCERS)
    return world.first_referred(change, "load_balancer_arn", _BALANCERS) is not None


def lost_guards(before: World, after: World) -> Iterator[tuple[Change, OpenSide]]:
    """Guards that the plan takes away, and not what they guard."""
    for change in before.objects(*(kind for kind in (*GUARDS, _OWNERSHIP) if kind not in _OWN_GUARDS)):
        if _guard_goes(change) and not _guarded_goes(before, change):
            yield change, OpenSide("the protection is removed")


def _guard_goes(change: Change) -> bool:
    """Whether what was guarded isn't any more: the guard goes, or becomes one of something else."""
    if change.action is Action.REPLACE:
        attribute = _GUARDED.get(change.type, "")
        return bool(attribute) and get(change.before, attribute) != get(change.after, attribute)
    return change.action is Action.DELETE and not change.exists(Phase.AFTER)


def _guarded_goes(before: World, change: Change) -> bool:
    attribute = _GUARDED.get(change.type, "")
    value = get(change.before, attribute) if attribute else None
    guarded = [c for c in before.referred(change, attribute) if c.managed] if attribute else []
    if isinstance(value, str):
        guarded += [c for key in ("bucket", "id") if (c := before.found("aws_s3_bucket", key, value, near=change))]
    # What takes the place of a guarded object isn't guarded by a guard that goes without another one.
    going = (Action.DELETE, Action.REPLACE) if change.action is Action.REPLACE else (Action.DELETE,)
    return any(c.action in going for c in guarded)
