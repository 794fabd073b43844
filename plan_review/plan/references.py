"""What the expressions of a configuration lead to, through variables and outputs of modules, with literal keys.

`aws_iam_role.r["a"].arn` names one instance. `aws_iam_role.r[each.key].arn` stands in a plan as `aws_iam_role.r` and
`each.key`: which instance is meant is then the question of `World`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from plan_review.plan.addresses import bare_address, first_step, module_prefix
from plan_review.plan.configuration import Configuration, references_in

_OBJECT = re.compile(r"(?:data\.)?[A-Za-z][\w-]*\.[A-Za-z_][\w-]*")
_NOT_OBJECTS = frozenset({"var", "module", "local", "each", "count", "path", "self", "terraform", "run"})
_DEPTH_MAX = 20
#: References that were followed: the text, the modules around it, and whether no `for_each` is known there.
_Seen: TypeAlias = set[tuple[str, tuple[tuple[str, str], ...], bool]]


@dataclass(frozen=True, slots=True)
class Target:
    """An object that an expression refers to; keys are "" where they aren't written out."""

    modules: tuple[tuple[str, str], ...]
    resource: str
    key: str
    #: What of it: `json`, `id`, "" for the whole object.
    attribute: str

    @property
    def bare(self) -> str:
        """Its address without keys."""
        return module_prefix(tuple((name, "") for name, _ in self.modules)) + self.resource


@dataclass(frozen=True, slots=True)
class Leads:
    """Where an expression leads to."""

    targets: tuple[Target, ...]
    #: All of the expression's references lead to objects: no local value, no variable of the root, no resource's key.
    complete: bool


class References:
    """The references of a configuration, each expression followed once."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._known: dict[tuple[str | int, ...], Leads] = {}

    def leads(self, address: str, *path: str | int) -> Leads:
        """Where the expression of an attribute leads to; without a path, everything that the resource names."""
        bare = bare_address(address)
        key = (bare, *path)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._follow(bare, path)
        return found

    def addresses(self, address: str, *path: str | int) -> tuple[str, ...]:
        """The same as addresses without keys, each once."""
        return tuple(dict.fromkeys(target.bare for target in self.leads(address, *path).targets))

    def _follow(self, bare: str, path: tuple[str | int, ...]) -> Leads:
        resource = self._configuration.resources.get(bare)
        if resource is None:
            return Leads((), complete=False)
        expression = self._configuration.expression(bare, *path) if path else resource.expressions
        texts = [*references_in(expression), *(() if path else resource.depends_on)]
        modules = tuple((name, "") for name in resource.modules)
        each = resource.expressions.get("for_each_expression")
        seen: _Seen = set()
        found = [t for text in texts for t in self._resolve(text, modules, each, 0, seen)]
        targets = tuple(dict.fromkeys(t for t in found if t is not None))
        return Leads(targets, complete=bool(found) and None not in found)

    def _resolve(
        self, text: str, modules: tuple[tuple[str, str], ...], each: object, depth: int, seen: _Seen
    ) -> Iterator[Target | None]:
        """The objects behind one reference, None for what is no object. What was followed already isn't again."""
        if (text, modules, each is None) in seen:
            return
        seen.add((text, modules, each is None))
        head, _, rest = text.partition(".")
        if depth > _DEPTH_MAX:
            yield None
        elif head == "var":
            yield from self._variable(first_step(rest)[0], modules, depth, seen)
        elif head == "module":
            yield from self._output(rest, modules, depth, seen)
        elif head == "each" and rest.startswith("value"):
            inner = references_in(each)
            found = (t for r in inner for t in self._resolve(r, modules, None, depth + 1, seen))
            yield from found if inner else (None,)
        elif head == "each" or text == "count.index":
            return
        elif head not in _NOT_OBJECTS and (match := _OBJECT.match(text)):
            _, key, attribute = first_step(text[match.start() :].removeprefix("data.").partition(".")[2])
            yield Target(modules, match.group(), key, attribute)
        else:
            yield None

    def _variable(
        self, name: str, modules: tuple[tuple[str, str], ...], depth: int, seen: _Seen
    ) -> Iterator[Target | None]:
        own = self._configuration.modules.get(tuple(step for step, _ in modules))
        inner = references_in(own.inputs.get(name)) if own is not None else ()
        if own is None or not inner:
            yield None
            return
        for text in inner:
            yield from self._resolve(text, modules[:-1], own.for_each, depth + 1, seen)

    def _output(
        self, rest: str, modules: tuple[tuple[str, str], ...], depth: int, seen: _Seen
    ) -> Iterator[Target | None]:
        name, key, output = first_step(rest)
        child = (*modules, (name, key))
        called = self._configuration.modules.get(tuple(step for step, _ in child))
        inner = references_in(called.outputs.get(first_step(output)[0])) if called is not None and output else ()
        if not inner:
            yield None
        for text in inner:
            yield from self._resolve(text, child, None, depth + 1, seen)
