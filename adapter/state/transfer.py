"""A state as JSON Lines, to move it between stores. Usernames and subs are in it; user attributes never are.

The first line describes the rest: {"format": "cognito-source-state", "version": 1, "users": N, "meta": {...}}; then one
line for each user, with the digests in hexadecimal.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Annotated, Final

import msgspec

from adapter.arn import ArnError, parse_pool_arn
from adapter.changes import DIGEST_SIZE
from adapter.errors import ConfigError
from adapter.model import KnownUser
from adapter.state.base import Meta, Store

FORMAT: Final = "cognito-source-state"
VERSION: Final = 1
#: Users read or written at once.
_BATCH: Final = 5_000


#: What every store can hold.
_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Header(msgspec.Struct):
    format: str
    version: int
    users: int
    meta: Meta


class _Line(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    username: str
    digest: str
    attributes: str
    sub: str | None = None
    enabled: bool | None = None
    status: str | None = None
    created_ms: _Int64 | None = None
    modified_ms: _Int64 | None = None
    revision: _Int64 = 0
    missing_since_ms: _Int64 | None = None


def export_lines(store: Store) -> Iterator[bytes]:
    """The lines of a state, each with its newline. Nothing may be applied to the store meanwhile."""
    rows = [row for group, _ in store.digests() for row in group]
    yield msgspec.json.encode(_Header(FORMAT, VERSION, len(rows), store.meta())) + b"\n"
    for start in range(0, len(rows), _BATCH):
        for _, user in store.rows(rows[start : start + _BATCH]):
            members = msgspec.structs.asdict(user)
            members["digest"], members["attributes"] = user.digest.hex(), user.attributes.hex()
            yield msgspec.json.encode(_Line(**members)) + b"\n"


def read_header(line: bytes, name: str) -> tuple[int, Meta]:
    """How many users follow, and the pool-wide part.

    Raises:
        ConfigError: this is no export, or a newer one. `name` names the file.
    """
    try:
        header = msgspec.json.decode(line, type=_Header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        header = None
    if header is None or header.format != FORMAT or not _is_sound(header.meta):
        raise ConfigError(f"{name}, line 1: not an exported state; expected a file that `state export` wrote")
    if header.version > VERSION:
        raise ConfigError(
            f"{name}, line 1: format version {header.version}, this adapter knows up to {VERSION}; use a newer adapter"
        )
    return header.users, header.meta


def _is_sound(meta: Meta) -> bool:
    """Whether it is of a pool, with numbers that every store can hold."""
    numbers = (meta.baseline_started_ms, meta.last_sweep_ms, meta.sweeps)
    try:
        parse_pool_arn(meta.pool_arn)
    except ArnError:
        return False
    return all(number is None or -(2**63) <= number < 2**63 for number in numbers)


def read_users(lines: Iterable[bytes], name: str) -> Iterator[KnownUser]:
    """The users of the lines after the first.

    Raises:
        ConfigError: a line is not one of an export; the message holds its number, not its content.
    """
    decode = msgspec.json.Decoder(_Line).decode
    for number, line in enumerate(lines, start=2):
        try:
            found = decode(line)
            members = msgspec.structs.asdict(found)
            members["digest"], members["attributes"] = bytes.fromhex(found.digest), bytes.fromhex(found.attributes)
            if len(members["digest"]) != DIGEST_SIZE:
                raise ValueError("a digest of another size")  # noqa: TRY301 - one way out for all that is unfit
        except (ValueError, RecursionError, msgspec.MsgspecError):
            raise ConfigError(f"{name}, line {number}: not a user; the file is damaged, export it again") from None
        yield KnownUser(**members)


def check_lines(lines: Iterable[bytes], name: str, pool_arn: str) -> int:
    """Read a whole export without storing anything; returns how many users it has.

    Raises:
        ConfigError: it is damaged, cut short, or of another pool.
    """
    reader = iter(lines)
    expected, meta = read_header(next(reader, b""), name)
    if meta.pool_arn != pool_arn:
        raise ConfigError(f"{name}: the state of {meta.pool_arn}, not of {pool_arn}; name that pool in ARN")
    found = sum(1 for _ in read_users(reader, name))
    if found != expected:
        raise ConfigError(
            f"{name}: {found} users, but its first line says {expected}; it was cut short, export it again"
        )
    return found


def import_lines(lines: Iterable[bytes], name: str, store: Store) -> None:
    """Put an export into an empty store; the pool-wide part comes last, when all users are there.

    Raises:
        ConfigError: a line is damaged (`check_lines` finds that beforehand).
    """
    reader = iter(lines)
    _, meta = read_header(next(reader, b""), name)
    users = read_users(reader, name)
    while batch := list(itertools.islice(users, _BATCH)):
        store.apply(batch)
    store.apply([], meta=meta)


def clear(store: Store) -> int:
    """Forget everything; returns how many users were forgotten.

    The pool-wide part comes first: when this is interrupted, those who are gone already are not reported as new.
    """
    store.apply([], meta=Meta(pool_arn=store.meta().pool_arn))
    rows = [row for group, _ in store.digests() for row in group]
    for start in range(0, len(rows), _BATCH):
        store.apply([], [user.username for _, user in store.rows(rows[start : start + _BATCH])])
    return len(rows)
