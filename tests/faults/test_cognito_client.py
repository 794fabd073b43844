"""What becomes of a listing when Cognito, the network or the key fails: the client against the fake server.

The outcomes are the rows of the table in docs/reliability.md.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest

from adapter.arn import parse_pool_arn
from adapter.cognito import filters
from adapter.cognito.base import Page
from adapter.cognito.client import CognitoUserPool
from adapter.cognito.decode import decode_user
from adapter.cognito.paginator import paginate
from adapter.cognito.rate_limiter import RateLimiter
from adapter.errors import (
    AccessDeniedError,
    CognitoError,
    CredentialsError,
    FilterRefusedError,
    PoolNotFoundError,
    ThrottledError,
    TokenExpiredError,
    UnavailableError,
)
from tests.fake_cognito import ARN, FakeCognito

POOL = parse_pool_arn(ARN)
USERS = 200
#: Service models are read once for all sessions of these tests.
LOADER = botocore.session.Session().get_component("data_loader")
Connect = Callable[..., CognitoUserPool]


def session_with(key: str) -> botocore.session.Session:
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    session.set_credentials(key, "synthetic-secret-key")
    return session


@pytest.fixture
def cognito(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCognito]:
    with FakeCognito(users=USERS) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def connect() -> Iterator[Callable[..., CognitoUserPool]]:
    """Makes pools that are closed at the end."""
    made: list[CognitoUserPool] = []

    def make(limiter: RateLimiter | None = None, keys: list[str] | None = None, **how: Any) -> CognitoUserPool:
        left = iter(keys or [])

        def session() -> botocore.session.Session:
            return session_with(next(left, "AKIAFAKECOGNITO00001"))

        pool = CognitoUserPool(session, POOL, limiter or RateLimiter(10_000), **({"attempts": 1} | how))
        made.append(pool)
        return pool

    yield make
    for pool in made:
        pool.close()


def quickly(pool: CognitoUserPool, filter_: str | None = None, **how: Any) -> Iterator[Page]:
    return paginate(pool, filter_, backoff_s=(0.01, 0.02, 0.04), **how)


def names(pages: Iterator[Page]) -> list[str]:
    return [decode_user(raw).username for page in pages for raw in page.users]


def test_a_pool_is_listed_completely(cognito: FakeCognito, connect: Connect) -> None:
    assert names(quickly(connect())) == cognito.usernames()
    assert cognito.stats()["requests"] == 4


@pytest.mark.parametrize(
    ("fault", "how"),
    [
        ("throttle", {}),
        ("throttle", {"seconds": 0.05}),
        ("error", {}),
        ("status", {"status": 500}),
        ("status", {"status": 503}),
        ("html", {"status": 503}),
        ("html", {"status": 429}),
        ("reset", {}),
        ("close", {}),
        ("truncate", {}),
        ("cut", {}),
        ("malformed", {"body": '{"Users":[{"Username":'}),
        ("malformed", {"body": '{"message":"a proxy speaks"}'}),
        ("malformed", {"body": "[]"}),
        ("no_users", {}),
    ],
)
@pytest.mark.parametrize("after", [0, 2])
def test_a_passing_fault_costs_a_request_and_no_user(
    cognito: FakeCognito, connect: Connect, fault: Any, how: dict[str, Any], after: int
) -> None:
    told: list[CognitoError] = []
    cognito.inject(fault, times=2, after=after, **how)
    assert names(quickly(connect(), on_retry=told.append)) == cognito.usernames()
    assert len(told) == 2
    assert all(isinstance(error, UnavailableError | ThrottledError) for error in told)


@pytest.mark.parametrize("fault", ["error", "status", "reset", "close", "throttle"])
def test_botocore_retries_what_it_knows_under_the_same_limiter(
    cognito: FakeCognito, connect: Connect, fault: Any
) -> None:
    limiter = RateLimiter(10_000)
    cognito.inject(fault, after=1)
    assert names(paginate(connect(limiter, attempts=2), backoff_s=())) == cognito.usernames()
    assert limiter.requests == cognito.stats()["requests"] == 5
    assert limiter.throttled == (fault == "throttle")


@pytest.mark.parametrize("fault", ["short_page", "empty_page"])
def test_short_and_empty_pages_with_a_token_end_nothing(cognito: FakeCognito, connect: Connect, fault: Any) -> None:
    cognito.inject(fault, times=3, after=1)
    assert names(quickly(connect())) == cognito.usernames()


def test_every_page_may_be_short(cognito: FakeCognito, connect: Connect) -> None:
    cognito.behaviour.page_users = 7
    assert names(quickly(connect())) == cognito.usernames()
    assert cognito.stats()["requests"] == -(-USERS // 7)


@pytest.mark.parametrize("fault", ["repeat_token", "expire_token"])
def test_a_bad_token_begins_the_listing_again_and_nobody_is_missing(
    cognito: FakeCognito, connect: Connect, fault: Any
) -> None:
    told: list[CognitoError] = []
    cognito.inject(fault, with_token=True, after=1)
    found = names(quickly(connect(), on_retry=told.append))
    assert sorted(set(found)) == sorted(cognito.usernames())
    assert [type(error) for error in told] == [TokenExpiredError]
    assert cognito.stats()["first_pages"] == 2


def test_tokens_that_always_expire_are_an_error_and_not_a_loop(cognito: FakeCognito, connect: Connect) -> None:
    cognito.inject("expire_token", times=-1, with_token=True)
    with pytest.raises(TokenExpiredError):
        list(quickly(connect(), restarts=2))
    assert cognito.stats()["first_pages"] == 3


def test_an_answer_that_does_not_come_is_given_up_in_time(cognito: FakeCognito, connect: Connect) -> None:
    told: list[CognitoError] = []
    cognito.inject("hang", seconds=60, after=1)
    assert names(quickly(connect(read_timeout_s=0.3), on_retry=told.append)) == cognito.usernames()
    assert [error.code for error in told] == ["ReadTimeoutError"]


def test_an_endpoint_that_is_not_there_is_a_passing_fault(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "http://127.0.0.1:1")
    with pytest.raises(UnavailableError, match="can't be reached"):
        connect().list_users()


def test_users_that_come_and_go_while_pages_are_read_harm_nobody_else(cognito: FakeCognito, connect: Connect) -> None:
    stay = set(cognito.usernames()) - {"user-0000005", "user-0000065", "user-0000059"}

    def meddle(number: int) -> None:
        if number == 2:
            for name in ("user-0000005", "user-0000059", "user-0000065"):
                cognito.delete(name)
            cognito.create("late")

    cognito.on_request(meddle)
    found = names(quickly(connect()))
    assert stay <= set(found)
    assert "late" in found
    assert "user-0000065" not in found
    assert len(found) == len(set(found))


def test_any_username_and_the_longest_attribute_come_through(cognito: FakeCognito, connect: Connect) -> None:
    odd = ["Zoë", "\u6f22\u5b57", "\U0001f600", 'quo"te\\', "a b\tc", "\u02bc\u2028\u202e", "é", "e\u0301"]
    for name in odd:
        cognito.create(name, name="x" * 2048)
    pool = connect()
    assert names(quickly(pool))[-len(odd) :] == odd
    for name in odd:
        asked = filters.by_username(name)
        (raw,) = [raw for page in quickly(pool, str(asked)) for raw in page.users]
        user = decode_user(raw)
        assert asked.matches(user)
        assert dict(user.attributes)["name"] == "x" * 2048


def test_a_user_without_attributes_or_dates_is_listed(cognito: FakeCognito, connect: Connect) -> None:
    cognito.pool.put_raw({"Username": "bare"})
    assert names(quickly(connect()))[-1] == "bare"


def test_a_refused_filter_is_told_from_an_expired_token(cognito: FakeCognito, connect: Connect) -> None:
    cognito.behaviour.filters = "refused"
    with pytest.raises(FilterRefusedError):
        list(quickly(connect(), str(filters.by_sub_prefix("0"))))


def test_an_ignored_filter_is_found_by_checking_its_answer(cognito: FakeCognito, connect: Connect) -> None:
    cognito.behaviour.filters = "ignored"
    asked = filters.by_username("user-0000007")
    users = [raw for page in quickly(connect(), str(asked)) for raw in page.users]
    assert len(users) == USERS
    with pytest.raises(FilterRefusedError, match="ignored"):
        filters.FilterCheck(asked).add(users)


@pytest.mark.parametrize("mode", ["indexed", "walked"])
def test_a_filter_finds_the_same_users_however_the_pool_works(
    cognito: FakeCognito, connect: Connect, mode: Any
) -> None:
    cognito.behaviour.filters = mode
    pool = connect()
    shards = [names(quickly(pool, str(filters.by_sub_prefix(digit)))) for digit in "0123456789abcdef"]
    assert sorted(name for shard in shards for name in shard) == sorted(cognito.usernames())


def test_the_server_tells_its_clock(cognito: FakeCognito, connect: Connect) -> None:
    cognito.behaviour.clock_ahead_s = 3600
    found = connect().list_users()
    assert found.date_s == pytest.approx(time.time() + 3600, abs=1800)


def test_a_quota_is_found_and_kept_to(cognito: FakeCognito, connect: Connect) -> None:
    cognito.behaviour.quota_rps = 20
    cognito.behaviour.page_users = 2
    limiter = RateLimiter(200)
    assert names(paginate(connect(limiter), backoff_s=(0.1,) * 20)) == cognito.usernames()
    assert limiter.throttled == cognito.stats()["throttled"] > 0
    assert limiter.rps < 200


def test_a_rotated_key_needs_no_restart(cognito: FakeCognito, connect: Connect) -> None:
    pool = connect(keys=["AKIAOLD", "AKIANEW"])
    cognito.behaviour.keys = ["AKIAOLD"]
    first = pool.list_users()
    cognito.behaviour.keys = ["AKIANEW"]
    assert names(quickly(pool)) == cognito.usernames()
    assert first.token is not None


def test_many_threads_with_a_refused_key_read_the_secret_once(cognito: FakeCognito, connect: Connect) -> None:
    built: list[str] = []

    def session() -> botocore.session.Session:
        built.append("AKIAOLD" if not built else "AKIANEW")
        return session_with(built[-1])

    pool = CognitoUserPool(session, POOL, RateLimiter(10_000), attempts=1)
    cognito.behaviour.keys = ["AKIAOLD"]
    pool.list_users()
    cognito.behaviour.keys = ["AKIANEW"]
    cognito.behaviour.latency_s = 0.05
    pages: list[Page] = []
    threads = [threading.Thread(target=lambda: pages.append(pool.list_users())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool.close()
    assert len(pages) == 8
    assert built == ["AKIAOLD", "AKIANEW"]


def test_a_key_that_stays_refused_is_an_error_of_the_credentials(cognito: FakeCognito, connect: Connect) -> None:
    cognito.behaviour.keys = []
    with pytest.raises(CredentialsError, match="UnrecognizedClientException") as caught:
        connect().list_users()
    assert "synthetic-secret-key" not in str(caught.value)
    assert cognito.stats()["requests"] == 2


def test_a_secret_that_can_not_be_read_leaves_the_client_as_it_was(cognito: FakeCognito) -> None:
    outcomes: list[Any] = ["AKIAOLD", CredentialsError("the secret can't be read", code="x"), "AKIANEW"]

    def session() -> botocore.session.Session:
        outcome = outcomes.pop(0)
        if isinstance(outcome, CredentialsError):
            raise outcome
        return session_with(outcome)

    pool = CognitoUserPool(session, POOL, RateLimiter(10_000), attempts=1)
    cognito.behaviour.keys = ["AKIAOLD"]
    pool.list_users()
    cognito.behaviour.keys = ["AKIANEW"]
    with pytest.raises(CredentialsError, match="can't be read"):
        pool.list_users()
    assert len(pool.list_users().users) == 60
    pool.close()


def test_no_credentials_at_all_are_an_error_of_the_credentials(cognito: FakeCognito, monkeypatch: Any) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    pool = CognitoUserPool(botocore.session.Session, POOL, RateLimiter(10_000), attempts=1)
    with pytest.raises(CredentialsError, match="AWS_ACCESS_KEY_ID"):
        pool.list_users()
    pool.close()


def test_a_key_that_may_not_list_this_pool_says_what_to_grant(cognito: FakeCognito, connect: Connect) -> None:
    cognito.behaviour.allowed_keys = []
    with pytest.raises(AccessDeniedError) as caught:
        connect().list_users()
    assert "cognito-idp:ListUsers" in str(caught.value)
    assert ARN in str(caught.value)


def test_a_pool_that_is_not_there_says_so(cognito: FakeCognito) -> None:
    other = parse_pool_arn(ARN[:-1] + "X")
    pool = CognitoUserPool(botocore.session.Session, other, RateLimiter(10_000), attempts=1)
    with pytest.raises(PoolNotFoundError, match=other.pool_id):
        pool.list_users()
    pool.close()


@pytest.mark.parametrize("limit", [0, 61, -1])
def test_a_limit_that_the_api_does_not_take_is_a_mistake_of_ours(connect: Connect, limit: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 60"):
        connect().list_users(limit=limit)
