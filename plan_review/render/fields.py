"""Which fields of a change are shown, and which of them first."""

from __future__ import annotations

from dataclasses import dataclass

from plan_review.plan.diff import FieldChange, field_changes
from plan_review.plan.model import Action, Change
from plan_review.plan.values import UNKNOWN, show

_COMPUTED = show(UNKNOWN)
#: What a reader looks for in an object that is made or goes: what it is called, what it lets happen, how large it is.
_SIGNIFICANT = (
    *("name", "name_prefix", "bucket", "identifier", "cluster_identifier", "function_name", "family", "domain_name"),
    *("role", "user", "group", "policy_arn", "policy", "assume_role_policy", "principal", "action", "source_arn"),
    *("type", "protocol", "from_port", "to_port", "cidr_blocks", "cidr_ipv4", "cidr_block", "ingress", "egress"),
    *("publicly_accessible", "internal", "scheme", "endpoint", "security_groups", "subnets", "subnet_ids", "vpc_id"),
    *("engine", "engine_version", "instance_class", "instance_type", "ami", "image", "image_uri", "runtime", "handler"),
    *("cpu", "memory", "memory_size", "desired_count", "size", "allocated_storage", "billing_mode", "hash_key"),
    *("encrypted", "storage_encrypted", "kms_key_id", "deletion_protection", "force_destroy", "retention_in_days"),
    *("container_definitions", "environment", "user_data", "value", "secret_string", "content"),
)
_RANKS = {name: index for index, name in enumerate(_SIGNIFICANT)}
_TAGS = ("tags", "tags_all", "labels")
_LATER = (4, 0)
_DEFAULTS = ("false", "0", '""', "null")


@dataclass(frozen=True, slots=True)
class ShownFields:
    """The fields of one change."""

    first: tuple[FieldChange, ...]
    #: To be folded, or only counted.
    rest: tuple[FieldChange, ...]


def shown_fields(change: Change, first: int, first_of_new: int) -> ShownFields:
    """The fields in the order in which they matter.

    Args:
        change: the change.
        first: how many come first where an object changes: its fields are all of interest, and stay in order.
        first_of_new: how many where one is created or destroyed, the significant ones; values that are only computed
            by AWS come last and never among the first.
    """
    fields = field_changes(change)
    if change.action in (Action.CREATE, Action.DELETE):
        fields = sorted(fields, key=_rank)
        known = sum(_rank(field) < _LATER for field in fields)
        first = min(first_of_new, known) if known else 0
    return ShownFields(tuple(fields[:first]), tuple(fields[first:]))


def _rank(field: FieldChange) -> tuple[int, int]:
    head = field.path.partition(".")[0].partition("[")[0]
    value = field.new if field.new is not None else field.old
    if value == _COMPUTED:
        return _LATER
    if head in _TAGS:
        return 3, 0
    if head in _RANKS:
        return 0, _RANKS[head]
    return (2 if value in _DEFAULTS else 1), 0
