"""Secrets: none is ever shown, and those that a plan holds in plaintext are found."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from plan_review import run
from plan_review.plan.values import UNKNOWN, Hidden, hide, mask, show
from plan_review.report import Review
from tests.unit.plan_review.support import PLANS, gate, kept, plan, resource, review

CANARY = "canary-5e0f"


def everything(item: dict[str, Any]) -> str:
    """All formats of a plan's review, and the answers of all gates."""
    rules = ("no-destroy", "no-iam-widening", "no-public", "no-plaintext-secret", "only=nothing")
    done = run.run([run.Loaded("plan.json", json.dumps(item).encode())], rules)
    return "\n".join(done.render(style) for style in run.FORMATS) + repr(done)


def where(found: Review) -> list[str]:
    return [f"{p.address} {p.path}" for p in found.leaks]


def test_no_canary_of_a_plan_that_terraform_wrote_is_in_any_format() -> None:
    data = (PLANS / "change.json").read_bytes()
    assert data.count(b"canary-") > 10
    done = run.run([run.Loaded("change.json", data)], ("no-plaintext-secret", "no-iam-widening"))
    for style in run.FORMATS:
        assert "canary" not in done.render(style)
    assert "canary" not in repr(done)


@pytest.mark.parametrize(
    ("value", "sensitive"),
    [
        ({"a": CANARY}, {"a": True}),
        ({"a": {"b": [{"c": CANARY}]}}, {"a": {"b": [{"c": True}]}}),
        ({"a": {"b": [{"c": CANARY}]}}, {"a": {"b": True}}),
        ({"a": {"b": [{"c": CANARY}]}}, {"a": True}),
        ({"a": {"b": [{"c": CANARY}]}}, True),
        ({"a": [CANARY, "x"]}, {"a": [True, False]}),
        ({"a": [CANARY]}, {"a": True}),
        ({"a": {CANARY: "x"}}, {"a": True}),
        ({"a": json.dumps({"password": CANARY})}, {"a": True}),
        ({"a": CANARY}, {"a": {"unexpected": True}}),
        ({"a": [CANARY]}, {"a": {"unexpected": True}}),
        ({"a": {"k": CANARY}}, {"a": [True]}),
    ],
)
@pytest.mark.parametrize("actions", ["create", "update", "delete", "no-op", "forget"])
def test_a_sensitive_value_is_shown_nowhere(value: Any, sensitive: Any, actions: str) -> None:
    item = plan(
        resource("aws_x.y", actions, before=value, after=value, sensitive=sensitive, was_sensitive=sensitive),
        resource("aws_iam_role_policy.p", ["delete", "create"], before=value, after={}, was_sensitive=sensitive),
        resource_drift=[resource("aws_x.z", "update", before=value, after={}, was_sensitive=sensitive)],
        output_changes={
            "o": {
                "actions": ["create"],
                "before": None,
                "after": value,
                "after_sensitive": True,
                "before_sensitive": True,
            }
        },
    )
    assert CANARY not in everything(item)


def test_a_sensitive_value_in_an_unknown_structure_is_shown_nowhere() -> None:
    after = {"block": [{"known": CANARY, "other": None}, None]}
    unknown = {"block": [{"other": True}, True], "id": True}
    sensitive = {"block": [{"known": True, "other": True}]}
    assert CANARY not in everything(plan(resource("aws_x.y", after=after, unknown=unknown, sensitive=sensitive)))


def test_a_change_of_a_sensitive_value_is_told_without_the_value() -> None:
    item = plan(
        resource(
            "aws_db_instance.d",
            "update",
            before={"password": "old-" + CANARY},
            after={"password": "new-" + CANARY},
            sensitive={"password": True},
            was_sensitive={"password": True},
        )
    )
    text = everything(item)
    assert "password: (sensitive) -> (sensitive)" in text
    assert CANARY not in text


def test_hidden_values_are_equal_exactly_when_the_values_are() -> None:
    assert hide("a") == hide("a")
    assert hide("a") != hide("b")
    assert "a" not in repr(hide("aaaa")).removeprefix("Hidden(why='sensitive')")


