"""What the configuration inside of a plan says about who refers to whom.

A plan doesn't know a value before apply, but its `configuration` names the objects that it will come from:
https://developer.hashicorp.com/terraform/internals/json-format#expression-representation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

_OBJECT = re.compile(r"(?:data\.)?[A-Za-z][\w-]*\.[A-Za-z_][\w-]*")
_NOT_OBJECTS = {"var", "module", "local", "each", "count", "path", "self", "terraform", "run"}
_INDEX = re.compile(r"\[(?:\"(?:[^\"\\]|\\.)*\"|\d+)\]")
_DEPTH_MAX = 20
_PLAIN_WORD = re.compile(r"-?[A-Za-z][\w./]{0,30}")


@lru_cache(maxsize=65_536)
def bare_address(address: str) -> str:
    """An address without the keys of `count` and `for_each`: `module.a[0].x.y["k"]` becomes `module.a.x.y`."""
    return _INDEX.sub("", address) if "[" in address else address


@dataclass(frozen=True, slots=True)
class _Resource:
    module: str
    expressions: Mapping[str, Any]
    depends_on: tuple[str, ...]
    #: What its provisioners run: "local-exec: python3 -m iam mint ...".
    provisioners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Module:
    #: Expressions that the parent gives the module's variables.
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    parent: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """The resources and modules of a plan's configuration, by address without keys."""

    resources: Mapping[str, _Resource] = field(default_factory=dict)
    modules: Mapping[str, _Module] = field(default_factory=dict)
    #: Input variables of the root module that are declared sensitive.
    sensitive_variables: frozenset[str] = frozenset()

    def provisioners(self, address: str) -> tuple[str, ...]:
        """What runs when the object is created or destroyed: the kind and the beginning of the command."""
        resource = self.resources.get(bare_address(address))
        return resource.provisioners if resource else ()

    def expression(self, address: str, *path: str | int) -> Any:
        """The expression of an attribute as the plan holds it, None when there is none."""
        resource = self.resources.get(bare_address(address))
        found: Any = resource.expressions if resource else None
        for step in path:
            if isinstance(found, Mapping) and isinstance(step, str):
                found = found.get(step)
            elif isinstance(found, list) and isinstance(step, int):
                found = found[step] if step < len(found) else None
            elif isinstance(found, list) and len(found) == 1 and isinstance(found[0], Mapping):
                found = found[0].get(step)
            else:
                return None
        return found

    def texts(self, address: str, *path: str | int) -> tuple[str, ...]:
        """What an expression refers to, as it is written (`aws_sqs_queue.dead.arn`), the most precise form of each."""
        written = list(dict.fromkeys(_references(self.expression(address, *path))))
        return tuple(w for w in written if not any(o != w and o.startswith((f"{w}.", f"{w}[")) for o in written))

    def references(self, address: str, *path: str | int) -> tuple[str, ...]:
        """Addresses (without keys) of the objects that an expression leads to, through variables and outputs too."""
        resource = self.resources.get(bare_address(address))
        if resource is None:
            return ()
        written = _references(self.expression(address, *path) if path else resource.expressions)
        found = [a for text in written for a in self._resolve(text, resource.module, 0)]
        if not path:
            found += [a for text in resource.depends_on for a in self._resolve(text, resource.module, 0)]
        return tuple(dict.fromkeys(found))

    def _resolve(self, text: str, module: str, depth: int) -> Iterator[str]:
        head, _, rest = text.partition(".")
        if depth > _DEPTH_MAX:
            return
        if head == "var":
            own = self.modules.get(module)
            if own is not None:
                for inner in _references(own.inputs.get(_INDEX.sub("", rest.partition(".")[0]))):
                    yield from self._resolve(inner, own.parent, depth + 1)
        elif head == "module":
            name, _, output = rest.partition(".")
            child = _join(module, f"module.{_INDEX.sub('', name)}")
            called = self.modules.get(child)
            if called is not None and output:
                for inner in _references(called.outputs.get(_INDEX.sub("", output.partition(".")[0]))):
                    yield from self._resolve(inner, child, depth + 1)
        elif head not in _NOT_OBJECTS:
            match = _OBJECT.match(text)
            if match:
                yield _join(module, match.group())


def read_configuration(raw: Any) -> Configuration:
    """Index the `configuration` of a plan; parts of another shape than expected are passed over."""
    resources: dict[str, _Resource] = {}
    modules: dict[str, _Module] = {}
    root = _mapping(_mapping(raw).get("root_module"))
    _read_module(root, "", resources, modules, 0)
    variables = _mapping(root.get("variables"))
    sensitive = frozenset(name for name, v in variables.items() if _mapping(v).get("sensitive") is True)
    return Configuration(resources, modules, sensitive)


def _read_module(
    module: Mapping[str, Any], prefix: str, resources: dict[str, _Resource], modules: dict[str, _Module], depth: int
) -> None:
    for item in _sequence(module.get("resources")):
        entry = _mapping(item)
        address = entry.get("address")
        if isinstance(address, str):
            expressions = dict(_mapping(entry.get("expressions")))
            for meta in ("count_expression", "for_each_expression"):
                if meta in entry:
                    expressions[meta] = entry[meta]
            depends = tuple(d for d in _sequence(entry.get("depends_on")) if isinstance(d, str))
            commands = tuple(_command(_mapping(p)) for p in _sequence(entry.get("provisioners")))
            resources[_join(prefix, address)] = _Resource(prefix, expressions, depends, commands)
    if depth > _DEPTH_MAX:
        return
    for name, call in _mapping(module.get("module_calls")).items():
        child = _mapping(_mapping(call).get("module"))
        path = _join(prefix, f"module.{name}")
        outputs = {k: _mapping(v).get("expression") for k, v in _mapping(child.get("outputs")).items()}
        modules[path] = _Module(_mapping(_mapping(call).get("expressions")), outputs, prefix)
        _read_module(child, path, resources, modules, depth + 1)


def _command(provisioner: Mapping[str, Any]) -> str:
    """The kind of a provisioner and what it starts; not its arguments, for they may hold anything."""
    kind = str(provisioner.get("type"))
    written = _mapping(_mapping(provisioner.get("expressions")).get("command")).get("constant_value")
    words = []
    for word in written.split()[:4] if isinstance(written, str) else ():
        if not _PLAIN_WORD.fullmatch(word):
            break
        words.append(word)
    return f"{kind}: {' '.join(words)} …" if words else kind


def _references(expression: Any) -> Iterator[str]:
    if isinstance(expression, Mapping):
        for key, value in expression.items():
            if key == "references" and isinstance(value, list):
                yield from (v for v in value if isinstance(v, str))
            elif key != "constant_value":
                yield from _references(value)
    elif isinstance(expression, list):
        for item in expression:
            yield from _references(item)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _join(module: str, address: str) -> str:
    return f"{module}.{address}" if module else address
