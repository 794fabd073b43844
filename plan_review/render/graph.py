"""The picture of a review: the resources of the plans and how they are linked, reduced to what a person takes in.

Policies, attachments and rules are no boxes of their own but make the links between what they connect: a role that may
read a secret points to the secret. Many alarms become one box.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from plan_review.plan.addresses import bare_address
from plan_review.plan.model import Action, Change, Phase, Plan

#: More boxes than this are a wallpaper; then all objects of a type become one box.
NODES_MAX = 36
#: Of the worst action in a box, its colour tells.
_WORST = (
    Action.DELETE,
    Action.REPLACE,
    Action.OTHER,
    Action.UPDATE,
    Action.CREATE,
    Action.FORGET,
    Action.NOOP,
)
#: Types that only connect others.
_GLUE = frozenset(
    {
        "aws_iam_role_policy",
        "aws_iam_user_policy",
        "aws_iam_group_policy",
        "aws_iam_policy",
        "aws_iam_role_policy_attachment",
        "aws_iam_user_policy_attachment",
        "aws_iam_group_policy_attachment",
        "aws_iam_policy_attachment",
        "aws_iam_role_policies_exclusive",
        "aws_security_group_rule",
        "aws_vpc_security_group_ingress_rule",
        "aws_vpc_security_group_egress_rule",
        "aws_secretsmanager_secret_policy",
        "aws_secretsmanager_secret_version",
        "aws_sqs_queue_policy",
        "aws_sqs_queue_redrive_allow_policy",
        "aws_s3_bucket_policy",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_versioning",
        "aws_kms_key_policy",
        "aws_kms_alias",
        "aws_cloudwatch_event_bus_policy",
        "aws_sns_topic_policy",
        "aws_dynamodb_resource_policy",
        "aws_ecr_lifecycle_policy",
        "aws_ecs_cluster_capacity_providers",
        "aws_cloudwatch_query_definition",
    }
)
#: Types of which all objects of a plan are one box.
_POOLED: Mapping[str, str] = {"aws_cloudwatch_metric_alarm": "alarms", "aws_cloudwatch_composite_alarm": "alarms"}
_WORDS = {
    "aws": "",
    "ecs": "ECS",
    "iam": "IAM",
    "kms": "KMS",
    "sqs": "SQS",
    "sns": "SNS",
    "s3": "S3",
    "vpc": "VPC",
    "ecr": "ECR",
    "efs": "EFS",
    "rds": "RDS",
    "db": "DB",
    "eip": "Elastic IP",
    "nat": "NAT",
    "lb": "load balancer",
    "ssm": "SSM",
    "dynamodb": "DynamoDB",
    "cloudwatch": "CloudWatch",
    "secretsmanager": "Secrets Manager",
}


@dataclass(frozen=True, slots=True)
class Node:
    """One box: one object, or several that belong together."""

    key: str
    title: str
    #: The second line: its type, or the names of the objects where the title is the type.
    kind: str
    action: Action
    #: How many objects it stands for.
    count: int


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes and the links between them, by the boxes' keys, in a stable order."""

    nodes: tuple[Node, ...]
    links: tuple[tuple[str, str], ...]


def picture(plans: Iterable[Plan]) -> Picture:
    """Draw the plans: what exists after them and what they destroy."""
    plans = tuple(plans)
    keys = {_key(c, by_type=False) for plan in plans for c in plan.changes if _is_box(c)}
    return _draw(plans, by_type=len(keys) > NODES_MAX)


def kind_in_words(kind: str) -> str:
    """`aws_ecs_task_definition` becomes "ECS task definition"."""
    words = [_WORDS.get(word, word) for word in kind.split("_")]
    return " ".join(word for word in words if word)


def _draw(plans: tuple[Plan, ...], *, by_type: bool) -> Picture:
    members: dict[str, list[Change]] = {}
    box_of: dict[tuple[str, str], str] = {}
    for plan in plans:
        for change in plan.changes:
            if _is_box(change):
                key = _key(change, by_type=by_type)
                members.setdefault(key, []).append(change)
                box_of[(plan.label, bare_address(change.address))] = key
    links: dict[tuple[str, str], None] = {}
    for plan in plans:
        for source, target in _references(plan, box_of):
            if source != target:
                links[(source, target)] = None
    nodes = tuple(_node(key, found, by_type=by_type) for key, found in members.items())
    if len(nodes) > NODES_MAX:
        kept = {n.key for n in sorted(nodes, key=lambda n: (-n.count, n.key))[:NODES_MAX]}
        nodes = tuple(n for n in nodes if n.key in kept)
        links = {pair: None for pair in links if kept.issuperset(pair)}
    return Picture(nodes, tuple(_reduced(list(links))))


def _is_box(change: Change) -> bool:
    there = change.exists(Phase.AFTER) or change.action is Action.DELETE
    return there and change.managed and change.type not in _GLUE


def _key(change: Change, *, by_type: bool) -> str:
    name = change.type if by_type or change.type in _POOLED else bare_address(change.address)
    return f"{change.plan}:{name}" if change.plan else name


def _node(key: str, found: list[Change], *, by_type: bool) -> Node:
    first = found[0]
    actions = {c.action for c in found}
    worst = next((a for a in _WORST if a in actions), Action.NOOP)
    kind = kind_in_words(first.type)
    if by_type:
        return Node(key, kind, ", ".join(dict.fromkeys(c.name for c in found)), worst, len(found))
    return Node(key, _POOLED.get(first.type, first.name), kind, worst, len(found))


def _references(plan: Plan, box_of: Mapping[tuple[str, str], str]) -> Iterator[tuple[str, str]]:
    """Links between boxes; what is no box is walked through."""
    through: dict[str, tuple[str, ...]] = {}
    for address in plan.configuration.resources:
        box = box_of.get((plan.label, address))
        targets = _boxes(plan, address, box_of, through)
        if box is not None:
            yield from ((box, target) for target in targets)
        elif not address.startswith("data.") and ".data." not in address:
            # Glue: the identity that it belongs to points to everything else that it names.
            owners = [t for t in targets if _is_owner(t)]
            for owner in owners[:1]:
                yield from ((owner, target) for target in targets if target not in owners)


def _is_owner(key: str) -> bool:
    return any(part in key for part in ("aws_iam_role.", "aws_iam_user.", "aws_iam_group.", "aws_security_group."))


def _boxes(
    plan: Plan, address: str, box_of: Mapping[tuple[str, str], str], through: dict[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """The boxes that an object refers to, through data sources and glue; `through` remembers what was found."""
    if address in through:
        return through[address]
    found: dict[str, None] = {}
    seen = {address}
    ahead = deque(plan.references.addresses(address))
    while ahead:
        target = ahead.popleft()
        if target in seen:
            continue
        seen.add(target)
        box = box_of.get((plan.label, target))
        if box is not None:
            found[box] = None
        elif target in through:
            found.update(dict.fromkeys(through[target]))
        else:
            ahead.extend(plan.references.addresses(target))
    through[address] = tuple(found)
    return through[address]


def _reduced(links: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Without links that a chain of others already tells."""
    after: dict[str, set[str]] = {}
    for source, target in links:
        after.setdefault(source, set()).add(target)
    for source, target in sorted(links):
        after[source].discard(target)
        if not _leads(after, source, target):
            after[source].add(target)
            yield source, target


def _leads(after: Mapping[str, set[str]], start: str, goal: str) -> bool:
    seen = {start}
    ahead = [start]
    while ahead:
        for step in after.get(ahead.pop(), ()):
            if step == goal:
                return True
            if step not in seen:
                seen.add(step)
                ahead.append(step)
    return False
