"""Texts, patterns and references that nearly fit take no longer than others: a search that tries everything would
never end on them. The searches run in a process that is killed when it does."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

import pytest

from plan_review.findings.policies import Statement, Statements
from plan_review.plan.leaks import suspicion
from tests.unit.plan_review.support import allow, gate, plan, policy, resource, review

#: Seconds after which a search counts as endless; each takes less than one, and without bounds hours.
ENDLESS_S = 60
TEXTS = {
    "words": "key = " + "a_" * 90_000,
    "dots": "://x@y key= " + "a." * 90_000,
    "addresses": "x " + "http://a.b/c " * 60_000,
    "users": "://x@ " + "a://b:c" * 30_000,
    "mysql": "token -p " + "mysql " * 30_000,
    "curl": "token -u " + "curl -u " * 20_000,
    "logins": "token -p " + "docker login " * 15_000,
    "tokens": "eyJaaaaaaaaaa-" * 20_000,
}


def _ends(work: Callable[[], object]) -> bool:
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(ENDLESS_S)
    ended = process.exitcode == 0
    process.kill()
    process.join()
    return ended


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_that_nearly_holds_a_secret(text: str) -> None:
    assert _ends(lambda: suspicion(text, "user_data"))


def test_a_path_that_nearly_is_one() -> None:
    assert _ends(lambda: suspicion("/" + "a" * 100_000 + "!", "password"))


def test_a_pattern_of_many_wildcards() -> None:
    wide = Statement(actions=("s3:*",), resources=("arn:aws:s3:::" + "*a" * 30 + "b",))
    narrow = Statement(actions=("s3:GetObject",), resources=("arn:aws:s3:::" + "a" * 300,))
    assert _ends(lambda: Statements([wide]).covers(narrow))


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ("a*b*c", "a1b2c", True),
        ("a*b*c", "a1c2b", False),
        ("*b*", "abc", True),
        ("a**c", "ac", True),
        ("a?c", "a*c", False),
        ("a*bc", "abcbc", True),
        ("*ab*ab", "ab", False),
        ("a.c", "abc", False),
    ],
)
def test_wildcards_mean_what_they_mean_in_iam(wide: str, narrow: str, *, covered: bool) -> None:
    statements = Statements([Statement(actions=("s3:*",), resources=(wide,))])
    assert statements.covers(Statement(actions=("s3:GetObject",), resources=(narrow,))) is covered


def _fan(depth: int) -> dict[str, Any]:
    """Modules inside of modules, each of which hands two variables on in both of its own."""
    both = {"references": ["var.a", "var.b"]}
    inner: dict[str, Any] = {"resources": [{"address": "aws_iam_role_policy.p", "expressions": {"policy": both}}]}
    for _ in range(depth):
        inner = {"module_calls": {"x": {"module": inner, "expressions": {"a": both, "b": both}}}}
    address = "module.x." * depth + "aws_iam_role_policy.p"
    change = resource(address, after={"role": "app"}, unknown={"policy": True}, type="aws_iam_role_policy", name="p")
    return {**plan(change), "configuration": {"root_module": inner}}


def test_variables_that_fan_out_in_every_module() -> None:
    assert _ends(lambda: review(_fan(19)))
    assert not gate(review(_fan(3)), "no-iam-widening").passed


def test_a_variable_that_leads_to_one_document_twice_is_that_document() -> None:
    name = "data.aws_iam_policy_document.d"
    of_document = {"references": [f"{name}.json", name]}
    item = _fan(1)
    item["configuration"]["root_module"]["module_calls"]["x"]["expressions"] = {"a": of_document, "b": of_document}
    statement = {"actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::b/*"], "effect": "Allow"}
    item["resource_changes"].append(resource(name, "read", mode="data", after={"statement": [statement]}))
    (grant,) = review(item).grants
    assert grant.statement.actions == ("s3:GetObject",)


def test_a_password_still_is_found_at_the_end_of_a_long_text() -> None:
    assert suspicion("echo start; " * 2_000 + "export DB_PASSWORD=hunter2hunter2", "user_data")
    assert suspicion(policy(allow("*")) + " postgres://app:s3cr3tpass@db.example/x", "user_data")
