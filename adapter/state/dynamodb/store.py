"""The store for containers: the truth in DynamoDB, a local SQLite file to work with.

At start the pool's items are read into a temporary SQLite file, from which everything is answered; `apply` writes to
DynamoDB first and to the file then. The file is unlinked as soon as it is open: it holds nothing that is needed again,
and a killed process leaves nothing behind.

`apply` is not one transaction in DynamoDB (100 items are the most it takes). When it fails half way, the part that was
written is safe: each user's item stands alone and says what that call was to store; the local file has none of it, so
the caller, who must repeat the call, sees "nothing stored". `meta` is written last, so it never promises too much.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import ClientError

from adapter.arn import parse_pool_arn
from adapter.errors import StoreUnavailableError
from adapter.model import KnownUser
from adapter.state.base import Digests, Meta, check_pool
from adapter.state.clock import machine_clock
from adapter.state.dynamodb import items
from adapter.state.dynamodb.client import (
    CONNECTIONS,
    FencedError,
    Table,
    fenced_put,
    get,
    keep_answers_raw,
    make_client,
    translated,
    while_running,
)
from adapter.state.dynamodb.items import Item
from adapter.state.dynamodb.lease import Lease
from adapter.state.faults import of_system
from adapter.state.sqlite import schema
from adapter.state.sqlite.lock import Holder
from adapter.state.sqlite.table import Table as LocalTable
from adapter.state.sqlite.table import connect
from adapter.state.sqlite.table import translated as translated_locally

if TYPE_CHECKING:
    from botocore.session import Session

#: Items of one TransactWriteItems (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/).
_TRANSACTION: Final = 100
#: From how many items on transactions are used: a tenth of the time (55 instead of 650 µs of this process for each
#: item) for twice the write units, so only when there is much to write: the pages of a first sweep.
_MANY: Final = 40
#: Queries in flight while hydrating; the answers, of up to 1 MB each, are decoded one at a time.
_READERS: Final = 8
#: Attempts of a request and seconds for each; botocore waits up to 1, 2, 4, 8 s in between (standard mode).
_ATTEMPTS: Final = 5
_TIMEOUT_S: Final = 5.0
_WHERE: Final = "the local copy of the state"

_T = TypeVar("_T")


class DynamoStore:
    """A `Store` in a DynamoDB table that several pools may share. See `adapter.state.factory.open_store`.

    Raises:
        HeldError: another adapter has the lease, and this one does not wait for it.
        StateError: the table is missing, not ours, of another pool or of a newer adapter.
        StoreUnavailableError: DynamoDB can't be reached just now.
    """

    def __init__(
        self,
        session: Session,
        table: Table,
        pool_arn: str,
        *,
        cache: Path | None = None,
        lease_seconds: float = 30.0,
        waiting: Callable[[Holder], None] | None = None,
        pause: Callable[[float], bool] | None = None,
        clock: Callable[[], float] = machine_clock,
    ) -> None:
        self._pool_arn = pool_arn
        self._pool_id = parse_pool_arn(pool_arn).pool_id
        self._remote = table
        self._transactions = True
        self._closed = False
        self._client = make_client(
            session, table.region, attempts=_ATTEMPTS, timeout_s=_TIMEOUT_S, connections=CONNECTIONS
        )
        keep_answers_raw(self._client)
        heart = make_client(session, table.region, attempts=2, timeout_s=max(1.0, lease_seconds / 6), patience=1)
        self._lease = Lease(heart, table, self._pool_id, seconds=lease_seconds, clock=clock)
        self._read_meta()  # a table that is not ours is refused before anything is written to it
        self._connection = _open_cache(cache)
        self._local = LocalTable(self._connection, _WHERE)
        self._workers = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="state")
        try:
            self._lease.acquire(waiting=waiting, pause=pause)
            self._hydrate()
        except BaseException:
            self.close()
            raise

    def meta(self) -> Meta:
        """The pool-wide part of the state."""
        return self._local.meta()

    def count(self) -> int:
        """How many users are known."""
        return self._local.count()

    def digests(self) -> Iterator[Digests]:
        """The digest of every known user, in groups. Read to the end before the next `apply`."""
        return self._local.digests()

    def find(self, usernames: Sequence[str]) -> Mapping[str, tuple[int, KnownUser]]:
        """The known users among these, with their rows."""
        return self._local.find(usernames)

    def rows(self, rows: Sequence[int]) -> Sequence[tuple[int, KnownUser]]:
        """The known users behind these rows, in their order; rows that are gone are left out."""
        return self._local.rows(rows)

    def apply(self, puts: Sequence[KnownUser], deletes: Sequence[str] = (), meta: Meta | None = None) -> Sequence[int]:
        """Store all of it durably, or raise; after StoreUnavailableError repeat the same call until it succeeds.

        First the deletes, then the puts. Returns the rows of `puts`, in order.
        """
        check_pool(meta, self._pool_arn)
        forgotten = list(self._local.find(deletes))
        with while_running():
            self._store(puts, forgotten, meta)
        return self._local.write(puts, deletes, meta)

    def _store(self, puts: Sequence[KnownUser], deletes: Sequence[str], meta: Meta | None) -> None:
        """Write to DynamoDB under the lease."""
        self._lease.require()
        fence, now_s = self._lease.fence, time.time()
        written = {name: items.tombstone(self._pool_id, fence, name, now_s) for name in deletes}
        written |= {user.username: items.user_item(self._pool_id, fence, user) for user in puts}
        try:
            self._write(list(written.values()))
            if meta is not None:
                self._put(items.meta_item(self._pool_id, fence, meta))
        except FencedError as error:
            raise self._lease.lose() from error

    def held(self) -> bool:
        """Whether the lease is ours, by the machine's clock and with a margin."""
        return self._lease.held()

    def close(self) -> None:
        """Give the lease back and forget the local copy. Does nothing the second time."""
        if self._closed:
            return
        self._closed = True
        self._workers.shutdown()
        self._lease.release()
        self._connection.close()
        self._client.close()

    def _read_meta(self) -> Meta | None:
        item = get(self._client, self._remote, {"pk": {"S": self._pool_id}, "sk": {"S": items.META}})
        return None if item is None else items.read_meta(item, self._pool_arn, self._remote.where)

    def _hydrate(self) -> None:
        """Read all of the pool's items into the local file; consistent reads, after the lease was taken."""
        meta = self._read_meta()
        if meta is None:
            meta = Meta(pool_arn=self._pool_arn)
            try:
                self._put(items.meta_item(self._pool_id, self._lease.fence, meta))
            except FencedError as error:
                raise self._lease.lose() from error
        self._local.write((), (), meta)
        with ThreadPoolExecutor(_READERS, thread_name_prefix="state-hydrate") as readers:
            self._local.load(_in_parallel(readers, self._read_bucket, range(items.BUCKETS)))

    def _read_bucket(self, bucket: int) -> list[KnownUser]:
        users: list[KnownUser] = []
        request: dict[str, Any] = {
            "TableName": self._remote.name,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": items.partition(self._pool_id, bucket)}},
            "ProjectionExpression": "sk, v",
            "ConsistentRead": True,
        }
        while True:
            with translated(self._remote, "dynamodb:Query"):
                answer: Mapping[str, Any] = self._client.query(**request)
            page, last = items.read_answer(answer["Raw"])
            users += page
            if last is None:
                return users
            request["ExclusiveStartKey"] = last

    def _write(self, written: list[Item]) -> None:
        if len(written) >= _MANY and self._transactions:
            groups = [written[n : n + _TRANSACTION] for n in range(0, len(written), _TRANSACTION)]
            if not self._put_together(groups[0]):
                self._transactions = False
                return self._write(written)
            _exhaust(_in_parallel(self._workers, self._put_together, groups[1:]))
            return None
        if len(written) == 1:
            return self._put(written[0])  # no other thread needed
        _exhaust(_in_parallel(self._workers, self._put, written))
        return None

    def _put(self, item: Item) -> None:
        self._lease.require()
        with translated(self._remote, "dynamodb:PutItem"):
            self._client.put_item(**fenced_put(self._remote, item))

    def _put_together(self, group: list[Item]) -> bool:
        """Put up to 100 items in a transaction; False when this DynamoDB (an emulator) has none."""
        self._lease.require()
        with translated(self._remote, "dynamodb:PutItem"):
            try:
                self._client.transact_write_items(
                    TransactItems=[{"Put": fenced_put(self._remote, item)} for item in group]  # type: ignore[typeddict-item]  # the same members
                )
            except ClientError as error:
                if error.response["Error"]["Code"] == "UnknownOperationException":
                    return False
                raise
        return True


