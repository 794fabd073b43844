"""What others build on, as plain data: what a version recorded of it must still be there in the next one."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from adapter.config.variables import VARIABLES
from adapter.events.builder import SYNC_TRIGGER, USER_DELETED
from adapter.log import Action
from adapter.observability import emf, prometheus

ROOT = Path(__file__).resolve().parents[2]
COMMAND_LINES = {
    "adapter": ("adapter.commands.cli", "cli"),
    "iam": ("iam.cli", "main"),
    "plan_review": ("plan_review.cli", "main"),
    "stacks": ("stacks.cli", "main"),
}
SCHEMA = ROOT / "schemas/source.schema.json"


def of_the_code() -> dict[str, Any]:
    """The interface of the present code: sections of names, each with what is promised of it."""
    return {
        "environment": {each.name: {"default": each.default, "required": each.required} for each in VARIABLES},
        "commands": dict(sorted(_commands())),
        "manifest": dict(sorted(_fields(json.loads(SCHEMA.read_text())))),
        "metrics": {each.name: {"type": each.type, "labels": sorted(each.labels)} for each in prometheus.METRICS},
        "emf": {each.name: {"unit": each.unit} for each in emf.METRICS},
        "log actions": {action.value: {} for action in Action},
        "event types": {SYNC_TRIGGER: {}, USER_DELETED: {}},
    }


def broken(recorded: dict[str, Any], present: dict[str, Any]) -> list[str]:
    """What a recorded interface promised and the present one does not keep, one line each."""
    return [
        f"{section}: {name} {'is gone' if now is None else f'was {before}, is {now}'}"
        for section, names in recorded.items()
        for name, before in names.items()
        if not _kept(before, now := present[section].get(name))
    ]


def _kept(before: dict[str, Any], now: dict[str, Any] | None) -> bool:
    """Whether each promise about a name still holds: nothing is missing in a list, nothing more must be given."""
    if now is None:
        return False
    for key, value in before.items():
        if isinstance(value, list):
            kept = set(value) <= set(now.get(key, ()))
        else:
            kept = now.get(key) == value or (key == "required" and value)
        if not kept:
            return False
    return True


def _commands() -> Iterator[tuple[str, dict[str, list[str]]]]:
    for name, (module, attribute) in COMMAND_LINES.items():
        yield from _command(name, getattr(importlib.import_module(module), attribute))


def _command(path: str, command: click.Command) -> Iterator[tuple[str, dict[str, list[str]]]]:
    yield path, {"options": sorted(option for parameter in command.params for option in parameter.opts)}
    if isinstance(command, click.Group):
        context = click.Context(command, **command.context_settings)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                yield from _command(f"{path} {name}", found)


def _fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of the manifest: the struct that it belongs to, its name, and whether it must be given."""
    for name, struct in schema["$defs"].items():
        for field, about in struct.get("properties", {}).items():
            yield f"{name}.{field}", {"required": field in struct.get("required", []), "enum": about.get("enum", [])}
