"""Who can reach what over the network after the plan, and what of it is open to the whole internet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from plan_review.findings.exposed import OpenSide, lost_guards, open_sides
from plan_review.findings.found import Kind
from plan_review.findings.grants import Grant, Standing
from plan_review.findings.links import NetworkLink, links, public_addresses
from plan_review.findings.rights import is_open_to_anyone, may_be_anyone
from plan_review.findings.security_groups import group_labels, group_rules
from plan_review.plan.model import Change, Phase, Plan, World


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
    #: What joins networks: peerings, gateways, routes, tunnels.
    links: tuple[NetworkLink, ...] = ()


def network(plan: Plan, grants: list[Grant]) -> Network:
    """Collect rules, exposures and public addresses; `grants` are the plan's, for resource policies open to anyone."""
    world, old = plan.worlds[Phase.AFTER], plan.worlds[Phase.BEFORE]
    flows = tuple(_flows(plan, world, old))
    exposures = [
        Exposure(
            plan=plan.label,
            address=f.source,
            what=f"{f.peer} may reach {f.group} by {f.ports}",
            already=f.kept,
            unknown=not f.public,
        )
        for f in flows
        if f.direction == "in" and (f.public or f.unknown)
    ]
    earlier = {(change.address, side.what) for change, side in open_sides(old)}
    exposures += [
        _exposure(change, side, already=(change.address, side.what) in earlier) for change, side in open_sides(world)
    ]
    exposures += [_exposure(change, side, already=False) for change, side in lost_guards(old, world)]
    exposures += _open_policies(grants)
    before = {(link.address, link.what) for link in links(old)}
    linked = tuple(replace(link, kept=(link.address, link.what) in before) for link in links(world))
    return Network(flows, tuple(exposures), tuple(public_addresses(world)), linked)


def _flows(plan: Plan, world: World, old: World) -> Iterator[Flow]:
    before = {rule.key for rule in group_rules(old)}
    rules = group_rules(world)
    labels = group_labels({r.group for r in rules})
    for r in rules:
        yield Flow(
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


def _exposure(change: Change, side: OpenSide, *, already: bool) -> Exposure:
    return Exposure(plan=change.plan, address=change.address, what=side.what, already=already, unknown=side.unknown)


def _open_policies(grants: list[Grant]) -> Iterator[Exposure]:
    for grant in grants:
        if grant.kind is Kind.IDENTITY or grant.standing is Standing.REMOVED:
            continue
        if grant.statement.opaque:
            yield Exposure(
                plan=grant.plan,
                address=grant.source,
                what=f"the policy of {grant.holder} can't be read, and may let anyone use it",
                already=grant.standing is Standing.KEPT,
                unknown=True,
            )
        elif may_be_anyone(grant.statement):
            yield Exposure(
                plan=grant.plan,
                address=grant.source,
                what=f"it is not known whom the policy of {grant.holder} lets in",
                already=grant.standing is Standing.KEPT,
                unknown=True,
            )
        elif is_open_to_anyone(grant.statement) and not grant.statement.written:
            actions = ", ".join(grant.statement.actions[:3])
            yield Exposure(
                plan=grant.plan,
                address=grant.source,
                what=f"the policy of {grant.holder} lets anyone use {actions}",
                already=grant.standing is Standing.KEPT,
            )
