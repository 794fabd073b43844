"""The model of a plan: what changes, in values that may be shown. Built by `build`, read by every analysis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from plan_review.plan.configuration import Configuration, bare_address
from plan_review.plan.leaks import Leak
from plan_review.plan.sides import Sides
from plan_review.plan.values import Value, get


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


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One plan, ready for the analyses."""

    label: str
    #: "Terraform 1.11.4", "OpenTofu 1.10.0".
    tool: str
    #: Everything Terraform plans now: resources and data sources, unchanged ones included.
    changes: tuple[Change, ...]
    #: Changes that somebody made outside of Terraform since its last run.
    drift: tuple[Change, ...] = ()
    #: Changes that are left to a later run.
    deferred: tuple[Change, ...] = ()
    #: Outputs that change, as Changes of the type "output".
    outputs: tuple[Change, ...] = ()
    #: Secrets in clear outside of resources: input variables, literals of the configuration.
    leaks: tuple[Leak, ...] = ()
    configuration: Configuration = field(default_factory=Configuration)
    #: The plan failed half way: it can't be applied and doesn't show everything.
    errored: bool = False
    #: Terraform says that another plan and apply will be needed after this one.
    incomplete: bool = False

    @cached_property
    def worlds(self) -> Mapping[Phase, World]:
        """What exists before and after, to be searched."""
        return {phase: World(self, phase) for phase in Phase}


class World:
    """All objects of one plan in one phase, to be found by address and by the names that AWS knows them by."""

    def __init__(self, plan: Plan, phase: Phase) -> None:
        self.plan = plan
        self.phase = phase
        self._by_bare: dict[str, list[Change]] = {}
        self._by_value: dict[tuple[str, str], dict[str, Change]] = {}
        self._by_type: dict[str, list[Change]] = {}
        self._managed: list[Change] = []
        for change in plan.changes:
            if change.exists(phase):
                self._by_bare.setdefault(bare_address(change.address), []).append(change)
                if change.managed:
                    self._managed.append(change)
                    self._by_type.setdefault(change.type, []).append(change)

    def objects(self, *types: str) -> Iterator[Change]:
        """The objects of these types, one type after the other."""
        for kind in types:
            yield from self._by_type.get(kind, ())

    def managed(self) -> Iterator[Change]:
        """All objects that aren't data sources."""
        return iter(self._managed)

    def at(self, bare: str) -> list[Change]:
        """The objects with this address without keys, data sources included."""
        return self._by_bare.get(bare, [])

    def found(self, kind: str, attribute: str, value: str) -> Change | None:
        """The first object of a type whose attribute has this value."""
        index = self._by_value.get((kind, attribute))
        if index is None:
            index = {}
            for change in reversed(self._by_type.get(kind, ())):
                key = get(change.at(self.phase), attribute)
                if isinstance(key, str):
                    index[key] = change
            self._by_value[(kind, attribute)] = index
        return index.get(value)

    def referred(self, change: Change, *path: str) -> list[Change]:
        """The objects that an attribute's expression refers to.

        An instance of a `for_each` or `count` refers to the instance with its own key, where there is one.
        """
        found: list[Change] = []
        for address in self.plan.configuration.references(change.address, *path):
            candidates = self._by_bare.get(address, [])
            own = [c for c in candidates if _key(c.address) == _key(change.address)]
            found += own if own and _key(change.address) else candidates
        return found

    def first_referred(self, change: Change, path: str, types: Mapping[str, object] | Iterable[str]) -> Change | None:
        """The first object of one of the types that an attribute refers to."""
        wanted = set(types)
        return next((c for c in self.referred(change, path) if c.type in wanted), None)


def _key(address: str) -> str:
    return address[address.rindex("[") :] if address.endswith("]") else ""
