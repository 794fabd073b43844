"""The faults that the fake server can be told to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "throttle",  # 400 TooManyRequestsException; `seconds` goes into Retry-After
    "error",  # 400 (`status` if given, 500 for the default code) with the service's error `code` and `message`
    "status",  # `status` with an empty body
    "html",  # `status` (503) with an HTML page, as a proxy sends it
    "reset",  # the connection is reset before any byte
    "close",  # the connection is closed before any byte
    "truncate",  # Content-Length of the whole answer, then half of it, then the connection is closed
    "cut",  # half of the JSON, with a Content-Length that agrees
    "malformed",  # 200 with `body`
    "hang",  # no answer for `seconds`, then the connection is closed
    "slow",  # the right answer after `seconds`
    "repeat_token",  # the right users, with the token that the request came with (the first page: with its own token)
    "expire_token",  # InvalidParameterException if the request has a token, else the right answer
    "empty_page",  # no users and a token that leads to them
    "short_page",  # one user and a token that leads on
    "no_users",  # 200 with {}
]


@dataclass(slots=True, kw_only=True)
class CognitoFault:
    """One fault: it passes over `after` requests, then shows `times` times (-1: for good)."""

    kind: Kind
    times: int = 1
    after: int = 0
    #: Only requests with a token / with a filter; None: both.
    with_token: bool | None = None
    with_filter: bool | None = None
    status: int = 0
    code: str = "InternalErrorException"
    message: str = "synthetic"
    body: str = "{"
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"unknown fault {self.kind!r}; expected one of {', '.join(get_args(Kind))}")

    def strikes(self, *, token: bool, filtered: bool) -> bool:
        """Whether this request is hit; counts it."""
        if self.with_token not in {None, token} or self.with_filter not in {None, filtered} or self.times == 0:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times > 0:
            self.times -= 1
        return True
