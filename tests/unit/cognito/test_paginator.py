"""Following tokens to the end, on pools whose answers are written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from adapter.cognito.base import Page
from adapter.cognito.paginator import BACKOFF_S, REPEATED, RESTARTS, paginate
from adapter.errors import (
    AccessDeniedError,
    CognitoError,
    FilterRefusedError,
    ThrottledError,
    TokenExpiredError,
    UnavailableError,
)

Answer = Page | CognitoError


def page(*names: str, token: str | None = None) -> Page:
    return Page(users=[name.encode() for name in names], token=token)


class ScriptedPool:
    """Gives these answers in turn, and remembers what was asked."""

    def __init__(self, *answers: Answer) -> None:
        self._answers: Iterator[Answer] = iter(answers)
        self.asked: list[str | None] = []
        self.filters: set[str | None] = set()

    def list_users(self, *, filter_: str | None = None, token: str | None = None, limit: int = 60) -> Page:
        assert limit == 60
        self.asked.append(token)
        self.filters.add(filter_)
        answer = next(self._answers)
        if isinstance(answer, CognitoError):
            raise answer
        return answer


def names(pages: Iterator[Page]) -> list[str]:
    return [raw.decode() for one in pages for raw in one.users]


def no_sleep(_: float) -> None:
    """Waits in these tests take no time."""


def test_tokens_are_followed_until_one_is_absent() -> None:
    pool = ScriptedPool(page("a", "b", token="1"), page("c", token="2"), page("d"))
    assert names(paginate(pool, 'sub ^= "0"')) == ["a", "b", "c", "d"]
    assert pool.asked == [None, "1", "2"]
    assert pool.filters == {'sub ^= "0"'}


def test_short_and_empty_pages_with_a_token_go_on() -> None:
    pool = ScriptedPool(page(token="1"), page("a", token="2"), page(token="3"), page())
    assert names(paginate(pool)) == ["a"]
    assert len(pool.asked) == 4


def test_an_empty_pool_is_one_empty_page() -> None:
    found = list(paginate(ScriptedPool(page())))
    assert [list(one.users) for one in found] == [[]]
    assert found[-1].token is None


def test_an_expired_token_begins_the_listing_again() -> None:
    told: list[str] = []
    pool = ScriptedPool(page("a", token="1"), TokenExpiredError("x", code="c"), page("a", token="2"), page("b"))
    assert names(paginate(pool, on_retry=lambda error: told.append(error.code))) == ["a", "a", "b"]
    assert pool.asked == [None, "1", None, "2"]
    assert told == ["c"]


def test_a_repeated_token_restarts_the_listing() -> None:
    told: list[str] = []
    pool = ScriptedPool(page("a", token="1"), page("b", token="1"), page("a", token="1"), page("b"))
    assert names(paginate(pool, on_retry=lambda error: told.append(error.code))) == ["a", "a", "b"]
    assert told == [REPEATED]


def test_a_token_that_comes_back_after_others_is_noticed() -> None:
    answers = [page("a", token="1"), page("b", token="2"), page("c", token="1")] * (RESTARTS + 1)
    with pytest.raises(TokenExpiredError):
        list(paginate(ScriptedPool(*answers)))


def test_a_listing_does_not_begin_again_for_ever() -> None:
    answers: list[Answer] = [page("a", token="1"), TokenExpiredError("x", code="c")]
    pool = ScriptedPool(*answers * (RESTARTS + 1))
    with pytest.raises(TokenExpiredError):
        list(paginate(pool))
    assert len(pool.asked) == 2 * (RESTARTS + 1)


@pytest.mark.parametrize("fault", [UnavailableError("x", code="c"), ThrottledError("x", code="c")])
def test_a_page_that_fails_in_passing_is_asked_for_again_with_its_token(fault: CognitoError) -> None:
    slept: list[float] = []
    pool = ScriptedPool(page("a", token="1"), *[fault] * len(BACKOFF_S), page("b"))
    assert names(paginate(pool, sleep=slept.append)) == ["a", "b"]
    assert pool.asked == [None, *["1"] * (len(BACKOFF_S) + 1)]
    assert tuple(slept) == BACKOFF_S


def test_a_page_that_keeps_failing_ends_the_listing_with_its_error() -> None:
    pool = ScriptedPool(*[UnavailableError("x", code="c")] * (len(BACKOFF_S) + 1))
    with pytest.raises(UnavailableError):
        list(paginate(pool, sleep=no_sleep))


def test_retry_after_is_waited_for() -> None:
    slept: list[float] = []
    pool = ScriptedPool(ThrottledError("x", code="c", retry_after_s=9), page("a"))
    assert names(paginate(pool, sleep=slept.append)) == ["a"]
    assert slept == [9]


@pytest.mark.parametrize("kind", [AccessDeniedError, FilterRefusedError])
def test_what_trying_again_does_not_mend_is_raised_at_once(kind: type[CognitoError]) -> None:
    pool = ScriptedPool(kind("x", code="c"))
    with pytest.raises(kind):
        list(paginate(pool))
    assert len(pool.asked) == 1


def stop_after(calls: int) -> Callable[[], bool]:
    left = iter([False] * calls)
    return lambda: next(left, True)


def test_a_listing_that_is_stopped_ends_on_a_page_with_a_token() -> None:
    pool = ScriptedPool(page("a", token="1"), page("b", token="2"), page("c"))
    found = list(paginate(pool, should_stop=stop_after(2)))
    assert found[-1].token == "2"


def test_a_listing_can_be_stopped_while_it_waits() -> None:
    pool = ScriptedPool(page("a", token="1"), UnavailableError("x", code="c"), page("b"))
    found = list(paginate(pool, should_stop=stop_after(2), sleep=no_sleep))
    assert [one.token for one in found] == ["1"]
