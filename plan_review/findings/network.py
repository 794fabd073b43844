"""Who can reach what over the network after the plan, and what of it is open to the whole internet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from plan_review.findings.found import Kind
from plan_review.findings.grants import Grant, Standing
from plan_review.findings.rights import ANYONE
from plan_review.plan.model import Change, Phase, Plan, World
from plan_review.plan.values import Unknown, Value, as_list, get, show, text

_WORLD = ("0.0.0.0/0", "::/0")
_PROTOCOLS = {"-1": "all traffic", "6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "all traffic"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One rule of a security group: traffic that may pass."""

    plan: str
    #: "in" or "out", seen from the security group.
    direction: str
    group: str
    peer: str
    #: "tcp 443", "tcp 8000-8080", "all traffic".
    ports: str
    #: The peer is the whole internet.
    public: bool
    #: The peer is only known after apply.
    unknown: bool
    #: The same rule was there before.
    kept: bool
    description: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """Something that the whole internet may reach or use after the plan."""

    plan: str
    address: str
    what: str
    #: It was so before the plan, too.
    already: bool
    #: Whether it is so is only known after apply.
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """The network's part of a review."""

    flows: tuple[Flow, ...]
    exposures: tuple[Exposure, ...]
    #: Objects with a public address: reachable only if a rule lets somebody in.
    public_addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Group:
    """A security group: what it is (an address or an id), and what it is called."""

    key: str
    label: str


@dataclass(frozen=True, slots=True)
class _Rule:
    direction: str
    group: _Group
    peer: str
    ports: str
    public: bool
    unknown: bool
    description: str
    change: Change

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.direction, self.group.key, self.peer, self.ports


def network(plan: Plan, grants: list[Grant]) -> Network:
    """Collect rules, exposures and public addresses; `grants` are the plan's, for resource policies open to anyone."""
    world, old = plan.worlds[Phase.AFTER], plan.worlds[Phase.BEFORE]
    before = {rule.key for rule in _rules(old)}
    rules = list(_rules(world))
    labels = _labels({r.group for r in rules})
    flows = tuple(
        Flow(
            plan=plan.label,
            direction=r.direction,
            group=labels[r.group.key],
            peer=r.peer,
            ports=r.ports,
            public=r.public,
            unknown=r.unknown,
            kept=r.key in before,
            description=r.description,
            source=r.change.address,
        )
        for r in rules
    )
    exposures = [
        Exposure(
            plan=plan.label,
            address=f.source,
            what=f"{f.peer} may reach {f.group} by {f.ports}",
            already=f.kept,
            unknown=f.unknown,
        )
        for f in flows
        if f.direction == "in" and (f.public or f.unknown)
    ]
    earlier = {(e.address, e.what) for e in _open_objects(old, plan.label)}
    for found in _open_objects(world, plan.label):
        already = (found.address, found.what) in earlier
        exposures.append(
            Exposure(plan=found.plan, address=found.address, what=found.what, already=already, unknown=found.unknown)
        )
    exposures += _open_policies(grants)
    return Network(flows, tuple(exposures), tuple(_public_addresses(world)))


# --- security groups: inline blocks, rule resources of two generations ------------------------------------------------


def _rules(world: World) -> Iterator[_Rule]:
    for change in world.objects("aws_security_group", "aws_default_security_group"):
        name = _group(world, change)
        for direction, key in (("in", "ingress"), ("out", "egress")):
            blocks = get(change.at(world.phase), key)
            # Without such blocks in the configuration, AWS's default (or rule resources) decide: nothing to show.
            for block in as_list(blocks) if isinstance(blocks, list) else ():
                yield from _block(world, block, direction, name, change)
    for change in world.objects("aws_security_group_rule"):
        value = change.at(world.phase)
        direction = "in" if text(get(value, "type")) == "ingress" else "out"
        yield from _block(world, value, direction, _group_of(world, change), change)
    for kind, direction in (
        ("aws_vpc_security_group_ingress_rule", "in"),
        ("aws_vpc_security_group_egress_rule", "out"),
    ):
        for change in world.objects(kind):
            yield from _single(world, change, direction)


