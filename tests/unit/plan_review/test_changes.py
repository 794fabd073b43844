"""What the review says about what changes: counts, fields, reasons, and the verdict that a tired reader sees first."""

from __future__ import annotations

from typing import Any

import pytest

from plan_review.plan.diff import field_changes
from plan_review.plan.model import Action
from plan_review.render.text import render
from plan_review.sentences import change_notes
from plan_review.verdict import verdict
from tests.unit.plan_review.support import allow, kept, load, plan, policy, resource, review


def test_the_verdict_of_a_first_creation_says_all_that_matters() -> None:
    assert verdict(review(load("create.json"))) == (
        "Creates 19, changes 0, replaces 0, destroys 0.",
        "Gives 7 new rights (3 identities), 2 to look at twice.",
        "Nothing is open to the internet.",
        "1 secret in plaintext in the plan.",
        "About $15 a month.",
    )


def test_the_verdict_of_a_dangerous_change_warns_in_its_first_lines() -> None:
    lines = render(review(load("change.json"))).splitlines()
    assert lines[1] == "Creates 11, changes 7, replaces 2, destroys 4, forgets 1, moves 1, imports 1."
    assert lines[2] == "Data at risk in 2 stores."
    assert "2 things open to the internet, 2 of them new." in lines[:7]


def test_an_empty_plan_is_told_as_one() -> None:
    assert verdict(review(plan())) == (
        "Creates 0, changes 0, replaces 0, destroys 0.",
        "Gives no new rights.",
        "Nothing is open to the internet.",
        "No secret in the plan.",
        "About $0 a month.",
    )


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (["create"], Action.CREATE),
        (["update"], Action.UPDATE),
        (["delete"], Action.DELETE),
        (["delete", "create"], Action.REPLACE),
        (["create", "delete"], Action.REPLACE),
        (["create", "forget"], Action.REPLACE),
        (["forget"], Action.FORGET),
        (["open", "dance"], Action.OTHER),
    ],
)
def test_every_action_of_the_format_is_counted(actions: list[str], expected: Action) -> None:
    found = review(plan(resource("aws_sqs_queue.q", actions, before={"name": "q"}, after={"name": "q"})))
    assert found.counts == {expected: 1}


def test_an_action_that_is_not_known_is_told_and_not_dropped() -> None:
    found = review(plan(resource("aws_sqs_queue.q", ["transmogrify"], before={"name": "q"}, after={"name": "q"})))
    assert "does something unknown to 1" in verdict(found)[0]
    assert "Terraform calls it transmogrify" in render(found)


def test_a_replacement_says_which_field_forces_it_and_what_comes_first() -> None:
    found = review(
        plan(
            resource(
                "aws_dynamodb_table.t",
                ["create", "delete"],
                before={"hash_key": "a", "name": "t"},
                after={"hash_key": "b", "name": "t"},
                replace=[["hash_key"]],
            )
        )
    )
    (change,) = found.changes
    assert change_notes(change) == ["forced by hash_key; the new one first"]
    (field,) = field_changes(change)
    assert (field.path, field.old, field.new, field.forces_replacement) == ("hash_key", '"a"', '"b"', True)


def test_a_tainted_resource_says_why_it_is_replaced() -> None:
    found = review(
        plan(
            resource(
                "aws_sqs_queue.q",
                ["delete", "create"],
                before={"name": "q"},
                after={"name": "q"},
                action_reason="replace_because_tainted",
            )
        )
    )
    assert "tainted" in change_notes(found.changes[0])[0]


def test_old_and_new_are_told_field_by_field() -> None:
    before = {
        "a": 1,
        "same": "x",
        "list": ["p", "q"],
        "block": [{"name": "n", "v": 1}],
        "gone": "g",
        "tags_all": {"a": "b"},
    }
    after = {"a": 2, "same": "x", "list": ["q", "p"], "block": [{"name": "n", "v": 2}], "gone": None, "tags_all": {}}
    found = review(plan(resource("aws_x.y", "update", before=before, after=after, unknown={"computed": True})))
    assert [(f.path, f.old, f.new) for f in field_changes(found.changes[0])] == [
        ("a", "1", "2"),
        ("block[n].v", "1", "2"),
        ("computed", None, "(known after apply)"),
        ("gone", '"g"', None),
        ("list", '["p", "q"]', '["q", "p"]'),
    ]


