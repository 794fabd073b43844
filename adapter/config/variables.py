"""The table of the adapter's environment variables, made from the groups of settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from adapter.config.fields import as_text, in_words, parser, walk
from adapter.config.groups import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One environment variable: how it is called, read and explained.

    `field` is the place within Settings, with dots. `parse` turns text into its value, or raises ValueError with
    "is ...; expected ..." (the variable's name goes before it).
    """

    name: str
    field: str
    type: str
    default: str
    required: bool
    secret: bool
    parse: Callable[[str], Any]
    meaning: str


VARIABLES: Final = tuple(
    Variable(
        name=env.name,
        field=".".join(each.name for each in path),
        type=in_words(path[-1]),
        default=as_text(path[-1].default),
        required=path[-1].required,
        secret=env.secret,
        parse=parser(path[-1]),
        meaning=path[-1].meta.description or "",
    )
    for path, env in walk(Settings)
)


def markdown() -> str:
    """The table of docs/configuration.md."""
    lines = ["| variable | type | default | meaning |", "|---|---|---|---|"]
    for variable in VARIABLES:
        default = "required" if variable.required else f"`{variable.default}`" if variable.default else ""
        meaning = variable.meaning + (" Secret: never shown." if variable.secret else "")
        lines.append(f"| `{variable.name}` | {variable.type} | {default} | {meaning} |".replace("  |", " |"))
    return "\n".join(lines) + "\n"
