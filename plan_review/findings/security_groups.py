"""Rules of security groups: inline blocks, rule objects of two generations, and the prefix lists that they name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from plan_review.findings.declared import at_path
from plan_review.findings.found import left_to_aws
from plan_review.findings.internet import is_everything, is_wide, share
from plan_review.plan.model import Change, World
from plan_review.plan.values import Unknown, Value, as_list, get, show, text

_PROTOCOLS = {"-1": "all traffic", "6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "all traffic"}
RULE_TYPES = frozenset(
    {
        "aws_default_security_group",
        "aws_security_group",
        "aws_security_group_rule",
        "aws_vpc_security_group_egress_rule",
        "aws_vpc_security_group_ingress_rule",
    }
)


@dataclass(frozen=True, slots=True)
class _Group:
    """A security group: what it is (an address or an id), and what it is called."""

    key: str
    label: str


@dataclass(frozen=True, slots=True)
class GroupRule:
    """One rule with one peer."""

    #: "in" or "out", seen from the group.
    direction: str
    group: _Group
    peer: str
    ports: str
    #: The address ranges that the peer stands for.
    ranges: tuple[str, ...]
    #: The ranges are only known after apply, or outside of the plan.
    unknown: bool
    description: str
    change: Change
    #: With the other rules of the same ports, the ranges are much of the internet.
    public: bool = False

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What is compared before and after."""
        return self.direction, self.group.key, self.peer, self.ports


def group_rules(world: World) -> list[GroupRule]:
    """All rules of a world, those that let in or out much of the internet marked, be it in pieces."""
    rules = list(_rules(world, _PrefixLists(world)))
    ranges: dict[tuple[str, str, str], list[str]] = {}
    for rule in rules:
        ranges.setdefault(_opening(rule), []).extend(rule.ranges)
    wide = {opening for opening, members in ranges.items() if is_wide(members)}
    return [_marked(rule) if rule.ranges and _opening(rule) in wide else rule for rule in rules]


def _opening(rule: GroupRule) -> tuple[str, str, str]:
    return rule.direction, rule.group.key, rule.ports


def _marked(rule: GroupRule) -> GroupRule:
    """A piece of a wide opening. One host or private network in it isn't."""
    if not share(rule.ranges) > _PIECE:
        return rule
    everybody = "anyone" if rule.direction == "in" else "anywhere"
    named = everybody if is_everything(rule.ranges) else f"much of the internet ({rule.peer})"
    return replace(rule, public=True, peer=named)


@dataclass(frozen=True, slots=True)
class _RulePeer:
    label: str
    ranges: tuple[str, ...] = ()
    unknown: bool = False


class _PrefixLists:
    """What the prefix lists of a world hold."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._entries: dict[str, list[str]] = {}
        for entry in world.objects("aws_ec2_managed_prefix_list_entry"):
            owner = world.only_referred(entry, "prefix_list_id", {_PREFIX_LIST})
            named = get(entry.at(world.phase), "prefix_list_id")
            key = owner.address if owner is not None else text(named)
            self._entries.setdefault(key, []).extend(_texts(entry.at(world.phase), "cidr"))

    def peer(self, change: Change, key: str, value: Value) -> _RulePeer:
        """A prefix list as a peer. One that isn't in the plan may hold everything."""
        label = f"prefix list {_plain(value)}"
        found = self._world.found(_PREFIX_LIST, "id", value) if isinstance(value, str) else None
        candidates = [found] if found else [c for c in self._world.referred(change, key) if c.type == _PREFIX_LIST]
        if len(candidates) != 1:
            service = self._service(change, key)
            return _RulePeer(f"{label} ({service})") if service else _RulePeer(label, unknown=True)
        held = candidates[0].at(self._world.phase) if candidates[0].managed else candidates[0].after
        cidrs = at_path(held, "entry.cidr") if candidates[0].managed else at_path(held, "entries.cidr")
        more = self._entries.get(candidates[0].address, []) + self._entries.get(text(value), [])
        unknown = any(isinstance(c, Unknown) for c in cidrs) or not (cidrs or more)
        ranges = tuple(c for c in cidrs if isinstance(c, str))
        return _RulePeer(label, (*ranges, *more), unknown=unknown)

    def _service(self, change: Change, key: str) -> str:
        """The service of AWS that a list is of: it comes from an endpoint, or is looked up by AWS's name."""
        configuration = self._world.plan.configuration
        for target in self._world.plan.references.leads(change.address, key).targets:
            if target.resource.startswith("aws_vpc_endpoint."):
                return "the service of an endpoint"
            if target.resource.startswith(f"data.{_PREFIX_LIST}."):
                written = configuration.expression(target.bare, "name")
                name = written.get("constant_value") if isinstance(written, dict) else None
                if isinstance(name, str) and name.startswith("com.amazonaws."):
                    return name
        return ""


