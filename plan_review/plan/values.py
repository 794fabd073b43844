"""Values of a plan with everything that must not be shown, or isn't known yet, taken out of them.

Terraform writes sensitive values in plaintext into the JSON of a plan and says beside them (`before_sensitive`,
`after_sensitive`, `after_unknown`) which ones they are:
https://developer.hashicorp.com/terraform/internals/json-format#change-representation. `mask` lays the three over each
other once, at the door. Whatever comes after it works on the result, in which a sensitive value has become a `Hidden`
that can be compared with another one but not read.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

#: Digests of hidden values are keyed with this, so that nobody can try values against them.
_KEY = secrets.token_bytes(32)
#: Longer texts are not looked into for JSON.
_EMBEDDED_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that is only known after apply; `references` names what it will come from, when the plan tells."""

    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hidden:
    """A value that must not be shown. `why` says in a few words what it is; equal values have equal digests."""

    why: str
    digest: bytes = field(repr=False)


#: What the rest of the review works on.
Value: TypeAlias = "bool | int | float | str | Unknown | Hidden | list[Value] | dict[str, Value] | None"
UNKNOWN = Unknown()


def hide(value: object, why: str = "sensitive") -> Hidden:
    """Replace a value by something that equals another hidden one exactly when the values are equal."""
    text = msgspec.json.encode(value, order="deterministic", enc_hook=_encode)
    return Hidden(why, hashlib.blake2b(text, key=_KEY, digest_size=16).digest())


def _encode(value: object) -> object:
    if isinstance(value, Hidden):
        return value.digest
    if isinstance(value, Unknown):
        return ["unknown"]
    raise NotImplementedError


#: Tells what an unknown value at a path will come from.
Namer: TypeAlias = "Callable[[tuple[str | int, ...]], tuple[str, ...]]"


def mask(value: Any, unknown: Any = None, sensitive: Any = None, names: Namer | None = None) -> Value:
    """Lay a value's unknown and sensitive parts over it, and open JSON that it holds as text.

    Args:
        value: what `before` or `after` holds.
        unknown: what `after_unknown` holds: True, or the same shape as `value` with True where it is unknown.
        sensitive: what `before_sensitive` or `after_sensitive` holds, of the same kind.
        names: tells what unknown values will come from.

    A shape that doesn't fit the value hides all of it: better to show too little.
    """
    if not unknown and not sensitive:
        return _opened(value)
    return _mask(value, unknown, sensitive, names, ())


def _mask(value: Any, unknown: Any, sensitive: Any, names: Namer | None, path: tuple[str | int, ...]) -> Value:
    if unknown is True:
        return Unknown(names(path)) if names else UNKNOWN
    if sensitive is True:
        return None if value is None else hide(value)
    if isinstance(value, str):
        return hide(value) if sensitive and marks(sensitive) else _open(value)
    if isinstance(value, list) or (value is None and isinstance(unknown, list) and marks(unknown)):
        return _mask_list(value or [], unknown, sensitive, names, path)
    if isinstance(value, dict) or (value is None and isinstance(unknown, dict) and marks(unknown)):
        return _mask_dict(value or {}, unknown, sensitive, names, path)
    if value is not None and sensitive and marks(sensitive):
        return hide(value)
    scalar: bool | int | float | None = value
    return scalar


def _mask_list(
    value: list[Any], unknown: Any, sensitive: Any, names: Namer | None, path: tuple[str | int, ...]
) -> Value:
    if not isinstance(sensitive, list):
        if marks(sensitive):
            return hide(value)
        sensitive = []
    if not isinstance(unknown, list):
        unknown = []
    if names and True in unknown:
        return _name_items(value, unknown, sensitive, names, path)
    length = max(len(value), len(unknown))
    return [
        _mask(_at(value, i), _at(unknown, i), _at(sensitive, i), names, (*path, i) if unknown else path)
        for i in range(length)
    ]


def _name_items(
    value: list[Any], unknown: list[Any], sensitive: list[Any], names: Namer, path: tuple[str | int, ...]
) -> Value:
    """Items of a list share one expression: each gets its own name when there are as many names as unknown items."""
    found = names(path)
    one_each = iter(found) if len(found) == unknown.count(True) else None
    masked: list[Value] = []
    for i in range(max(len(value), len(unknown))):
        if _at(unknown, i) is True:
            masked.append(Unknown((next(one_each),) if one_each else found))
        else:
            masked.append(_mask(_at(value, i), _at(unknown, i), _at(sensitive, i), names, (*path, i)))
    return masked


