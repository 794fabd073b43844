"""One statement with the one that it concerns, and what every reader of rights needs to find both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from plan_review.findings.policies import Statement, data_statements, statements
from plan_review.plan.configuration import bare_address
from plan_review.plan.model import Change, Phase, World
from plan_review.plan.values import Unknown, get, text


class Kind(StrEnum):
    """What a policy is attached to."""

    IDENTITY = "may"
    TRUST = "may be assumed by"
    RESOURCE = "may be used by"


@dataclass(frozen=True, slots=True)
class Found:
    """A statement as a reader found it in one object."""

    kind: Kind
    #: The identity that may do something, or the resource (or role) that somebody may use.
    holder: str
    statement: Statement
    #: The object that holds the statement.
    change: Change


IDENTITIES = {"aws_iam_role": "role", "aws_iam_user": "user", "aws_iam_group": "group"}
_TARGETS = [
    "secret_arn",
    "queue_url",
    "key_id",
    "bucket",
    "event_bus_name",
    "arn",
    "repository",
    "file_system_id",
    "resource_arn",
    "function_name",
    "domain_name",
    "backup_vault_name",
    "registry_id",
    "policy_name",
    "name",
]


def left_to_aws(world: World, change: Change, attribute: str) -> bool:
    """The configuration doesn't set the value: AWS's default, or an echo of what other objects set."""
    configuration = world.plan.configuration
    known = bare_address(change.address) in configuration.resources
    return known and configuration.expression(change.address, attribute) is None


def statements_of(world: World, change: Change, attribute: str, kind: Kind, holder: str) -> Iterator[Found]:
    """The statements of the policy that an attribute holds, or of the documents that it will be made of."""
    value = get(change.at(world.phase), attribute)
    if isinstance(value, Unknown):
        documents = [
            document
            for address in world.plan.configuration.references(change.address, attribute)
            for document in world.at(address)
            if document.type == "aws_iam_policy_document"
        ]
        if documents:
            for document in documents:
                for statement in data_statements(document.after):
                    yield Found(kind, holder, statement, change)
            return
    for statement in statements(value):
        yield Found(kind, holder, statement, change)


def name_of(change: Change, phase: Phase) -> str:
    """`user cognito-source` when AWS's name is known, else the address."""
    kind = IDENTITIES.get(change.type, change.type.removeprefix("aws_").replace("_", " "))
    name = text(get(change.at(phase), "name")) or text(get(change.at(phase), "bucket"))
    return f"{kind} {name or change.address}"


def holder_of(world: World, change: Change, attribute: str) -> str:
    """The identity that an attribute names."""
    kind = attribute.removesuffix("s")
    value = get(change.at(world.phase), attribute)
    if isinstance(value, str):
        return f"{kind} {value}"
    referred = world.first_referred(change, attribute, IDENTITIES)
    return name_of(referred, world.phase) if referred is not None else f"{kind} of {change.address}"


def target_of(world: World, change: Change) -> str:
    """The resource that a policy protects: the object that it refers to, else what it names, else itself."""
    configuration = world.plan.configuration
    for attribute in _TARGETS:
        if configuration.expression(change.address, attribute) is None and attribute == "name":
            continue
        for referred in world.referred(change, attribute):
            if referred.managed and not referred.type.startswith("aws_iam_"):
                return name_of(referred, world.phase)
    return name_of(change, world.phase)
