"""The values of one object before and after, opened when somebody first asks for them.

Everything is masked, and searched for secrets in plaintext, before anybody sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TypeAlias

import msgspec

from plan_review.plan.addresses import bare_address
from plan_review.plan.configuration import Configuration
from plan_review.plan.leaks import Leak, redact
from plan_review.plan.source import RawResource, decode
from plan_review.plan.values import Namer, Unknown, Value, hidden_paths, mask

#: Texts of the configuration as it was synthesised, with `${...}` in them: (address, attribute) -> text.
Sources = dict[tuple[str, str], str]

#: What may be shown, the secrets in plaintext that were taken out of it, and the masked value with those still in it.
_Read: TypeAlias = tuple[Value, tuple[Leak, ...], Value]

_NULL = b"null"


class Sides:
    """Both sides of one change. Its repr shows nothing: it holds the bytes of sensitive values."""

    def __init__(self, raw: RawResource, configuration: Configuration, sources: Sources) -> None:
        self._raw = raw
        self._configuration = configuration
        self._sources = sources
        self._name = raw.name if raw.mode == "output" else ""
        actions = raw.change.actions
        # What Terraform forgets stays in AWS as it is.
        self._stays = actions == ["forget"]
        self._gone = actions == ["delete"]
        self._same = actions == ["no-op"] and raw.change.before == raw.change.after

    @property
    def had(self) -> bool:
        """Whether the object exists before the change."""
        return _bytes(self._raw.change.before) != _NULL

    @property
    def has(self) -> bool:
        """Whether the object exists after the change."""
        if self._gone:
            return False
        if self._stays:
            return self.had
        return _bytes(self._raw.change.after) != _NULL or _marked(self._raw.change.after_unknown)

    def mentions(self, word: bytes) -> bool:
        """Whether the word stands anywhere in the values, or in the names of the unknown ones."""
        change = self._raw.change
        return any(word in _bytes(part) for part in (change.before, change.after, change.after_unknown))

    @property
    def before(self) -> Value:
        """The values before the change, None when there is no object."""
        return self._before[0]

    @property
    def after(self) -> Value:
        """The values after the change, None when there is no object any more."""
        return self._after[0]

    @cached_property
    def written(self) -> Mapping[str, Value]:
        """How attributes that the plan doesn't know are written in the synthesised configuration.

        It stands in a file beside the plan, which may be of another plan: it explains, and nothing is judged by it.
        """
        if not self._sources or not isinstance(self.after, dict):
            return {}
        bare = bare_address(self._raw.address)
        found: dict[str, Value] = {}
        for key, value in self.after.items():
            source = self._sources.get((bare, key)) if isinstance(value, Unknown) else None
            if source is not None:
                found[key], _ = redact(mask(source), key, key)
        return found

    @cached_property
    def leaks_before(self) -> tuple[Leak, ...]:
        """Secrets in plaintext before the change."""
        return self._before[1]

    @cached_property
    def leaks_after(self) -> tuple[Leak, ...]:
        """Secrets in plaintext after the change."""
        return self._after[1]

    @cached_property
    def sensitive_before(self) -> tuple[str, ...]:
        """Paths of values before the change that are marked as sensitive, and that the file holds nevertheless."""
        return tuple(hidden_paths(self._before[2])) if _marked(self._raw.change.before_sensitive) else ()

    @cached_property
    def sensitive_after(self) -> tuple[str, ...]:
        """The same, after the change."""
        if self._stays:
            return self.sensitive_before
        return tuple(hidden_paths(self._after[2])) if _marked(self._raw.change.after_sensitive) else ()

    @cached_property
    def _before(self) -> _Read:
        change = self._raw.change
        return _read(change.before, None, change.before_sensitive, None, self._name)

    @cached_property
    def _after(self) -> _Read:
        change = self._raw.change
        if self._gone:
            return None, (), None
        if self._stays or (self._same and change.before_sensitive == change.after_sensitive):
            return self._before
        return _read(change.after, change.after_unknown, change.after_sensitive, self._names, self._name)

    def _names(self, path: tuple[str | int, ...]) -> tuple[str, ...]:
        return self._configuration.texts(self._raw.address, *path)


def _read(
    value: msgspec.Raw,
    unknown: msgspec.Raw | None,
    sensitive: msgspec.Raw,
    names: Namer | None,
    name: str,
) -> _Read:
    """Decode, mask and search. The last part of the answer only serves to find what is marked: it stays in here."""
    data = _bytes(value)
    over = decode(unknown) if unknown is not None and _marked(unknown) else None
    marked = decode(sensitive) if _marked(sensitive) else None
    masked: Value = decode(value)
    if over is not None or marked is not None or b'"{' in data or b'"[' in data:
        masked = mask(masked, over, marked, names)
    # The value of an output is called what the output is called, which stands outside of it.
    shown, leaks = redact(masked, name and "value", name)
    return shown, tuple(leaks), masked


def _marked(raw: msgspec.Raw) -> bool:
    """Whether the shape beside a value can mark anything."""
    return b"true" in _bytes(raw)


def _bytes(raw: msgspec.Raw) -> bytes:
    return bytes(raw)
