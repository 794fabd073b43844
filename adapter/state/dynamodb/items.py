"""How a pool's state looks in a DynamoDB table. Pure.

Keys: `pk` (S) and `sk` (S). A pool's items never mix with another's, so that several pools can share a table:

| pk | sk | other attributes |
|---|---|---|
| POOL_ID | `lease` | `f` fence, `beat`, `seconds`, `released`, `owner`, `host`, `pid`, `since` |
| POOL_ID | `meta` | `f`, `schema`, `arn`, the members of `Meta` |
| POOL_ID#BUCKET | username | `f`, `v` (the packed user) |
| POOL_ID#BUCKET | username | `f`, `x` (a tombstone: seconds since the epoch after which DynamoDB may drop it) |

Every item carries the fence it was written under; nobody may write over a higher one (docs/adr/0002).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from adapter.errors import StateError
from adapter.model import KnownUser
from adapter.state.base import Meta, other_pool
from adapter.state.dynamodb.requirements import TTL_ATTRIBUTE
from adapter.state.sqlite.lock import Holder

#: Layout of the items; a table with a higher number is refused.
SCHEMA: Final = 1
#: Partition keys of one pool. A physical partition takes 1,000 writes and 3,000 reads a second: users spread over all
#: that the table has, and as many queries can run side by side. Part of the layout: never change it.
BUCKETS: Final = 64
#: Seconds that a tombstone is kept: as long as a writer that lost its lease may sleep before it wakes up.
TOMBSTONE_SECONDS: Final = 7 * 86_400

#: No lease lasts longer, in seconds: the most that STATE_LEASE_SECONDS may be is far below.
_LEASE_MAX_S: Final = 86_400.0

LEASE: Final = "lease"
META: Final = "meta"

Item = dict[str, dict[str, Any]]


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    """A user without the name, as a MessagePack array. New members go to the end, with a default."""

    sub: str | None
    digest: bytes
    attributes: bytes
    enabled: bool | None
    status: str | None
    created_ms: int | None
    modified_ms: int | None
    revision: int
    missing_since_ms: int | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Packed).decode


class _Text(msgspec.Struct):
    S: str


class _Bytes(msgspec.Struct):
    B: bytes  # msgspec decodes the base64 itself


class _UserItem(msgspec.Struct):
    sk: _Text
    v: _Bytes | None = None


class _Answer(msgspec.Struct):
    """The members of a Query's answer that hydration needs."""

    Items: list[_UserItem] = []
    LastEvaluatedKey: dict[str, dict[str, str]] | None = None


_answer = msgspec.json.Decoder(_Answer).decode


def bucket_of(username: str) -> int:
    """Which of the partition keys holds this user."""
    return zlib.crc32(username.encode()) % BUCKETS


def partition(pool_id: str, bucket: int) -> str:
    """The partition key of a bucket."""
    return f"{pool_id}#{bucket:02}"


def user_key(pool_id: str, username: str) -> Item:
    """The key of a user's item."""
    return {"pk": {"S": partition(pool_id, bucket_of(username))}, "sk": {"S": username}}


def user_item(pool_id: str, fence: int, user: KnownUser) -> Item:
    """A user's item."""
    packed = _Packed(
        user.sub,
        user.digest,
        user.attributes,
        user.enabled,
        user.status,
        user.created_ms,
        user.modified_ms,
        user.revision,
        user.missing_since_ms,
    )
    return {**user_key(pool_id, user.username), "f": {"N": str(fence)}, "v": {"B": _encode(packed)}}


def tombstone(pool_id: str, fence: int, username: str, now_s: float) -> Item:
    """What is left of a forgotten user for a while: the fence that an older writer can't jump."""
    expires = str(int(now_s) + TOMBSTONE_SECONDS)
    return {**user_key(pool_id, username), "f": {"N": str(fence)}, TTL_ATTRIBUTE: {"N": expires}}


def read_answer(body: bytes) -> tuple[list[KnownUser], dict[str, dict[str, str]] | None]:
    """The users of a Query's answer, without the tombstones, and where to go on.

    Raises:
        StateError: an item is not one of ours.
    """
    try:
        answer = _answer(body)
        return [_user(item.sk.S, item.v.B) for item in answer.Items if item.v is not None], answer.LastEvaluatedKey
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StateError(
            "STATE_URL: the DynamoDB table has items that this adapter did not write; use a table of its own"
        ) from error