def _block(world: World, value: Value, direction: str, group: _Group, change: Change) -> Iterator[_Rule]:
    ports = _ports(get(value, "protocol"), get(value, "from_port"), get(value, "to_port"))
    description = text(get(value, "description"))
    peers: list[Value] = []
    for key in ("cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids"):
        peers += as_list(get(value, key))
    for peer in peers:
        shown = "anyone" if peer in _WORLD and direction == "in" else "anywhere" if peer in _WORLD else _plain(peer)
        unknown = isinstance(peer, Unknown)
        yield _Rule(
            direction,
            group,
            shown,
            ports,
            public=peer in _WORLD,
            unknown=unknown,
            description=description,
            change=change,
        )
    for key in ("security_groups", "source_security_group_id"):
        for peer in as_list(get(value, key)):
            if isinstance(peer, Unknown) and _only_computed(world, change, key):
                continue
            yield _Rule(
                direction,
                group,
                f"security group {_plain(peer)}",
                ports,
                public=False,
                unknown=False,
                description=description,
                change=change,
            )
    if get(value, "self") is True:
        yield _Rule(
            direction,
            group,
            "its own members",
            ports,
            public=False,
            unknown=False,
            description=description,
            change=change,
        )


def _single(world: World, change: Change, direction: str) -> Iterator[_Rule]:
    value = change.at(world.phase)
    group = _group_of(world, change)
    ports = _ports(get(value, "ip_protocol"), get(value, "from_port"), get(value, "to_port"))
    description = text(get(value, "description"))
    for key in ("cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id"):
        peer = get(value, key)
        if peer is None or (isinstance(peer, Unknown) and _only_computed(world, change, key)):
            continue
        of_group = key == "referenced_security_group_id"
        public = peer in _WORLD
        shown = ("anyone" if direction == "in" else "anywhere") if public else _plain(peer)
        shown = f"security group {shown}" if of_group else shown
        unknown = isinstance(peer, Unknown) and not of_group
        yield _Rule(
            direction, group, shown, ports, public=public, unknown=unknown, description=description, change=change
        )


def _only_computed(world: World, change: Change, key: str) -> bool:
    """The configuration doesn't set it: unknown only because the provider could fill it in."""
    return change.type != "aws_security_group" and not world.plan.configuration.expression(change.address, key)


def _ports(protocol: Value, start: Value, end: Value) -> str:
    name = _PROTOCOLS.get(_plain(protocol), _plain(protocol))
    if name == "all traffic" or name.startswith("icmp"):
        return name
    if isinstance(start, int | float) and isinstance(end, int | float):
        if (start, end) in ((0, 65535), (0, 0)):
            return f"{name}, all ports"
        return f"{name} {start:.0f}" if start == end else f"{name} {start:.0f}-{end:.0f}"
    return f"{name} {_plain(start)}"


def _labels(groups: Iterable[_Group]) -> dict[str, str]:
    """What each group is called; where two are called the same, with what tells them apart."""
    groups = list(groups)
    times = Counter(group.label for group in groups)
    return {g.key: f"{g.label} ({g.key})" if times[g.label] > 1 else g.label for g in groups}


def _group(world: World, change: Change) -> _Group:
    value = change.at(world.phase)
    return _Group(change.address, text(get(value, "name")) or text(get(value, "name_prefix")) or change.address)


def _group_of(world: World, change: Change) -> _Group:
    """The group that a rule belongs to: the plan's own, else what is known of it, else one that nobody knows."""
    value = get(change.at(world.phase), "security_group_id")
    if isinstance(value, str):
        own = world.found("aws_security_group", "id", value) or world.found("aws_default_security_group", "id", value)
        return _group(world, own) if own is not None else _Group(value, value)
    types = {"aws_security_group", "aws_default_security_group"}
    referred = world.only_referred(change, "security_group_id", types)
    return _group(world, referred) if referred is not None else _Group(change.address, _plain(value))


def _plain(value: Value) -> str:
    return value if isinstance(value, str) else show(value)


# --- objects that are open by themselves ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Open:
    plan: str
    address: str
    what: str
    unknown: bool = False


