"""docs/delivery.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapter.delivery import BackoffPolicy, Breaker, RetryPolicy
from adapter.http1 import IDLE_MAX_S
from adapter.sinks.answer import read_answer
from adapter.sinks.base import Failed
from adapter.variables import VARIABLES

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
    (listed,) = re.findall(r"blames the content \(([\d, ]+)\)", TEXT)
    answers = {status: read_answer(status, retry_after=None, now_s=0) for status in range(300, 600)}
    shared = {status for status, answer in answers.items() if isinstance(answer, Failed) and answer.shared}
    assert {int(code) for code in listed.split(",")} == shared


@pytest.mark.parametrize(("label", "policy"), [("`exponential`", "exponential"), ("`linear`", "linear")])
def test_the_waits_are_those_of_the_code(label: str, policy: str) -> None:
    documented = [float(number) for number in row(label).rsplit("|", 2)[1].split(",")]
    retry = RetryPolicy(retry=4, backoff_policy=BackoffPolicy(policy), backoff_delay_s=0.2)
    assert [retry.delay(attempt) for attempt in range(4)] == pytest.approx(documented)


def test_the_probes_are_those_of_the_code() -> None:
    (listed,) = re.findall(r"probes after ([\d,\s]+), \.\.\. seconds", TEXT)
    breaker, now, waits = Breaker(), 0.0, []
    users = 0
    while not breaker.open:
        users += 1
        breaker.failed(str(users), now)
    for _ in range(7):
        wait_s = breaker.wait_s(now)
        assert wait_s is not None
        waits.append(wait_s)
        now += wait_s
        breaker.probe()
        breaker.failed("1", now, probe=True)
    assert [float(number) for number in listed.split(",")] == waits
    assert users == 5
    assert "failures of requests for five different users" in TEXT


def test_every_variable_that_is_named_exists() -> None:
    known = {variable.name for variable in VARIABLES} | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
    named = set(re.findall(r"`((?:[A-Z]+_)+[A-Z]+)`", TEXT))
    assert named <= known
    assert f"after {IDLE_MAX_S:.0f} idle seconds" in TEXT
