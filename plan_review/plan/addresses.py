"""Addresses of Terraform taken apart: the modules on the way, the resource, and the keys of `count` and `for_each`.

https://developer.hashicorp.com/terraform/cli/state/resource-addressing.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from plan_review.plan.shapes import shape_of

#: The key of an instance: `["name"]`, `[0]`, or `[*]` where Terraform doesn't know yet which instances there will be.
_KEY = r"\[(?:\"(?:[^\"\\]|\\.)*\"|\d+|\*)\]"
_INDEX = re.compile(_KEY)
#: No secret of a known format fits into less.
_SHORTEST = 24
#: How the key of an instance begins that isn't shown.
HIDDEN_KEY = "hidden: looks like"
_MODULE = re.compile(rf"module\.([^.\[\]]+)({_KEY})?\.")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object stands. Keys keep their brackets; "" stands for no key."""

    #: Name and key of each module on the way from the root.
    modules: tuple[tuple[str, str], ...]
    #: Type and name, `data.` before them for a data source.
    resource: str
    key: str


@lru_cache(maxsize=65_536)
def bare_address(address: str) -> str:
    """An address without the keys of `count` and `for_each`: `module.a[0].x.y["k"]` becomes `module.a.x.y`."""
    return _INDEX.sub("", address) if "[" in address else address


@lru_cache(maxsize=65_536)
def place(address: str) -> Place:
    """Take an address apart."""
    modules: list[tuple[str, str]] = []
    start = 0
    while match := _MODULE.match(address, start):
        modules.append((match[1], match[2] or ""))
        start = match.end()
    rest = address[start:]
    resource, bracket, key = rest.partition("[")
    return Place(tuple(modules), resource, bracket + key)


@lru_cache(maxsize=65_536)
def shown_address(address: str) -> str:
    """An address that may be shown: keys that look like a secret say so instead, and stay different from each other."""
    return _INDEX.sub(_shown_key, address) if "[" in address and len(address) >= _SHORTEST else address


def _shown_key(match: re.Match[str]) -> str:
    key = match.group()
    why = shape_of(key[2:-2]) if key[1:2] == '"' else ""
    # Keys of a known format are too random to be found by their digest.
    return f'["{HIDDEN_KEY} {why} {hashlib.sha256(key.encode()).hexdigest()[:8]}"]' if why else key


def module_prefix(modules: tuple[tuple[str, str], ...]) -> str:
    """What stands before a resource's type in an address: `module.a["k"].`."""
    return "".join(f"module.{name}{key}." for name, key in modules)


def first_step(text: str) -> tuple[str, str, str]:
    """The first step of a path with its literal key, and what follows: `role["a"].arn` gives `role`, `["a"]`, `arn`."""
    match = re.match(rf"([^.\[]+)({_KEY})?\.?", text)
    return (match[1], match[2] or "", text[match.end() :]) if match else (text, "", "")
