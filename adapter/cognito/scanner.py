"""What the adapter needs of a reader of one user pool."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from adapter.cognito.base import Page
from adapter.cognito.lookups import LookUp, LookUpResult
from adapter.cognito.scan import Scan


class Scanner(Protocol):
    """Reads one user pool: everybody, who signed up just now, or single users. Used by one thread."""

    def scan(self, filter_: str | None = None) -> Scan:
        """The pages of the whole pool, or of the users of a filter (the text of an adapter.cognito.filters.Filter)."""
        ...

    def scan_signups(self) -> Iterator[Page]:
        """Pages that show new users early, between two scans; nothing when it is not time for them."""
        ...

    def report_missed_user(self) -> None:
        """Take note that the last complete scan missed users who are there."""
        ...

    @property
    def lookups_affordable(self) -> int:
        """How many users may be looked up after a scan; 0: filters are of no use just now."""
        ...

    def look_up(self, users: Sequence[LookUp]) -> Iterator[LookUpResult | Page]:
        """Look users up; the pages show new users. Who was not reached, when it is time to stop, gets no result."""
        ...
