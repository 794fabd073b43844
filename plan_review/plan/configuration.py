"""What the configuration inside of a plan says: the expressions of every resource, and the modules around it.

A plan doesn't know a value before apply, but its `configuration` names the objects that it will come from:
https://developer.hashicorp.com/terraform/internals/json-format#expression-representation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from plan_review.plan.addresses import bare_address, shown_address

_DEPTH_MAX = 20
#: The beginning of a command that may be shown: a program, and the module that Python runs. A later word may be secret.
_PROGRAM = re.compile(r"\s*((?:[\w./-]*/)?[A-Za-z][\w.-]{0,30}(?: -m [A-Za-z_][\w.]{0,40})?)(?=\s|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredResource:
    """One resource as it is written."""

    #: Names of the modules around it, from the root.
    modules: tuple[str, ...]
    expressions: Mapping[str, Any]
    depends_on: tuple[str, ...] = ()
    #: What its provisioners start: "local-exec: python3 -m iam …".
    provisioners: tuple[str, ...] = ()
    #: The key of its provider's configuration, as in `provider_config`.
    provider: str = ""


@dataclass(frozen=True, slots=True)
class ConfiguredModule:
    """One module as it is called."""

    #: Expressions that the parent gives the module's variables.
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    for_each: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The resources (by address without keys) and modules (by the names on the way) of a plan's configuration."""

    # Neither is in the repr: literals and keys may be secret.
    resources: Mapping[str, ConfiguredResource] = field(default_factory=dict, repr=False)
    modules: Mapping[tuple[str, ...], ConfiguredModule] = field(default_factory=dict, repr=False)
    #: Input variables of the root module that are declared sensitive.
    sensitive_variables: frozenset[str] = frozenset()
    #: Keys of provider configurations (`aws`, `aws.prod`) with the provider's source or name.
    providers: Mapping[str, str] = field(default_factory=dict)

    def provisioners(self, address: str) -> tuple[str, ...]:
        """What runs when the object is created or destroyed: the kind, and the program of a command."""
        resource = self.resources.get(bare_address(address))
        return resource.provisioners if resource else ()

    def provider(self, address: str, source: str) -> str:
        """The key of the provider configuration that an object belongs to.

        An object that isn't in the configuration any more belongs to the only one of its provider; where there are
        several nobody knows, and the answer is one that equals no other.
        """
        resource = self.resources.get(bare_address(address))
        if resource is not None and resource.provider:
            key = resource.provider
            # Until Terraform 1.1: `module.a:aws` for a configuration that the module inherits.
            return key if key in self.providers else key.rpartition(":")[2]
        names = {source, source.rpartition("/")[2]}
        own = [key for key, name in self.providers.items() if name in names]
        return f"?{address}" if len(own) > 1 else own[0] if own else ""

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
        return references_in(self.expression(address, *path))


def references_in(expression: Any) -> tuple[str, ...]:
    """The references anywhere in an expression, each once and in its most precise form.

    Terraform lists `aws_iam_role.r["a"].arn`, `aws_iam_role.r["a"]` and `aws_iam_role.r` for the first alone.
    """
    written = dict.fromkeys(_references(expression))
    if len(written) < 2:
        return tuple(written)
    shorter = {text[:cut] for text in written for cut, c in enumerate(text) if c in ".["}
    return tuple(text for text in written if text not in shorter)


def _references(expression: Any) -> Iterator[str]:
    if isinstance(expression, Mapping):
        for key, value in expression.items():
            if key == "references" and isinstance(value, list):
                yield from (shown_address(v) for v in value if isinstance(v, str))
            elif key != "constant_value":
                yield from _references(value)
    elif isinstance(expression, list):
        for item in expression:
            yield from _references(item)


def read_configuration(raw: Any) -> Configuration:
    """Index the `configuration` of a plan; parts of another shape than expected are passed over."""
    resources: dict[str, ConfiguredResource] = {}
    modules: dict[tuple[str, ...], ConfiguredModule] = {}
    root = mapping(mapping(raw).get("root_module"))
    _read_module(root, (), resources, modules)
    variables = mapping(root.get("variables"))
    providers = mapping(mapping(raw).get("provider_config"))
    return Configuration(
        resources=resources,
        modules=modules,
        sensitive_variables=frozenset(n for n, v in variables.items() if mapping(v).get("sensitive") is True),
        providers={
            key: str(mapping(item).get("full_name") or mapping(item).get("name") or key)
            for key, item in providers.items()
        },
    )


def _read_module(
    module: Mapping[str, Any],
    names: tuple[str, ...],
    resources: dict[str, ConfiguredResource],
    modules: dict[tuple[str, ...], ConfiguredModule],
) -> None:
    prefix = "".join(f"module.{name}." for name in names)
    for item in sequence(module.get("resources")):
        entry = mapping(item)
        address = entry.get("address")
        if isinstance(address, str):
            resources[prefix + address] = _read_resource(entry, names)
    if len(names) > _DEPTH_MAX:
        return
    for name, item in mapping(module.get("module_calls")).items():
        call = mapping(item)
        child = mapping(call.get("module"))
        outputs = {k: mapping(v).get("expression") for k, v in mapping(child.get("outputs")).items()}
        modules[(*names, name)] = ConfiguredModule(
            mapping(call.get("expressions")), outputs, call.get("for_each_expression")
        )
        _read_module(child, (*names, name), resources, modules)


def _read_resource(entry: Mapping[str, Any], names: tuple[str, ...]) -> ConfiguredResource:
    expressions = dict(mapping(entry.get("expressions")))
    for meta in ("count_expression", "for_each_expression"):
        if meta in entry:
            expressions[meta] = entry[meta]
    provider = entry.get("provider_config_key")
    return ConfiguredResource(
        modules=names,
        expressions=expressions,
        depends_on=tuple(d for d in sequence(entry.get("depends_on")) if isinstance(d, str)),
        provisioners=tuple(_command(mapping(p)) for p in sequence(entry.get("provisioners"))),
        provider=provider if isinstance(provider, str) else "",
    )


def _command(provisioner: Mapping[str, Any]) -> str:
    kind = str(provisioner.get("type"))
    written = mapping(mapping(provisioner.get("expressions")).get("command")).get("constant_value")
    match = _PROGRAM.match(written) if isinstance(written, str) else None
    return f"{kind}: {match[1]} …" if match else kind


def mapping(value: Any) -> Mapping[str, Any]:
    """The value when it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: Any) -> Sequence[Any]:
    """The value when it is a list, else an empty one."""
    return value if isinstance(value, list) else ()
