"""What every type of the AWS provider can do: give rights, open something, hold data or secrets, run code, cost.

`aws.json` is the table, with its source; tools/docs/coverage.py holds it to the provider's schema. What the table
doesn't know is never taken for harmless: a type without an entry may do everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files

import msgspec


class Trait(StrEnum):
    """Something that an object of a type can do, so that a reviewer has to look."""

    GIVES_RIGHTS = "gives_rights"
    OPENS = "opens"
    HOLDS_DATA = "holds_data"
    HOLDS_SECRETS = "holds_secrets"
    RUNS_CODE = "runs_code"
    COSTS = "costs"


#: In the words of a table's head.
TRAIT_WORDS: Mapping[Trait, str] = {
    Trait.GIVES_RIGHTS: "gives rights",
    Trait.OPENS: "opens to the network or to others",
    Trait.HOLDS_DATA: "holds data",
    Trait.HOLDS_SECRETS: "holds secrets",
    Trait.RUNS_CODE: "runs code",
    Trait.COSTS: "costs",
}
#: Providers that work on the machine that applies the plan, and reach nobody else's rights or network.
LOCAL_PROVIDERS = frozenset({"archive", "cloudinit", "local", "null", "random", "template", "terraform", "time", "tls"})


class CoverageTable(msgspec.Struct, frozen=True):
    """The content of aws.json."""

    #: Where the types come from.
    source: str
    types: dict[str, tuple[Trait, ...]]


@cache
def coverage_table() -> CoverageTable:
    """The table, read once."""
    data = files(__name__).joinpath("aws.json").read_bytes()
    return msgspec.json.decode(data, type=CoverageTable)


def traits(kind: str) -> frozenset[Trait] | None:
    """What objects of an AWS type can do, none for a harmless one; None for a type that the table doesn't know."""
    found = coverage_table().types.get(kind)
    return None if found is None else frozenset(found)


def provider_of(kind: str) -> str:
    """The provider that a type belongs to, by its prefix: "aws" of aws_sqs_queue.

    A type of a provider that only has the name of a known one is written with its source: `registry/space/aws:aws_x`.
    """
    source, mark, _ = kind.partition(":")
    return source if mark else kind.partition("_")[0]
