"""Whole sweeps of pools whose filters work, walk, lie or fail: everybody comes out, whatever the way."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import botocore.session
import pytest

from adapter.arn import parse_pool_arn
from adapter.cognito.client import CognitoUserPool
from adapter.cognito.decode import decode_user
from adapter.cognito.pool_scanner import PoolScanner
from adapter.cognito.rate_limiter import RateLimiter
from adapter.cognito.signup_scan import CYCLE_S
from adapter.errors import CognitoError, UnavailableError
from tests.fake_cognito import ARN, FakeCognito, MutablePool
from tests.fake_cognito.pool import Query
from tests.support import wait_until
from tests.support.rig import FixedUsers, ShiftedClock

USERS = 9000
#: Faster than one listing at this latency, so that shards pay.
RPS = 400.0
LATENCY_S = 0.01


class LaggingPool(MutablePool):
    """Filters by status find users by the status with which they were created."""

    def __init__(self) -> None:
        super().__init__(USERS)
        self._index: dict[str, list[str]] = {}

    def create(self, username: str, *, status: str = "CONFIRMED", sub: str | None = None, **attributes: str) -> None:
        super().create(username, status=status, sub=sub, **attributes)
        if status != "CONFIRMED":
            self._index.setdefault(status, []).append(username)

    def page(self, after: int, limit: int, query: Query | None, *, walk: bool) -> tuple[Sequence[bytes], int | None]:
        if query is None or query.attribute != "cognito:user_status":
            return super().page(after, limit, query, walk=walk)
        shown = self.shown()
        return [json.dumps(shown[name]).encode() for name in self._index.get(query.value, [])], None


@pytest.fixture(scope="module")
def users() -> MutablePool:
    return MutablePool(USERS)


@pytest.fixture
def cognito(users: MutablePool, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCognito]:
    with FakeCognito(pool=users) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        server.behaviour.latency_s = LATENCY_S
        yield server


class Reader:
    """A scanner with what it needs; `sweep` gives the usernames and whether the sweep was complete."""

    def __init__(self, known: int, rps: float = RPS, *, complete: bool = True, subs: Sequence[str] = ()) -> None:
        self.stop, self.clock = threading.Event(), ShiftedClock()
        self.told: list[CognitoError] = []
        self.limiter = RateLimiter(rps, sleep=self.stop.wait)
        self.pool = CognitoUserPool(botocore.session.Session, parse_pool_arn(ARN), self.limiter, attempts=1)
        self.scanner = PoolScanner(
            self.pool,
            self.limiter,
            self.stop,
            known=FixedUsers(known, complete, subs),
            on_retry=self.told.append,
            backoff_s=(0.01, 0.02, 0.04),
            clock=self.clock,
        )

    def later(self, seconds: float) -> None:
        """Move the scanner's clock on."""
        self.clock.ahead_s += seconds

    def signups(self) -> set[str]:
        """Who is shown between two sweeps."""
        return {decode_user(raw).username for page in self.scanner.scan_signups() for raw in page.users}

    def sweep(self) -> tuple[list[str], bool]:
        scan = self.scanner.scan()
        found = [decode_user(raw).username for page in scan for raw in page.users]
        return found, scan.complete


@pytest.fixture
def reader() -> Iterator[Reader]:
    found = Reader(known=USERS)
    yield found
    found.stop.set()
    found.pool.close()


def test_a_known_pool_is_read_in_shards_and_everybody_comes_out(cognito: FakeCognito, reader: Reader) -> None:
    found, complete = reader.sweep()
    assert complete
    assert set(found) == set(cognito.usernames())
    stats = cognito.stats()
    assert stats["filtered"] > 64
    assert stats["first_pages"] >= 17


def test_after_a_missed_user_the_pool_is_read_as_one_listing(cognito: FakeCognito, reader: Reader) -> None:
    reader.sweep()
    reader.scanner.report_missed_user()
    cognito.reset_stats()
    found, complete = reader.sweep()
    assert complete
    assert len(found) == USERS
    assert cognito.stats()["filtered"] == 0