def _in_parallel(workers: ThreadPoolExecutor, work: Callable[[Any], _T], arguments: Iterable[Any]) -> Iterator[_T]:
    """`workers.map`, but when one fails those that have not begun are not begun, and all have ended on return."""
    pending = [workers.submit(work, argument) for argument in arguments]
    try:
        for future in pending:
            yield future.result()
    finally:
        for future in pending:
            if not future.cancel():
                future.exception()


def _exhaust(results: Iterator[object]) -> None:
    for _ in results:
        pass


def _open_cache(folder: Path | None) -> sqlite3.Connection:
    """An empty database in a file without a name."""
    try:
        with (
            tempfile.NamedTemporaryFile(prefix="cognito-source-", suffix=".db", dir=folder) as file,
            translated_locally(_WHERE),
        ):
            connection = connect(file.name)
            try:
                # Never read again after a crash, so no journal on disk, and nothing waits for the disk. In
                # `journal_mode=MEMORY` a failed statement still rolls back.
                connection.execute("PRAGMA journal_mode = MEMORY")
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                connection.execute("PRAGMA cache_size = -8192")
                schema.migrate(connection)
            except BaseException:
                connection.close()
                raise
            return connection
    except OSError as error:
        place = folder or "the system's temporary folder"
        raise of_system(
            error,
            f"{_WHERE} can't be made in {place}",
            "name a writable folder with the parameter cache=",
        ) from error
    except StoreUnavailableError as error:
        raise StoreUnavailableError(f"{error}, or name another folder with the parameter cache=") from error
