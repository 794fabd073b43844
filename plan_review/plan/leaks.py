"""Finds secrets that a plan holds in plaintext although nothing marks them as sensitive, and takes them out.

Two kinds of clues: what the value looks like (key formats that their makers publish), and what its place is called
together with a value that could be a secret. A place that only points to a secret (an ARN, a path, a name) is none.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

from plan_review.plan.shapes import ACCESS_KEY_ID, command_secret, shape_of, unpacked
from plan_review.plan.values import Value, hide, mask

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:pass|pw|pwd|pin|secret|secret_?string|secret_?binary|secret_?key|secret_?access_?key"
    r"|private_?key|private_?key_?pem|auth_?token|access_?token|refresh_?token|bearer_?token|token|api_?key|client_?secret"
    r"|credentials?|connection_?string|account_?key|master_?key|encryption_?key|signing_?key|license_?key)(?:_value|_wo)?$"
    r"|(?:password|passwd|passphrase|secret_?key|api_?key)(?:_value|_plain|_plaintext|_wo|_\d+)?$"
)
#: Names of environment variables that hold a secret if the value looks like one.
_WEAK_NAME = re.compile(r"(?:^|_)(?:auth|key|dsn|salt|seed|signature|cookie|session|license|hmac|cred)(?:_\d+)?$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
#: A place with a secret's name that holds one of these only says where the secret is, or that there is none.
_HARMLESS = re.compile(
    # Paths are written in lower case; a password that begins with a slash seldom is.
    r"arn:.*|(?-i:(?:/(?=[0-9._-]*[a-z])[a-z0-9._-]+){2,}/?)|\$\{.*\}"
    r"|(?:true|false|null|none|yes|no|optional|required|enabled|disabled)"
    r"|[a-z][a-z0-9+.-]*://[^@]*|.{0,2}|test|mock|dummy|fake|example|redacted|x+|\*+",
    re.IGNORECASE | re.DOTALL,
)
_AWS_SECRET_KEY = re.compile(r"[A-Za-z0-9/+]{40}")
_SEPARATORS = re.compile(r"[^A-Za-z0-9]+")
#: Names (`eu-central-1_AbCdEfGhI`) are made of short words; random keys have long ones.
_RUN_MIN = 16
_KEY_MIN = 20
_KEY_ID_LENGTH = 20
_SHORTEST = 3
#: No text that gives itself away without its name is shorter (`pw=...`).
_SHAPE_MIN = 8
#: Texts inside of texts inside of texts are looked into.
_WRAPPED_MAX = 3
_NO_WORD = re.compile(r"[^a-z0-9]+")
#: What the value of a pair of name and value is called.
_VALUES = frozenset({"value", "Value", "insecure_value", "default", "DefaultValue", "ParameterValue"})
_OPAQUE = re.compile(r"[A-Za-z0-9+/=_.~-]{20,200}")
_ENVIRONMENTS = frozenset({"environment", "variables", "env"})
_TAGS = frozenset({"tags", "tags_all", "tag", "labels", "default_tags", "effective_labels"})
#: Bits per character: English text and identifiers have 3 to 4, random base64 of 40 characters about 5.
_ENTROPY_MIN = 4.0


class Surroundings(Enum):
    """What a value is part of, which says how much its name means."""

    PLAIN = auto()
    #: Environment variables: opaque random text is suspicious whatever it is called.
    ENVIRONMENT = auto()
    #: Tags name things, also secrets.
    TAGS = auto()


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret in plaintext: where (a path inside of the object) and why it is taken for one. Never the value."""

    path: str
    why: str


def redact(value: Value, path: str = "", name: str = "") -> tuple[Value, list[Leak]]:
    """Replace every secret in plaintext by a `Hidden`, and list where they were.

    Args:
        value: a masked value.
        path: what stands before the paths of what is found.
        name: what the place of `value` is called.
    """
    found = _Search()
    return found.walk(value, path, name, around=Surroundings.PLAIN), found.leaks


_SEARCHED = (str, dict, list)


