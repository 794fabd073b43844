"""Which object a reference means: instances of modules, keys that are written out, and what isn't an object at all."""

from __future__ import annotations

from typing import Any

import pytest

from plan_review.findings.grants import Standing
from plan_review.plan.addresses import Place, bare_address, place
from plan_review.plan.model import Phase
from plan_review.report import Review
from tests.unit.plan_review.support import allow, gate, kept, plan, policy, resource, review

TRUST = policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})


def refers(*texts: str) -> dict[str, Any]:
    return {"references": list(texts)}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("aws_x.y", Place((), "aws_x.y", "")),
        ('aws_x.y["a.b[0]"]', Place((), "aws_x.y", '["a.b[0]"]')),
        ("module.m.data.aws_x.y[0]", Place((("m", ""),), "data.aws_x.y", "[0]")),
        (
            'module.m["a.module.x."].module.n[1].aws_x.y',
            Place((("m", '["a.module.x."]'), ("n", "[1]")), "aws_x.y", ""),
        ),
        ("aws_x.y[*]", Place((), "aws_x.y", "[*]")),
    ],
)
def test_an_address_is_taken_apart(address: str, expected: Place) -> None:
    assert place(address) == expected
    assert "[" not in bare_address(address)


def found_by(expression: dict[str, Any], source: str, *addresses: str, **more: Any) -> list[str]:
    """Addresses of what the attribute `to` of an object leads to, in a plan that creates all."""
    item = plan(
        *(resource(address, after={"a": 1}) for address in (source, *addresses)),
        expressions={bare_address(source): {"to": expression}},
        **more,
    )
    made = review(item).plans[0]
    world = made.worlds[Phase.AFTER]
    (change,) = [c for c in made.changes if c.address == source]
    return [c.address for c in world.referred(change, "to")]


ROLES = ('aws_iam_role.r["a"]', 'aws_iam_role.r["b"]')


def test_a_reference_means_the_instance_with_ones_own_key() -> None:
    assert found_by(refers("aws_iam_role.r", "each.key"), 'aws_x.x["b"]', *ROLES) == ['aws_iam_role.r["b"]']


def test_a_key_that_is_written_out_wins() -> None:
    written = refers('aws_iam_role.r["a"].id', 'aws_iam_role.r["a"]', "aws_iam_role.r")
    assert found_by(written, 'aws_x.x["b"]', *ROLES) == ['aws_iam_role.r["a"]']


def test_a_key_that_is_written_out_and_not_there_means_nothing() -> None:
    assert found_by(refers('aws_iam_role.r["c"].id'), "aws_x.x", *ROLES) == []


def test_without_any_key_it_may_be_each_of_them() -> None:
    assert found_by(refers("aws_iam_role.r"), "aws_x.x", *ROLES) == list(ROLES)


