"""What an HTTP answer means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.sinks.base import Delivered, Failed
from adapter.sinks.outcomes import parse_retry_after, read_answer

NOW_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_a_delivery(status: int) -> None:
    assert read_answer(status, retry_after=None, now_s=NOW_S) == Delivered(code=str(status))


@pytest.mark.parametrize("status", [404, 408, 409, 429, 500, 502, 503, 504, 599])
def test_what_knative_retries_is_retryable(status: int) -> None:
    outcome = read_answer(status, retry_after=None, now_s=NOW_S)
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == (str(status), True)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 405, 410, 413, 415, 422, 451])
def test_what_knative_does_not_retry_is_final(status: int) -> None:
    outcome = read_answer(status, retry_after=None, now_s=NOW_S)
    assert isinstance(outcome, Failed)
    assert not outcome.retryable


def test_a_redirect_is_refused_and_says_how_to_mend_it() -> None:
    outcome = read_answer(308, retry_after=None, now_s=NOW_S)
    assert isinstance(outcome, Failed)
    assert outcome.reason == (
        "the sink answered 308 Permanent Redirect; redirects are not followed: set the sink to the final address"
    )


def test_the_body_is_kept_for_dead_letters_but_never_shown() -> None:
    outcome = read_answer(400, retry_after=None, now_s=NOW_S, body=b"canary" * 1000)
    assert isinstance(outcome, Failed)
    assert len(outcome.body) == 1024
    assert "canary" not in outcome.reason + repr(outcome)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30),
        ("Thu, 01 Jan 2026 01:00:30 +0100", 30),
        ("Thu, 01 Jan 2026 00:00:30 -0000", 30),
        ("Thursday, 01-Jan-26 00:00:30 GMT", 30),
        ("Wed, 31 Dec 2025 23:59:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Thu, 99 Jan 2026 00:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW_S) == seconds


@given(st.text(max_size=40))
def test_no_retry_after_makes_the_parser_crash(value: str) -> None:
    seconds = parse_retry_after(value, NOW_S)
    assert seconds is None or seconds >= 0
