"""The state: is it there, whose is it, who uses it. It is only read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapter.arn import PoolArn
from adapter.commands.checks.check import Check, fail, ok, warn
from adapter.errors import AdapterError
from adapter.state.base import Meta, other_pool
from adapter.state.durability import MOUNTS, fate_of_state
from adapter.state.sqlite.lock import Holder
from adapter.state.sqlite.place import find_file
from adapter.state.url import DynamoUrl, SqliteUrl, parse_state_url
from adapter.terminal import count, printable

if TYPE_CHECKING:
    from botocore.session import Session

_NAME: Final = "state"


@dataclass(slots=True)
class Known:
    """What the state tells beside; None: not known. `users` is how many it knows."""

    users: int | None = None
    whole: bool = False


def storage_checks(
    url: str, pool: PoolArn | None, session: Callable[[], Session], limit_s: float, known: Known, *, running: bool
) -> Iterator[Check]:
    """Look at the state that the adapter would use.

    Args:
        url: STATE_URL.
        pool: whose state it should be; None: not known.
        session: makes the session for DynamoDB.
        limit_s: how long a request may take, in seconds.
        known: takes what is found.
        running: whether an adapter answers on this machine, which may well be the holder.
    """
    parsed = parse_state_url(url)
    try:
        if isinstance(parsed, SqliteUrl):
            yield from _sqlite(parsed, pool, known, running=running)
        elif pool is not None:
            yield from _dynamodb(parsed, pool, session(), limit_s, known, running=running)
    except AdapterError as error:
        found, _, mend = str(error).removeprefix("STATE_URL: ").partition("; ")
        yield fail(_NAME, printable(found), mend)


def _sqlite(url: SqliteUrl, pool: PoolArn | None, known: Known, *, running: bool) -> Iterator[Check]:
    from adapter.state.inspect import report_sqlite

    path = find_file(url.path, f"the state file {url.path}")
    folder = path.parent
    if not path.exists():
        if not os.access(folder, os.W_OK | os.X_OK):
            yield fail(_NAME, f"the folder {folder} can't be written by this user", "fix its permissions")
            return
        yield ok(_NAME, f"{path} will be made: this is a first start")
    else:
        report = report_sqlite(url)
        unwritable = [each for each in (path, folder) if not os.access(each, os.W_OK)]
        if unwritable:
            yield fail(_NAME, f"{unwritable[0]} can't be written by this user", "fix its permissions")
            return
        known.users = report.users
        yield from _told(str(path), report.meta, report.users, report.holder, pool, known, running=running)
    if where := _fate(path):
        yield warn(
            _NAME,
            f"{path} is in {where}: it is lost when the container is replaced",
            "mount a volume that lasts at the folder of STATE_URL, or use dynamodb://TABLE",
        )


def _fate(path: Path) -> str | None:
    try:
        return fate_of_state(str(path), Path(MOUNTS).read_text(errors="replace"))
    except OSError:
        return None  # not on Linux, or no /proc: nobody can tell


def _dynamodb(
    url: DynamoUrl, pool: PoolArn, session: Session, limit_s: float, known: Known, *, running: bool
) -> Iterator[Check]:
    """Two items are read: those of the pool as a whole. Counting its users would read all of them."""
    from adapter.state.dynamodb import items
    from adapter.state.dynamodb.client import Table, get, make_client

    table = Table(url.table, url.region or pool.region)
    client = make_client(session, table.region, attempts=1, timeout_s=limit_s / 3)
    try:
        meta = get(client, table, {"pk": {"S": pool.pool_id}, "sk": {"S": items.META}})
        lease = get(client, table, {"pk": {"S": pool.pool_id}, "sk": {"S": items.LEASE}})
    finally:
        client.close()
    holder = items.holder_of(lease, table.where)
    if meta is None:
        yield ok(_NAME, f"{table.where} can be read and knows nothing of the pool: this is a first start")
        return
    found = items.read_meta(meta, str(pool), table.where)
    yield from _told(table.where, found, None, holder, pool, known, running=running)


def _told(
    where: str,
    meta: Meta,
    users: int | None,
    holder: Holder | None,
    pool: PoolArn | None,
    known: Known,
    *,
    running: bool,
) -> Iterator[Check]:
    if pool is not None and meta.pool_arn != str(pool):
        advice = other_pool(meta.pool_arn, str(pool), "use one state for each pool: STATE_URL")
        yield fail(_NAME, f"{where} belongs to the pool {printable(meta.pool_arn)}", advice)
        return
    known.whole = meta.baseline_done
    people = "" if users is None else f"{count(users)} users, "
    sweeps = "the first sweep is complete" if meta.baseline_done else "the first sweep is not complete"
    yield ok(_NAME, f"{where}: {people}{sweeps}")
    if holder is not None and not running:
        yield warn(
            _NAME,
            f"it is in use by {printable(str(holder))}",
            "a second adapter waits until that one ends; give it a state of its own if both are wanted",
        )
