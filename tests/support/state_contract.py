"""What every state store promises, as one suite. A store's test module subclasses it and gives the fixture `opener`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from adapter.errors import StateError
from adapter.model import KnownUser
from adapter.state.base import Meta, Store
from adapter.state.sqlite.lock import HeldError

POOL = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"
#: The same pool id in another account: as near to POOL as another pool can be.
OTHER_POOL = "arn:aws:cognito-idp:eu-central-1:999999999999:userpool/eu-central-1_AbCdEfGhI"

#: Opens the store under test for a pool; closing it is the fixture's affair.
Opener = Callable[..., Store]

STRANGE_NAMES = (
    "plain",
    "with space",
    "O'Brien; DROP TABLE users --",
    'quote"back\\slash',
    "zero\0byte",
    "Ünïcödé",
    "u\u0308",  # ü, decomposed: another name than the composed one
    "\u00fc",
    "Plain",  # names differ by case
    "日本語",
    "😀" * 128,
    "%",
    "#meta",
    "#lease",
    "null",
    "1",
)


def known(username: str, **changes: Any) -> KnownUser:
    """A user as the state remembers one, all members set."""
    user = KnownUser(
        username=username,
        sub=f"sub-of-{len(username)}",
        digest=b"\x00\x01\x02\xfd\xfe\xff12",
        attributes=bytes(range(16)),
        enabled=True,
        status="CONFIRMED",
        created_ms=1_700_000_000_123,
        modified_ms=1_700_000_000_456,
        revision=3,
        missing_since_ms=1_700_000_000_789,
    )
    return structs.replace(user, **changes)


def pairs(store: Store) -> dict[int, bytes]:
    """The digest of every row."""
    found: dict[int, bytes] = {}
    for rows, digests in store.digests():
        assert list(rows) == sorted(rows)
        assert len(digests) == 8 * len(rows)
        found |= {row: digests[8 * at : 8 * at + 8] for at, row in enumerate(rows)}
    return found


def all_users(store: Store) -> dict[str, KnownUser]:
    """Everything a store knows, read the way the adapter reads it."""
    rows = list(pairs(store))
    return {user.username: user for _, user in store.rows(rows)}


class StateContract:
    """The promises. `opener` opens the store under test, the same one each time."""

    def test_a_new_store_knows_its_pool_and_nobody(self, opener: Opener) -> None:
        store = opener()
        assert store.meta() == Meta(pool_arn=POOL)
        assert store.count() == 0
        assert list(store.digests()) == []
        assert store.held()

    def test_users_come_back_exactly_as_they_were_put_even_after_a_restart(self, opener: Opener) -> None:
        store = opener()
        bare = KnownUser(username="bare", digest=b"12345678", attributes=b"")
        users = [known(name) for name in STRANGE_NAMES]
        users += [bare, known("off", enabled=False), known("old", created_ms=-1, modified_ms=2**53, revision=2**31)]
        rows = store.apply(users)
        assert [user for _, user in store.rows(rows)] == users
        store.close()
        again = opener()
        assert again.count() == len(users)
        assert all_users(again) == {user.username: user for user in users}
        assert {name: user for name, (_, user) in again.find([u.username for u in users]).items()} == {
            user.username: user for user in users
        }

    def test_digests_are_paired_with_the_rows_that_name_their_users(self, opener: Opener) -> None:
        store = opener()
        rows = store.apply([known(f"user-{n}", digest=n.to_bytes(8, "big")) for n in range(300)])
        assert pairs(store) == {row: n.to_bytes(8, "big") for n, row in enumerate(rows)}

    def test_a_put_replaces_what_was_known_and_keeps_the_row(self, opener: Opener) -> None:
        store = opener()
        (row,) = store.apply([known("anna")])
        newer = known("anna", revision=4, status=None, enabled=None, sub=None, missing_since_ms=None)
        assert store.apply([newer]) == [row]
        assert store.find(["anna"]) == {"anna": (row, newer)}
        assert store.count() == 1

    def test_a_deleted_user_is_gone_for_good_and_the_row_is_not_given_to_another(self, opener: Opener) -> None:
        store = opener()
        rows = store.apply([known("anna"), known("ben")])
        store.apply([], ["ben", "never-known"])
        assert store.rows(rows) == [(rows[0], known("anna"))]
        assert store.apply([known("carl")])[0] not in rows
        store.close()
        assert set(all_users(opener())) == {"anna", "carl"}

    def test_a_deleted_user_can_come_back(self, opener: Opener) -> None:
        store = opener()
        store.apply([known("anna")])
        store.apply([], ["anna"])
        store.apply([known("anna", revision=9)])
        store.close()
        assert all_users(opener()) == {"anna": known("anna", revision=9)}

    def test_in_one_call_deletes_come_before_puts_and_the_last_put_of_a_user_wins(self, opener: Opener) -> None:
        store = opener()
        store.apply([known("anna")])
        rows = store.apply([known("anna", revision=4), known("ben"), known("anna", revision=5)], ["anna"])
        assert rows[0] == rows[2] != rows[1]
        store.close()
        assert all_users(opener()) == {"anna": known("anna", revision=5), "ben": known("ben")}

    def test_find_and_rows_leave_out_what_is_not_known(self, opener: Opener) -> None:
        store = opener()
        (row,) = store.apply([known("anna")])
        assert store.find([]) == {}
        assert store.rows([]) == []
        assert set(store.find(["nobody", "anna", "ANNA"])) == {"anna"}
        assert store.rows([row + 1_000, row]) == [(row, known("anna"))]

    @pytest.mark.parametrize("count", [1, 9, 64, 501])
    def test_any_number_of_users_is_found_at_once_in_the_order_of_their_rows(self, opener: Opener, count: int) -> None:
        store = opener()
        users = [known(f"user-{n}") for n in range(count)]
        rows = store.apply(users)
        backwards = list(reversed(rows))
        assert store.rows(backwards) == list(zip(backwards, reversed(users), strict=True))
        assert len(store.find([user.username for user in users])) == count

    def test_meta_is_stored_with_the_users_and_survives_a_restart(self, opener: Opener) -> None:
        store = opener()
        begun = Meta(pool_arn=POOL, initial="baseline", baseline_started_ms=1_700_000_000_000)
        store.apply([], meta=begun)
        assert store.meta() == begun
        done = dataclasses.replace(begun, baseline_done=True, last_sweep_ms=1_700_000_000_999, sweeps=1)
        store.apply([known("anna")], meta=done)
        store.close()
        again = opener()
        assert again.meta() == done
        assert again.count() == 1

    def test_meta_of_another_pool_is_a_mistake_of_the_caller(self, opener: Opener) -> None:
        store = opener()
        with pytest.raises(ValueError, match="another pool"):
            store.apply([known("anna")], meta=Meta(pool_arn=OTHER_POOL))
        assert store.count() == 0

    def test_the_state_of_another_pool_is_refused_and_left_as_it_is(self, opener: Opener) -> None:
        store = opener()
        store.apply([known("anna")])
        store.close()
        with pytest.raises(StateError, match=OTHER_POOL):
            opener(OTHER_POOL)
        assert all_users(opener()) == {"anna": known("anna")}

    def test_a_second_writer_is_refused_and_told_who_holds_the_state(self, opener: Opener) -> None:
        first = opener()
        with pytest.raises(HeldError, match=r"in use by process \d+ on .+ since \d{4}-") as refused:
            opener()
        assert refused.value.holder.pid > 0
        assert first.held()
        first.close()
        assert not first.held()
        assert opener().held()

    def test_closing_twice_is_harmless(self, opener: Opener) -> None:
        store = opener()
        store.close()
        store.close()
        assert not store.held()
