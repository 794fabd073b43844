"""One statement with the one that it concerns, and what every reader of rights needs to find both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from plan_review.findings.policies import Statement, data_statements, statements
from plan_review.plan.addresses import bare_address
from plan_review.plan.model import Action, Change, Phase, World
from plan_review.plan.values import Hidden, Unknown, Value, get, text


class Kind(StrEnum):
    """What a policy is attached to."""

    IDENTITY = "may"
    TRUST = "may be assumed by"
    RESOURCE = "may be used by"


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom or what a policy concerns."""

    #: Equal for the same holder before and after, different for two that only have the same name.
    key: str
    #: `user cognito-source` when AWS's name is known, else the address.
    label: str


@dataclass(frozen=True, slots=True)
class FoundRight:
    """A statement as a reader found it in one object."""

    kind: Kind
    #: The identity that may do something, or the resource (or role) that somebody may use.
    holder: Holder
    statement: Statement
    #: The object that holds the statement.
    change: Change

    @property
    def key(self) -> tuple[Kind, str]:
        """What is compared before and after."""
        return self.kind, self.holder.key


IDENTITIES = {"aws_iam_role": "role", "aws_iam_user": "user", "aws_iam_group": "group"}
#: What of a policy document is the policy itself.
_JSON = ("json", "minified_json")
#: Attributes that name what a policy protects, the first one that means something counts.
_TARGETS = (
    *("secret_arn", "queue_url", "key_id", "bucket", "event_bus_name", "arn", "repository", "file_system_id"),
    *("resource_arn", "function_name", "domain_name", "backup_vault_name", "rest_api_id", "vpc_endpoint_id"),
    *("delivery_destination_name", "destination_name", "domain", "repository_name", "vault_name", "container_name"),
    *("cluster_arn", "sink_identifier", "access_point_arn", "table_bucket_arn", "vector_bucket_arn", "workspace_id"),
    *("model_package_group_name", "registry_name", "identity", "email_identity", "resource_identifier"),
    *("account_id", "registry_id", "policy_name", "name"),
)
_OWN_NAMES = frozenset({"registry_id", "policy_name", "name"})


def left_to_aws(world: World, change: Change, attribute: str) -> bool:
    """An unknown value that the configuration doesn't set: AWS's default, or an echo of what other objects set.

    Of an object that is only updated, the provider knows such values: there, a `dynamic` block sets it, which the
    configuration in a plan leaves out.
    """
    if change.action is Action.UPDATE:
        return False
    configuration = world.plan.configuration
    known = bare_address(change.address) in configuration.resources
    return known and configuration.expression(change.address, attribute) is None


def statements_of(world: World, change: Change, attribute: str, kind: Kind, holder: Holder) -> Iterator[FoundRight]:
    """The statements of the policy that an attribute holds, or of the documents that it will be made of."""
    value = get(change.at(world.phase), attribute)
    documents = _documents(world, change, attribute) if isinstance(value, Unknown) else ()
    if documents:
        for document in documents:
            for statement in data_statements(document.after):
                yield FoundRight(kind, holder, statement, change)
        return
    for statement in statements(value):
        yield FoundRight(kind, holder, statement, change)
    if isinstance(value, Unknown):
        for statement in statements(change.sides.written.get(attribute)):
            yield FoundRight(kind, holder, replace(statement, written=True), change)


def _documents(world: World, change: Change, attribute: str) -> tuple[Change, ...]:
    """The policy documents that an unknown policy consists of; none when it may consist of anything else, too."""
    leads = world.plan.references.leads(change.address, attribute)
    if not leads.complete or not all(
        t.resource.startswith("data.aws_iam_policy_document.") and t.attribute in _JSON for t in leads.targets
    ):
        return ()
    return tuple(document for target in leads.targets for document in world.targets(change, target))


def name_of(change: Change, phase: Phase) -> str:
    """`user cognito-source` when AWS's name is known, else the address."""
    kind = IDENTITIES.get(change.type, change.type.removeprefix("aws_").replace("_", " "))
    name = text(get(change.at(phase), "name")) or text(get(change.at(phase), "bucket"))
    return f"{kind} {name or change.address}"


def itself(world: World, change: Change) -> Holder:
    """An object of the plan as a holder."""
    return Holder(world.plan.key(change), name_of(change, world.phase))


def holder_of(world: World, change: Change, attribute: str) -> Holder:
    """The identity that an attribute names."""
    return holder_named(world, change, attribute, get(change.at(world.phase), attribute))


def holder_named(world: World, change: Change, attribute: str, named: Value) -> Holder:
    """The identity of this name: the plan's own, else a name in an account, else one that is not known.

    Args:
        world: the world that is looked at.
        change: the object that names it.
        attribute: where it does: "role", or "roles" for one of several.
        named: the name, or what is in its place.
    """
    kind = attribute.removesuffix("s")
    if isinstance(named, str):
        own = world.found(f"aws_iam_{kind}", "name", named, near=change)
        return itself(world, own) if own else Holder(f"{kind} {named} of {change.provider}", f"{kind} {named}")
    referred = None if isinstance(named, Hidden) else world.only_referred(change, attribute, {f"aws_iam_{kind}"})
    if referred is not None:
        return itself(world, referred)
    # Two hidden names are one only where nothing changes.
    phase = f" {world.phase.name}" if isinstance(named, Hidden) and not _names_the_same(change, attribute) else ""
    return Holder(f"{change.address}{phase}", f"{kind} of {change.address}")


def _names_the_same(change: Change, attribute: str) -> bool:
    return get(change.before, attribute) == get(change.after, attribute)


def target_of(world: World, change: Change) -> Holder:
    """The resource that a policy protects: the object that it means, else what it names, else itself."""
    named = None
    for attribute in _TARGETS:
        for meant in world.meant(change, attribute):
            if meant.managed and not meant.type.startswith("aws_iam_"):
                return itself(world, meant)
        value = get(change.at(world.phase), attribute)
        if named is None and attribute not in _OWN_NAMES and isinstance(value, str) and value:
            named = Holder(f"{value} of {change.provider}", value)
    return named if named is not None and is_separate(change.type) else itself(world, change)


def is_separate(kind: str) -> bool:
    """Whether objects of a type are policies of something else."""
    return kind.endswith(("_policy", "_lock", "_attachment")) and kind != "aws_iam_policy"


def named_object(world: World, change: Change, path: str) -> Holder:
    """The object that an attribute names: the plan's own, else what it is called, else one that is not known."""
    meant = [c for c in world.meant(change, *path.split(".")) if c.managed and c.type != change.type]
    if len(meant) == 1:
        return itself(world, meant[0])
    value = get(change.at(world.phase), *path.split("."))
    if isinstance(value, str) and value:
        return Holder(f"{value} of {change.provider}", value)
    return Holder(world.plan.key(change), f"what {change.address} names")