class _Search:
    """One walk through a value. Without a secret in it, the value comes back as it is."""

    def __init__(self, depth: int = 0) -> None:
        self._depth = depth
        self.leaks: list[Leak] = []

    def walk(self, value: Value, path: str, name: str, *, around: Surroundings) -> Value:
        if isinstance(value, str):
            why = suspicion(value, name, around=around, depth=self._depth)
            if not why:
                return value
            self.leaks.append(Leak(path or name, why))
            return hide(value, f"hidden: looks like {why}")
        if isinstance(value, dict):
            return self._walk_dict(value, path, around=_inside(name, around))
        if isinstance(value, list):
            return self._walk_list(value, path, name, around=_inside(name, around))
        return value

    def _walk_dict(self, value: dict[str, Value], path: str, *, around: Surroundings) -> Value:
        pair = _name_of_pair(value)
        changed: dict[str, Value] = {}
        for key, item in value.items():
            if len(key) >= _KEY_MIN and (why := _shape_of_name(key)):
                self.leaks.append(Leak(f"{path}.(a key)" if path else "(a key)", why))
                return hide(value, f"hidden: a key in it looks like {why}")
            if isinstance(item, _SEARCHED):
                name = pair if pair and key in _VALUES else key
                walked = self.walk(item, f"{path}.{key}" if path else key, name, around=around)
                if walked is not item:
                    changed[key] = walked
        return {**value, **changed} if changed else value

    def _walk_list(self, value: list[Value], path: str, name: str, *, around: Surroundings) -> Value:
        walked = [
            self.walk(item, f"{path}[{_label(item, index)}]", name, around=around) for index, item in enumerate(value)
        ]
        same = all(one is other for one, other in zip(walked, value, strict=True))
        return value if same else walked


def _name_of_pair(value: dict[str, Value]) -> str:
    """The name of an environment variable or parameter that is written as an object with a name and a value."""
    if not _VALUES.isdisjoint(value):
        for key in ("name", "Name", "key", "Key", "ParameterKey"):
            name = value.get(key)
            if isinstance(name, str):
                return name
    return ""


def _label(item: Value, index: int) -> str:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) and name and len(name) < 60 else str(index)


def suspicion(value: str, name: str, *, around: Surroundings = Surroundings.PLAIN, depth: int = 0) -> str:
    """What the text seems to be, in words, or nothing.

    Args:
        value: the text.
        name: what its place is called (an attribute or an environment variable).
        around: what the place is part of.
        depth: how many texts this one was wrapped in.
    """
    if len(value) < _SHORTEST:
        return ""
    what = _known(value, depth) if len(value) >= _SHAPE_MIN else ""
    in_environment = around is Surroundings.ENVIRONMENT
    if what and (in_environment or what != ACCESS_KEY_ID or not _is_identifier(name, value)):
        return what
    if is_secret_name(name) and not _HARMLESS.fullmatch(value.strip()):
        # A tag with such a name says which secret belongs to the object.
        return f"the value of {name!r}" if around is not Surroundings.TAGS or _is_random(value) else ""
    if in_environment and _OPAQUE.fullmatch(value):
        return "a random key" if _is_random(value) or (_has_weak_name(name) and _is_key(value)) else ""
    return ""


@lru_cache(maxsize=65_536)
def _shape_of_name(name: str) -> str:
    """What the name of a value looks like. There are few of them, each in many objects."""
    return shape_of(name)


@lru_cache(maxsize=262_144)
def _known(value: str, depth: int) -> str:
    """What a text is wherever it stands: a key of a known format, or one that holds a secret in a form of its own.

    Most texts of a plan stand in it several times, for what is before, after, and in the state.
    """
    what = shape_of(value) or command_secret(value)
    if what or depth >= _WRAPPED_MAX:
        return what
    if value[0] in "{[":
        opened = mask(value)
        search = _Search(depth + 1)
        search.walk(opened if not isinstance(opened, str) else None, "", "", around=Surroundings.PLAIN)
        return search.leaks[0].why if search.leaks else ""
    text = unpacked(value)
    return suspicion(text, "", depth=depth + 1) if text else ""


def _inside(name: str, around: Surroundings) -> Surroundings:
    if name.lower() in _ENVIRONMENTS:
        return Surroundings.ENVIRONMENT
    return Surroundings.TAGS if name.lower() in _TAGS else around


def _is_identifier(name: str, value: str) -> bool:
    """An access key's id alone gives nobody anything: `id` of the key, `user_id` of who asks."""
    return len(value) == _KEY_ID_LENGTH and _snake(name).rpartition("_")[2] == "id"


def _has_weak_name(name: str) -> bool:
    return bool(_WEAK_NAME.search(_snake(name)))


def _is_key(value: str) -> bool:
    """Letters and digits without a break, as keys are; a UUID or a path isn't."""
    longest = max(_SEPARATORS.split(value), key=len)
    return len(longest) >= _KEY_MIN and any(map(str.isdigit, longest)) and any(map(str.isalpha, longest))


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a place of this name usually holds a secret itself (not a pointer to one)."""
    return bool(_SECRET_NAME.search(_snake(name)))


@lru_cache(maxsize=4096)
def _snake(name: str) -> str:
    return _NO_WORD.sub("_", _CAMEL.sub("_", name).lower()).strip("_")


def _is_random(value: str) -> bool:
    kinds = sum(any(test(c) for c in value) for test in (str.islower, str.isupper, str.isdigit))
    if kinds < 3 or _entropy(value) < _ENTROPY_MIN:
        return False
    return bool(_AWS_SECRET_KEY.fullmatch(value)) or max(map(len, _SEPARATORS.split(value))) >= _RUN_MIN


def _entropy(value: str) -> float:
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
