"""Secrets in plaintext outside of objects: values of input variables, and literals of the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from plan_review.plan.configuration import Configuration, mapping, sequence
from plan_review.plan.leaks import Leak, redact
from plan_review.plan.source import RawVariable, decode
from plan_review.plan.values import mask

_DEPTH_MAX = 20


def variable_leaks(variables: Mapping[str, RawVariable] | None, configuration: Configuration) -> Iterator[Leak]:
    """A plan's JSON holds the values of all input variables in plaintext, those of sensitive ones too."""
    for name, variable in sorted((variables or {}).items()):
        value = decode(variable.value)
        if value in (None, ""):
            continue
        if name in configuration.sensitive_variables:
            yield Leak(f"var.{name}", "the value of a sensitive variable")
            continue
        _, leaks = redact(mask(value), f"var.{name}", name)
        yield from leaks


def configuration_leaks(written: Any) -> Iterator[Leak]:
    """Literals of the configuration. Most stand in an object's values, too: whoever lists both has to leave one out."""
    root = mapping(mapping(written).get("root_module"))
    for key, provider in sorted(mapping(mapping(written).get("provider_config")).items()):
        yield from _literal_leaks(provider, f"provider.{key}", "")
    yield from _module_leaks(root, "", 0)


def _module_leaks(module: Mapping[str, Any], prefix: str, depth: int) -> Iterator[Leak]:
    for name, variable in mapping(module.get("variables")).items():
        _, leaks = redact(mask(mapping(variable).get("default")), f"{prefix}var.{name}.default", name)
        yield from leaks
    for name, output in mapping(module.get("outputs")).items():
        yield from _literal_leaks(mapping(output).get("expression"), f"{prefix}output.{name}", name)
    for resource in sequence(module.get("resources")):
        entry = mapping(resource)
        address = f"{prefix}{entry.get('address')}"
        yield from _literal_leaks(entry.get("expressions"), address, "")
        for provisioner in sequence(entry.get("provisioners")):
            yield from _literal_leaks(provisioner, f"{address}.provisioner", "")
    for name, item in mapping(module.get("module_calls")).items() if depth < _DEPTH_MAX else ():
        call = mapping(item)
        yield from _literal_leaks(call.get("expressions"), f"{prefix}module.{name}", "")
        yield from _module_leaks(mapping(call.get("module")), f"{prefix}module.{name}.", depth + 1)


def _literal_leaks(expression: Any, path: str, name: str) -> Iterator[Leak]:
    if isinstance(expression, dict):
        if "constant_value" in expression:
            _, leaks = redact(mask(expression["constant_value"]), path, name)
            yield from leaks
            return
        for key, item in expression.items():
            if key != "references":
                yield from _literal_leaks(item, f"{path}.{key}" if key != "expressions" else path, key)
    elif isinstance(expression, list):
        for item in expression:
            yield from _literal_leaks(item, path, name)
