"""Familiar pages: never familiar when a user on them changed, whatever happened before."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from adapter.changes.detector import raw_digest
from adapter.changes.index import Index
from adapter.changes.page_cache import USERS_MIN, PageCache

ROWS = list(range(40))


def test_a_page_is_familiar_until_somebody_on_it_changes() -> None:
    pages = PageCache()
    pages.remember(b"page", ROWS)
    assert pages.match(b"page") == range(40)
    pages.forget(17)
    assert pages.match(b"page") is None


def test_rows_in_any_order_come_back_as_they_were() -> None:
    pages = PageCache()
    pages.remember(b"page", ROWS[::-1])
    assert list(pages.match(b"page") or ()) == ROWS[::-1]


def test_a_short_page_is_not_worth_a_place() -> None:
    pages = PageCache()
    pages.remember(b"page", ROWS[: USERS_MIN - 1])
    assert len(pages) == 0


def test_a_user_is_on_one_familiar_page_only() -> None:
    """Going back to an earlier form must not make the earlier page familiar again."""
    pages = PageCache()
    pages.remember(b"before", ROWS)
    pages.remember(b"after", ROWS[10:])
    assert pages.match(b"before") is None
    pages.forget(3)
    assert pages.match(b"after") is not None


def test_users_that_no_page_holds_can_be_forgotten() -> None:
    pages = PageCache()
    pages.forget(5)
    pages.remember(b"page", ROWS)
    pages.forget(1_000_000)
    assert pages.match(b"page") is not None


class AnyPageHistory(RuleBasedStateMachine):
    """Pages are shown, users change their form and go: a familiar page is one that 60 looks would find unchanged."""

    def __init__(self) -> None:
        super().__init__()
        self.form = dict.fromkeys(range(60), 0)
        self.index = Index([(list(self.form), b"".join(raw_digest(self.raw(row)) for row in self.form))])
        self.shown: dict[bytes, list[tuple[int, bytes]]] = {}

    def raw(self, row: int) -> bytes:
        return f"{row}:{self.form[row]}".encode()

    @rule(start=st.integers(0, 40), length=st.integers(USERS_MIN, 30))
    def show(self, start: int, length: int) -> None:
        users = [(row, self.raw(row)) for row in self.form if start <= row < start + length]
        page = b",".join(raw for _, raw in users)
        self.shown[page] = users
        rows = [self.index.lookup(raw_digest(raw)) for _, raw in users]
        assert all(row >= 0 for row in rows)
        self.index.remember_page(page, rows)

    @rule(row=st.integers(0, 59), form=st.integers(0, 3))
    def change(self, row: int, form: int) -> None:
        if row in self.form:
            before = raw_digest(self.raw(row))
            self.form[row] = form
            self.index.put(row, raw_digest(self.raw(row)), before)

    @rule(row=st.integers(0, 59))
    def leave(self, row: int) -> None:
        if row in self.form:
            self.index.forget(row, raw_digest(self.raw(row)))
            del self.form[row]

    @invariant()
    def familiar_means_unchanged(self) -> None:
        for page, users in self.shown.items():
            self.index.begin_sweep()
            if self.index.match_page(page):
                assert all(row in self.form and raw == self.raw(row) for row, raw in users)
                assert set(self.index.unseen()) == set(self.form) - {row for row, _ in users}


TestAnyHistory = AnyPageHistory.TestCase
TestAnyHistory.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
