"""Finds secrets that a plan holds in clear although nothing marks them as sensitive, and takes them out.

Two kinds of clues: what the value looks like (key formats that their makers publish), and what its place is called
together with a value that could be a secret. A place that only points to a secret (an ARN, a path, a name) is none.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from enum import Flag, auto
from functools import lru_cache

from plan_review.plan.values import Value, hide

_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("an AWS access key id", re.compile(r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b")),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,})")),
    ("a GitLab token", re.compile(r"\bglpat-[\w-]{20,}")),
    ("a Slack token", re.compile(r"\bxox[abprs]-[\w-]{10,}")),
    ("a Stripe key", re.compile(r"\b[rs]k_live_[0-9a-zA-Z]{20,}")),
    ("a Google API key", re.compile(r"\bAIza[\w-]{35}\b")),
    ("a signed token (JWT)", re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")),
    ("a URL with a password", re.compile(r"\b[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@${}]+@", re.IGNORECASE)),
)
#: One cheap look that fails for nearly every text, before the list above.
_ANY_SHAPE = re.compile(
    r"AKIA|ASIA|PRIVATE KEY|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|k_live_|AIza|eyJ|:[^/\s@]+@", re.IGNORECASE
)
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|secret|secret_?string|secret_?binary|secret_?key|secret_?access_?key"
    r"|private_?key|auth_?token|access_?token|token|api_?key|client_?secret|credentials?|connection_?string)(?:_value)?$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
#: A place with a secret's name that holds one of these only says where the secret is, or that there is none.
_HARMLESS = re.compile(
    r"arn:.*|/[\w./-]+|\$\{.*\}|(?:true|false|null|none|yes|no|optional|required|enabled|disabled)|\d{1,5}"
    r"|[a-z][a-z0-9+.-]*://[^@]*|.{0,2}|test|mock|dummy|fake|example|redacted|x+|\*+",
    re.IGNORECASE | re.DOTALL,
)
_AWS_SECRET_KEY = re.compile(r"[A-Za-z0-9/+]{40}")
_SEPARATORS = re.compile(r"[^A-Za-z0-9]+")
#: Names (`eu-central-1_AbCdEfGhI`) are made of short words; random keys have long ones.
_RUN_MIN = 16
_OPAQUE = re.compile(r"[A-Za-z0-9+/=_.~-]{20,200}")
_ENVIRONMENTS = ("environment", "variables", "env")
#: Bits per character: English text and identifiers have 3 to 4, random base64 of 40 characters about 5.
_ENTROPY_MIN = 4.0


class Clue(Flag):
    """What in the bytes of a value makes it worth looking for secrets in it."""

    #: Something that a known key format begins with.
    SHAPE = auto()
    #: A name that places of secrets have.
    PLACE = auto()


#: In lower case. A JSON text without any of these holds no secret that could be found.
_SHAPE_CLUES = (
    b"akia",
    b"asia",
    b"private key",
    b"ghp_",
    b"gho_",
    b"ghu_",
    b"ghs_",
    b"ghr_",
    b"github_pat_",
    b"glpat-",
    b"xox",
    b"k_live_",
    b"aiza",
    b"eyj",
)
_PLACE_CLUES = (
    b"pass",
    b"secret",
    b"private",
    b"token",
    b"api",
    b"access",
    b"credential",
    b"connection",
    b"environment",
    b"variables",
    b'"env"',
)


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret in clear: where (a path inside of the object) and why it is taken for one. Never the value."""

    path: str
    why: str


def redact(value: Value, path: str = "", name: str = "", *, shapes: bool = True) -> tuple[Value, list[Leak]]:
    """Replace every secret in clear by a `Hidden`, and list where they were.

    Args:
        value: a masked value.
        path: what stands before the paths of what is found.
        name: what the place of `value` is called.
        shapes: False when it is known that nothing in it looks like a key of a known format.
    """
    found = _Search(shapes)
    return found.walk(value, path, name, environment=False), found.leaks


def find_clues(data: bytes) -> Clue:
    """Whether there is any use in looking for secrets in a value that is written like this as JSON."""
    lowered = data.lower()
    # Plain loops: this runs over every byte of a large plan, and `any` with a generator takes twice the time.
    clues = Clue.SHAPE if b"://" in lowered and b"@" in lowered else Clue(0)
    for clue in _SHAPE_CLUES:
        if clue in lowered:
            clues |= Clue.SHAPE
            break
    for clue in _PLACE_CLUES:
        if clue in lowered:
            return clues | Clue.PLACE
    return clues


class _Search:
    def __init__(self, shapes: bool) -> None:  # noqa: FBT001 - private
        self._shapes = shapes
        self.leaks: list[Leak] = []

    def walk(self, value: Value, path: str, name: str, *, environment: bool) -> Value:
        if isinstance(value, str):
            why = suspicion(value, name, environment=environment, shapes=self._shapes)
            if not why:
                return value
            self.leaks.append(Leak(path or name, why))
            return hide(value, f"hidden: looks like {why}")
        if isinstance(value, dict):
            pair = _name_of_pair(value)
            inside = environment or name.lower() in _ENVIRONMENTS
            return {
                key: self.walk(
                    item,
                    f"{path}.{key}" if path else key,
                    pair if pair and key.lower() == "value" else key,
                    environment=inside,
                )
                for key, item in value.items()
            }
        if isinstance(value, list):
            inside = environment or name.lower() in _ENVIRONMENTS
            return [
                self.walk(item, f"{path}[{_label(item, index)}]", name, environment=inside)
                for index, item in enumerate(value)
            ]
        return value


def _name_of_pair(value: dict[str, Value]) -> str:
    """The name of an environment variable that is written as an object with a name and a value."""
    if "value" in value or "Value" in value:
        for key in ("name", "Name", "key", "Key"):
            name = value.get(key)
            if isinstance(name, str):
                return name
    return ""


def _label(item: Value, index: int) -> str:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) and name and len(name) < 60 else str(index)


def suspicion(value: str, name: str, *, environment: bool = False, shapes: bool = True) -> str:
    """What the text seems to be, in words, or nothing.

    Args:
        value: the text.
        name: what its place is called (an attribute or an environment variable).
        environment: the place is an environment variable: opaque random text is suspicious whatever its name.
        shapes: False when nothing can look like a key of a known format.
    """
    if len(value) < 3:
        return ""
    if shapes and _ANY_SHAPE.search(value):
        for what, shape in _SHAPES:
            if shape.search(value):
                return what
    if is_secret_name(name) and not _HARMLESS.fullmatch(value.strip()):
        return f"the value of {name!r}"
    if environment and _OPAQUE.fullmatch(value) and _is_random(value):
        return "a random key"
    return ""


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a place of this name usually holds a secret itself (not a pointer to one)."""
    snake = _CAMEL.sub("_", name).lower().replace("-", "_").replace(".", "_")
    return bool(_SECRET_NAME.search(snake))


def _is_random(value: str) -> bool:
    kinds = sum(any(test(c) for c in value) for test in (str.islower, str.isupper, str.isdigit))
    if kinds < 3 or _entropy(value) < _ENTROPY_MIN:
        return False
    return bool(_AWS_SECRET_KEY.fullmatch(value)) or max(map(len, _SEPARATORS.split(value))) >= _RUN_MIN


def _entropy(value: str) -> float:
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
