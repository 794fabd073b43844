"""The layout of the SQLite file, and how an older layout becomes the present one.

The file names itself: `PRAGMA application_id` says that it is a state of this adapter, `PRAGMA user_version` which
layout it has (https://www.sqlite.org/pragma.html#pragma_application_id).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

#: "CgSt" in ASCII, at offset 68 of the file: `file` and anybody with a hex dump can tell what it is.
APPLICATION_ID = int.from_bytes(b"CgSt", "big")

INDEX = "CREATE UNIQUE INDEX users_by_name ON users (username)"

#: One entry per version, each a sequence of statements that lead there from the version before.
#: Never edit an entry that was released; append one.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE meta (
            only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
            pool_arn TEXT NOT NULL,
            initial TEXT,
            baseline_started_ms INTEGER,
            baseline_done INTEGER NOT NULL DEFAULT 0,
            last_sweep_ms INTEGER,
            sweeps INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """,
        # AUTOINCREMENT: the number of a user who was forgotten is never given to another one, so a row that somebody
        # still remembers can only miss. `digest` comes first, which keeps the scan of (row, digest) cheap.
        """
        CREATE TABLE users (
            row INTEGER PRIMARY KEY AUTOINCREMENT,
            digest BLOB NOT NULL,
            username TEXT NOT NULL,
            sub TEXT,
            attributes BLOB NOT NULL,
            enabled INTEGER,
            status TEXT,
            created_ms INTEGER,
            modified_ms INTEGER,
            revision INTEGER NOT NULL,
            missing_since_ms INTEGER
        ) STRICT
        """,
        INDEX,
    ),
)
VERSION = len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    """The layout's version; 0 for an empty database."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> int:
    """Bring a database to the newest layout, all steps or none of them; returns the number of steps taken.

    The connection must be in autocommit mode (`isolation_level=None`).
    """
    found = version_of(connection)
    steps = migrations[found:]
    if not steps:
        return 0
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in steps:
            for statement in step:
                connection.execute(statement)
        # Both are part of the transaction: they live in the file's first page.
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return len(steps)
