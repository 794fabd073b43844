"""Durations and the retry schedule."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.config.durations import DurationError, parse_duration
from adapter.delivery.retry import MAX_WAIT_S, BackoffPolicy, RetryPolicy


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT0.2S", 0.2),
        ("PT0S", 0),
        ("PT30S", 30),
        ("PT1M30S", 90),
        ("PT1.5H", 5400),
        ("PT0,5M", 30),
        ("P1D", 86_400),
        ("P1DT12H", 129_600),
        ("P2W", 1_209_600),
        ("PT36H", 129_600),
    ],
)
def test_a_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "P", "PT", "P1DT", "30", "30s", "PT30", "pt30s", "-PT30S", "PT-30S", "PT30S ", "PT30S\n", "P1Y", "P1M"),
        *("PT1.5M30S", "PT.5S", "PT5.S", "PT1S1M", "P1W1D", "P1WT1S", "PTinfS", "PT1e3S", "PT٣S", "PT1M1M"),
    ],
)
def test_anything_else_is_no_duration_and_the_message_quotes_it(text: str) -> None:
    with pytest.raises(DurationError) as caught:
        parse_duration(text)
    assert repr(text) in str(caught.value)
    assert "PT30S" in str(caught.value)


@given(st.text(alphabet="PTWDHMSY0123456789.,-+ e", max_size=12))
def test_no_text_makes_the_parser_crash(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except DurationError:
        return
    assert math.isfinite(seconds)
    assert seconds >= 0


@pytest.mark.parametrize(
    ("policy", "series"),
    [
        (BackoffPolicy.EXPONENTIAL, [0.2, 0.4, 0.8, 1.6, 3.2, None, None]),
        (BackoffPolicy.LINEAR, [0.0, 0.2, 0.4, 0.6, 0.8, None, None]),
    ],
)
def test_the_waits_are_those_of_knative(policy: BackoffPolicy, series: list[float | None]) -> None:
    retry = RetryPolicy(retry=5, backoff_policy=policy, backoff_delay_s=0.2)
    assert [retry.delay(attempt) for attempt in range(7)] == pytest.approx(series)


def test_without_retries_the_first_failure_is_the_last() -> None:
    assert RetryPolicy(retry=0).delay(0) is None


@pytest.mark.parametrize(
    ("maximum", "asked", "expected"),
    [
        (None, 7, 7),
        (None, 0.1, 0.2),
        (None, 10_000, 300),
        (60, 7, 7),
        (60, 100, 60),
        (0, 100, 0.2),
        (60, None, 0.2),
    ],
)
def test_retry_after_is_honoured_up_to_its_maximum(maximum: float | None, asked: float | None, expected: float) -> None:
    assert RetryPolicy(backoff_delay_s=0.2, retry_after_max_s=maximum).delay(0, asked) == expected


def test_retry_after_does_not_add_attempts() -> None:
    assert RetryPolicy(retry=2).delay(2, 5.0) is None


@given(
    attempt=st.integers(0, 5000),
    delay_s=st.floats(0, 1e9),
    retry_after_s=st.none() | st.floats(0, 1e12),
    policy=st.sampled_from(BackoffPolicy),
)
def test_no_wait_is_negative_or_endless(
    attempt: int, delay_s: float, retry_after_s: float | None, policy: BackoffPolicy
) -> None:
    retry = RetryPolicy(retry=10_000, backoff_policy=policy, backoff_delay_s=delay_s)
    wait_s = retry.delay(attempt, retry_after_s)
    assert wait_s is not None
    assert 0 <= wait_s <= MAX_WAIT_S
