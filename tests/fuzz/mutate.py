"""Texts and bytes that are almost right: samples cut, doubled, spliced with tokens, and nonsense."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, AnyStr, Generic

#: What any parser of text may trip over.
NASTY: tuple[str, ...] = (
    *("", "\0", "\r", "\n", "\r\n", "\t", " ", "\ufeff", "\ufffe", "\u202e", "\u2066", "\u200b", "\u2028", "\x1b[31m"),
    *(
        "\ud800",
        "\udfff",
        "\udc80",
        "😀",
        "ß",
        "İ",
        "ﬁ",
        "\uff11",
        "٣",
        "²",
        "Ⅷ",
        "é",
        "e\u0301",
        "\x7f",
        "\x85",
        "\xa0",
    ),
    *("%00", "%", "%ff", "%0d%0a", "\\u0000", "\\ud800", "\\", '"', "'", "`", "<", ">", "&", "|", ";", "$(id)", "${x}"),
    *("-1", "0", "-0", "00", "+1", "1e999", "1e-999", "NaN", "Infinity", "-inf", "1_0", "0x10", "1.5", ".", "1e"),
    *("2147483648", "9223372036854775807", "9223372036854775808", "18446744073709551616", "9" * 400, "9" * 5_000),
    *(
        "null",
        "true",
        "false",
        "None",
        "[]",
        "{}",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        ":",
        ",",
        "=",
        "/",
        "?",
        "#",
        "@",
        "*",
    ),
)
_OPENERS = ("[", "{", "(", '{"a":', "[[", "<", '"', "\\", "/", ":", "-", " ", "0", "a")


@dataclass(frozen=True)
class Kit(Generic[AnyStr]):
    """What inputs of one kind are made of; results have at most `limit` units."""

    samples: Sequence[AnyStr]
    tokens: Sequence[AnyStr]
    openers: Sequence[AnyStr]
    unit: Callable[[Random], AnyStr]
    digits: re.Pattern[AnyStr]
    empty: AnyStr
    limit: int

    def make(self, rng: Random) -> AnyStr:
        """An input: mostly a mutated sample, sometimes a sample as it is, sometimes nonsense."""
        dice = rng.random()
        if dice < 0.03:
            return rng.choice(self.samples)
        if dice < 0.1:
            return self.nonsense(rng)
        return self.mutated(rng, rng.choice(self.samples))

    def nonsense(self, rng: Random) -> AnyStr:
        """Tokens and single units, in any order."""
        parts = [rng.choice(self.tokens) if rng.random() < 0.7 else self.unit(rng) for _ in range(rng.randrange(30))]
        return self.empty.join(parts)[: self.limit]

    def mutated(self, rng: Random, text: AnyStr) -> AnyStr:
        """The text after one change or a few."""
        while True:
            text = rng.choice(_CHANGES)(self, rng, text)[: self.limit]
            if rng.random() < 0.6:
                return text


def texts(samples: Sequence[str], tokens: Sequence[str] = (), limit: int = 20_000) -> Kit[str]:
    """A kit for parsers of text. `tokens` are words of its language; NASTY ones come in by themselves."""
    # As many chances for the language's own words as for the nasty ones.
    own = list(tokens) * max(1, len(NASTY) // max(1, len(tokens)))
    return Kit(samples, [*own, *NASTY], _OPENERS, _character, re.compile(r"\d+"), "", limit)


def binary(samples: Sequence[bytes], tokens: Sequence[bytes] = (), limit: int = 50_000) -> Kit[bytes]:
    """A kit for parsers of bytes."""
    nasty = [token.encode("utf-8", "surrogatepass") for token in NASTY]
    nasty += [b"\xff", b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5", b"\x80"]
    own = list(tokens) * max(1, len(nasty) // max(1, len(tokens)))
    openers = [opener.encode() for opener in _OPENERS]
    return Kit(samples, [*own, *nasty], openers, _byte, re.compile(rb"\d+"), b"", limit)


def _character(rng: Random) -> str:
    if rng.random() < 0.7:
        return chr(rng.randrange(128))
    return chr(rng.choice((0x80, 0x600, 0x2000, 0xD800, 0xFE00, 0x1F600)) + rng.randrange(256))


def _byte(rng: Random) -> bytes:
    return rng.randrange(256).to_bytes(1, "big")


def _span(rng: Random, length: int) -> tuple[int, int]:
    start = rng.randrange(length + 1)
    return start, min(length, start + rng.choice((0, 1, 1, 2, 4, 16, 64, 1_000)))


def _replace_unit(kit: Kit[AnyStr], rng: Random, text: AnyStr) -> AnyStr:
    at = rng.randrange(len(text) + 1)
    return text[:at] + kit.unit(rng) + text[at + 1 :]


def _replace_by_token(kit: Kit[AnyStr], rng: Random, text: AnyStr) -> AnyStr:
    start, end = _span(rng, len(text))
    return text[:start] + rng.choice(kit.tokens) + text[end:]


def _insert_token(kit: Kit[AnyStr], rng: Random, text: AnyStr) -> AnyStr:
    at = rng.choice((0, len(text), rng.randrange(len(text) + 1)))
    return text[:at] + rng.choice(kit.tokens) + text[at:]


def _delete(kit: Kit[AnyStr], rng: Random, text: AnyStr) -> AnyStr:
    start, end = _span(rng, len(text))
    return text[:start] + text[end:]


def _truncate(kit: Kit[AnyStr], rng: Random, text: AnyStr) -> AnyStr:
    at = rng.randrange(len(text) + 1)
    return text[:at] if rng.random() < 0.7 else text[at:]


def _double(kit: Kit[AnyStr], rng: Random, text: AnyStr) -> AnyStr:
    start, end = _span(rng, len(text))
    return text[:end] + text[start:end] * rng.choice((1, 1, 2, 5, 50, 1_000)) + text[end:]


def _splice(kit: Kit[AnyStr], rng: Random, text: AnyStr) -> AnyStr:
    other = rng.choice(kit.samples)
    start, end = _span(rng, len(other))
    at, to = _span(rng, len(text))
    return text[:at] + other[start:end] + text[to:]


def _nest(kit: Kit[AnyStr], rng: Random, text: AnyStr) -> AnyStr:
    if rng.random() < 0.8:  # the rare ones are slow, and of few kinds
        return _replace_unit(kit, rng, text)
    start, end = _span(rng, len(text))
    return text[:start] + rng.choice(kit.openers) * rng.choice((10, 100, 1_000, 20_000)) + text[end:]


def _renumber(kit: Kit[AnyStr], rng: Random, text: AnyStr) -> AnyStr:
    found = list(kit.digits.finditer(text))
    if not found:
        return _insert_token(kit, rng, text)
    match = rng.choice(found)
    return text[: match.start()] + rng.choice(kit.tokens) + text[match.end() :]


#: Each takes a kit, what to draw from, and a text of the kit's kind; and gives such a text.
_CHANGES: tuple[Callable[..., Any], ...] = (
    *(_replace_unit, _replace_by_token, _insert_token, _delete, _truncate, _double, _splice, _nest, _renumber),
)