def test_json_inside_of_a_text_is_compared_as_json() -> None:
    before = {"container_definitions": '[{"name":"a","image":"x:1","cpu":0}]'}
    after = {"container_definitions": '[ {"cpu": 0, "image": "x:2", "name": "a"} ]'}
    found = review(plan(resource("aws_ecs_task_definition.t", "update", before=before, after=after)))
    assert [(f.path, f.old, f.new) for f in field_changes(found.changes[0])] == [
        ("container_definitions[a].image", '"x:1"', '"x:2"')
    ]


def test_an_unknown_value_names_what_it_will_come_from() -> None:
    found = review(
        plan(
            resource("aws_ecs_service.s", "update", before={"cluster": "old"}, after={}, unknown={"cluster": True}),
            expressions={
                "aws_ecs_service.s": {"cluster": {"references": ["aws_ecs_cluster.c.id", "aws_ecs_cluster.c"]}}
            },
        )
    )
    assert field_changes(found.changes[0])[0].new == "aws_ecs_cluster.c.id (after apply)"


def test_moves_and_imports_are_told_even_when_nothing_else_changes() -> None:
    found = review(
        plan(
            kept("aws_sqs_queue.new", {"name": "q"}, previous_address="aws_sqs_queue.old"),
            kept("aws_sqs_queue.taken", {"name": "t"}, importing={"id": "https://queue"}),
            kept("aws_sqs_queue.quiet", {"name": "x"}),
        )
    )
    assert [c.address for c in found.changes] == ["aws_sqs_queue.new", "aws_sqs_queue.taken"]
    assert "moved from aws_sqs_queue.old" in render(found)
    assert "imported from https://queue" in render(found)


def test_modules_count_and_for_each_keep_their_addresses() -> None:
    text = render(review(load("change.json")))
    assert '+ create module.alarms["back,up"].aws_cloudwatch_metric_alarm.this[1]' in text
    assert 'aws_cloudwatch_metric_alarm.quiet["undelivered"]  (its key is no longer in for_each)' in text


def test_references_are_followed_through_modules() -> None:
    found = review(load("change.json"))
    (alarm,) = [c for c in found.changes if c.address == 'module.alarms["users"].aws_cloudwatch_metric_alarm.this[0]']
    assert found.plans[0].references.addresses(alarm.address, "alarm_actions") == ("aws_sns_topic.alarms",)


def test_what_is_left_to_a_later_run_is_told_with_its_reason() -> None:
    deferred = {"reason": "instance_count_unknown", "resource_change": resource("aws_sqs_queue.q", after={"name": "q"})}
    found = review(plan(deferred_changes=[deferred], complete=False))
    assert verdict(found)[0].startswith("The plan is NOT COMPLETE")
    assert "leaves for later 1" in verdict(found)[1]
    assert "instance count unknown" in render(found)


def test_drift_is_told_apart_from_what_the_plan_does() -> None:
    drift = resource("aws_sqs_queue.q", "update", before={"delay_seconds": 0}, after={"delay_seconds": 9})
    relevant = [{"resource": "aws_sqs_queue.q", "attribute": ["delay_seconds"]}]
    found = review(plan(resource_drift=[drift], relevant_attributes=relevant))
    assert found.changes == ()
    assert "CHANGED OUTSIDE OF TERRAFORM" in render(found)
    assert "delay_seconds: 0 -> 9" in render(found)


@pytest.mark.parametrize(
    ("relevant", "shown"),
    [
        ([], False),
        ([{"resource": "aws_sqs_queue.q", "attribute": ["name"]}], False),
        ([{"resource": "aws_sqs_queue.other", "attribute": ["a"]}], False),
        ([{"resource": "aws_sqs_queue.q", "attribute": ["a"]}], True),
        ([{"resource": "aws_sqs_queue.q", "attribute": ["a", 0, "b", "c"]}], True),
        ([{"resource": "aws_sqs_queue.q", "attribute": []}], True),
    ],
)
def test_drift_that_nothing_depends_on_is_only_counted(relevant: list[dict[str, Any]], shown: bool) -> None:
    drift = resource("aws_sqs_queue.q[0]", "update", before={"a": [{"b": 1}]}, after={"a": [{"b": 2}]})
    found = review(plan(resource_drift=[drift], relevant_attributes=relevant))
    assert (len(found.drift), found.other_drift) == ((1, 0) if shown else (0, 1))


