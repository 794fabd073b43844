"""The known users in SQLite: what both stores read from, and the SQLite store also trusts.

No locks and no files here: a `Table` works on an open connection in autocommit mode.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from adapter.changes.detector import DIGEST_SIZE
from adapter.errors import StateError
from adapter.model import KnownUser
from adapter.state.base import Digests, Meta
from adapter.state.faults import of_sqlite
from adapter.state.sqlite import schema

#: Numbers of parameters of an `IN (...)`: few of them, so that few statements are prepared. The rest is NULL, which
#: matches nothing.
_CHUNKS = (1, 8, 64, 500)
#: Users whose rows are remembered, about: more than are looked up and stored together.
_REMEMBERED = 4_000
#: Row numbers of one group of digests.
_GROUP = 4096
#: group_concat works on the bytes of BLOBs, and keeps the order of a subquery.
_DIGESTS = """
    SELECT COUNT(*), CAST(COALESCE(group_concat(digest, ''), '') AS BLOB)
    FROM (SELECT digest FROM users WHERE row BETWEEN ? AND ? ORDER BY row)
"""
_ROWS = "SELECT row FROM users WHERE row BETWEEN ? AND ? ORDER BY row"

_FIELDS = "username, sub, digest, attributes, enabled, status, created_ms, modified_ms, revision, missing_since_ms"
_INSERT = f"INSERT INTO users ({_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - built from constants
_INSERT_AT = f"INSERT INTO users ({_FIELDS}, row) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - the same
#: All of _FIELDS but the username.
_UPDATE = """
    UPDATE users SET
        sub = ?, digest = ?, attributes = ?, enabled = ?, status = ?, created_ms = ?, modified_ms = ?, revision = ?,
        missing_since_ms = ?
    WHERE row = ?
"""

_Stored = tuple[
    int, str, str | None, bytes, bytes, int | None, str | None, int | None, int | None, int, int | None
]  # row, then _FIELDS


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn SQLite's errors into the adapter's. `where` names the file for people."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise of_sqlite(error, where) from error


def connect(path: str, *, uri: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode, which may move from one thread to another."""
    return sqlite3.connect(path, uri=uri, isolation_level=None, check_same_thread=False)


def _to_parameters(user: KnownUser) -> tuple[object, ...]:
    return (
        user.username,
        user.sub,
        user.digest,
        user.attributes,
        user.enabled,
        user.status,
        user.created_ms,
        user.modified_ms,
        user.revision,
        user.missing_since_ms,
    )


def _from_stored(stored: _Stored) -> KnownUser:
    return KnownUser(
        username=stored[1],
        sub=stored[2],
        digest=stored[3],
        attributes=stored[4],
        enabled=None if stored[5] is None else bool(stored[5]),
        status=stored[6],
        created_ms=stored[7],
        modified_ms=stored[8],
        revision=stored[9],
        missing_since_ms=stored[10],
    )


