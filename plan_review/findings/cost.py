"""An estimate of what the objects of a plan cost a month, before and after, with every assumption stated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from plan_review.coverage import LOCAL_PROVIDERS, Trait, provider_of, traits
from plan_review.findings import prices
from plan_review.plan.model import Change, Phase, Plan, World
from plan_review.plan.values import Unknown, Value, as_list, get, text


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """One object's part of the estimate, US dollars a month."""

    plan: str
    address: str
    before: float
    after: float
    #: How the number comes about.
    basis: str


@dataclass(frozen=True, slots=True)
class Cost:
    """The whole estimate, US dollars a month."""

    lines: tuple[CostLine, ...]
    #: Objects that cost something that isn't in the estimate.
    not_priced: tuple[str, ...]

    @property
    def before(self) -> float:
        """What the plan's objects cost now."""
        return sum(line.before for line in self.lines)

    @property
    def after(self) -> float:
        """What they will cost after apply."""
        return sum(line.after for line in self.lines)


@dataclass(frozen=True, slots=True)
class _Amount:
    usd: float
    basis: str


def cost(plan: Plan) -> Cost:
    """Price every object of the plan, in both phases."""
    before = {c.address: (c, a) for c, a in _priced(plan.worlds[Phase.BEFORE])}
    after = {c.address: (c, a) for c, a in _priced(plan.worlds[Phase.AFTER])}
    lines = [
        CostLine(
            plan=plan.label,
            address=address,
            before=before[address][1].usd if address in before else 0.0,
            after=after[address][1].usd if address in after else 0.0,
            basis=(after.get(address) or before[address])[1].basis,
        )
        for address in dict.fromkeys([*after, *before])
    ]
    lines.sort(key=lambda line: (-max(line.after, line.before), line.address))
    return Cost(tuple(lines), tuple(_unpriced(plan.worlds[Phase.AFTER])))


def _unpriced(world: World) -> Iterator[str]:
    """What may cost something that isn't in the estimate."""
    for change in world.managed():
        if change.type == "aws_ecs_service":
            if not _on_fargate(world, change):
                yield f"{change.label} (its tasks don't run on Fargate, or nothing says so)"
        elif change.type not in prices.SIMPLE and change.type not in _SPECIAL and _may_cost(change.type):
            yield change.label


def _may_cost(kind: str) -> bool:
    """Whether an object of a type may cost something; one that nobody here knows may."""
    known = traits(kind)
    return provider_of(kind) not in LOCAL_PROVIDERS if known is None else Trait.COSTS in known


def _priced(world: World) -> Iterator[tuple[Change, _Amount]]:
    for change in world.managed():
        special = _SPECIAL.get(change.type)
        if special is not None:
            amount = special(world, change)
        elif change.type in prices.SIMPLE:
            price = prices.SIMPLE[change.type]
            parts = [f"{price.fixed:.2f} fixed"] if price.fixed else []
            parts += [f"{price.use:.2f} for {price.assumption}"] if price.use else []
            parts += [price.assumption] if price.assumption and not price.use else []
            amount = _Amount(price.fixed + price.use, ", ".join(parts))
        else:
            continue
        if amount is not None:
            yield change, amount


def _service(world: World, change: Change) -> _Amount | None:
    value = change.at(world.phase)
    if not _on_fargate(world, change):
        return None
    task = _task_definition(world, change)
    definition = task.at(world.phase) if task is not None else None
    count = _number(get(value, "desired_count"), 1.0)
    cpu = _number(get(definition, "cpu"), 256.0) / 1024
    memory = _number(get(definition, "memory"), 512.0) / 1024
    architecture = text(get(definition, "runtime_platform", 0, "cpu_architecture")) or "X86_64"
    vcpu_hour = prices.FARGATE_VCPU_HOUR.get(architecture, prices.FARGATE_VCPU_HOUR["X86_64"])
    gb_hour = prices.FARGATE_GB_HOUR.get(architecture, prices.FARGATE_GB_HOUR["X86_64"])
    storage = _number(get(definition, "ephemeral_storage", 0, "size_in_gib"), 0.0)
    extra = max(0.0, storage - prices.FARGATE_STORAGE_INCLUDED_GB) * prices.FARGATE_STORAGE_GB_HOUR
    public = get(value, "network_configuration", 0, "assign_public_ip") is True
    hourly = cpu * vcpu_hour + memory * gb_hour + extra + (prices.PUBLIC_IPV4_HOUR if public else 0.0)
    size = f"{cpu:g} vCPU and {memory:g} GB ({architecture})"
    if task is None:
        size += ", the smallest there is: the task definition isn't in the plan"
    address = " with a public IPv4 address" if public else ""
    tasks = f"{count:g} Fargate task{'' if count == 1 else 's'}"
    return _Amount(hourly * count * prices.HOURS_PER_MONTH, f"{tasks}, {size}{address}, all month")


