"""The table of users, and the ids of the events that made it: SQLite, or PostgreSQL by the same statements."""

from __future__ import annotations

import re
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict
from enum import StrEnum
from typing import Any, Final

from change import Change

#: A user that was deleted stays for a while as an empty row, so that an event which comes late does not bring it back.
TABLES: Final = (
    """
    CREATE TABLE IF NOT EXISTS users (
        source TEXT NOT NULL, username TEXT NOT NULL, created_ms BIGINT NOT NULL, modified_ms BIGINT NOT NULL,
        deleted_ms BIGINT, enabled BOOLEAN, status TEXT, attributes TEXT, stored_s BIGINT NOT NULL,
        PRIMARY KEY (source, username))
    """,
    """
    CREATE TABLE IF NOT EXISTS seen (
        source TEXT NOT NULL, id TEXT NOT NULL, arrivals INTEGER NOT NULL, first_s BIGINT NOT NULL,
        PRIMARY KEY (source, id))
    """,
    "CREATE INDEX IF NOT EXISTS seen_first ON seen (first_s)",
    "CREATE INDEX IF NOT EXISTS users_deleted ON users (stored_s) WHERE deleted_ms IS NOT NULL",
)
#: 1: the event is new.
SEE: Final = """
    INSERT INTO seen (source, id, arrivals, first_s) VALUES (:source, :id, 1, :now_s)
    ON CONFLICT (source, id) DO UPDATE SET arrivals = seen.arrivals + 1
    RETURNING arrivals
"""
#: Returns no row if the table knows better: what it has is newer, or the user is deleted.
APPLY: Final = """
    INSERT INTO users (source, username, created_ms, modified_ms, deleted_ms, enabled, status, attributes, stored_s)
    VALUES (:source, :username, :created_ms, :modified_ms, :deleted_ms, :enabled, :status, :attributes, :now_s)
    ON CONFLICT (source, username) DO UPDATE SET
        created_ms = excluded.created_ms, modified_ms = excluded.modified_ms, deleted_ms = excluded.deleted_ms,
        enabled = excluded.enabled, status = excluded.status, attributes = excluded.attributes,
        stored_s = excluded.stored_s
    WHERE excluded.created_ms > users.created_ms
       OR excluded.created_ms = users.created_ms AND (
            excluded.deleted_ms IS NOT NULL
            OR excluded.modified_ms >= users.modified_ms AND (
                users.deleted_ms IS NULL OR :comes_back OR excluded.modified_ms > users.deleted_ms))
    RETURNING 1
"""
FORGET: Final = (
    "DELETE FROM seen WHERE first_s < :before_s",
    "DELETE FROM users WHERE deleted_ms IS NOT NULL AND stored_s < :before_s",
)
#: How long to wait for the database, in seconds: less than the adapter waits for an answer (30 by default), so that
#: nothing is still on its way into the table when the adapter has given up and sends the next event of that user.
PATIENCE_S: Final = 5


class Unavailable(Exception):  # noqa: N818 (says what it is)
    """The database can't be used now; nothing of the request was stored."""


class Verdict(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    STALE = "stale"


class Store:
    """The tables behind a URL: `sqlite:///users.db`, or `postgresql://user@host/database` (needs psycopg).

    Args:
        url: where.
        retention_s: how long to remember ids of events, and that a user was deleted, in seconds.
        clock: seconds since the epoch.
    """

    def __init__(self, url: str, *, retention_s: float, clock: Callable[[], float] = time.time) -> None:
        self._connect, self._errors = _driver(url)
        self._translate = _named if url.startswith("postgresql:") else str
        self._retention_s = retention_s
        self._clock = clock
        with closing(self._connect()) as connection, connection:
            for statement in TABLES:
                connection.execute(statement)

    def take(self, changes: Iterable[Change]) -> Counter[Verdict]:
        """Store the changes in one transaction: all of them or, if it raises, none.

        Raises:
            Unavailable: try again later.
        """
        now_s = int(self._clock())
        verdicts: Counter[Verdict] = Counter()
        try:
            with closing(self._connect()) as connection, connection:
                for change in changes:
                    verdicts[self._take(connection, change, now_s)] += 1
                for statement in FORGET:
                    self._run(connection, statement, {"before_s": now_s - int(self._retention_s)})
        except self._errors as fault:
            raise Unavailable from fault
        return verdicts

    def _take(self, connection: Any, change: Change, now_s: int) -> Verdict:
        values = asdict(change) | {"now_s": now_s}
        if self._run(connection, SEE, values) != (1,):
            return Verdict.DUPLICATE
        if change.deleted_ms is not None:
            values |= {"enabled": None, "status": None, "attributes": None}
        return Verdict.APPLIED if self._run(connection, APPLY, values) else Verdict.STALE

    def _run(self, connection: Any, statement: str, values: Mapping[str, object]) -> tuple[Any, ...] | None:
        cursor = connection.execute(self._translate(statement), values)
        row: tuple[Any, ...] | None = cursor.fetchone() if cursor.description else None
        return row


def from_environment(environ: Mapping[str, str]) -> Store:
    """The store that DATABASE_URL and RETENTION_DAYS name.

    Raises:
        ValueError: one of them can't be used.
    """
    days = float(environ.get("RETENTION_DAYS", "30"))
    return Store(environ.get("DATABASE_URL", "sqlite:///users.db"), retention_s=days * 24 * 3600)


def _driver(url: str) -> tuple[Callable[[], Any], type[Exception]]:
    """How to connect, and what the driver raises when the database can't be used now."""
    if url.startswith("sqlite:///"):
        path = url.removeprefix("sqlite:///")
        # IMMEDIATE: the transaction begins with the lock for writing, which it needs anyway.
        return lambda: sqlite3.connect(path, timeout=PATIENCE_S, isolation_level="IMMEDIATE"), sqlite3.OperationalError
    if url.startswith("postgresql:"):
        import psycopg  # only if it is used

        limits = f"-c lock_timeout={PATIENCE_S}s -c statement_timeout={PATIENCE_S}s"
        return lambda: psycopg.connect(url, connect_timeout=PATIENCE_S, options=limits), psycopg.OperationalError
    raise ValueError("DATABASE_URL is neither sqlite:///PATH nor postgresql://USER@HOST/DATABASE")


def _named(statement: str) -> str:
    """Parameters as psycopg writes them: `%(name)s` for `:name`."""
    return re.sub(r":(\w+)", r"%(\1)s", statement)