class Table:
    """The tables `users` and `meta` behind one connection. `where` names the file in messages."""

    def __init__(self, connection: sqlite3.Connection, where: str) -> None:
        self._connection = connection
        self._where = where
        #: The rows of users who were looked up or stored lately; None: such a user is not known. Nobody else writes.
        self._rows: dict[str, int | None] = {}

    def meta(self) -> Meta:
        """The pool-wide part of the state."""
        with translated(self._where):
            found = self._connection.execute(
                "SELECT pool_arn, initial, baseline_started_ms, baseline_done, last_sweep_ms, sweeps FROM meta"
            ).fetchone()
        if found is None:
            raise StateError(f"STATE_URL: {self._where} does not say which pool it is of; move it away to start anew")
        return Meta(
            pool_arn=found[0],
            initial=found[1],
            baseline_started_ms=found[2],
            baseline_done=bool(found[3]),
            last_sweep_ms=found[4],
            sweeps=found[5],
        )

    def count(self) -> int:
        """How many users are known."""
        return int(self._fetch("SELECT COUNT(*) FROM users")[0])

    def digests(self) -> Iterator[Digests]:
        """The digest of every known user, in the order of rows. Read to the end before the next `write`.

        SQLite joins the digests: a Python object for each would take three times as long.
        """
        (last,) = self._fetch("SELECT COALESCE(MAX(row), 0) FROM users")
        for start in range(0, last + 1, _GROUP):
            limits = (start, start + _GROUP - 1)
            found, joined = self._fetch(_DIGESTS, limits)
            if not found:
                continue
            rows: Sequence[int] = range(start, start + _GROUP)
            if found < _GROUP:
                with translated(self._where):
                    rows = [row for (row,) in self._connection.execute(_ROWS, limits)]
            if len(joined) != found * DIGEST_SIZE:
                raise StateError(
                    f"STATE_URL: {self._where} is damaged (a digest of another size); restore it from a backup, "
                    "or move it away to start anew"
                )
            yield rows, joined

    def find(self, usernames: Sequence[str]) -> dict[str, tuple[int, KnownUser]]:
        """The known users among these, with their rows."""
        found = {user.username: (row, user) for row, user in self._select("username", usernames)}
        self._forget_some()
        self._rows |= dict.fromkeys(usernames)
        self._rows |= {name: row for name, (row, _) in found.items()}
        return found

    def rows(self, rows: Sequence[int]) -> list[tuple[int, KnownUser]]:
        """The known users behind these rows, in their order; rows that are gone are left out."""
        found = dict(self._select("row", rows))
        return [(row, found[row]) for row in dict.fromkeys(rows) if row in found]

    def pending(self) -> tuple[int, int]:
        """How many users have an event that nobody confirmed, and how many a deletion that is not confirmed."""
        doubts, missing = self._fetch("SELECT COALESCE(SUM(revision < 0), 0), COUNT(missing_since_ms) FROM users")
        return int(doubts), int(missing)

    def write(self, puts: Sequence[KnownUser], deletes: Sequence[str], meta: Meta | None) -> list[int]:
        """One transaction: first the deletes, then the puts, then `meta`. Returns the rows of `puts`, in order."""
        execute = self._connection.execute
        self._forget_some()
        with translated(self._where):
            execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany("DELETE FROM users WHERE username = ?", ((name,) for name in deletes))
                self._rows |= dict.fromkeys(deletes)
                rows = self._put(puts) if puts else []
                if meta is not None:
                    self._write_meta(meta)
                execute("COMMIT")
            except BaseException:
                self._rows.clear()
                if self._connection.in_transaction:
                    execute("ROLLBACK")
                raise
        return rows

    def load(self, batches: Iterable[Iterable[KnownUser]]) -> None:
        """Fill an empty table with users who are all different: the fast way for many."""
        with translated(self._where):
            self._connection.execute("BEGIN")
            self._connection.execute("DROP INDEX users_by_name")
            for users in batches:
                self._connection.executemany(_INSERT, map(_to_parameters, users))
            self._connection.execute(schema.INDEX)
            self._connection.execute("COMMIT")

    def _forget_some(self) -> None:
        if len(self._rows) > _REMEMBERED:
            self._rows.clear()

    def _fetch(self, statement: str, parameters: Sequence[int] = ()) -> tuple[Any, ...]:
        """The one row that a statement gives."""
        with translated(self._where):
            found: tuple[Any, ...] = self._connection.execute(statement, parameters).fetchone()
        return found

    def _write_meta(self, meta: Meta) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO meta (only_row, pool_arn, initial, baseline_started_ms, baseline_done,"
            " last_sweep_ms, sweeps) VALUES (1, ?, ?, ?, ?, ?, ?)",
            (
                meta.pool_arn,
                meta.initial,
                meta.baseline_started_ms,
                meta.baseline_done,
                meta.last_sweep_ms,
                meta.sweeps,
            ),
        )

    def _put(self, puts: Sequence[KnownUser]) -> list[int]:
        """Store users; returns their rows, in order.

        Their rows are looked up first, as far as they are not remembered, and new ones numbered here: three calls for
        all, which cost half as much as an upsert with RETURNING for each.
        """
        known = self._rows
        for chunk in _chunks([user.username for user in puts if user.username not in known]):
            known |= self._connection.execute(
                f"SELECT username, row FROM users WHERE username IN (?{', ?' * (len(chunk) - 1)})",  # noqa: S608 - constants
                chunk,
            )
        last = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'users'").fetchone()
        free = count(1 if last is None else last[0] + 1)
        rows: list[int] = []
        added: list[tuple[object, ...]] = []
        changed: list[tuple[object, ...]] = []
        for user in puts:
            row = known.get(user.username)
            if row is None:
                row = known[user.username] = next(free)
                added.append((*_to_parameters(user), row))
            else:
                changed.append((*_to_parameters(user)[1:], row))
            rows.append(row)
        self._connection.executemany(_INSERT_AT, added)
        self._connection.executemany(_UPDATE, changed)
        return rows

    def _select(self, column: str, values: Sequence[str] | Sequence[int]) -> Iterator[tuple[int, KnownUser]]:
        for chunk in _chunks(values):
            with translated(self._where):
                found: list[_Stored] = self._connection.execute(
                    f"SELECT row, {_FIELDS} FROM users WHERE {column} IN (?{', ?' * (len(chunk) - 1)})",  # noqa: S608 - constants
                    chunk,
                ).fetchall()
            for stored in found:
                yield stored[0], _from_stored(stored)


def _chunks(values: Sequence[str] | Sequence[int]) -> Iterator[list[str | int | None]]:
    """The values for one `IN (...)` each, filled up with NULL to one of the few sizes."""
    for start in range(0, len(values), _CHUNKS[-1]):
        chunk: list[str | int | None] = list(values[start : start + _CHUNKS[-1]])
        size = next(size for size in _CHUNKS if size >= len(chunk))
        yield chunk + [None] * (size - len(chunk))
