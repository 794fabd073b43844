"""Every part of a plan's file that says what is or will be counts: also what isn't in the list of changes."""

from __future__ import annotations

from typing import Any

import pytest

from plan_review.render.text import render
from plan_review.report import Review
from plan_review.verdict import verdict
from tests.unit.plan_review.support import allow, gate, kept, plan, policy, resource, review

CANARY = "canary-5e0f"


def state(*objects: dict[str, Any], outputs: dict[str, Any] | None = None) -> dict[str, Any]:
    """Values as `prior_state` and `planned_values` hold them, the objects in a module."""
    return {"outputs": outputs or {}, "root_module": {"child_modules": [{"resources": list(objects)}]}}


def thing(address: str, values: Any, sensitive: Any = None, **more: Any) -> dict[str, Any]:
    kind, _, name = address.removeprefix("data.").partition(".")
    mode = "data" if address.startswith("data.") else "managed"
    return {
        "address": address,
        "type": kind,
        "name": name,
        "mode": mode,
        "values": values,
        "sensitive_values": sensitive or {},
        **more,
    }


def where(found: Review) -> list[str]:
    return [f"{p.address} {p.path}" for p in found.leaks]


def test_a_secret_of_the_state_before_is_in_the_file() -> None:
    prior = {"values": state(thing("data.aws_x.y", {"secret_string": CANARY}, {"secret_string": True}))}
    found = review(plan(prior_state=prior))
    assert where(found) == ["data.aws_x.y secret_string"]
    assert CANARY not in render(found)


def test_what_the_state_and_the_planned_values_repeat_is_told_once() -> None:
    value = {"password": CANARY}
    repeated = state(thing("aws_x.y", value))
    found = review(plan(kept("aws_x.y", value), prior_state={"values": repeated}, planned_values=repeated))
    assert where(found) == ["aws_x.y password"]


def test_another_value_in_the_planned_values_is_searched_too() -> None:
    planned = state(thing("aws_x.y", {"a": 1, "api_key": CANARY}))
    found = review(plan(kept("aws_x.y", {"a": 1}), planned_values=planned))
    assert where(found) == ["aws_x.y api_key"]


def test_outputs_of_the_state_and_of_the_planned_values_are_searched() -> None:
    outputs = {"o": {"sensitive": True, "value": CANARY}}
    for part in ({"prior_state": {"values": state(outputs=outputs)}}, {"planned_values": state(outputs=outputs)}):
        assert where(review(plan(**part))) == ["output.o value"]


def test_an_unchanged_output_that_is_sensitive_counts() -> None:
    change = {"actions": ["no-op"], "before": CANARY, "after": CANARY, "before_sensitive": True}
    found = review(plan(output_changes={"o": {**change, "after_sensitive": True}}))
    assert where(found) == ["output.o value"]


def test_an_object_that_a_targeted_plan_leaves_out_is_still_there() -> None:
    """`-target` lists only what it changes; the state has the rest."""
    value = {"role": "r", "name": "p", "policy": policy(allow("s3:*"))}
    more = resource("aws_iam_role_policy.more", after={**value, "name": "q"})
    assert not gate(review(plan(more)), "no-iam-widening").passed
    there = {"values": state(thing("aws_iam_role_policy.p", value))}
    assert gate(review(plan(more, prior_state=there)), "no-iam-widening").passed


def test_an_object_that_only_the_planned_values_name_is_created() -> None:
    value = {"role": "r", "name": "p", "policy": policy(allow("s3:*"))}
    found = review({**plan(planned_values=state(thing("aws_iam_role_policy.p", value))), "resource_changes": None})
    assert [c.address for c in found.changes] == ["aws_iam_role_policy.p"]
    assert not gate(found, "no-iam-widening").passed


def test_a_policy_of_a_document_that_was_read_already_is_found() -> None:
    statement = {"effect": "Allow", "actions": ["s3:GetObject"], "resources": ["*"]}
    prior = {"values": state(thing("data.aws_iam_policy_document.d", {"statement": [statement]}))}
    refers = {"references": ["data.aws_iam_policy_document.d.json", "data.aws_iam_policy_document.d"]}
    added = resource("aws_iam_role_policy.p", after={"role": "r"}, unknown={"policy": True})
    found = review(plan(added, prior_state=prior, expressions={"aws_iam_role_policy.p": {"policy": refers}}))
    assert [g.statement.actions for g in found.grants] == [("s3:GetObject",)]


def action(address: str = "action.aws_lambda_invoke.wipe", **more: Any) -> dict[str, Any]:
    return {"address": address, "type": "aws_lambda_invoke", "name": "wipe", "config_values": {"a": "b"}, **more}


@pytest.mark.parametrize("rule", ["no-destroy", "only=aws_sqs_*"])
def test_an_action_breaks_the_gates_that_depend_on_what_happens(rule: str) -> None:
    trigger = {"triggering_resource_address": "aws_sqs_queue.q", "action_trigger_event": "AfterCreate"}
    for part in (
        {"action_invocations": [action(lifecycle_action_trigger=trigger)]},
        {"deferred_action_invocations": [{"reason": "provider_config_unknown", "action_invocation": action()}]},
    ):
        found = review(plan(**part))
        assert not gate(found, rule).passed
        assert "Invokes 1 action" in verdict(found)[0]


def test_an_action_that_only_names_passes() -> None:
    assert gate(review(plan(action_invocations=[action()])), "only=action.aws_lambda_invoke.*").passed


def test_what_an_action_is_called_with_is_searched_for_secrets_and_hidden() -> None:
    values = {"payload": CANARY, "token": CANARY}
    found = review(plan(action_invocations=[action(config_values=values, config_sensitive={"payload": True})]))
    assert where(found) == ["action.aws_lambda_invoke.wipe payload", "action.aws_lambda_invoke.wipe token"]
    assert CANARY not in render(found)


@pytest.mark.parametrize(("status", "told"), [("fail", True), ("error", True), ("pass", False), ("unknown", False)])
def test_a_check_that_does_not_hold_is_told(status: str, told: bool) -> None:
    instance = {"status": status, "problems": [{"message": "2 days left"}]}
    check = {"address": {"to_display": "check.health"}, "status": status, "instances": [instance]}
    found = review(plan(checks=[check]))
    assert ("check.health: " in render(found)) is told
    assert ("1 check FAILED." in verdict(found)) is told


def test_what_a_check_says_is_searched_for_secrets() -> None:
    instance = {"status": "fail", "problems": [{"message": f"can't reach postgres://app:{CANARY}@db"}]}
    check = {"address": {"to_display": "check.db"}, "status": "fail", "instances": [instance]}
    text = render(review(plan(checks=[check])))
    assert CANARY not in text
    assert "check.db: fail: (hidden: looks like a URL with a password)" in text


def test_a_plan_that_can_not_be_applied_says_so_unless_it_changes_nothing() -> None:
    changing = plan(resource("aws_sqs_queue.q", after={"name": "q"}), applyable=False)
    assert "CAN'T BE APPLIED" in verdict(review(changing))[0]
    assert "CAN'T BE APPLIED" not in verdict(review(plan(kept("aws_sqs_queue.q", {}), applyable=False)))[0]


def test_an_identity_of_an_import_is_named() -> None:
    importing = {"identity": {"account_id": "1", "name": "q", "password": CANARY}}
    found = review(plan(resource("aws_sqs_queue.q", "no-op", before={}, after={}, importing=importing)))
    assert found.changes[0].importing.startswith("account_id 1, name q, password (hidden")
