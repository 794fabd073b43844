"""Finds secrets that a plan holds in clear although nothing marks them as sensitive, and takes them out.

Two kinds of clues: what the value looks like (key formats that their makers publish), and what its place is called
together with a value that could be a secret. A place that only points to a secret (an ARN, a path, a name) is none.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

from stacks.review.values import Value, hide

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
#: Bits per character: English text and identifiers have 3 to 4, random base64 of 40 characters about 5.
_ENTROPY_MIN = 4.0


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret in clear: where (a path inside of the object) and why it is taken for one. Never the value."""

    path: str
    why: str


def redact(value: Value, path: str = "", name: str = "") -> tuple[Value, list[Leak]]:
    """Replace every secret in clear by a `Hidden`, and list where they were.

    Args:
        value: a masked value.
        path: what stands before the paths of what is found.
        name: what the place of `value` is called.
    """
    leaks: list[Leak] = []
    return _walk(value, path, name, leaks, environment=False), leaks


def _walk(value: Value, path: str, name: str, leaks: list[Leak], *, environment: bool) -> Value:
    if isinstance(value, str):
        why = suspicion(value, name, environment=environment)
        if not why:
            return value
        leaks.append(Leak(path or name, why))
        return hide(value, f"hidden: looks like {why}")
    if isinstance(value, dict):
        pair = _name_of_pair(value)
        inside = environment or name.lower() in ("environment", "variables", "env")
        return {
            key: _walk(
                item,
                f"{path}.{key}" if path else key,
                pair if pair and key.lower() == "value" else key,
                leaks,
                environment=inside,
            )
            for key, item in value.items()
        }
    if isinstance(value, list):
        inside = environment or name.lower() in ("environment", "env")
        return [
            _walk(item, f"{path}[{_label(item, index)}]", name, leaks, environment=inside)
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


def suspicion(value: str, name: str, *, environment: bool = False) -> str:
    """What the text seems to be, in words, or nothing.

    Args:
        value: the text.
        name: what its place is called (an attribute or an environment variable).
        environment: the place is an environment variable: opaque random text is suspicious whatever its name.
    """
    if len(value) < 3:
        return ""
    if _ANY_SHAPE.search(value):
        for what, shape in _SHAPES:
            if shape.search(value):
                return what
    if is_secret_name(name) and not _HARMLESS.fullmatch(value.strip()):
        return f"the value of {name!r}"
    if environment and _OPAQUE.fullmatch(value) and _is_random(value):
        return "a random key"
    return ""


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
