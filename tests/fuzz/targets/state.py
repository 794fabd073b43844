"""The state: exports on their way in, and damaged SQLite files."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any, cast

from msgspec import structs

from adapter.errors import ConfigError, StateError
from adapter.state.base import Meta, Store
from adapter.state.export import FORMAT, check_lines, export_lines, import_lines, read_header, read_users
from adapter.state.sqlite import schema
from adapter.state.sqlite.store import SqliteStore
from adapter.state.sqlite.table import Table
from tests.fuzz.engine import FuzzTarget, promise
from tests.fuzz.mutate import binary
from tests.fuzz.structure import mutated, written
from tests.fuzz.targets.texts import CANARY, POOL
from tests.support.state_contract import known

_HEADER: dict[str, Any] = {
    "format": FORMAT,
    "version": 1,
    "users": 2,
    "meta": {"pool_arn": POOL, "initial": "baseline", "baseline_started_ms": 1_700_000_000_000, "sweeps": 3},
}
_LINE: dict[str, Any] = {
    "username": CANARY,
    "digest": "000102fdfeff3132",
    "attributes": "000102030405060708090a0b0c0d0e0f",
    "sub": "2b1c4d5e",
    "enabled": True,
    "status": "CONFIRMED",
    "created_ms": 1_700_000_000_123,
    "modified_ms": 1_700_000_000_456,
    "revision": -3,
    "missing_since_ms": 1_700_000_000_789,
}
_WORDS = (*_HEADER, *_LINE, *_HEADER["meta"], "ff", "0", "snapshot", POOL, "x y")
_EXPORT = b"\n".join(json.dumps(each).encode() for each in (_HEADER, _LINE, _LINE | {"username": "b"})) + b"\n"
_KIT = binary([_EXPORT], [b"\n", *(word.encode() for word in _WORDS)])


class _Memory:
    """A store in memory, for exports."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        schema.migrate(connection)
        self._table = Table(connection, "memory")
        self._table.write((), (), Meta(pool_arn=POOL))
        self.meta, self.count, self.digests = self._table.meta, self._table.count, self._table.digests
        self.find, self.rows = self._table.find, self._table.rows

    def apply(self, puts: Sequence[Any], deletes: Sequence[str] = (), meta: Meta | None = None) -> Sequence[int]:
        return self._table.write(puts, deletes, meta)

    def clear(self) -> None:
        rows = [row for group, _ in self.digests() for row in group]
        self.apply((), [user.username for _, user in self.rows(rows)])


_stores: list[_Memory] = []


@contextmanager
def _memory() -> Iterator[None]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        _stores.append(_Memory(connection))
        try:
            yield
        finally:
            _stores.clear()


def _make_export(rng: Random) -> bytes:
    if rng.random() < 0.5:
        return _KIT.make(rng)
    values: list[dict[str, Any]] = [_HEADER, _LINE, _LINE | {"username": "b"}]
    at = rng.randrange(3)
    values[at] = mutated(rng, values[at], _WORDS)
    return b"\n".join(written(rng, value) for value in values) + b"\n"


def _import(data: bytes) -> None:
    lines = data.splitlines(keepends=True)
    check_lines(lines, "export.jsonl", POOL)
    memory = _stores[-1]
    store = cast("Store", memory)
    try:
        import_lines(lines, "export.jsonl", store)
        users = {user.username: user for user in read_users(lines[1:], "export.jsonl")}
        promise(store.meta() == read_header(lines[0], "export.jsonl")[1], "the pool-wide part is stored as it was read")
        again = list(export_lines(store))
        copied = {user.username: user for user in read_users(again[1:], "again")}
        promise(copied == users, "what was imported is exported")
        promise(CANARY not in repr(list(users.values())), "a user's repr holds no data")
    finally:
        memory.clear()


_folders: list[Path] = []
_files: list[bytes] = []


@contextmanager
def _folder() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as name:
        _folders.append(Path(name))
        for users in (0, 3, 60):
            path = Path(name) / f"sample-{users}.db"
            store = SqliteStore(path, POOL)
            store.apply([structs.replace(known(f"user-{n}"), username=f"{CANARY}-{n}") for n in range(users)])
            store.close()
            _files.append(path.read_bytes())
        try:
            yield
        finally:
            _folders.clear()
            _files.clear()


def _make_damage(rng: Random) -> tuple[int, list[tuple[int, int]], int | None]:
    """Which file, (place, new byte) of the damages, and where it is cut off."""
    where = (range(100), range(100), range(16, 32), range(4_096), range(40_000))
    damages = [
        (rng.choice(rng.choice(where)), rng.choice((0, 1, 255, rng.randrange(256)))) for _ in range(rng.randrange(6))
    ]
    cut = rng.randrange(30_000) if rng.random() < 0.2 else None
    return rng.randrange(3), damages, cut


def _damaged(given: tuple[int, list[tuple[int, int]], int | None]) -> None:
    number, damages, cut = given
    data = bytearray(_files[number])
    for at, byte in damages:
        data[at % len(data)] = byte
    before = bytes(data[:cut])
    path = _folders[-1] / "state.db"
    path.write_bytes(before)
    store: SqliteStore | None = None
    try:
        try:
            store = SqliteStore(path, POOL)
            store.meta()
            rows = [row for group, _ in store.digests() for row in group]
            promise(len(store.rows(rows)) == len(rows) == store.count(), "every user can be read")
        except StateError as error:
            promise(store is not None or path.read_bytes() == before, "a file that is refused stays as it is")
            # The path is the test's own.
            raise ConfigError([problem.replace(str(path), "FILE") for problem in error.problems]) from None
    finally:
        if store is not None:
            store.close()
        for left in _folders[-1].glob("state.db*"):
            left.unlink()


TARGETS = (
    FuzzTarget(
        name="state-import",
        make=_make_export,
        parse=_import,
        refusals=(ConfigError,),
        secret=lambda _: CANARY,
        around=_memory,
    ),
    FuzzTarget(
        name="state-file",
        make=_make_damage,
        parse=_damaged,
        refusals=(ConfigError,),
        secret=lambda _: CANARY,
        share=0.02,
        around=_folder,
    ),
)
