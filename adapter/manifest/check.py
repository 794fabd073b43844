"""Finds every problem of a plain value against a type, where msgspec alone stops at the first."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from adapter.manifest.document import Path, shown

_UNIONS = (typing.Union, types.UnionType)
#: Fields whose values are secrets: a message never shows them.
_SECRET_FIELDS = {"value", "accessKeyID", "secretAccessKey", "sessionToken"}


def problems(value: Any, expected: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every (path, message) by which `value` is not of the type `expected`; none means that msgspec can convert it."""
    wanted, struct = _unwrap(expected)
    if value is None and type(None) in wanted:
        return
    if struct is not None and (isinstance(value, dict) or len([t for t in wanted if t is not type(None)]) == 1):
        yield from _object(value, struct, path)
        return
    bare = _bare(expected)
    origin = get_origin(bare)
    if origin is tuple and isinstance(value, list):
        (item, *_) = get_args(bare)
        for index, each in enumerate(value):
            yield from problems(each, item, (*path, index))
        return
    if origin is dict and isinstance(value, dict):
        _, item = get_args(bare)
        for key, each in value.items():
            if item is not Any:
                yield from problems(each, item, (*path, key))
        return
    yield from _leaf(value, expected, path)


def _object(value: Any, struct: type[msgspec.Struct], path: Path) -> Iterator[tuple[Path, str]]:
    if not isinstance(value, dict):
        yield path, f"found {_found(value, path)}; expected a mapping with {_names(struct)}"
        return
    hints = typing.get_type_hints(struct, include_extras=True)
    known = {each.encode_name: each for each in msgspec.structs.fields(struct)}
    for name in value if struct.__struct_config__.forbid_unknown_fields else ():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.75)
            hint = f" (did you mean {near[0]}?)" if near else ""
            yield (*path, name), f"found an unknown field; expected one of {_names(struct)}{hint}"
    for name, each in known.items():
        if name in value:
            yield from problems(value[name], hints[each.name], (*path, name))
        elif each.required:
            yield (*path, name), f"found nothing; expected {describe(hints[each.name])}"


def _leaf(value: Any, expected: Any, path: Path) -> Iterator[tuple[Path, str]]:
    try:
        msgspec.convert(value, expected)
    except msgspec.ValidationError:
        quote = ""
        if isinstance(value, bool | int | float) and _is_text(expected):
            quote = " (put it in quotes)"
        yield path, f"found {_found(value, path)}; expected {describe(expected)}{quote}"
        return
    if isinstance(value, str) and value.endswith("\n") and "pattern" in _schema(expected):
        # `$` of a pattern lets one pass, here as in JSON Schema.
        yield path, f"found a line break at the end; expected {describe(expected)}"


def describe(expected: Any) -> str:
    """What a type allows, in words."""
    said = [
        meta.extra["expected"]
        for kind in _alternatives(expected)
        if get_origin(kind) is Annotated
        for meta in get_args(kind)[1:]
        if isinstance(meta, msgspec.Meta) and meta.extra and "expected" in meta.extra
    ]
    if said:
        return str(said[0])
    wanted, struct = _unwrap(expected)
    if struct is not None:
        return f"a mapping with {_names(struct)}"
    return " or ".join(
        dict.fromkeys(_in_words(_schema(kind)) for kind in _alternatives(expected) if kind is not type(None))
    ) or _in_words({"type": str(wanted)})


def _in_words(schema: dict[str, Any]) -> str:
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ("one of " if len(values) > 1 else "") + ", ".join(str(each) for each in values)
    low = schema.get("minimum")
    above = schema.get("exclusiveMinimum")
    high = schema.get("maximum")
    kind = {
        "integer": "a whole number",
        "number": "a number",
        "string": "text",
        "boolean": "true or false",
        "array": "a list",
        "object": "a mapping",
    }.get(schema.get("type", ""), "something else")
    limits = [
        f"at least {low}" if low is not None else "",
        f"above {above}" if above is not None else "",
        f"at most {high}" if high is not None else "",
    ]
    return " ".join([kind, " and ".join(each for each in limits if each)]).strip()


def _found(value: Any, path: Path) -> str:
    if path and path[-1] in _SECRET_FIELDS and isinstance(value, str | int | float):
        return "a value (not shown)"
    return shown(value)


def _names(struct: type[msgspec.Struct]) -> str:
    return ", ".join(sorted(each.encode_name for each in msgspec.structs.fields(struct)))


def _is_text(expected: Any) -> bool:
    return any(_schema(kind).get("type") == "string" for kind in _alternatives(expected) if kind is not type(None))


def _bare(expected: Any) -> Any:
    """The type without Annotated and without None."""
    left = [kind for kind in _alternatives(expected) if kind is not type(None)]
    only = left[0] if len(left) == 1 else expected
    return get_args(only)[0] if get_origin(only) is Annotated else only


def _alternatives(expected: Any) -> tuple[Any, ...]:
    if get_origin(expected) is Annotated and get_origin(get_args(expected)[0]) in _UNIONS:
        return _alternatives(get_args(expected)[0])
    if get_origin(expected) in _UNIONS:
        return tuple(inner for kind in get_args(expected) for inner in _alternatives(kind))
    return (expected,)


def _unwrap(expected: Any) -> tuple[tuple[Any, ...], type[msgspec.Struct] | None]:
    kinds = _alternatives(expected)
    structs = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    return kinds, structs[0] if structs else None


def _schema(expected: Any) -> dict[str, Any]:
    if expected is Any or get_origin(expected) is Literal:
        return {"enum": list(get_args(expected))} if expected is not Any else {}
    schema: dict[str, Any] = msgspec.json.schema(expected)
    return schema
