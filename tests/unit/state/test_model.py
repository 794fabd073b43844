"""The SQLite store against a dictionary, whatever is done to it (hypothesis)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from adapter.model import KnownUser
from adapter.state.base import Meta
from adapter.state.sqlite.store import SqliteStore
from tests.support.state_contract import POOL, pairs

# Few names, so that they meet again; the rest is any text that UTF-8 has.
NAMES = st.sampled_from(["a", "A", "ä", "a\u0308", "b", "", "\0"]) | st.text(max_size=20)
MILLISECONDS = st.none() | st.integers(-(2**53), 2**53)
USERS = st.builds(
    KnownUser,
    username=NAMES,
    sub=st.none() | st.text(max_size=40),
    digest=st.binary(min_size=8, max_size=8),
    attributes=st.binary(max_size=16),
    enabled=st.none() | st.booleans(),
    status=st.none() | st.sampled_from(["CONFIRMED", "UNCONFIRMED"]),
    created_ms=MILLISECONDS,
    modified_ms=MILLISECONDS,
    revision=st.integers(-(2**31), 2**31),
    missing_since_ms=MILLISECONDS,
)
METAS = st.none() | st.builds(
    Meta,
    pool_arn=st.just(POOL),
    initial=st.none() | st.sampled_from(["baseline", "snapshot"]),
    baseline_started_ms=MILLISECONDS,
    baseline_done=st.booleans(),
    last_sweep_ms=MILLISECONDS,
    sweeps=st.integers(0, 2**31),
)


class StoreMachine(RuleBasedStateMachine):
    """Whatever is applied, and however often the store is opened again: it knows what the dictionary knows."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name) / "state.db"
        self._store = SqliteStore(self._path, POOL)
        self._users: dict[str, KnownUser] = {}
        self._rows: dict[str, int] = {}
        self._meta = Meta(pool_arn=POOL)

    @rule(puts=st.lists(USERS, max_size=8), deletes=st.lists(NAMES, max_size=4), meta=METAS)
    def apply(self, puts: list[KnownUser], deletes: list[str], meta: Meta | None) -> None:
        rows = self._store.apply(puts, deletes, meta)
        for name in deletes:
            self._users.pop(name, None)
            self._rows.pop(name, None)
        for user, row in zip(puts, rows, strict=True):
            self._users[user.username] = user
            assert self._rows.setdefault(user.username, row) == row
        self._meta = meta or self._meta

    @rule()
    def reopen(self) -> None:
        self._store.close()
        self._store = SqliteStore(self._path, POOL)

    @rule(names=st.lists(NAMES, max_size=12))
    def find(self, names: list[str]) -> None:
        expected = {name: (self._rows[name], self._users[name]) for name in names if name in self._users}
        assert self._store.find(names) == expected

    @invariant()
    def the_same_users(self) -> None:
        assert self._store.count() == len(self._users)
        assert self._store.meta() == self._meta
        digests = pairs(self._store)
        assert digests == {self._rows[name]: user.digest for name, user in self._users.items()}
        assert dict(self._store.rows(list(digests))) == {self._rows[name]: user for name, user in self._users.items()}

    def teardown(self) -> None:
        self._store.close()
        self._folder.cleanup()


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
