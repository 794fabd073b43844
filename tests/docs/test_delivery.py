"""docs/delivery.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapter.config.variables import VARIABLES
from adapter.delivery import BackoffPolicy, CircuitBreaker, RetryPolicy
from adapter.delivery.verdict import OUTAGE_STATUSES, REFUSAL_STATUSES
from adapter.net.curl_handle import IDLE_MAX_S
from adapter.pipeline.service import ONCE_PATIENCE_S
from adapter.sinks.base import Failed
from adapter.sinks.outcomes import read_answer

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "delivery.md").read_text("utf-8")


def row(label: str) -> str:
    """The table row that begins with this cell."""
    (found,) = re.findall(rf"^\| {re.escape(label)}.*$", TEXT, re.MULTILINE)
    return str(found)


def test_the_retryable_statuses_are_those_of_the_code() -> None:
    documented = {int(code) for code in re.findall(r"\b4\d\d\b", row("retryable answer"))}
    answers = {status: read_answer(status, retry_after=None, now_s=0) for status in range(300, 600)}
    retryable = {status for status, answer in answers.items() if isinstance(answer, Failed) and answer.retryable}
    assert retryable == documented | set(range(500, 600))


def test_the_statuses_that_split_a_batch_are_those_of_the_code() -> None:
    (listed,) = re.findall(r"any 4xx or 5xx but ([\d,\sand]+)\)", TEXT)
    answers = {status: read_answer(status, retry_after=None, now_s=0) for status in range(300, 600)}
    shared = {status for status, answer in answers.items() if isinstance(answer, Failed) and answer.shared}
    assert {int(code) for code in re.findall(r"\d+", listed)} == set(range(400, 600)) - shared


def test_the_signs_of_an_outage_are_those_of_the_code() -> None:
    assert set(re.findall(r"\b\d{3}\b", row("sign of an outage"))) == OUTAGE_STATUSES
    assert set(re.findall(r"\b\d{3}\b", row("refused"))) == REFUSAL_STATUSES


@pytest.mark.parametrize(("label", "policy"), [("`exponential`", "exponential"), ("`linear`", "linear")])
def test_the_waits_are_those_of_the_code(label: str, policy: str) -> None:
    documented = [float(number) for number in row(label).rsplit("|", 2)[1].split(",")]
    retry = RetryPolicy(retry=4, backoff_policy=BackoffPolicy(policy), backoff_delay_s=0.2)
    assert [retry.delay(attempt) for attempt in range(4)] == pytest.approx(documented)


def test_the_numbers_of_the_circuit_breaker_are_those_of_the_code() -> None:
    breaker = CircuitBreaker()
    assert f"- {breaker.signs} signs of an outage in a row" in TEXT
    assert f"- failures of {breaker.users} users" in TEXT
    assert f"After {breaker.asked:,} such users" in TEXT
    assert f"one every {breaker.probe_s} seconds" in TEXT
    assert f"({RetryPolicy().timeout_s / 7:.1f} seconds apart by default)" in TEXT
    assert f"give up after {ONCE_PATIENCE_S:.0f} seconds" in TEXT


def test_every_variable_that_is_named_exists() -> None:
    known = {variable.name for variable in VARIABLES} | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
    named = set(re.findall(r"`((?:[A-Z]+_)+[A-Z]+)`", TEXT))
    assert named <= known
    assert f"after {IDLE_MAX_S:.0f} idle seconds" in TEXT