def _load_balancer(value: Value) -> str:
    if text(get(value, "load_balancer_type")) == "gateway" or get(value, "internal") is True:
        return ""
    return "the load balancer faces the internet"


def _bucket_acl(value: Value) -> str:
    acl = text(get(value, "acl"))
    return f"the bucket's ACL is {acl}" if acl.startswith("public-") or acl == "authenticated-read" else ""


def _bucket_block(value: Value) -> str:
    off = [
        key
        for key in ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
        if get(value, key) is False
    ]
    return f"the bucket's protection against public access is off ({', '.join(off)})" if off else ""


def _flag(key: str, wanted: object, what: str) -> Callable[[Value], str]:
    return lambda value: what if get(value, *key.split(".")) == wanted else ""


def _cluster_endpoint(value: Value) -> str:
    config = get(value, "vpc_config", 0)
    if get(config, "endpoint_public_access") is False:
        return ""
    cidrs = as_list(get(config, "public_access_cidrs"))
    return "the cluster's API server faces the internet" if not cidrs or "0.0.0.0/0" in cidrs else ""


_OPEN: Mapping[str, Callable[[Value], str]] = {
    "aws_lb": _load_balancer,
    "aws_alb": _load_balancer,
    "aws_elb": _load_balancer,
    "aws_s3_bucket": _bucket_acl,
    "aws_s3_bucket_acl": _bucket_acl,
    "aws_s3_bucket_public_access_block": _bucket_block,
    "aws_s3_account_public_access_block": _bucket_block,
    "aws_db_instance": _flag("publicly_accessible", wanted=True, what="the database has a public address"),
    "aws_rds_cluster_instance": _flag("publicly_accessible", wanted=True, what="the database has a public address"),
    "aws_redshift_cluster": _flag("publicly_accessible", wanted=True, what="the cluster has a public address"),
    "aws_mq_broker": _flag("publicly_accessible", wanted=True, what="the broker has a public address"),
    "aws_dms_replication_instance": _flag("publicly_accessible", wanted=True, what="it has a public address"),
    "aws_lambda_function_url": _flag("authorization_type", wanted="NONE", what="anyone may call the function's URL"),
    "aws_eks_cluster": _cluster_endpoint,
    "aws_cloudfront_distribution": lambda _: "CloudFront serves it to anyone",
    "aws_apigatewayv2_api": lambda _: "the API's endpoint faces the internet",
    "aws_api_gateway_method": _flag("authorization", wanted="NONE", what="anyone may call the method"),
    "aws_ecrpublic_repository": lambda _: "anyone may pull its images",
}


def _open_objects(world: World, label: str) -> Iterator[_Open]:
    for change in world.objects(*_OPEN):
        what = _OPEN[change.type](change.at(world.phase))
        if what:
            yield _Open(label, change.address, what)
        elif change.type in ("aws_lb", "aws_alb") and isinstance(get(change.at(world.phase), "internal"), Unknown):
            yield _Open(
                label, change.address, "whether the load balancer faces the internet is not known yet", unknown=True
            )


def _open_policies(grants: list[Grant]) -> Iterator[Exposure]:
    for grant in grants:
        if grant.kind is Kind.IDENTITY or grant.standing is Standing.REMOVED:
            continue
        if ANYONE in grant.marks and not grant.statement.written:
            actions = ", ".join(grant.statement.actions[:3])
            yield Exposure(
                plan=grant.plan,
                address=grant.source,
                what=f"the policy of {grant.holder} lets anyone use {actions}",
                already=grant.standing is Standing.KEPT,
            )


# --- public addresses -------------------------------------------------------------------------------------------------


def _public_addresses(world: World) -> Iterator[str]:
    for change in world.objects("aws_ecs_service", "aws_instance", "aws_eip", "aws_subnet"):
        value = change.at(world.phase)
        if change.type == "aws_ecs_service" and get(value, "network_configuration", 0, "assign_public_ip") is True:
            yield f"the tasks of {change.address}"
        elif change.type == "aws_eip" or (
            change.type == "aws_instance" and get(value, "associate_public_ip_address") is True
        ):
            yield change.address
        elif change.type == "aws_subnet" and get(value, "map_public_ip_on_launch") is True:
            yield f"everything started in {change.address}"