@pytest.mark.parametrize("mode", ["refused", "ignored", "walked"])
def test_filters_that_do_not_help_are_given_up_and_everybody_comes_out(
    cognito: FakeCognito, reader: Reader, mode: Any
) -> None:
    cognito.behaviour.filters = mode
    found, complete = reader.sweep()
    assert complete
    assert set(found) == set(cognito.usernames())
    cognito.reset_stats()
    found, complete = reader.sweep()
    assert complete
    assert len(found) == USERS
    assert cognito.stats()["filtered"] == 0


def test_shards_that_show_too_few_are_not_believed(cognito: FakeCognito, monkeypatch: pytest.MonkeyPatch) -> None:
    """Users whose sub is not a UUID are in no shard."""
    odd = MutablePool()
    for number in range(USERS):
        odd.create(f"u{number}", **({"sub": f"z{number}"} if number % 4 == 0 else {}))
    cognito.pool = odd
    reader = Reader(known=USERS)
    found, complete = reader.sweep()
    reader.pool.close()
    assert complete
    assert set(found) == set(odd.usernames())


def test_where_many_subs_begin_alike_the_shards_are_cut_finer(cognito: FakeCognito) -> None:
    alike = MutablePool()
    for number in range(USERS):
        alike.create(f"u{number}", sub=f"d4{number * 7919 % 16**6:06x}-0000-4000-8000-000000000000")
    cognito.pool = alike
    subs = [f"d4{number * 7919 % 16**6:06x}" for number in range(0, USERS, 20)]
    reader = Reader(known=USERS, subs=subs)
    for _ in range(2):
        cognito.reset_stats()
        found, complete = reader.sweep()
        assert complete
        assert set(found) == set(alike.usernames())
        assert cognito.stats()["filtered"] > USERS // 60
    reader.pool.close()


@pytest.mark.parametrize("fault", ["throttle", "status", "reset", "cut", "expire_token", "repeat_token", "empty_page"])
def test_faults_in_shards_cost_no_user(cognito: FakeCognito, reader: Reader, fault: Any) -> None:
    cognito.inject(fault, times=5, after=10, with_filter=True)
    found, complete = reader.sweep()
    assert complete
    assert set(found) == set(cognito.usernames())


def test_a_fault_that_stays_ends_the_sweep_with_its_error(cognito: FakeCognito, reader: Reader) -> None:
    cognito.inject("status", times=-1, after=20, status=500)
    with pytest.raises(UnavailableError):
        reader.sweep()
    cognito.clear_faults()
    assert reader.sweep()[1]


def test_the_first_sweep_of_all_is_one_listing(cognito: FakeCognito) -> None:
    """However many users a broken-off first sweep left in the state."""
    reader = Reader(known=USERS, complete=False)
    found, complete = reader.sweep()
    assert complete
    assert len(found) == USERS
    assert cognito.stats()["filtered"] == 0
    reader.sweep()
    reader.pool.close()
    assert cognito.stats()["filtered"] > 64


def test_a_stop_leaves_the_sweep_incomplete(cognito: FakeCognito, reader: Reader) -> None:
    cognito.on_request(lambda number: reader.stop.set() if number == 20 else None)
    found, complete = reader.sweep()
    assert not complete
    assert len(found) < USERS


def test_a_small_pool_is_read_as_one_listing(cognito: FakeCognito) -> None:
    small = Reader(known=100)
    small.sweep()
    small.pool.close()
    assert cognito.stats()["filtered"] == 0


def test_a_sign_up_comes_out_long_before_its_turn(cognito: FakeCognito) -> None:
    """At 8 requests/s this sweep takes 10 s; the user is the last one of the listing."""
    pool = MutablePool(USERS)
    cognito.pool = pool
    reader = Reader(known=USERS, rps=8)
    pages = reader.scanner.scan()
    for number, page in enumerate(pages):
        if number == 5:
            cognito.create("newcomer", status="UNCONFIRMED")
        if any(decode_user(raw).username == "newcomer" for raw in page.users):
            break
    assert number < 60
    reader.stop.set()
    pages.close()
    reader.pool.close()