def test_masking_lays_unknown_and_sensitive_over_the_value() -> None:
    made = mask({"a": 1, "b": [1, None]}, {"b": [False, True], "c": True}, {"a": True})
    assert isinstance(made, dict)
    assert isinstance(made["a"], Hidden)
    assert made["b"] == [1, UNKNOWN]
    assert show(made) == "{a: (sensitive), b: [1, (known after apply)], c: (known after apply)}"


def test_a_sensitive_value_that_the_plan_knows_is_a_secret_in_the_plan() -> None:
    found = review(
        plan(
            resource(
                "aws_secretsmanager_secret_version.v", after={"secret_string": "x"}, sensitive={"secret_string": True}
            )
        )
    )
    assert where(found) == ["aws_secretsmanager_secret_version.v secret_string"]
    assert not gate(found, "no-plaintext-secret").passed


def test_a_sensitive_value_that_only_comes_with_apply_is_none_but_stands_in_the_state() -> None:
    found = review(plan(resource("aws_iam_access_key.k", after={"user": "u"}, unknown={"secret": True, "id": True})))
    assert gate(found, "no-plaintext-secret").passed
    assert found.secrecy.in_state == (("aws_iam_access_key.k", "secret"),)


def test_a_write_only_secret_is_neither_in_the_plan_nor_in_the_state() -> None:
    found = review(
        plan(resource("aws_secretsmanager_secret_version.v", after={"secret_string": None, "secret_string_wo": None}))
    )
    assert found.secrecy.plain == ()
    assert found.secrecy.in_state == ()


def test_a_password_in_a_containers_environment_is_found_and_hidden() -> None:
    containers = [
        {"name": "app", "environment": [{"name": "DB_PASSWORD", "value": CANARY}, {"name": "A", "value": "b"}]}
    ]
    item = plan(resource("aws_ecs_task_definition.t", after={"container_definitions": json.dumps(containers)}))
    assert where(review(item)) == [
        "aws_ecs_task_definition.t container_definitions[app].environment[DB_PASSWORD].value"
    ]
    assert CANARY not in everything(item)


def test_a_random_key_in_an_environment_is_found_whatever_its_name() -> None:
    value = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY"
    item = plan(resource("aws_lambda_function.f", after={"environment": [{"variables": {"HARMLESS": value}}]}))
    assert where(review(item)) == ["aws_lambda_function.f environment[0].variables.HARMLESS"]
    assert value not in everything(item)


def test_a_secret_that_stays_in_an_unchanged_resource_is_found_too() -> None:
    found = review(plan(kept("aws_x.y", {"environment": {"TOKEN": CANARY}})))
    assert where(found) == ["aws_x.y environment.TOKEN"]


def test_a_secret_that_the_plan_removes_is_in_its_file_all_the_same() -> None:
    found = review(
        plan(resource("aws_x.y", "update", before={"api_key": CANARY}, after={"api_key": "arn:aws:secretsmanager:x"}))
    )
    assert [p.after for p in found.secrecy.plain] == [False]
    assert not gate(found, "no-plaintext-secret").passed


def test_values_of_sensitive_variables_are_in_the_plan_and_told() -> None:
    item = plan(variables={"pw": {"value": CANARY}, "region": {"value": "eu-central-1"}})
    item["configuration"]["root_module"]["variables"] = {"pw": {"sensitive": True}, "region": {}}
    assert where(review(item)) == ["input variable var.pw"]
    assert CANARY not in everything(item)


def test_literals_of_providers_and_provisioners_are_searched() -> None:
    item = plan()
    item["configuration"]["provider_config"] = {"aws": {"expressions": {"secret_key": {"constant_value": CANARY}}}}
    item["configuration"]["root_module"]["resources"] = [
        {
            "address": "terraform_data.t",
            "provisioners": [
                {"type": "local-exec", "expressions": {"command": {"constant_value": "curl https://u:pw@example.com"}}}
            ],
        }
    ]
    assert where(review(item)) == [
        "configuration provider.aws.secret_key",
        "configuration terraform_data.t.provisioner.command",
    ]
    assert CANARY not in everything(item)


