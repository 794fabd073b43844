"""What a state store is: the memory of what the consumer was told about each user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from adapter.arn import are_replicas
from adapter.model import KnownUser


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What the store remembers about the pool as a whole.

    `initial` is the way the first sweep reports (`baseline` or `snapshot`), fixed when that sweep begins.
    `baseline_started_ms` is when the first sweep began, by Cognito's clock; None: no sweep was ever begun.
    `baseline_done` says that it was completed. `user_count` counts the known users.
    """

    pool_arn: str
    initial: str | None = None
    baseline_started_ms: int | None = None
    baseline_done: bool = False
    last_sweep_ms: int | None = None
    sweeps: int = 0


def other_pool(found: str, wanted: str, advice: str) -> str:
    """What to do about the state of `found` where that of `wanted` is needed: `advice`, if they are two pools."""
    if are_replicas(found, wanted):
        return "that is the same pool in another region: to go on with its state here use `state adopt`"
    return advice


#: Rows in ascending order, and their users' digests one after the other, DIGEST_SIZE bytes each: no object per user.
Digests = tuple[Sequence[int], bytes]


def check_pool(meta: Meta | None, pool_arn: str) -> None:
    """Make sure that `meta` is of this pool, or of its replica.

    Raises:
        ValueError: it is of another pool.
    """
    if meta is not None and meta.pool_arn != pool_arn and not are_replicas(meta.pool_arn, pool_arn):
        raise ValueError("this store belongs to another pool")


class Store(Protocol):
    """The state of one pool. One writer at a time: opening a store takes its lock or lease.

    Used by one thread, except `held`, which any thread may ask.
    Raises StateError when it can't be used, LeaseLostError when another writer took over, StateReplacedError when its
    file is no longer the one at its place, StoreUnavailableError when it can't be used just now.
    """

    def meta(self) -> Meta:
        """The pool-wide part of the state."""
        ...

    def count(self) -> int:
        """How many users are known."""
        ...

    def digests(self) -> Iterator[Digests]:
        """The digest of every known user, in groups. Read to the end before the next `apply`.

        A row is a small integer that names the user until the store is closed.
        """
        ...

    def find(self, usernames: Sequence[str]) -> Mapping[str, tuple[int, KnownUser]]:
        """The known users among these, with their rows."""
        ...

    def rows(self, rows: Sequence[int]) -> Sequence[tuple[int, KnownUser]]:
        """The known users behind these rows; rows that are gone are left out."""
        ...

    def apply(self, puts: Sequence[KnownUser], deletes: Sequence[str] = (), meta: Meta | None = None) -> Sequence[int]:
        """Durably store all of it or none of it; returns the rows of `puts`, in order.

        `meta` may name the pool by the ARN of its replica in another region: then the state is that one's from now on.
        """
        ...

    def held(self) -> bool:
        """Whether this store still is the only writer, right now. Asked before every send."""
        ...

    def close(self) -> None:
        """Release the lock or lease and all resources."""
        ...