def test_sign_ups_are_looked_for_between_sweeps_too(cognito: FakeCognito) -> None:
    pool = MutablePool(USERS)
    cognito.pool = pool
    reader = Reader(known=USERS, rps=8)
    cognito.create("newcomer", status="FORCE_CHANGE_PASSWORD")

    wait_until(lambda: "newcomer" in reader.signups(), what="the newcomer")
    reader.pool.close()


@pytest.mark.parametrize("mode", ["refused", "ignored"])
def test_status_filters_that_do_not_work_are_left_alone_for_a_while(cognito: FakeCognito, mode: Any) -> None:
    cognito.pool = MutablePool(USERS)
    cognito.behaviour.filters = mode
    reader = Reader(known=USERS, rps=8)
    list(reader.scanner.scan_signups())
    asked = cognito.stats()["requests"]
    assert asked > 0
    list(reader.scanner.scan_signups())
    assert cognito.stats()["requests"] == asked
    cognito.behaviour.filters = "indexed"
    cognito.create("newcomer", status="UNCONFIRMED")
    reader.later(61)
    assert "newcomer" in reader.signups()
    reader.pool.close()


def test_one_user_whom_the_index_shows_late_does_not_end_the_looks(cognito: FakeCognito) -> None:
    """A user who has just confirmed is still among the UNCONFIRMED, and says CONFIRMED."""
    cognito.pool = LaggingPool()
    cognito.create("confirmed-just-now", status="UNCONFIRMED")
    cognito.change("confirmed-just-now", status="CONFIRMED")
    reader = Reader(known=USERS, rps=8)
    assert reader.signups() == {"confirmed-just-now"}, "it is news"
    cognito.create("newcomer", status="UNCONFIRMED")
    reader.later(CYCLE_S + 1)
    assert "newcomer" in reader.signups()
    reader.pool.close()


@pytest.mark.parametrize("rps", [RPS, 8.0, 10_000.0])
def test_every_page_is_an_answer_and_every_answer_is_a_page(cognito: FakeCognito, reader: Reader, rps: float) -> None:
    """In shards, with looks for sign-ups between the pages, and alone."""
    cognito.pool = MutablePool(USERS if rps != 8 else 600)
    reader.limiter._max_rps = reader.limiter._rps = rps
    if rps == 8:
        reader.scanner._known = FixedUsers(USERS)
        reader.limiter.acquire = lambda: 0.0  # type: ignore[method-assign]  # nobody waits
    scan = reader.scanner.scan()
    pages = list(scan)
    assert scan.complete
    assert all(page.date_s is not None for page in pages)
    # A look for sign-ups that is under way when the sweep ends is nobody's page.
    assert len(pages) == cognito.stats()["requests"] or (rps == 8 and len(pages) < cognito.stats()["requests"])


def test_shards_that_did_not_help_are_tried_again(cognito: FakeCognito, reader: Reader) -> None:
    cognito.behaviour.filters = "refused"
    reader.sweep()
    cognito.behaviour.filters = "indexed"
    reader.later(3600)
    cognito.reset_stats()
    assert reader.sweep()[1]
    assert cognito.stats()["filtered"] > 64


def test_a_fault_in_a_look_for_sign_ups_is_no_fault_of_the_sweep(cognito: FakeCognito) -> None:
    cognito.inject("status", times=-1, status=500, with_filter=True)
    reader = Reader(known=USERS, rps=8)
    assert list(reader.scanner.scan_signups()) == []
    reader.pool.close()


def test_a_small_pool_is_never_read_in_shards_even_if_its_users_are_not_stored_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The state takes users in groups: when the first listing ends it may know none of them."""
    with FakeCognito(users=600) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        server.behaviour.latency_s = LATENCY_S
        reader = Reader(known=0, complete=False)
        try:
            reader.sweep()
            reader.scanner._known = FixedUsers(600)
            found, complete = reader.sweep()
            assert complete
            assert len(found) == 600
            assert server.stats()["filtered"] == 0
        finally:
            reader.stop.set()
            reader.pool.close()