_PREFIX_LIST = "aws_ec2_managed_prefix_list"
#: Ranges that are less of the internet than this are one holder's.
_PIECE = 1.0 / 2**12


def _texts(value: Value, path: str) -> list[str]:
    return [v for v in at_path(value, path) if isinstance(v, str)]


def _rules(world: World, lists: _PrefixLists) -> Iterator[GroupRule]:
    for change in world.objects("aws_security_group", "aws_default_security_group"):
        name = _group(world, change)
        for direction, key in (("in", "ingress"), ("out", "egress")):
            blocks = get(change.at(world.phase), key)
            # Without such blocks in the configuration, AWS's default (or rule objects) decide: nothing to show.
            if isinstance(blocks, Unknown) and left_to_aws(world, change, key):
                continue
            for block in as_list(blocks):
                yield from _of_block(world, lists, block, direction, name, change)
    for change in world.objects("aws_security_group_rule"):
        value = change.at(world.phase)
        direction = "out" if text(get(value, "type")) == "egress" else "in"
        yield from _of_block(world, lists, value, direction, _group_of(world, change), change)
    for kind, direction in (
        ("aws_vpc_security_group_ingress_rule", "in"),
        ("aws_vpc_security_group_egress_rule", "out"),
    ):
        for change in world.objects(kind):
            yield from _of_block(world, lists, change.at(world.phase), direction, _group_of(world, change), change)


def _of_block(
    world: World, lists: _PrefixLists, value: Value, direction: str, group: _Group, change: Change
) -> Iterator[GroupRule]:
    protocol = get(value, "protocol") if get(value, "protocol") is not None else get(value, "ip_protocol")
    ports = _ports(protocol, get(value, "from_port"), get(value, "to_port"))
    description = text(get(value, "description"))
    for peer in _peers(world, lists, value, change):
        yield GroupRule(
            direction, group, peer.label, ports, peer.ranges, peer.unknown, description=description, change=change
        )


def _peers(world: World, lists: _PrefixLists, value: Value, change: Change) -> Iterator[_RulePeer]:
    if isinstance(value, Unknown):
        yield _RulePeer(_plain(value), unknown=True)
        return
    for key in (*_RANGES, *_LISTS, *_GROUPS):
        for peer in as_list(get(value, key)):
            if isinstance(peer, Unknown) and _only_computed(world, change, key):
                continue
            if key in _GROUPS:
                yield _RulePeer(f"security group {_plain(peer)}")
            elif key in _LISTS:
                yield lists.peer(change, key, peer)
            else:
                yield _RulePeer(
                    _plain(peer), (peer,) if isinstance(peer, str) else (), unknown=not isinstance(peer, str)
                )
    if get(value, "self") is True:
        yield _RulePeer("its own members")


_RANGES = ("cidr_blocks", "ipv6_cidr_blocks", "cidr_ipv4", "cidr_ipv6")
_LISTS = ("prefix_list_ids", "prefix_list_id")
_GROUPS = ("security_groups", "source_security_group_id", "referenced_security_group_id")


def _only_computed(world: World, change: Change, key: str) -> bool:
    """The configuration doesn't set it: unknown only because the provider could fill it in."""
    return change.type not in ("aws_security_group", "aws_default_security_group") and left_to_aws(world, change, key)


def _ports(protocol: Value, start: Value, end: Value) -> str:
    name = _PROTOCOLS.get(_plain(protocol), _plain(protocol))
    if name == "all traffic" or name.startswith("icmp"):
        return name
    if isinstance(start, int | float) and isinstance(end, int | float):
        if (start, end) in ((0, 65535), (0, 0)):
            return f"{name}, all ports"
        return f"{name} {start:.0f}" if start == end else f"{name} {start:.0f}-{end:.0f}"
    return f"{name} {_plain(start)}"


def group_labels(groups: Iterable[_Group]) -> dict[str, str]:
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