def test_an_output_is_called_what_its_value_is_called() -> None:
    change = {"actions": ["create"], "before": None, "after": CANARY}
    found = review(plan(output_changes={"db_password": change, "url": {**change, "after": "https://example.com"}}))
    assert where(found) == ["output.db_password value"]


def test_a_literal_of_the_configuration_is_told_once() -> None:
    """A write-only attribute stands nowhere else; any other one in the object's values, too."""
    literal = {"constant_value": CANARY}
    item = plan(
        resource("aws_x.y", after={"password": CANARY, "block": [{"token": CANARY}]}),
        expressions={"aws_x.y": {"password": literal, "block": [{"token": literal}], "password_wo": literal}},
    )
    assert where(review(item)) == ["aws_x.y password", "aws_x.y block[0].token", "configuration aws_x.y.password_wo"]


@pytest.mark.parametrize("kind", ["a JSON text", "base64", "a zipped script", "a list in a JSON text"])
def test_a_secret_inside_of_a_text_is_found_and_hidden(kind: str) -> None:
    script = f"#!/bin/sh\nexport DB_PASSWORD={CANARY}\n"
    text = {
        "a JSON text": json.dumps({"env": json.dumps({"db": {"password": CANARY}})}),
        "base64": base64.b64encode(script.encode()).decode(),
        "a zipped script": base64.b64encode(gzip.compress(script.encode(), mtime=0)).decode(),
        "a list in a JSON text": json.dumps([{"name": "app", "environment": [{"name": "PW", "value": CANARY}]}]),
    }[kind]
    item = plan(resource("aws_x.y", after={"user_data": text}))
    assert len(where(review(item))) == 1
    shown = everything(item)
    assert CANARY not in shown
    assert text not in shown


def test_a_secret_as_the_name_of_a_value_is_hidden_with_all_around_it() -> None:
    token = "ghp_" + "a1B2" * 9
    item = plan(resource("aws_x.y", after={"map": {token: "ann", "other": "bob"}}))
    assert where(review(item)) == ["aws_x.y map.(a key)"]
    assert token not in everything(item)


def test_a_key_behind_the_end_of_a_line_is_found_in_the_bytes() -> None:
    """JSON writes the end of a line as a backslash and an n."""
    item = plan(resource("aws_x.y", after={"text": "line\nghp_" + "a1B2" * 9}))
    assert where(review(item)) == ["aws_x.y text"]


def test_a_key_of_an_instance_that_is_a_secret_is_shown_nowhere() -> None:
    tokens = ["ghp_" + letter * 36 for letter in "aB"]
    first, second = (f'aws_sqs_queue.q["{token}"]' for token in tokens)
    item = plan(
        resource(first, after={"name": "a"}, previous_address=second),
        kept(second, {"name": "b"}),
        resource_drift=[resource(first, "update", before={"name": "c"}, after={"name": "d"})],
        relevant_attributes=[{"resource": first, "attribute": ["name"]}],
        checks=[{"address": {"to_display": first}, "status": "fail"}],
        action_invocations=[
            {"address": "action.a.b", "lifecycle_action_trigger": {"triggering_resource_address": first}}
        ],
        expressions={"aws_sqs_queue.other": {"name": {"references": [f"{first}.name", first]}}},
    )
    item["resource_changes"].append(resource("aws_sqs_queue.other", after={}, unknown={"name": True}))
    found = review(item)
    shown = everything(item)
    assert not any(token in shown for token in tokens)
    assert len({c.address for c in found.plans[0].changes}) == 3
    assert not gate(found, "no-plaintext-secret").passed


def test_an_import_by_something_secret_is_not_told() -> None:
    token = "ghp_" + "a" * 36
    found = review(plan(resource("aws_sqs_queue.q", "no-op", before={}, after={}, importing={"id": token})))
    assert token not in found.changes[0].importing