def _mask_dict(
    value: dict[str, Any], unknown: Any, sensitive: Any, names: Namer | None, path: tuple[str | int, ...]
) -> Value:
    if not isinstance(sensitive, dict):
        if marks(sensitive):
            return hide(value)
        sensitive = {}
    if not isinstance(unknown, dict) or not unknown:
        if not sensitive:
            return _opened(value)
        unknown = {}
    masked = {
        key: _mask(item, unknown.get(key), sensitive.get(key), names, (*path, key) if unknown else path)
        for key, item in value.items()
    }
    for key, item in unknown.items():
        if key not in value and marks(item):
            masked[key] = _mask(None, item, sensitive.get(key), names, (*path, key))
    return masked


def marks(shape: Any) -> bool:
    """Whether anything at all is marked (True) in the shape that Terraform writes beside a value."""
    if isinstance(shape, dict):
        return any(marks(item) for item in shape.values())
    if isinstance(shape, list):
        return any(marks(item) for item in shape)
    return shape is True


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else None


def _open(text: str) -> Value:
    """The object or list that a text holds as JSON (policies, container definitions), else the text."""
    if len(text) < 2 or text[0] not in "{[" or len(text) > _EMBEDDED_MAX:
        return text
    try:
        decoded: Value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    return decoded if isinstance(decoded, dict | list) else text


def _opened(value: Any) -> Value:
    """The value with the JSON opened that it holds as text: what is to be done for most of a plan."""
    if isinstance(value, str):
        return _open(value) if value[:1] in ("{", "[") else value
    if isinstance(value, dict):
        return {key: _opened(item) if isinstance(item, _HOLDERS) else item for key, item in value.items()}
    if isinstance(value, list):
        return [_opened(item) if isinstance(item, _HOLDERS) else item for item in value]
    scalar: bool | int | float | None = value
    return scalar


#: What a text can be in.
_HOLDERS = (str, dict, list)


def as_list(value: Value) -> list[Value]:
    """A value as the list that it is or stands for: nothing is no item, anything else is one."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def texts(value: Value) -> tuple[str, ...]:
    """A text or a list of texts as a tuple; parts that aren't known or mustn't be shown say so."""
    return tuple(item if isinstance(item, str) else show(item) for item in as_list(value))


def text(value: Value) -> str:
    """The value when it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


#: A tuple, not a union: `isinstance` with a union takes twice as long, and the union is made at each call.
_ENDS = (Unknown, Hidden)


def get(value: Value, *path: str | int) -> Value:
    """Follow a path of keys and indexes; None where it leads nowhere, Unknown or Hidden where it runs into one."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step) if isinstance(step, str) else None
        elif isinstance(value, list):
            value = value[step] if isinstance(step, int) and step < len(value) else None
        else:
            return value if isinstance(value, _ENDS) else None
    return value


def is_empty(value: Value) -> bool:
    """Whether there is nothing in the value: null, an empty text, or containers of nothing."""
    if isinstance(value, dict):
        return all(is_empty(item) for item in value.values())
    if isinstance(value, list):
        return all(is_empty(item) for item in value)
    return value is None or value == ""


def has_unknown(value: Value) -> bool:
    """Whether any part of the value is only known after apply."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return isinstance(value, Unknown)


def hidden_paths(value: Value, path: str = "") -> Iterator[str]:
    """The paths of hidden parts."""
    if isinstance(value, Hidden):
        yield path or "value"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from hidden_paths(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from hidden_paths(item, f"{path}[{index}]")


def show(value: Value) -> str:
    """The value as one line for a person: JSON, with words where a part is hidden or unknown."""
    if isinstance(value, Hidden):
        return f"({value.why})"
    if isinstance(value, Unknown):
        return f"{' or '.join(value.references)} (after apply)" if value.references else "(known after apply)"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {show(item)}" for key, item in value.items() if not is_empty(item)) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(show(item) for item in value) + "]"
    if value is None:
        return "null"
    return msgspec.json.encode(value).decode()
