"""Following a listing's tokens to its end, whatever happens on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from adapter.cognito.base import Page, UserPool
from adapter.cognito.scan import Pages
from adapter.errors import CognitoError, ThrottledError, TokenExpiredError, UnavailableError

#: Times that a listing begins again because its token was refused or repeated.
RESTARTS: Final = 3
#: Waits before a page is asked for again after a passing fault, in seconds; then the fault is raised.
BACKOFF_S: Final = (0.5, 1.0, 2.0, 4.0)
#: The longest wait that one throttled answer can ask for, in seconds.
RETRY_AFTER_MAX_S: Final = 60.0
#: The `code` of the error for a token that was given before.
REPEATED: Final = "RepeatedToken"


def _never() -> bool:
    return False


def paginate(
    pool: UserPool,
    filter_: str | None = None,
    *,
    should_stop: Callable[[], bool] = _never,
    on_retry: Callable[[CognitoError], None] | None = None,
    restarts: int = RESTARTS,
    backoff_s: tuple[float, ...] = BACKOFF_S,
    sleep: Callable[[float], object] = time.sleep,
) -> Pages:
    """The pages of one listing, in order, until one has no token; returns whether it came to that one.

    Empty and short pages with a token do not end it. When a token is refused or repeated the listing begins again, so
    the same users can come out twice; a page that fails in passing is asked for again.

    Args:
        pool: where to list.
        filter_: the text of an adapter.cognito.filters.Filter; None for all users.
        should_stop: asked before every request; when true the listing ends early.
        on_retry: called with every fault that is tried again, for metrics and logs.
        restarts: how often the listing may begin again.
        backoff_s: waits between attempts at one page, in seconds.
        sleep: waits that many seconds.

    Raises:
        CognitoError: a fault that trying again does not mend, or did not mend.
    """
    begun = 0
    while True:
        try:
            return (yield from _once(pool, filter_, should_stop, on_retry, backoff_s, sleep))
        except TokenExpiredError as error:
            begun += 1
            if begun > restarts:
                raise
            if on_retry is not None:
                on_retry(error)


def _once(
    pool: UserPool,
    filter_: str | None,
    should_stop: Callable[[], bool],
    on_retry: Callable[[CognitoError], None] | None,
    backoff_s: tuple[float, ...],
    sleep: Callable[[float], object],
) -> Pages:
    token: str | None = None
    given: set[int] = set()
    while not should_stop():
        page = _page(pool, filter_, token, should_stop, on_retry, backoff_s, sleep)
        if page is None:
            return False
        if page.token is not None:
            mark = hash(page.token)  # the tokens of a million users would take 20 MB, their hashes one
            if mark in given:
                raise TokenExpiredError("a pagination token was given twice: the listing begins again", code=REPEATED)
            given.add(mark)
        yield page
        token = page.token
        if token is None:
            return True
    return False


def _page(
    pool: UserPool,
    filter_: str | None,
    token: str | None,
    should_stop: Callable[[], bool],
    on_retry: Callable[[CognitoError], None] | None,
    backoff_s: tuple[float, ...],
    sleep: Callable[[float], object],
) -> Page | None:
    """One page, asked for again after passing faults; None when asked to stop meanwhile."""
    for wait_s in (*backoff_s, None):
        try:
            return pool.list_users(filter_=filter_, token=token)
        except (UnavailableError, ThrottledError) as error:
            if wait_s is None:
                raise
            if on_retry is not None:
                on_retry(error)
            asked_s = error.retry_after_s if isinstance(error, ThrottledError) else None
            sleep(max(wait_s, min(asked_s or 0.0, RETRY_AFTER_MAX_S)))
            if should_stop():
                return None
    return None
