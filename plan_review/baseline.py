"""Findings that somebody accepted, with the reason and a date after which they count again: a YAML file.

It has one key, `accepted`, with a list of entries: `id`, `reason`, `expires`, and for people `what`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
import yaml

#: Hexadecimal digits of an id.
_ID = re.compile(r"[0-9a-f]{16}")
_KEYS = ("id", "what", "reason", "expires")
_SIZE_MAX = 5_000_000


class BaselineError(ValueError):
    """The file isn't a baseline. The message is one line: the place, what was found, what is expected."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One entry of the file."""

    id: str
    reason: str
    #: The last day on which it holds, in UTC.
    expires: date
    #: What the finding was, for people.
    what: str = ""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The entries of a file, on one day."""

    entries: tuple[Acceptance, ...] = ()
    today: date = date.min

    @property
    def valid(self) -> Mapping[str, Acceptance]:
        """The entries that hold today, by the ids that they accept."""
        return {e.id: e for e in self.entries if e.expires >= self.today}

    def expired(self, ids: Iterable[str]) -> tuple[Acceptance, ...]:
        """Entries for some of these findings that don't hold any more."""
        there = frozenset(ids)
        return tuple(e for e in self.entries if e.expires < self.today and e.id in there)

    def unused(self, ids: Iterable[str]) -> tuple[Acceptance, ...]:
        """Entries that are for none of these findings."""
        there = frozenset(ids)
        return tuple(e for e in self.entries if e.id not in there)


def parse_baseline(data: bytes, today: date) -> Baseline:
    """Read the file's content.

    Raises:
        BaselineError: it isn't a baseline; one entry that can't be read makes the whole file bad.
    """
    if len(data) > _SIZE_MAX:
        raise BaselineError(f"larger than {_SIZE_MAX // 1_000_000} MB")
    try:
        loaded = yaml.safe_load(data)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise BaselineError(f"{where}not YAML") from error
    if not isinstance(loaded, dict) or set(loaded) != {"accepted"} or not isinstance(loaded["accepted"], list):
        raise BaselineError("expected one key, `accepted`, with a list of entries")
    entries: dict[str, Acceptance] = {}
    for index, item in enumerate(loaded["accepted"]):
        entry = _entry(item, f"accepted[{index}]")
        if entry.id in entries:
            raise BaselineError(f"accepted[{index}].id: {entry.id} stands in the file twice")
        entries[entry.id] = entry
    return Baseline(tuple(entries.values()), today)


def _entry(item: Any, place: str) -> Acceptance:
    if not isinstance(item, dict):
        raise BaselineError(f"{place}: expected an entry with id, reason and expires")
    for key in item:
        if key not in _KEYS:
            raise BaselineError(f"{place}: unknown key {str(key)[:40]!r}; expected {', '.join(_KEYS)}")
    # YAML reads digits without a quote as a number.
    identifier = item.get("id")
    if not isinstance(identifier, str) or not _ID.fullmatch(identifier):
        raise BaselineError(
            f"{place}.id: expected the 16 hexadecimal digits that the review shows, in quotes where all are decimal"
        )
    reason, what = item.get("reason"), item.get("what", "")
    if not isinstance(reason, str) or not reason.strip():
        raise BaselineError(f"{place}.reason: is empty; say in a sentence why this is accepted")
    if not isinstance(what, str):
        raise BaselineError(f"{place}.what: expected a text")
    return Acceptance(identifier, reason.strip(), _date(item.get("expires"), f"{place}.expires"), what)


def _date(value: Any, place: str) -> date:
    if type(value) is date:
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise BaselineError(f"{place}: {value} is no day of the calendar") from error
    raise BaselineError(f"{place}: expected a day, YYYY-MM-DD: the last one on which this is accepted")


def written_baseline(breaches: Sequence[tuple[str, str]], expires: date) -> str:
    """A file that accepts these (ids with what they are), once somebody has written down the reasons."""
    lines = [
        "# Findings that are accepted until the day `expires`. Every one needs a reason before this file can be used.",
        "accepted:" if breaches else "accepted: []",
    ]
    for identifier, what in breaches:
        lines += [
            f'  - id: "{identifier}"',
            # JSON is YAML, on one line and without anything that could be taken for something else.
            f"    what: {msgspec.json.encode(what).decode()}",
            '    reason: ""',
            f"    expires: {expires.isoformat()}",
        ]
    return "\n".join([*lines, ""])
