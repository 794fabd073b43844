"""What the adapter needs of Cognito: pages of users, as raw JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer of ListUsers.

    `users` holds the JSON object of each user exactly as it was sent (adapter.cognito.decode reads one).
    `token` is the PaginationToken, None on the last page. `date_s` is the answer's Date header, in seconds since the
    epoch: Cognito's own clock.
    """

    users: Sequence[bytes] = field(repr=False)
    token: str | None = field(default=None, repr=False)
    date_s: float | None = None


class UserPool(Protocol):
    """A user pool that can be listed. Thread-safe."""

    def list_users(self, *, filter_: str | None = None, token: str | None = None, limit: int = 60) -> Page:
        """One ListUsers request, rate-limited.

        Args:
            filter_: a ListUsers filter such as `sub ^= "0"`; build it with adapter.cognito.filters.
            token: the PaginationToken of the page before.
            limit: the most users to answer, 1 to 60.

        Raises:
            CognitoError: one of its subclasses in adapter.errors says what can be done.
        """
        ...
