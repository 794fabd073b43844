"""What the review makes of files that are no plans, of odd ones, and of huge ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plan_review.plan.build import build
from plan_review.plan.source import PlanError, read
from plan_review.render.text import render
from plan_review.report import review as review_plans
from tests.unit.plan_review.support import PLANS, load, plan, resource, review


def refusal(data: bytes) -> str:
    with pytest.raises(PlanError) as caught:
        read(data)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_an_empty_file_is_refused_with_how_to_make_a_plan() -> None:
    assert "the file is empty" in refusal(b"  \n")
    assert "terraform show -json" in refusal(b"")


def test_the_binary_plan_is_told_from_its_json() -> None:
    assert "binary plan file" in refusal(b"PK\x03\x04rest of a zip")


def test_the_json_log_of_terraform_plan_is_told_from_the_plan() -> None:
    assert "the log of `terraform plan -json`" in refusal(b'{"@level":"info","@message":"Terraform 1.11.4"}\n{}')


def test_a_state_is_told_from_a_plan() -> None:
    assert "a state" in refusal(b'{"version": 4, "lineage": "x", "resources": []}')
    assert "a state" in refusal(b'{"format_version": "1.0", "values": {"root_module": {}}}')


def test_provider_schemas_are_told_from_a_plan() -> None:
    assert "provider schemas" in refusal(b'{"format_version": "1.0", "provider_schemas": {}}')


@pytest.mark.parametrize("data", [b"[]", b"hello", b"\x00\x01\x02", b"null", b"42"])
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    assert "not a JSON object" in refusal(data)


def test_foreign_json_is_refused() -> None:
    assert "not a plan" in refusal(b'{"name": "left-pad", "version": "1.0.0"}')


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.9, 0.999])
def test_a_plan_that_is_cut_off_is_refused(share: float) -> None:
    data = (PLANS / "create.json").read_bytes()
    assert "cut off" in refusal(data[: int(len(data) * share)])


def test_an_unsupported_major_version_is_refused() -> None:
    assert "reads 1.x and 0.x" in refusal(json.dumps({**plan(), "format_version": "2.0"}).encode())


@pytest.mark.parametrize(
    ("broken", "where"),
    [
        ({"resource_changes": 5}, "resource_changes"),
        ({"resource_changes": [{"address": "a.b"}]}, "resource_changes"),
        ({"resource_changes": [{**resource("aws_x.y"), "change": {"actions": "create"}}]}, "actions"),
        ({"format_version": 1}, "format_version"),
        ({"output_changes": {"x": 1}}, "output_changes"),
    ],
)
def test_a_wrong_shape_is_refused_with_where_it_is(broken: dict[str, Any], where: str) -> None:
    assert where in refusal(json.dumps({**plan(), **broken}).encode())


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    whole = json.dumps(plan(resource("aws_x.y", "update", before={}, after={"a": "HERE"}))).encode()
    assert "nested too deeply" in refusal_of_all(whole.replace(b'"HERE"', deep))
    assert refusal(b'{"format_version": "1.2", "planned_values": {}, "resource_changes": ' + deep + b"}")


def test_bytes_that_are_not_utf8_are_refused_wherever_they_are() -> None:
    whole = json.dumps(plan(resource("aws_x.HERE", "update", before={}, after={"a": "THERE"}))).encode()
    assert "not UTF-8" in refusal(whole.replace(b"HERE", b"\xff", 1))
    assert "not UTF-8" in refusal_of_all(whole.replace(b"THERE", b"\xff"))


@pytest.mark.parametrize("odd", [True, 1, "text", {"a": 1}, [1], None])
@pytest.mark.parametrize("member", ["resources", "module_calls", "variables", "outputs"])
def test_a_configuration_of_another_shape_is_passed_over(member: str, odd: Any) -> None:
    configuration = {"root_module": {member: odd}, "provider_config": odd}
    assert review({**plan(resource("aws_sqs_queue.q", after={"name": "q"})), "configuration": configuration}).changes


@pytest.mark.parametrize("odd", [True, 1, "text", {"a": 1}, [1], None])
@pytest.mark.parametrize("member", ["expressions", "depends_on", "provisioners", "address"])
def test_a_configured_resource_of_another_shape_is_passed_over(member: str, odd: Any) -> None:
    configuration = {"root_module": {"resources": [{"address": "aws_sqs_queue.q", member: odd}]}}
    assert review({**plan(resource("aws_sqs_queue.q", after={"name": "q"})), "configuration": configuration}).changes


def refusal_of_all(data: bytes) -> str:
    """Values are only decoded when they are looked at."""
    with pytest.raises(PlanError) as caught:
        render(review_plans([build(read(data))]))
    return str(caught.value)


def test_unknown_fields_are_passed_over() -> None:
    odd = {
        **plan(resource("aws_sqs_queue.q", after={"name": "q"}, new_field=[1])),
        "future": {"x": 1},
        "format_version": "1.9",
    }
    assert [c.address for c in review(odd).changes] == ["aws_sqs_queue.q"]


def test_utf16_as_powershell_writes_it_and_a_byte_order_mark_are_read() -> None:
    text = json.dumps(plan(resource("aws_sqs_queue.q", after={"name": "q"})))
    for data in (text.encode("utf-16"), b"\xef\xbb\xbf" + text.encode()):
        assert read(data).resource_changes


def test_what_the_wrapper_of_setup_terraform_prints_around_the_plan_is_skipped() -> None:
    text = json.dumps(plan(resource("aws_sqs_queue.q", after={"name": "q"})))
    wrapped = f"[command]/opt/terraform-bin show -json plan.out\n{text}\n\n::debug::Terraform exited with code 0.\n"
    for data in (wrapped, wrapped.replace("\n", "\r\n"), wrapped.partition("\n::")[0]):
        assert read(data.encode()).resource_changes


def test_null_where_a_text_may_be_absent_is_read() -> None:
    names = ("module_address", "provider_name", "previous_address", "deposed", "action_reason")
    item = resource("aws_sqs_queue.q", after={"name": "q"}, importing={"id": None, "identity": None})
    later = {"reason": None, "resource_change": item}
    odd = {**plan({**item, **dict.fromkeys(names)}, deferred_changes=[later]), "terraform_version": None}
    for name in ("errored", "applyable", "complete", "prior_state", "planned_values", "relevant_attributes", "checks"):
        odd[name] = None
    found = review(odd)
    assert [c.importing for c in found.changes] == ["known after apply"]
    assert [c.deferred for c in found.deferred] == ["unknown"]


def test_the_format_before_1_is_read_and_named() -> None:
    found = review({**plan(resource("aws_sqs_queue.q", after={"name": "q"})), "format_version": "0.2"})
    assert [c.address for c in found.changes] == ["aws_sqs_queue.q"]
    assert "OLD FORMAT" in render(found)


@pytest.mark.parametrize(
    ("broken", "where"),
    [
        ({"planned_values": {"root_module": {"resources": 5}}}, "root_module"),
        ({"prior_state": {"values": {"root_module": {"resources": [{"address": 1}]}}}}, "address"),
        ({"action_invocations": [{}]}, "action_invocations"),
        ({"checks": [{"status": "fail"}]}, "checks"),
    ],
)
def test_a_part_of_another_shape_is_refused_and_not_passed_over(broken: dict[str, Any], where: str) -> None:
    assert where in refusal_of_all(json.dumps({**plan(), **broken}).encode())


def test_null_where_a_list_may_be_absent_is_read() -> None:
    assert review({**plan(), "resource_changes": None, "output_changes": None, "variables": None}).changes == ()


def test_opentofu_is_told_from_terraform() -> None:
    tofu = json.loads((PLANS / "create.json").read_text().replace("registry.terraform.io/", "registry.opentofu.org/"))
    assert review(tofu).plans[0].tool == "OpenTofu 1.11.4"
    assert review(load("create.json")).plans[0].tool == "Terraform 1.11.4"
    assert review(tofu).counts == review(load("create.json")).counts