def in_modules(resources: list[dict[str, Any]], *, root: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    call = {"module": {"resources": resources}}
    return {"configuration": {"root_module": {"resources": root or [], "module_calls": {"m": call}}}}


def test_inside_of_a_module_it_is_the_same_instance_of_the_module() -> None:
    inner = [{"address": "aws_x.x", "expressions": {"to": refers("aws_iam_role.r.arn", "aws_iam_role.r")}}]
    roles = ('module.m["a"].aws_iam_role.r', 'module.m["b"].aws_iam_role.r')
    assert found_by({}, 'module.m["b"].aws_x.x', *roles, **in_modules(inner)) == [roles[1]]


def holder_of_a_policy(*roles: dict[str, Any], expression: dict[str, Any]) -> Review:
    """A policy whose role isn't known, beside roles that exist."""
    unknown = {"role": True}
    added = resource("aws_iam_role_policy.p", after={"policy": policy(allow("s3:*"))}, unknown=unknown)
    return review(plan(*roles, added, expressions={"aws_iam_role_policy.p": {"role": expression}}))


def test_a_policy_of_one_of_several_roles_is_no_ones() -> None:
    roles = [kept(address, {"name": name, "inline_policy": []}) for address, name in zip(ROLES, "ab", strict=True)]
    found = holder_of_a_policy(*roles, expression=refers("aws_iam_role.r"))
    assert [g.holder for g in found.widening] == ["role of aws_iam_role_policy.p"]


def test_an_inline_policy_of_a_dynamic_block_counts() -> None:
    """Terraform leaves dynamic blocks out of `configuration`."""
    role = {"name": "r", "assume_role_policy": TRUST}
    before = {**role, "inline_policy": [{"name": "p", "policy": policy(allow("s3:GetObject"))}]}
    after = {**role, "inline_policy": [{"name": "p", "policy": policy(allow("*"))}]}
    changed = resource("aws_iam_role.r", "update", before=before, after=after)
    found = review(plan(changed, expressions={"aws_iam_role.r": {"assume_role_policy": {}}}))
    assert [g.statement.actions for g in found.widening] == [("*",)]
    assert not gate(found, "no-iam-widening").passed


def test_what_the_provider_repeats_of_a_policy_that_is_its_own_object_is_not_kept() -> None:
    """A role's `inline_policy` still says what the policy said before the plan."""
    old, new = policy(allow("s3:*")), policy(allow("s3:GetObject"))
    role = kept("aws_iam_role.r", {"name": "r", "inline_policy": [{"name": "p", "policy": old}]})
    value = {"name": "p", "role": "r"}
    own = resource("aws_iam_role_policy.p", "update", before={**value, "policy": old}, after={**value, "policy": new})
    found = review(plan(role, own, expressions={"aws_iam_role.r": {}}))
    assert [(g.standing, g.statement.actions) for g in found.grants] == [
        (Standing.ADDED, ("s3:GetObject",)),
        (Standing.REMOVED, ("s3:*",)),
    ]


def test_a_role_that_takes_the_place_of_another_of_its_name_is_the_same() -> None:
    value = {"name": "r", "assume_role_policy": TRUST}
    found = review(
        plan(resource("aws_iam_role.old", "delete", before=value), resource("aws_iam_role.new", after=value))
    )
    assert found.widening == ()


def test_two_roles_of_one_name_at_the_same_time_are_two() -> None:
    value = {"name": "r", "assume_role_policy": TRUST}
    found = review(plan(kept("aws_iam_role.old", value), resource("aws_iam_role.new", after=value)))
    assert [g.source for g in found.widening] == ["aws_iam_role.new"]


@pytest.mark.parametrize(
    "also", [("local.more",), ("var.more",), ("aws_sqs_queue.q.arn", "aws_sqs_queue.q"), ("path.module",)]
)
def test_a_policy_of_a_document_and_more_is_opaque(also: tuple[str, ...]) -> None:
    statement = {"effect": "Allow", "actions": ["s3:GetObject"], "resources": ["*"]}
    document = resource(
        "data.aws_iam_policy_document.d", "read", after={"statement": [statement]}, unknown={"json": True}, mode="data"
    )
    value = {"name": "p", "role": "r"}
    old = {**value, "policy": policy(allow("s3:GetObject"))}
    changed = resource("aws_iam_role_policy.p", "update", before=old, after=value, unknown={"policy": True})
    alone = ("data.aws_iam_policy_document.d.json", "data.aws_iam_policy_document.d")
    for texts, passed in ((alone, True), ((*alone, *also), False)):
        found = review(
            plan(document, changed, expressions={"aws_iam_role_policy.p": {"policy": {"references": list(texts)}}})
        )
        assert gate(found, "no-iam-widening").passed is passed


def test_two_policies_that_can_not_be_shown_are_two() -> None:
    """The one that changes must not pass for the one that stays."""
    value = {"role": "r", "policy": policy(allow("s3:*"))}
    marked = {"policy": True}
    stays = kept("aws_iam_role_policy.stays", value, sensitive=marked, was_sensitive=marked)
    wide = {**value, "policy": policy(allow("*"))}
    changes = resource(
        "aws_iam_role_policy.p", "update", before=value, after=wide, sensitive=marked, was_sensitive=marked
    )
    for order in ((stays, changes), (changes, stays)):
        assert not gate(review(plan(*order)), "no-iam-widening").passed


@pytest.mark.parametrize("attribute", ["ingress", "egress"])
def test_rules_that_an_update_makes_unknown_come_from_a_dynamic_block(attribute: str) -> None:
    value = {"name": "g", "ingress": [], "egress": []}
    after = {key: item for key, item in value.items() if key != attribute}
    changed = resource("aws_security_group.g", "update", before=value, after=after, unknown={attribute: True})
    found = review(plan(changed, expressions={"aws_security_group.g": {"name": {}}}))
    assert gate(found, "no-public").passed is (attribute == "egress")


def test_rules_of_a_new_group_that_nobody_wrote_are_left_to_aws() -> None:
    added = resource("aws_security_group.g", after={"name": "g"}, unknown={"ingress": True, "egress": True})
    assert gate(review(plan(added, expressions={"aws_security_group.g": {"name": {}}})), "no-public").passed


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("rule", ["no-public", "no-iam-widening"])
def test_a_policy_of_a_resource_that_can_not_be_read_may_open_it_to_anyone(rule: str, hidden: bool) -> None:
    value = {"queue_url": "u"}
    document = policy(allow("sqs:*", Principal="*"))
    if hidden:
        changed = resource("aws_sqs_queue_policy.q", after={**value, "policy": document}, sensitive={"policy": True})
    else:
        changed = resource("aws_sqs_queue_policy.q", after=value, unknown={"policy": True})
    expressions = {"aws_sqs_queue_policy.q": {"policy": {"references": ["local.policy"]}}}
    assert not gate(review(plan(changed, expressions=expressions)), rule).passed