def test_a_terraform_that_names_no_relevant_attributes_shows_all_drift() -> None:
    drift = resource("aws_sqs_queue.q", "update", before={"a": 1}, after={"a": 2})
    assert len(review({**plan(resource_drift=[drift]), "format_version": "1.0"}).drift) == 1


def test_an_order_that_says_nothing_is_no_difference() -> None:
    before, after = (policy(allow(actions, "*")) for actions in (["a:B", "a:C"], ["a:C", "a:B"]))
    item = resource("aws_iam_policy.p", "update", before={"policy": before, "x": 1}, after={"policy": after, "x": 2})
    assert [f.path for f in field_changes(review(plan(item)).changes[0])] == ["x"]


def test_members_that_only_change_places_are_told_by_their_names() -> None:
    before, after = ([{"name": name, "v": 1} for name in names] for names in ("ab", "ba"))
    item = resource("aws_x.y", "update", before={"m": before}, after={"m": after})
    (field,) = field_changes(review(plan(item)).changes[0])
    assert (field.path, field.old, field.new) == ("m (order)", '["a", "b"]', '["b", "a"]')


def test_an_object_left_by_an_earlier_run_is_told() -> None:
    found = review(plan(resource("aws_sqs_queue.q", "delete", before={"name": "q"}, deposed="a1b2c3d4")))
    assert "an earlier run left behind" in render(found)


def test_data_sources_and_unchanged_resources_are_no_changes() -> None:
    found = review(
        plan(
            resource("data.aws_iam_policy_document.d", "read", after={}, mode="data"),
            kept("aws_sqs_queue.q", {"name": "q"}),
        )
    )
    assert found.changes == ()


def test_a_plan_that_failed_half_way_says_so_first() -> None:
    assert "FAILED" in verdict(review(plan(errored=True)))[0]


def test_several_plans_are_reviewed_as_one_and_told_apart() -> None:
    one = plan(resource("aws_sqs_queue.q", after={"name": "q"}))
    found = review(one, one)
    assert verdict(found)[0].startswith("Creates 2,")
    assert "+ create plan0: aws_sqs_queue.q" in render(found)
    assert "+ create plan1: aws_sqs_queue.q" in render(found)


def test_data_at_risk_names_what_is_lost_and_what_softens_it() -> None:
    found = review(load("change.json"))
    assert [(r.address, r.note) for r in found.risks] == [
        ("aws_dynamodb_table.state", "deletion protection is on: the apply will be refused"),
        ("aws_sqs_queue.dead", "can't be undone"),
    ]


@pytest.mark.parametrize(
    ("kind", "before", "note"),
    [
        ("aws_s3_bucket", {"bucket": "b"}, "refused while the bucket has objects"),
        ("aws_s3_bucket", {"bucket": "b", "force_destroy": True}, "can't be undone"),
        ("aws_kms_key", {"deletion_window_in_days": 30}, "can be cancelled for 30 days"),
        ("aws_secretsmanager_secret", {"recovery_window_in_days": 7}, "can be restored for 7 days"),
        ("aws_secretsmanager_secret", {"recovery_window_in_days": 0}, "can't be undone"),
        ("aws_db_instance", {"skip_final_snapshot": False}, "a final snapshot is made"),
        (
            "aws_dynamodb_table",
            {"point_in_time_recovery": [{"enabled": True}]},
            "AWS keeps a system backup for 35 days",
        ),
    ],
)
def test_each_kind_of_store_says_how_final_its_destruction_is(kind: str, before: dict[str, object], note: str) -> None:
    (risk,) = review(plan(resource(f"{kind}.x", "delete", before=before))).risks
    assert risk.note == note


def test_a_forgotten_store_is_no_data_at_risk() -> None:
    found = review(plan(resource("aws_kms_key.k", "forget", before={"description": "x"})))
    assert found.risks == ()
    assert "forgets 1" in verdict(found)[0]


def test_commands_that_run_where_the_plan_is_applied_are_told_without_their_arguments() -> None:
    item = plan(resource("terraform_data.key", after={}))
    command = {"constant_value": "python3 -m iam mint --user-name ${aws_iam_user.u.name} --password hunter2"}
    item["configuration"]["root_module"]["resources"] = [
        {"address": "terraform_data.key", "provisioners": [{"type": "local-exec", "expressions": {"command": command}}]}
    ]
    text = render(review(item))
    assert "terraform_data.key: runs a command where the plan is applied (local-exec: python3 -m iam …)" in text
    assert "hunter2" not in text
