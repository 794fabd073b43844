"""An event as one line for people, and the events that are worth one. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import click

from adapter.terminal import clipped, printable

#: An event as the JSON object of the structured content mode.
Event = Mapping[str, Any]

#: A name may take so much of a line; what is longer is cut.
_NAME_MAX: Final = 60
_CHANGED_MAX: Final = 120
_COLOURS: Final = {"created": "green", "snapshot": "green", "updated": "yellow", "deleted": "red", "replay": "cyan"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events to show; nothing given: all. `users` are names (or what stands for them), `kinds` changetypes."""

    kinds: Collection[str] = ()
    users: Collection[str] = ()

    def __call__(self, event: Event) -> bool:
        """Whether this event is to be shown."""
        return (not self.kinds or kind_of(event) in self.kinds) and (not self.users or user_of(event) in self.users)


class Lines:
    """Makes the lines; the column of names grows with the names."""

    def __init__(self) -> None:
        self._width = 8

    def line(self, event: Event) -> str:
        """Time, kind of change, user, what changed; and how the delivery ended, if it did not end well."""
        kind = clipped(printable(kind_of(event)), _NAME_MAX)
        user = clipped(printable(user_of(event)), _NAME_MAX)
        self._width = max(self._width, len(user))
        changed = clipped(printable(_text(event, "changed").replace(",", ", ")), _CHANGED_MAX)
        parts = [_moment(_text(event, "time")), click.style(f"{kind:<8}", fg=_COLOURS.get(kind))]
        parts += [f"{user:<{self._width}}", changed]
        if note := _note(event):
            parts.append(click.style(note, fg="red"))
        return "  ".join(parts).rstrip()


def raw(event: Event) -> str:
    """The event as one line of JSON in ASCII: nothing in it moves a cursor."""
    return json.dumps(event, separators=(",", ":")).replace("\x7f", "\\u007f")


def kind_of(event: Event) -> str:
    """The changetype; of an event that has none (it is not the adapter's) the type."""
    return _text(event, "changetype") or _text(event, "type") or "?"


def user_of(event: Event) -> str:
    """The username; of an event that names none, its subject."""
    data = event.get("data")
    name = data.get("Username") if isinstance(data, Mapping) else None
    return name if isinstance(name, str) else _text(event, "partitionkey") or _text(event, "subject") or "?"


def _text(event: Event, name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""


def _moment(text: str) -> str:
    """A time in UTC with milliseconds, so that all have the same width; one that can't be read as it is."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError):
        return f"{clipped(printable(text), 24) or '?':<24}"


def _note(event: Event) -> str:
    """How the delivery failed: what a dead letter says of itself, or the adapter of its last events."""
    code = printable(_text(event, "knativeerrorcode"))
    if code:
        return f"dead letter, the sink answered {code}"
    outcome = printable(_text(event, "outcome"))
    return "" if outcome in {"", "delivered"} else f"{outcome} {printable(_text(event, 'code'))}".rstrip()
