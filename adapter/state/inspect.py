"""What can be told about a state without becoming its writer: no names, no attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapter.arn import parse_pool_arn
from adapter.errors import StateError
from adapter.state.base import Meta
from adapter.state.dynamodb import items
from adapter.state.faults import of_system
from adapter.state.sqlite import schema
from adapter.state.sqlite.lock import Holder, holder_of
from adapter.state.sqlite.place import find_file, is_locked, lock_path
from adapter.state.sqlite.store import looked_at
from adapter.state.sqlite.table import Table as LocalTable
from adapter.state.url import DynamoUrl, SqliteUrl

if TYPE_CHECKING:
    from botocore.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A state from the outside. `unconfirmed` and `missing` are None where counting them would read every item.

    `unconfirmed` counts users with an event that may have been sent and was not confirmed; `missing` those whose
    deletion is being looked into.
    """

    store: str
    layout: int
    users: int
    unconfirmed: int | None
    missing: int | None
    meta: Meta
    holder: Holder | None


def report_sqlite(url: SqliteUrl) -> Report:
    """Look at a state file, also while it is in use.

    Raises:
        StateError: it is not there, or not a sound state.
    """
    where = f"the state file {url.path}"
    with looked_at(url.path) as (connection, meta):
        table = LocalTable(connection, where)
        unconfirmed, missing = table.pending()
        return Report(
            store=str(url),
            layout=schema.version_of(connection),
            users=table.count(),
            unconfirmed=unconfirmed,
            missing=missing,
            meta=meta,
            holder=_holder(find_file(url.path, where), where),
        )


def _holder(path: Path, where: str) -> Holder | None:
    try:
        return holder_of(lock_path(path)) or (Holder() if is_locked(path) else None)
    except OSError as error:
        raise of_system(error, f"the lock of {where} can't be read", "fix its permissions") from error


def recorded_pool(url: SqliteUrl | DynamoUrl, pool_arn: str, session: Callable[[], Session]) -> str:
    """The ARN that a state names as its pool's: `pool_arn`, or that of the same pool in another region.

    Args:
        url: the state.
        pool_arn: the pool; its region is that of a table without one.
        session: makes the session for DynamoDB.

    Raises:
        StateError, StoreUnavailableError: as for opening the store.
    """
    if isinstance(url, SqliteUrl):
        with looked_at(url.path) as (_, meta):
            return meta.pool_arn
    from adapter.state.dynamodb.client import Table, get, make_client

    pool = parse_pool_arn(pool_arn)
    table = Table(url.table, url.region or pool.region)
    client = make_client(session(), table.region, attempts=5, timeout_s=5.0)
    try:
        found = get(client, table, {"pk": {"S": pool.pool_id}, "sk": {"S": items.META}})
    finally:
        client.close()
    if found is None:
        raise StateError(f"STATE_URL: {table.where} has no state of {pool_arn}; no adapter ever used it")
    return items.read_meta(found, str(found.get("arn", {}).get("S")), table.where).pool_arn


def report_dynamo(url: DynamoUrl, pool_arn: str, session: Session) -> Report:
    """Look at a pool's part of a table; counts the users by reading them all (as many read units as a start takes).

    Raises:
        StateError, StoreUnavailableError: as for opening the store.
    """
    from adapter.state.dynamodb.client import Table, get, make_client, translated

    pool = parse_pool_arn(pool_arn)
    table = Table(url.table, url.region or pool.region)
    client = make_client(session, table.region, attempts=5, timeout_s=5.0)
    try:
        found = get(client, table, {"pk": {"S": pool.pool_id}, "sk": {"S": items.META}})
        if found is None:
            raise StateError(f"STATE_URL: {table.where} has no state of {pool_arn}; no adapter ever used it")
        meta = items.read_meta(found, pool_arn, table.where)
        lease = get(client, table, {"pk": {"S": pool.pool_id}, "sk": {"S": items.LEASE}})
        users = 0
        for bucket in range(items.BUCKETS):
            request: dict[str, Any] = {
                "TableName": table.name,
                "KeyConditionExpression": "pk = :pk",
                "FilterExpression": "attribute_exists(v)",
                "ExpressionAttributeValues": {":pk": {"S": items.partition(pool.pool_id, bucket)}},
                "Select": "COUNT",
            }
            last: Any = True
            while last:
                with translated(table, "dynamodb:Query"):
                    answer: Mapping[str, Any] = client.query(**request)
                users += int(answer["Count"])
                last = request["ExclusiveStartKey"] = answer.get("LastEvaluatedKey")
        return Report(
            store=str(url),
            layout=int(found["schema"]["N"]),
            users=users,
            unconfirmed=None,
            missing=None,
            meta=meta,
            holder=items.holder_of(lease, table.where),
        )
    finally:
        client.close()
