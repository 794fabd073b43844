"""What the state says of a pool before it is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from adapter.state.base import Store

#: How many known users' subs show which digits of a sub are random.
SAMPLE: Final = 512


class KnownUsers(Protocol):
    """Who is known of a pool."""

    def count(self) -> int:
        """How many users."""
        ...

    def is_complete(self) -> bool:
        """Whether they are all of the pool's, as of some earlier sweep."""
        ...

    def sample_subs(self) -> Sequence[str]:
        """The `sub`s of a few hundred of them, from all over."""
        ...


class NobodyKnown:
    """There is no state."""

    def count(self) -> int:
        """None."""
        return 0

    def is_complete(self) -> bool:
        """No."""
        return False

    def sample_subs(self) -> Sequence[str]:
        """None."""
        return ()


class StoredUsers:
    """The users of this state."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def count(self) -> int:
        """How many users."""
        return self._store.count()

    def is_complete(self) -> bool:
        """Whether a sweep of the pool has been complete."""
        return self._store.meta().baseline_done

    def sample_subs(self) -> Sequence[str]:
        """Old and new ones, for rows are given out in the order of first sight."""
        step = max(1, 2 * self._store.count() // SAMPLE)
        return [user.sub for _, user in self._store.rows(range(1, SAMPLE * step, step)) if user.sub is not None]
