"""Whole pages of users that did not change: recognised by one hash instead of sixty.

A page is familiar when every user on it was found unchanged, and none of them changed since. Whoever changes makes the
page unfamiliar; so does another page that shows the same user, so that each user is on one familiar page at most.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Final

#: Pages of fewer users are not worth a place: with short pages there would be too many.
USERS_MIN: Final = 20
_NONE: Final = 0


class PageCache:
    """The rows of familiar pages, by the hash of their JSON.

    Python's hash of bytes is SipHash with a key that is drawn for each process: 64 bits that nobody can aim at, in a
    third of the time of blake2b.
    """

    def __init__(self) -> None:
        self._rows: dict[int, Sequence[int]] = {}
        #: By row: the page that it is (or was) on.
        self._page_of = array("q")

    def __len__(self) -> int:
        return len(self._rows)

    def match(self, raw: bytes) -> Sequence[int] | None:
        """The rows of all users on this page if it is familiar; consecutive ones as a range."""
        return self._rows.get(hash(raw))

    def remember(self, raw: bytes, rows: Sequence[int]) -> None:
        """Make a page familiar. All its users, in these rows, were just found unchanged."""
        if len(rows) < USERS_MIN:
            return
        page = hash(raw)
        if page == _NONE:
            return
        missing = max(rows) + 1 - len(self._page_of)
        if missing > 0:
            self._page_of.frombytes(bytes(self._page_of.itemsize * max(missing, len(self._page_of) // 8)))
        for row in rows:
            self.forget(row)
            self._page_of[row] = page
        consecutive = range(rows[0], rows[0] + len(rows))
        self._rows[page] = consecutive if list(rows) == list(consecutive) else array("I", rows)

    def forget(self, row: int) -> None:
        """The user of this row changed: its page is no longer familiar."""
        if row < len(self._page_of):
            page = self._page_of[row]
            if page != _NONE:
                self._rows.pop(page, None)
                self._page_of[row] = _NONE
