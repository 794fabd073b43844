"""All known users in memory, as small as possible: which raw JSON belongs to which row, and which rows were seen.

Digests are spread over buckets by their first two bytes; a bucket is one bytearray of records of 12 bytes (digest and
row), which `bytearray.find` searches at the speed of C. A million users take about 20 MB.

Start-up puts all users in: by slices with steps where that is possible, then by the first byte before the second, which
touches memory in the order in which it lies.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from struct import iter_unpack, pack
from typing import Final

from adapter.changes.detector import DIGEST_SIZE
from adapter.changes.page_cache import PageCache

_ROW_SIZE: Final = 4
_RECORD_SIZE: Final = DIGEST_SIZE + _ROW_SIZE
_BYTES: Final = 256


class Index:
    """The digests of all known users and, per sweep, who was seen. Used by one thread.

    Rows are those of the Store: small integers, not negative, below 2**32.
    """

    def __init__(self, known: Iterable[tuple[Sequence[int], bytes]] = ()) -> None:
        """Take in users.

        Args:
            known: groups of rows in ascending order, each with the digests of all its users one after the other.
        """
        self._seen = bytearray()
        self._alive = bytearray()
        #: Rows without a digest: their events are on their way.
        self._suspended: set[int] = set()
        #: By row: the digest that `put_shown` put in place of the stored one, as a number; 0: none.
        self._shown = array("Q")
        self._pages = PageCache()
        halves = [bytearray() for _ in range(_BYTES)]
        for rows, digests in known:
            self._arrive(rows)
            _spread(_records(rows, digests), "B11x", halves)
        self._count = self._alive.count(1)
        self._buckets: list[bytearray] = []
        halves.reverse()
        while halves:
            buckets = [bytearray() for _ in range(_BYTES)]
            _spread(halves.pop(), "xB10x", buckets)
            self._buckets += buckets

    def __len__(self) -> int:
        return self._count

    def begin_sweep(self) -> None:
        """Forget who was seen."""
        self._seen = bytearray(len(self._alive))

    @property
    def seen(self) -> int:
        """How many users were seen since `begin_sweep`: half a millisecond for a million rows."""
        return self._seen.count(1)

    def unchanged(self, digest: bytes) -> bool:
        """Whether a known user has this digest; if so, that user counts as seen."""
        return self.lookup(digest) >= 0

    def lookup(self, digest: bytes) -> int:
        """The row of the known user who has this digest, who then counts as seen; -1: there is none."""
        bucket = self._buckets[_bucket_of(digest)]
        at = _find(bucket, digest)
        if at < 0:
            return -1
        row = int.from_bytes(bucket[at + DIGEST_SIZE : at + _RECORD_SIZE], "little")
        self._seen[row] = 1
        return row

    def match_page(self, page: bytes) -> bool:
        """Whether a page of just these bytes was remembered, and nobody on it changed: then all on it are seen."""
        rows = self._pages.match(page)
        if rows is None:
            return False
        seen = self._seen
        if isinstance(rows, range):
            seen[rows.start : rows.stop] = b"\x01" * len(rows)
        else:
            for row in rows:
                seen[row] = 1
        return True

    def remember_page(self, page: bytes, rows: Sequence[int]) -> None:
        """Remember a page by its bytes: every user on it was just looked up, in these rows."""
        self._pages.remember(page, rows)

    def mark_seen(self, row: int) -> None:
        """Count the user of this row as seen."""
        self._seen[row] = 1

    def is_seen(self, row: int) -> bool:
        """Whether the user of this row was seen since `begin_sweep`."""
        return row < len(self._seen) and self._seen[row] == 1

    def put(self, row: int, digest: bytes, before: bytes | None = None) -> None:
        """Set the digest of a row; `before` is the one it had, None for a new row. The user counts as seen."""
        self._drop(row, before)
        self._buckets[_bucket_of(digest)] += digest + row.to_bytes(_ROW_SIZE, "little")

    def put_shown(self, row: int, digest: bytes, before: bytes) -> None:
        """Recognise a row by this digest from now on, although `before` stays the one that is stored.

        Later calls name the stored digest as the one before, as if this had not been called. The user counts as seen.
        """
        self.put(row, digest, before)
        if row >= len(self._shown):
            missing = len(self._alive) - len(self._shown)
            self._shown.frombytes(bytes(self._shown.itemsize * missing))
        self._shown[row] = int.from_bytes(digest, "little")

    def suspend(self, row: int, before: bytes | None = None) -> None:
        """Take the digest from a row until the next `put`: no page can show this user unchanged. It counts as seen.

        What `before` is of a row that is suspended already does not matter.
        """
        self._drop(row, before)
        self._suspended.add(row)

    def forget(self, row: int, digest: bytes | None = None) -> None:
        """Drop a row; `digest` is the one it had, None for a row that is suspended."""
        self._drop(row, digest)
        self._count -= 1
        self._alive[row] = 0

    def _drop(self, row: int, before: bytes | None) -> None:
        """Take the digest `before` from a row, which is alive and seen then."""
        if row in self._suspended:
            self._suspended.remove(row)
        elif before is not None:
            self._remove(row, self._take_shown(row) or before)
            self._pages.forget(row)
        else:
            if row >= len(self._alive):
                self._grow(row)
            self._count += not self._alive[row]
            self._alive[row] = 1
        self._seen[row] = 1

    def _take_shown(self, row: int) -> bytes:
        """The digest that stands for the stored one, which it does no longer; empty: none did."""
        shown = self._shown[row] if row < len(self._shown) else 0
        if not shown:
            return b""
        self._shown[row] = 0
        return shown.to_bytes(DIGEST_SIZE, "little")

    def unseen(self) -> Iterator[int]:
        """The rows of users that were not seen since `begin_sweep`, in ascending order."""
        # Both are strings of 0 and 1: as numbers, the difference is found 8 rows at a time at least.
        missing = int.from_bytes(self._alive, "little") & ~int.from_bytes(self._seen, "little")
        mask = missing.to_bytes(len(self._alive), "little")
        at = mask.find(1)
        while at >= 0:
            yield at
            at = mask.find(1, at + 1)

    def _arrive(self, rows: Sequence[int]) -> None:
        if rows[-1] >= len(self._alive):
            self._grow(rows[-1])
        if rows[-1] - rows[0] + 1 == len(rows):
            self._alive[rows[0] : rows[-1] + 1] = b"\x01" * len(rows)
        else:
            for row in rows:
                self._alive[row] = 1

    def _grow(self, row: int) -> None:
        more = bytes(max(row + 1 - len(self._alive), len(self._alive) // 8, 1024))
        self._alive += more
        self._seen += more

    def _remove(self, row: int, digest: bytes) -> None:
        bucket = self._buckets[_bucket_of(digest)]
        at = _find(bucket, digest + row.to_bytes(_ROW_SIZE, "little"))
        if at < 0:
            raise KeyError(f"row {row} has another digest")
        bucket[at : at + _RECORD_SIZE] = bucket[-_RECORD_SIZE:]
        del bucket[-_RECORD_SIZE:]


def _bucket_of(digest: bytes) -> int:
    return digest[0] << 8 | digest[1]


def _records(rows: Sequence[int], digests: bytes) -> bytearray:
    records = bytearray(len(rows) * _RECORD_SIZE)
    for at in range(DIGEST_SIZE):
        records[at::_RECORD_SIZE] = digests[at::DIGEST_SIZE]
    numbers = pack(f"<{len(rows)}I", *rows)
    for at in range(_ROW_SIZE):
        records[DIGEST_SIZE + at :: _RECORD_SIZE] = numbers[at::_ROW_SIZE]
    return records


def _spread(records: bytearray, form: str, parts: list[bytearray]) -> None:
    """Append every record to the part that its byte says; `form` is what `struct` finds that byte by."""
    for (part,), (record,) in zip(iter_unpack(form, records), iter_unpack("12s", records), strict=True):
        parts[part] += record


def _find(bucket: bytearray, wanted: bytes) -> int:
    """Where the record begins that begins with `wanted`; -1: nowhere."""
    at = bucket.find(wanted)
    while at >= 0 and at % _RECORD_SIZE:
        at = bucket.find(wanted, at + 1)
    return at
