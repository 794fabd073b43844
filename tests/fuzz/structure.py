"""JSON that is valid but wrong: members of other types, gone, doubled, unknown, huge or deep."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

from tests.fuzz.mutate import NASTY

_RAW = "@raw-{}@"
#: What json.dumps would not write; they stand in the value as texts until it is written.
_WRITTEN: tuple[str, ...] = (
    "[" * 50 + "]" * 50,
    "[" * 900 + "]" * 900,
    "[" * 20_000 + "]" * 20_000,
    '{"a":' * 50 + "1" + "}" * 50,
    '{"a":' * 5_000 + "1" + "}" * 5_000,
    "9" * 400,
    "9" * 5_000,
    "1e400",
    "-1e-400",
    "1e999999999",
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\u0000"',
    "NaN",
    '{"a":1,"a":2}',
    "-0",
    "1.0",
)


def value(rng: Random, words: Sequence[str], depth: int = 3) -> Any:
    """Any JSON value; `words` are texts and keys that mean something to the parser."""
    kind = rng.randrange(12 if depth else 9)
    if kind < 3:
        return rng.choice(words)
    if kind == 3:
        return rng.choice(NASTY)
    if kind == 4:
        return _RAW.format(rng.randrange(len(_WRITTEN)))
    if kind < 9:
        return rng.choice((None, True, False, 0, 1, -1, 1.5, 10**12, 2**63, 2**64, -(2**63) - 1, 1e300, [], {}, ""))
    if kind == 9:
        return [value(rng, words, depth - 1) for _ in range(rng.randrange(4))]
    return {rng.choice(words): value(rng, words, depth - 1) for _ in range(rng.randrange(4))}


def mutated(rng: Random, sample: Any, words: Sequence[str]) -> Any:
    """The sample with one change or a few; the sample itself stays as it is."""
    changed = sample
    while True:
        changed = _changed(rng, changed, words)
        if rng.random() < 0.5:
            return changed


def _changed(rng: Random, sample: Any, words: Sequence[str]) -> Any:
    """A copy, along the way to one changed place."""
    if isinstance(sample, dict) and sample and rng.random() < 0.9:
        key = rng.choice(list(sample))
        copy = dict(sample)
        what = rng.random()
        if what < 0.75:
            copy[key] = _changed(rng, sample[key], words)
        elif what < 0.85:
            del copy[key]
        elif what < 0.93:
            copy[rng.choice(words)] = copy.pop(key)
        else:
            copy[rng.choice(words)] = value(rng, words)
        return copy
    if isinstance(sample, list) and sample and rng.random() < 0.9:
        at = rng.randrange(len(sample))
        copied = list(sample)
        what = rng.random()
        if what < 0.75:
            copied[at] = _changed(rng, sample[at], words)
        elif what < 0.85:
            del copied[at]
        else:
            copied.insert(at, sample[at] if what < 0.93 else value(rng, words))
        return copied
    if isinstance(sample, str) and rng.random() < 0.4:
        at = rng.randrange(len(sample) + 1)
        return sample[:at] + rng.choice(NASTY) + sample[at + rng.randrange(3) :]
    return value(rng, words)


def written(rng: Random, made: Any) -> bytes:
    """The value as JSON text."""
    text = json.dumps(made, ensure_ascii=rng.random() < 0.5)
    if "@raw-" in text:
        for number, raw in enumerate(_WRITTEN):
            text = text.replace(f'"{_RAW.format(number)}"', raw)
    return text.encode("utf-8", "surrogatepass")
