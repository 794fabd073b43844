"""How a field of a group of settings is declared, and how the environment's text becomes its value.

A field stands once, in its group (groups.py): type, range, default, meaning, and the variable that sets it. The reader
of the environment, the manifest, both references and the JSON Schema are made from that.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from adapter.config import values


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Settings that belong together. A manifest has their names in camelCase, and no others."""

    def __repr__(self) -> str:
        hidden = {field.name for field in fields(type(self)) if field.env is not None and field.env.hidden}
        shown = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in hidden)
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True, slots=True)
class Env:
    """The variable that sets a field.

    `type` says in words what is expected (empty: what the field's type says), `parse` reads it where the field's type
    does not say how, `secret` values are never shown, `hidden` ones not in a repr.
    """

    name: str
    type: str = ""
    parse: Callable[[str], Any] | None = None
    secret: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a group as it was declared: `path` is the place within the outermost group, in names of Python."""

    name: str
    encoded: str
    type: Any
    default: Any
    required: bool
    env: Env | None
    meta: msgspec.Meta


@cache
def fields(group: type[msgspec.Struct]) -> tuple[Field, ...]:
    """The fields of a group, with what their annotations say."""
    hints = typing.get_type_hints(group, include_extras=True)
    made = []
    for each in msgspec.structs.fields(group):
        kind, notes = _annotations(hints[each.name])
        metas = [note for note in notes if isinstance(note, msgspec.Meta)]
        made.append(
            Field(
                name=each.name,
                encoded=each.encode_name,
                type=kind,
                default=each.default,
                required=each.required,
                env=next((note for note in notes if isinstance(note, Env)), None),
                meta=next((meta for meta in metas if meta.description), metas[0] if metas else msgspec.Meta()),
            )
        )
    return tuple(made)


def walk(group: type[msgspec.Struct]) -> Iterator[tuple[tuple[Field, ...], Env]]:
    """Every field with a variable, in this group and in the groups within it, and the fields that lead to it."""
    for field in fields(group):
        if field.env is not None:
            yield (field,), field.env
        elif isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from (((field, *inner), env) for inner, env in walk(field.type))


def as_text(value: Any) -> str:
    """A value as the text of a variable, which reads it back as the same."""
    if value is None or value in ({}, msgspec.NODEFAULT):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(int(value) if value.is_integer() else value)
    return ",".join(value) if isinstance(value, tuple) else str(value)


def parser(field: Field) -> Callable[[str], Any]:
    """What reads the text of a field's variable, with the limits of its type."""
    env, meta = field.env, field.meta
    if env is not None and env.parse is not None:
        return env.parse
    if get_origin(field.type) is Literal:
        return values.one_of(*get_args(field.type))
    if field.type is bool:
        return values.boolean
    low = meta.ge if meta.gt is None else meta.gt
    if field.type is int:
        return values.integer(int(low or 0), int(meta.le or 0))
    if field.type is float:
        return values.number(float(low or 0), float(meta.le or 0), above=meta.gt is not None)
    return str


def in_words(field: Field) -> str:
    """What a field's variable takes, for the documentation."""
    if field.env is not None and field.env.type:
        return field.env.type
    if get_origin(field.type) is Literal:
        *most, last = (f"`{word}`" for word in get_args(field.type))
        return f"{', '.join(most)} or {last}"
    return {bool: "boolean", int: "count", float: "number"}.get(field.type, "text")


def _annotations(hint: Any) -> tuple[Any, list[Any]]:
    """A type without None and without its annotations, and those."""
    notes: list[Any] = []
    while True:
        if get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            notes += more
        elif get_origin(hint) in (typing.Union, types.UnionType):
            left = [each for each in get_args(hint) if each is not type(None)]
            if len(left) != 1 or len(left) == len(get_args(hint)):
                return hint, notes
            hint = left[0]
            # A field that may be missing is no group of its own to look into.
            if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
                return hint | None, notes
        else:
            return hint, notes