def _user(username: str, packed: bytes) -> KnownUser:
    found = _decode(packed)
    return KnownUser(
        username=username,
        sub=found.sub,
        digest=found.digest,
        attributes=found.attributes,
        enabled=found.enabled,
        status=found.status,
        created_ms=found.created_ms,
        modified_ms=found.modified_ms,
        revision=found.revision,
        missing_since_ms=found.missing_since_ms,
    )


def meta_item(pool_id: str, fence: int, meta: Meta) -> Item:
    """The item of the pool-wide part."""
    item: Item = {
        "pk": {"S": pool_id},
        "sk": {"S": META},
        "f": {"N": str(fence)},
        "schema": {"N": str(SCHEMA)},
        "arn": {"S": meta.pool_arn},
        "baseline_done": {"BOOL": meta.baseline_done},
        "sweeps": {"N": str(meta.sweeps)},
    }
    if meta.initial is not None:
        item["initial"] = {"S": meta.initial}
    if meta.baseline_started_ms is not None:
        item["baseline_started_ms"] = {"N": str(meta.baseline_started_ms)}
    if meta.last_sweep_ms is not None:
        item["last_sweep_ms"] = {"N": str(meta.last_sweep_ms)}
    return item


def read_meta(item: Mapping[str, Mapping[str, Any]], pool_arn: str, where: str) -> Meta:
    """The pool-wide part.

    Raises:
        StateError: the item is of another pool, of a newer adapter, or not ours. `where` names the table.
    """
    try:
        schema, arn = int(item["schema"]["N"]), str(item["arn"]["S"])
        if schema > SCHEMA:
            raise StateError(
                f"STATE_URL: {where} has layout {schema}, this adapter knows up to {SCHEMA}; "
                "run the newer adapter that wrote it"
            )
        if arn != pool_arn:
            raise StateError(
                f"STATE_URL: {where} has the state of the pool {ascii(arn)[1:-1]} under this pool's id, "
                f"not of {pool_arn}; " + other_pool(arn, pool_arn, "use another table")
            )
        return Meta(
            pool_arn=arn,
            initial=item["initial"]["S"] if "initial" in item else None,
            baseline_started_ms=_number(item, "baseline_started_ms"),
            baseline_done=bool(item["baseline_done"]["BOOL"]),
            last_sweep_ms=_number(item, "last_sweep_ms"),
            sweeps=int(item["sweeps"]["N"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise StateError(
            f"STATE_URL: {where} has an item {META!r} that this adapter did not write; use another table"
        ) from error


def _number(item: Mapping[str, Mapping[str, Any]], name: str) -> int | None:
    return int(item[name]["N"]) if name in item else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseItem:
    """A lease as its holder wrote it; `seconds` is how long it lasts without a sign of life."""

    fence: int
    beat: int
    seconds: float
    released: bool
    owner: str
    holder: Holder


def read_lease(item: Mapping[str, Mapping[str, Any]], where: str) -> LeaseItem:
    """The lease.

    Raises:
        StateError: the item is not ours. `where` names the table.
    """
    try:
        found = LeaseItem(
            fence=int(item["f"]["N"]),
            beat=int(item["beat"]["N"]),
            seconds=float(item["seconds"]["N"]),
            released=item["released"]["BOOL"],
            owner=item["owner"]["S"],
            holder=Holder(host=item["host"]["S"], pid=int(item["pid"]["N"]), since=item["since"]["S"]),
        )
        if not (found.fence > 0 and 0 < found.seconds <= _LEASE_MAX_S):
            raise ValueError("no lease of ours has such numbers")  # noqa: TRY301 - one way out for all that is unfit
    except (KeyError, ValueError, TypeError) as error:
        raise StateError(
            f"STATE_URL: {where} has an item {LEASE!r} that this adapter did not write; "
            "use another table, or delete the item if nothing else uses it"
        ) from error
    return found


def holder_of(item: Mapping[str, Mapping[str, Any]] | None, where: str) -> Holder | None:
    """Who the lease item says holds the lease; None: nobody.

    Raises:
        StateError: the item is not ours. `where` names the table.
    """
    lease = None if item is None else read_lease(item, where)
    return None if lease is None or lease.released else lease.holder
