"""The model of a plan: what changes, in values that may be shown. Built by `build`, read by every analysis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from plan_review.plan.addresses import bare_address, module_prefix, place
from plan_review.plan.configuration import Configuration
from plan_review.plan.leaks import Leak
from plan_review.plan.references import References, Target
from plan_review.plan.sides import Sides
from plan_review.plan.values import Hidden, Value, get


class Action(StrEnum):
    """What happens to one object."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "destroy"
    FORGET = "forget"
    READ = "read"
    NOOP = "no-op"
    OTHER = "other"


class Phase(StrEnum):
    """Which of the two worlds an analysis looks at."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happens to one object of one plan."""

    #: The plan's label, "" when only one is reviewed.
    plan: str
    address: str
    mode: str
    type: str
    name: str
    module: str
    #: The key of the provider configuration that the object belongs to: an account and a region. "" when none is told.
    provider: str = ""
    action: Action
    #: Terraform's reason for the action, in words; "" for none.
    reason: str
    sides: Sides = field(repr=False, compare=False)
    #: Paths of the fields that force a replacement.
    replace_paths: tuple[str, ...] = ()
    #: The new object is made before the old one is destroyed.
    create_first: bool = False
    previous_address: str = ""
    #: The id of what is imported, or words when it isn't known; "" for no import.
    importing: str = ""
    #: The key of an old object that an earlier run left behind.
    deposed: str = ""
    #: Why Terraform leaves the change to a later run; "" when it doesn't.
    deferred: str = ""
    #: What Terraform called the actions, for an action that this review doesn't know.
    raw_actions: tuple[str, ...] = ()

    @property
    def before(self) -> Value:
        """The object's values before the change; None where it doesn't exist."""
        return self.sides.before

    @property
    def after(self) -> Value:
        """The object's values after the change; None where it doesn't exist any more."""
        return self.sides.after

    @property
    def managed(self) -> bool:
        """A resource, not a data source."""
        return self.mode == "managed"

    @property
    def destroys(self) -> bool:
        """Whether the object that exists is destroyed (replacing it does)."""
        return self.action in (Action.DELETE, Action.REPLACE) and not (
            self.action is Action.REPLACE and "forget" in self.raw_actions
        )

    def at(self, phase: Phase) -> Value:
        """The object's values before or after the change; None where it doesn't exist."""
        return self.sides.before if phase is Phase.BEFORE else self.sides.after

    def exists(self, phase: Phase) -> bool:
        """Whether the object exists before or after the change."""
        return self.sides.had if phase is Phase.BEFORE else self.sides.has

    @property
    def label(self) -> str:
        """The address, with the plan it belongs to when there are several."""
        return f"{self.plan}: {self.address}" if self.plan else self.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """An action that Terraform invokes: something that isn't a change of an object, and may do anything."""

    plan: str
    address: str
    type: str
    #: When it is invoked: "before create"; "" when somebody asked for it.
    event: str
    #: Address of the object that makes Terraform invoke it, "" for none.
    resource: str
    #: What it is called with.
    values: Value
    #: Secrets in plaintext in that.
    leaks: tuple[Leak, ...]
    #: Paths of values in it that are marked as sensitive.
    sensitive: tuple[str, ...]
    #: Why it is left to a later run; "" when it isn't.
    deferred: str

    @property
    def label(self) -> str:
        """The address, with the plan it belongs to when there are several."""
        return f"{self.plan}: {self.address}" if self.plan else self.address


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A check, condition or validation that doesn't hold."""

    address: str
    #: "fail", or "error" where it couldn't be answered.
    status: str
    problems: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One plan, ready for the analyses."""

    label: str
    #: "Terraform 1.11.4", "OpenTofu 1.10.0".
    tool: str
    #: The version of the file's format.
    format_version: str = "1.2"
    #: Everything Terraform plans now: resources and data sources, unchanged ones included.
    changes: tuple[Change, ...]
    #: What stays as it is and isn't among the changes: data sources that were read, objects that `-target` leaves out.
    unchanged: tuple[Change, ...] = ()
    #: Other values of objects and outputs in the state before, or in the planned values; only searched for secrets.
    copies: tuple[Change, ...] = ()
    #: Changes that somebody made outside of Terraform since its last run.
    drift: tuple[Change, ...] = ()
    #: Attributes (a resource without keys, a path) that the changes may come from; None when the plan doesn't say.
    relevant: tuple[tuple[str, str], ...] | None = None
    #: Changes that are left to a later run.
    deferred: tuple[Change, ...] = ()
    #: Outputs that change, as Changes of the type "output".
    outputs: tuple[Change, ...] = ()
    #: Actions that are invoked now or in a later run.
    invocations: tuple[Invocation, ...] = ()
    failed_checks: tuple[FailedCheck, ...] = ()
    #: Secrets in plaintext outside of resources: input variables, literals of the configuration.
    leaks: tuple[Leak, ...] = ()
    configuration: Configuration = field(default_factory=Configuration)
    #: The plan failed half way: it can't be applied and doesn't show everything.
    errored: bool = False
    #: Terraform says that it can be applied; it says no, too, of a plan that changes nothing.
    applyable: bool = True
    #: Terraform says that another plan and apply will be needed after this one.
    incomplete: bool = False

    @property
    def objects(self) -> Iterator[Change]:
        """Everything that there is before or after: what changes now or in a later run, and what stays."""
        yield from self.changes
        yield from self.unchanged
        yield from self.deferred

    @cached_property
    def references(self) -> References:
        """Where the expressions of the configuration lead to."""
        return References(self.configuration)

    @cached_property
    def successors(self) -> Mapping[str, str]:
        """Objects that take the place of another under its name: the new address -> that of the one that goes.

        A role that is destroyed at one address and created at another is the same role for AWS: names of identities are
        unique in an account. Two that exist at the same time are never one.
        """
        old, new = self.worlds[Phase.BEFORE], self.worlds[Phase.AFTER]
        found: dict[str, str] = {}
        for kind in ("aws_iam_role", "aws_iam_user", "aws_iam_group"):
            for change in new.objects(kind):
                name = get(change.after, "name")
                if change.exists(Phase.BEFORE) or not isinstance(name, str) or new.found(kind, "name", name) is None:
                    continue
                gone = old.found(kind, "name", name, near=change)
                if gone is not None and not gone.exists(Phase.AFTER):
                    found[change.address] = gone.address
        return found

    def predecessor(self, change: Change) -> Change:
        """The object that was the same before: itself, or the one whose place it takes."""
        gone = self.successors.get(change.address)
        return change if gone is None else self.worlds[Phase.BEFORE].at_address(gone) or change

    def key(self, change: Change) -> str:
        """What an object is, the same before and after: its address, whatever it is called."""
        return self.successors.get(change.address, change.address)

    @cached_property
    def worlds(self) -> Mapping[Phase, World]:
        """What exists before and after, to be searched."""
        return {phase: World(self, phase) for phase in Phase}


#: By which other objects name one.
_NAMES = ("id", "arn", "name", "bucket", "url", "key_id", "function_name", "domain_name", "repository")


class World:
    """All objects of one plan in one phase, to be found by address and by the names that AWS knows them by.

    Every search is a look into an index: a plan of a million objects takes a thousand times as long as one of thousand.
    """

    def __init__(self, plan: Plan, phase: Phase) -> None:
        self.plan = plan
        self.phase = phase
        self._by_address: dict[str, Change] = {}
        self._by_instance: dict[str, list[Change]] = {}
        self._by_bare: dict[str, list[Change]] = {}
        self._by_value: dict[tuple[str, str], dict[tuple[object, ...], list[Change]]] = {}
        self._by_type: dict[str, list[Change]] = {}
        self._managed: list[Change] = []
        for change in plan.objects:
            if change.exists(phase):
                self._add(change)

    def _add(self, change: Change) -> None:
        if change.deposed:
            self._by_address.setdefault(change.address, change)
        else:
            self._by_address[change.address] = change
        where = place(change.address)
        self._by_instance.setdefault(module_prefix(where.modules) + where.resource, []).append(change)
        self._by_bare.setdefault(bare_address(change.address), []).append(change)
        if change.managed:
            self._managed.append(change)
            self._by_type.setdefault(change.type, []).append(change)

    def at_address(self, address: str) -> Change | None:
        """The object at an address with all its keys."""
        return self._by_address.get(address)

    def objects(self, *types: str) -> Iterator[Change]:
        """The objects of these types, one type after the other."""
        for kind in types:
            yield from self._by_type.get(kind, ())

    def managed(self) -> Iterator[Change]:
        """All objects that aren't data sources."""
        return iter(self._managed)

    def found(self, kind: str, attribute: str, value: str, near: Change | None = None) -> Change | None:
        """The one object of a type whose attribute has this value; None where none or several have it.

        Args:
            kind: the type.
            attribute: the attribute.
            value: its value.
            near: only objects of the same provider configuration as this one count; where several are left, those of
                its own module instance.
        """
        index = self._by_value.get((kind, attribute))
        if index is None:
            index = self._by_value[(kind, attribute)] = self._indexed(kind, attribute)
        if near is None:
            candidates: Sequence[Change] = index.get((value,), ())
        else:
            candidates = index.get((value, near.provider), ())
            if len(candidates) > 1:
                candidates = index.get((value, near.provider, place(near.address).modules), ())
        return candidates[0] if len(candidates) == 1 else None

    def _indexed(self, kind: str, attribute: str) -> dict[tuple[object, ...], list[Change]]:
        """The objects of a type by a value, by that and their provider, and by that and their module instance, too."""
        index: dict[tuple[object, ...], list[Change]] = {}
        for change in self._by_type.get(kind, ()):
            value = get(change.at(self.phase), attribute)
            if isinstance(value, str):
                whole = (value, change.provider, place(change.address).modules)
                for key in (whole[:1], whole[:2], whole):
                    index.setdefault(key, []).append(change)
        return index

    def targets(self, change: Change, target: Target) -> Sequence[Change]:
        """The objects that a reference in the configuration of `change` means.

        A module on the way is the same instance as the one around `change`, where they share it; an instance of a
        `for_each` or `count` refers to the one with its own key, where there is one. What stays open means all.
        """
        own = place(change.address)
        modules: list[tuple[str, str]] = []
        shared = True
        for index, (name, key) in enumerate(target.modules):
            around = own.modules[index] if index < len(own.modules) else ("", "")
            shared = shared and around[0] == name
            modules.append((name, key or (around[1] if shared else "")))
            shared = shared and modules[-1] == around
        for keyed in (tuple(modules), tuple((name, key or own.key) for name, key in modules)):
            instance = module_prefix(keyed) + target.resource
            found = self._by_address.get(instance + (target.key or own.key))
            if found is not None:
                return (found,)
            if target.key and instance in self._by_instance:
                return ()
            if instance in self._by_instance:
                return self._by_instance[instance]
        return self._by_bare.get(target.bare, ())

    def referred(self, change: Change, *path: str) -> Iterator[Change]:
        """The objects that an attribute's expression refers to."""
        for target in self.plan.references.leads(change.address, *path).targets:
            yield from self.targets(change, target)

    def meant(self, change: Change, *path: str) -> Iterator[Change]:
        """The objects that an attribute's expression refers to, of which one must be called what the attribute says.

        The expression is the one of after the plan: what the attribute named before is only known by its value.
        """
        value = get(change.at(self.phase), *path)
        moved = isinstance(value, Hidden) and self.phase is Phase.BEFORE and value != get(change.after, *path)
        for target in () if moved else self.plan.references.leads(change.address, path[0]).targets:
            for found in self.targets(change, target):
                names = (get(found.at(self.phase), name) for name in (target.attribute, *_NAMES))
                if not isinstance(value, str) or value in names:
                    yield found

    def first_referred(self, change: Change, path: str, types: Mapping[str, object] | Iterable[str]) -> Change | None:
        """The first object of one of the types that an attribute refers to."""
        wanted = frozenset(types)
        return next((c for c in self.referred(change, path) if c.type in wanted), None)

    def only_referred(self, change: Change, path: str, types: Mapping[str, object] | Iterable[str]) -> Change | None:
        """The object of one of the types that an attribute refers to; None where it may be one of several."""
        wanted = frozenset(types)
        found: dict[str, Change] = {}
        for candidate in self.referred(change, path):
            if candidate.type in wanted:
                found[candidate.address] = candidate
                if len(found) > 1:
                    return None
        return next(iter(found.values()), None)
