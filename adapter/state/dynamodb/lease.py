"""One writer per pool: a lease in DynamoDB with a fencing token.

The lease is one item. Its holder raises the counter `beat` every third of the lease; somebody else may take over when
he saw (fence, beat) unchanged for a whole lease *by his own clock*, or at once when the item says that it was released.
No two clocks are ever compared. Each takeover raises the fence `f`; writes under a lower fence than an item's are
refused by DynamoDB (docs/adr/0002-dynamodb-lease-and-fencing.md says why this is enough).
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from adapter.errors import LeaseLostError, StateError, StoreUnavailableError
from adapter.state.clock import machine_clock
from adapter.state.dynamodb.client import FencedError, Table, get, translated
from adapter.state.dynamodb.items import LEASE, Item, LeaseItem, read_lease
from adapter.state.sqlite.lock import HeldError, Holder

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: The part of a lease that its holder does not use: for clocks that run at different speeds, and for the moment
#: between asking `held` and acting on it.
_MARGIN: Final = 0.1
#: Seconds between two looks at somebody else's lease, at most.
_LOOK_SECONDS: Final = 2.0


class Lease:
    """The lease of one pool. `acquire` once, then ask `held`; a thread of its own keeps it.

    Args:
        client: for this class alone; its time-outs should be a fraction of the lease.
        table: where the item is.
        pool_id: whose lease it is.
        seconds: how long the lease lasts without a sign of life.
        clock: as `machine_clock`.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: Table,
        pool_id: str,
        *,
        seconds: float,
        clock: Callable[[], float] = machine_clock,
    ) -> None:
        self._client = client
        self._table = table
        self._key: Item = {"pk": {"S": pool_id}, "sk": {"S": LEASE}}
        self._seconds = seconds
        self._clock = clock
        self._owner = uuid.uuid4().hex
        self._fence = 0
        self._until = float("-inf")
        self._lost = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="state-lease", daemon=True)

    @property
    def fence(self) -> int:
        """The fencing token: higher than that of every holder before."""
        return self._fence

    def held(self) -> bool:
        """Whether nobody else can have the lease yet, by our own clock. Cheap, from any thread."""
        return not self._lost and self._clock() < self._until

    def require(self) -> None:
        """Make sure that the lease is held, renewing it when it ran out while nobody else wanted it.

        Raises:
            LeaseLostError: somebody else has it.
            StoreUnavailableError: it ran out, and DynamoDB can't be asked.
        """
        if not self.held():
            self.renew()
        if not self.held():
            raise StoreUnavailableError("the lease ran out, and could not be renewed in time")

    def acquire(
        self, *, waiting: Callable[[Holder], None] | None = None, pause: Callable[[float], bool] | None = None
    ) -> None:
        """Take the lease, waiting for its holder to end if `waiting` is given; then keep it.

        Args:
            waiting: called with the holder at each look. None: a lease that is held is refused at once.
            pause: waits some seconds and says whether to give up; None sleeps.

        Raises:
            HeldError: somebody else has it.
            StateError, StoreUnavailableError: the table can't be used.
        """
        pause = pause or threading.Event().wait
        seen: tuple[int, int] | None = None
        since = 0.0
        while True:
            item = get(self._client, self._table, self._key)
            # After the read: the holder's last sign of life is older than this, never younger.
            now = self._clock()
            lease = None if item is None else read_lease(item, self._table.where)
            if lease is None or lease.released:
                if self._take(lease):
                    break
                continue
            mark = lease.fence, lease.beat
            if mark != seen:
                seen, since = mark, now
            left = since + lease.seconds - now
            if left <= 0:
                if self._take(lease):
                    break
                continue
            if waiting is None:
                raise self._held_by(lease.holder)
            waiting(lease.holder)
            if pause(min(_LOOK_SECONDS, lease.seconds / 6, left)):
                raise self._held_by(lease.holder)
        self._thread.start()

    def renew(self) -> None:
        """Give one sign of life. Also brings a lease back that ran out, if nobody took it.

        Raises:
            LeaseLostError: somebody else has it; for good.
            StoreUnavailableError: DynamoDB can't be asked.
        """
        if self._lost:
            raise self._gone()
        before = self._clock()
        try:
            self._update(
                "SET #beat = #beat + :one",
                "#owner = :owner AND #released = :false",
                {":one": {"N": "1"}, ":owner": {"S": self._owner}, ":false": {"BOOL": False}},
            )
        except FencedError as error:
            self._lost = True
            raise self._gone() from error
        self._until = max(self._until, before + self._seconds * (1 - _MARGIN))

    def lose(self) -> LeaseLostError:
        """Note that a write met a higher fence; returns the error to raise."""
        self._lost = True
        return self._gone()

    def release(self) -> None:
        """Let the next one in at once, as far as DynamoDB can be reached. Does nothing the second time."""
        if self._stop.is_set():
            return
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        owned, self._lost = not self._lost, True
        if not owned or self._fence == 0:
            return
        try:
            self._update(
                "SET #released = :true", "#owner = :owner", {":true": {"BOOL": True}, ":owner": {"S": self._owner}}
            )
        except (FencedError, StateError, StoreUnavailableError):
            return  # it runs out by itself

    def _keep(self) -> None:
        wait = self._seconds / 3
        while not self._stop.wait(wait):
            try:
                self.renew()
                wait = self._seconds / 3
            except LeaseLostError:
                return
            except (StateError, StoreUnavailableError):
                wait = self._seconds / 10

    def _take(self, lease: LeaseItem | None) -> bool:
        """Try to become the holder after the one of `lease`; False when somebody else was faster."""
        me = Holder.this_process()
        before = self._clock()
        fence, condition, values = 1, "attribute_not_exists(#f)", Item()
        if lease is not None:
            fence, condition = lease.fence + 1, "#f = :seen AND #beat = :beat"
            values = {":seen": {"N": str(lease.fence)}, ":beat": {"N": str(lease.beat)}}
        values |= {
            ":f": {"N": str(fence)},
            ":zero": {"N": "0"},
            ":seconds": {"N": repr(self._seconds)},
            ":false": {"BOOL": False},
            ":owner": {"S": self._owner},
            ":host": {"S": me.host},
            ":pid": {"N": str(me.pid)},
            ":since": {"S": me.since},
        }
        try:
            self._update(
                "SET #f = :f, #beat = :zero, #seconds = :seconds, #released = :false, #owner = :owner, #host = :host, "
                "#pid = :pid, #since = :since",
                condition,
                values,
            )
        except FencedError:
            # Either somebody else was faster, or our own first attempt was, and its answer got lost.
            found = get(self._client, self._table, self._key)
            if found is None or read_lease(found, self._table.where).owner != self._owner:
                return False
        self._fence = fence
        self._until = before + self._seconds * (1 - _MARGIN)
        return True

    def _update(self, update: str, condition: str, values: Item) -> None:
        # Every name through a placeholder: some are reserved words of DynamoDB, and the list grows.
        names = set(re.findall(r"#(\w+)", f"{update} {condition}"))
        request: dict[str, Any] = {
            "TableName": self._table.name,
            "Key": self._key,
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ExpressionAttributeNames": {f"#{name}": name for name in names},
        }
        with translated(self._table, "dynamodb:UpdateItem"):
            self._client.update_item(**request)

    def _held_by(self, holder: Holder) -> HeldError:
        return HeldError(
            f"STATE_URL: {self._table.where} is in use by {holder}; "
            "stop that adapter first, or give this one a state of its own",
            holder,
        )

    def _gone(self) -> LeaseLostError:
        return LeaseLostError(
            f"another adapter took over the state in {self._table.where}, this one gave it back, "
            "or the item of its lease was deleted"
        )