def _on_fargate(world: World, change: Change) -> bool:
    """Whether it is certain that a service's tasks run on Fargate.

    Without a launch type and capacity providers of its own, the cluster's default decides; without that, it is EC2:
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html.
    """
    value = change.at(world.phase)
    launch = text(get(value, "launch_type"))
    if launch:
        return launch == "FARGATE"
    own = as_list(get(value, "capacity_provider_strategy"))
    if own:
        return _all_fargate(own)
    cluster = world.first_referred(change, "cluster", {"aws_ecs_cluster"})
    named = cluster.name if cluster is not None else ""
    for providers in world.objects("aws_ecs_cluster_capacity_providers"):
        of_cluster = world.first_referred(providers, "cluster_name", {"aws_ecs_cluster"})
        if (of_cluster.name if of_cluster is not None else "") == named:
            return _all_fargate(as_list(get(providers.at(world.phase), "default_capacity_provider_strategy")))
    return False


def _all_fargate(strategy: list[Value]) -> bool:
    names = [text(get(item, "capacity_provider")) for item in strategy]
    return bool(names) and all(name in ("FARGATE", "FARGATE_SPOT") for name in names)


def _task_definition(world: World, change: Change) -> Change | None:
    named = get(change.at(world.phase), "task_definition")
    if isinstance(named, str):
        for attribute in ("arn", "family"):
            task = world.found("aws_ecs_task_definition", attribute, named)
            if task is not None:
                return task
    return world.first_referred(change, "task_definition", {"aws_ecs_task_definition"})


def _table(world: World, change: Change) -> _Amount:
    value = change.at(world.phase)
    backup = get(value, "point_in_time_recovery", 0, "enabled") is True
    stored = prices.DYNAMODB_STORAGE_GB + (prices.DYNAMODB_BACKUP_GB if backup else 0.0)
    kept = f"1 GB stored{' and backed up' if backup else ''}"
    if text(get(value, "billing_mode")) == "PAY_PER_REQUEST":
        used = prices.DYNAMODB_MILLION_WRITES + prices.DYNAMODB_MILLION_READS
        return _Amount(used + stored, f"on demand: 1 million writes, 1 million reads, {kept}")
    writes, reads = _number(get(value, "write_capacity"), 1.0), _number(get(value, "read_capacity"), 1.0)
    hourly = writes * prices.DYNAMODB_WRITE_UNIT_HOUR + reads * prices.DYNAMODB_READ_UNIT_HOUR
    basis = f"{writes:g} write and {reads:g} read units provisioned, {kept}"
    return _Amount(hourly * prices.HOURS_PER_MONTH + stored, basis)


def _alarm(world: World, change: Change) -> _Amount:
    value = change.at(world.phase)
    queries = [q for q in as_list(get(value, "metric_query")) if as_list(get(q, "metric"))]
    metrics = max(1, len(queries))
    fast = _number(get(value, "period"), 60.0) < 60
    each = prices.ALARM_HIGH_RESOLUTION if fast else prices.ALARM
    return _Amount(
        each * metrics, f"{metrics} metric{'' if metrics == 1 else 's'}{', high resolution' if fast else ''}"
    )


def _endpoint(world: World, change: Change) -> _Amount | None:
    value = change.at(world.phase)
    if text(get(value, "vpc_endpoint_type")) in ("", "Gateway"):
        return None
    subnets = get(value, "subnet_ids")
    zones = max(1, len(subnets)) if isinstance(subnets, list) else 1
    stated = "" if isinstance(subnets, list) else " (number not known yet)"
    usd = prices.VPC_ENDPOINT_HOUR * prices.HOURS_PER_MONTH * zones
    return _Amount(usd, f"{zones} availability zone{'' if zones == 1 else 's'}{stated}, without traffic")


def _load_balancer(world: World, change: Change) -> _Amount:
    return _Amount(prices.LOAD_BALANCER_HOUR * prices.HOURS_PER_MONTH, "per hour, without capacity units")


def _queue(world: World, change: Change) -> _Amount:
    kind = "fifo" if get(change.at(world.phase), "fifo_queue") is True else "standard"
    return _Amount(prices.SQS_MILLION[kind], "1 million requests (the first million of an account is free)")


def _cluster(world: World, change: Change) -> _Amount | None:
    for setting in as_list(get(change.at(world.phase), "setting")):
        if get(setting, "name") == "containerInsights" and get(setting, "value") in ("enabled", "enhanced"):
            usd = prices.METRIC * prices.CONTAINER_INSIGHTS_METRICS
            return _Amount(usd, f"Container Insights: about {prices.CONTAINER_INSIGHTS_METRICS} custom metrics")
    return None


_SPECIAL: Mapping[str, Callable[[World, Change], _Amount | None]] = {
    "aws_ecs_service": _service,
    "aws_ecs_cluster": _cluster,
    "aws_dynamodb_table": _table,
    "aws_cloudwatch_metric_alarm": _alarm,
    "aws_vpc_endpoint": _endpoint,
    "aws_lb": _load_balancer,
    "aws_alb": _load_balancer,
    "aws_sqs_queue": _queue,
}


def _number(value: Value, default: float) -> float:
    """A number, also one that is written as text; the default when it isn't known."""
    if isinstance(value, bool | Unknown):
        return default
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(value) if isinstance(value, str) else default
    except ValueError:
        return default
