"""Text for people at a terminal: nothing that others wrote may move its cursor, and numbers are easy to read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final, TextIO

#: How wide a line may be where nobody knows.
_COLUMNS: Final = 80


def printable(text: str) -> str:
    r"""The text with everything escaped that a terminal could obey, or show as something else.

    Control characters (C0, C1, DEL), line ends, direction marks, and what has no character: `\x1b`, `\u202e`.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def clipped(text: str, width: int) -> str:
    """The text, cut to so many characters; what is cut is marked."""
    return text if len(text) <= width else text[: max(0, width - 3)] + "..."


def count(number: float) -> str:
    """A count with separators: 1,234,567."""
    return f"{number:,.0f}"


def duration(seconds: float) -> str:
    """A length of time as people say it: 0.4 s, 42 s, 8 min, 1 h 20 min, 3 d 4 h."""
    if seconds < 10:
        return f"{seconds:.1f} s" if seconds < 9.95 else "10 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, left = divmod(hours, 24)
    return f"{days} d {left} h" if left else f"{days} d"


def aligned(rows: Sequence[tuple[str, str]], indent: str = "") -> str:
    """Lines of `name  value`, the values below each other. A value of several lines stays in its column."""
    width = max((len(name) for name, _ in rows), default=0)
    lines = []
    for name, value in rows:
        first, *more = value.split("\n")
        lines.append(f"{indent}{name:<{width}}  {first}".rstrip())
        lines += [f"{indent}{'':<{width}}  {line}".rstrip() for line in more]
    return "\n".join(lines)


def columns(stream: TextIO) -> int:
    """How many characters a line of this terminal holds; 80 when that can't be known."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or _COLUMNS
    except (OSError, ValueError):
        return _COLUMNS


def is_live(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether a line on this stream can be drawn again: it is a terminal, and one with a cursor."""
    return stream.isatty() and environ.get("TERM", "") not in {"", "dumb"}


def wants_no_colour(environ: Mapping[str, str]) -> bool:
    """Whether colours are unwanted even on a terminal: NO_COLOR (https://no-color.org), or a terminal without any."""
    return bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"
