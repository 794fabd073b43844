"""Fits sections of rows into a limit of characters, and says what was left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
#: Room for the line that says how much is missing.
_NOTE = 60


class RowWriter(Protocol):
    """Writes the row of the item at an index."""

    def __call__(self, index: int, *, short: bool) -> str:
        """The row, with its line end."""
        ...


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    """A section that has one row for each item."""

    title: str
    items: Sequence[T]
    #: The row of the item at an index: whole, or as short as it can be.
    write: RowWriter
    #: The section around its body.
    frame: Callable[[str], str]
    #: Stands before the first row and behind the last one.
    head: str = ""
    tail: str = ""
    #: How much of the room it gets, beside others that don't fit either.
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Fitted:
    """A section as it fits."""

    title: str
    text: str
    #: Rows that are there but only in short, and rows that aren't there.
    shortened: int
    omitted: int


def fit(sections: Sequence[Rows[T]], room: int) -> list[Fitted]:
    """All sections, together no longer than `room` characters.

    Small sections are whole; what they leave is shared by the large ones, by their weights. Within a section every row
    is there in short before the first one is there in full.
    """
    whole = {index: _whole(section, room) for index, section in enumerate(sections)}
    fitted: dict[int, Fitted] = {}
    left, weights = room, sum(section.weight for section in sections)
    for index in sorted(whole, key=lambda i: whole[i][0] / sections[i].weight):
        section, (_, texts) = sections[index], whole[index]
        fitted[index] = _fitted(section, texts, left * section.weight // weights)
        left -= len(fitted[index].text)
        weights -= section.weight
    return [fitted[index] for index in range(len(sections))]


def _whole(section: Rows[T], room: int) -> tuple[int, list[str]]:
    """The section's length with all rows in full, and these rows; both only as far as they can fit at all."""
    length = len(section.frame(section.head + section.tail))
    texts: list[str] = []
    for text in _texts(section):
        length += len(text)
        if length > room:
            return room + 1, texts
        texts.append(text)
    return length, texts


def _texts(section: Rows[T]) -> Iterator[str]:
    for index in range(len(section.items)):
        yield section.write(index, short=False)


def _fitted(section: Rows[T], full: Sequence[str], share: int) -> Fitted:
    total = len(section.items)
    left = share - len(section.frame(section.head + section.tail))
    if len(full) == total and sum(map(len, full)) <= left:
        return Fitted(section.title, section.frame(section.head + "".join(full) + section.tail), 0, 0)
    left -= _NOTE
    rows = _shortest(section, left)
    left -= sum(map(len, rows))
    upgraded: Mapping[int, str] = {}
    if len(rows) == total:
        upgraded = _upgrades(rows, full, left)
    shown = [upgraded.get(index, text) for index, text in enumerate(rows)]
    omitted = total - len(rows)
    note = f"\n… and {omitted} more\n" if omitted else ""
    shortened = sum(text != (full[i] if i < len(full) else None) for i, text in enumerate(shown))
    if left < 0:
        return Fitted(section.title, "", 0, total)
    return Fitted(section.title, section.frame(section.head + "".join(shown) + section.tail + note), shortened, omitted)


def _shortest(section: Rows[T], left: int) -> list[str]:
    rows: list[str] = []
    for index in range(len(section.items)):
        text = section.write(index, short=True)
        left -= len(text)
        if left < 0:
            break
        rows.append(text)
    return rows


def _upgrades(rows: Sequence[str], full: Sequence[str], left: int) -> dict[int, str]:
    """Rows that can stand in full, the first ones first."""
    upgraded: dict[int, str] = {}
    for index, text in enumerate(full[: len(rows)]):
        left -= len(text) - len(rows[index])
        if left < 0:
            break
        upgraded[index] = text
    return upgraded
