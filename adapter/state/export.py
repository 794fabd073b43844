"""A state as JSON Lines, to move it between stores. Usernames and subs are in it; user attributes never are.

The first line describes the rest: {"format": "cognito-source-state", "version": 1, "users": N, "meta": {...}}; then one
line for each user, with the digests in hexadecimal.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from typing import Annotated, Final

import msgspec

from adapter.arn import ArnError, are_replicas, parse_pool_arn
from adapter.changes.detector import DIGEST_SIZE, FINGERPRINT_SIZE
from adapter.errors import ConfigError
from adapter.model import KnownUser
from adapter.state.base import Meta, Store

FORMAT: Final = "cognito-source-state"
VERSION: Final = 1
#: Users read or written at once.
_BATCH: Final = 5_000


#: What every store can hold.
_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
#: The longest username of Cognito, in characters
#: (https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UserType.html), the longest value of
#: an attribute, which `sub` is, and far more than any status has. Together they stay far below DynamoDB's 400 KB.
_USERNAME_MAX: Final = 128
_SUB_MAX: Final = 2_048
_STATUS_MAX: Final = 128
#: No user changes as often: one change in a millisecond for 285,000 years.
_COUNT_MAX: Final = 2**53 - 1
#: The first and last moment that a date can be written for: years 1 to 9999, in milliseconds since the epoch.
_DATES: Final = range(-62_135_596_800_000, 253_402_300_800_000)
#: How the first sweep may have been begun.
_INITIAL: Final = (None, "baseline", "snapshot")


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
    """Whether it is of a pool, with dates and a count that can be."""
    try:
        parse_pool_arn(meta.pool_arn)
    except ArnError:
        return False
    dates = (meta.baseline_started_ms, meta.last_sweep_ms)
    return (
        meta.initial in _INITIAL
        and 0 <= meta.sweeps <= _COUNT_MAX
        and all(date is None or date in _DATES for date in dates)
    )


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
            user = KnownUser(**members)
        except (ValueError, RecursionError, msgspec.MsgspecError):
            raise _damaged(name, number, "it is not the JSON of one") from None
        if unfit := _unfit(user):
            raise _damaged(name, number, unfit)
        yield user


def _damaged(name: str, number: int, reason: str) -> ConfigError:
    return ConfigError(f"{name}, line {number}: not a user ({reason}); the file is damaged, export it again")


def _unfit(user: KnownUser) -> str | None:
    """Why no adapter can have written this user; None: one can."""
    if not 0 < len(user.username) <= _USERNAME_MAX:
        return f"username: {len(user.username)} characters, expected 1 to {_USERNAME_MAX}"
    for field, text, most in (("sub", user.sub, _SUB_MAX), ("status", user.status, _STATUS_MAX)):
        if text is not None and len(text) > most:
            return f"{field}: {len(text)} characters, expected {most} at most"
    if len(user.digest) != DIGEST_SIZE:
        return f"digest: {len(user.digest)} bytes, expected {DIGEST_SIZE}"
    # Without a digest of attributes a user is in doubt: nothing was reported yet.
    if len(user.attributes) != FINGERPRINT_SIZE and (user.attributes or user.revision >= 0):
        return f"attributes: {len(user.attributes)} bytes, expected {FINGERPRINT_SIZE}"
    if abs(user.revision) > _COUNT_MAX:
        return f"revision: expected {_COUNT_MAX} at most, or its negative"
    for field in ("created_ms", "modified_ms", "missing_since_ms"):
        date = getattr(user, field)
        if date is not None and date not in _DATES:
            return f"{field}: not in the years 1 to 9999"
    return None


def check_lines(lines: Iterable[bytes], name: str, pool_arn: str, *, adopt: bool = False) -> int:
    """Read a whole export without storing anything; returns how many users it has.

    Args:
        lines: the export.
        name: what messages call it.
        pool_arn: the pool that it must be of.
        adopt: whether an export of the same pool in another region will do.

    Raises:
        ConfigError: it is damaged, cut short, or of another pool.
    """
    reader = iter(lines)
    expected, meta = read_header(next(reader, b""), name)
    if meta.pool_arn != pool_arn:
        if not are_replicas(meta.pool_arn, pool_arn):
            raise ConfigError(f"{name}: the state of {meta.pool_arn}, not of {pool_arn}; name that pool in ARN")
        if not adopt:
            raise ConfigError(
                f"{name}: the state of {meta.pool_arn}, the same pool in another region; "
                "to go on with it here add --adopt, else name that pool in ARN"
            )
    seen: set[str] = set()
    for number, user in enumerate(read_users(reader, name), start=2):
        if user.username in seen:
            raise _damaged(name, number, "a line before has the same username")
        seen.add(user.username)
    if len(seen) != expected:
        raise ConfigError(
            f"{name}: {len(seen)} users, but its first line says {expected}; it was cut short, export it again"
        )
    return len(seen)


def import_lines(lines: Iterable[bytes], name: str, store: Store) -> None:
    """Put an export into an empty store; the pool-wide part comes last, when all users are there.

    The store stays that of its pool, also when the export is of its replica in another region.

    Raises:
        ConfigError: a line is damaged (`check_lines` finds that beforehand).
    """
    reader = iter(lines)
    _, meta = read_header(next(reader, b""), name)
    users = read_users(reader, name)
    while batch := list(itertools.islice(users, _BATCH)):
        store.apply(batch)
    store.apply([], meta=dataclasses.replace(meta, pool_arn=store.meta().pool_arn))


def adopt(store: Store, pool_arn: str) -> None:
    """Make it the state of the same pool in another region.

    What was in doubt is reported once more, as events of the new `source`.
    """
    store.apply([], meta=dataclasses.replace(store.meta(), pool_arn=pool_arn))


def clear(store: Store) -> int:
    """Forget everything; returns how many users were forgotten.

    The pool-wide part comes first: when this is interrupted, those who are gone already are not reported as new.
    """
    store.apply([], meta=Meta(pool_arn=store.meta().pool_arn))
    rows = [row for group, _ in store.digests() for row in group]
    for start in range(0, len(rows), _BATCH):
        store.apply([], [user.username for _, user in store.rows(rows[start : start + _BATCH])])
    return len(rows)
