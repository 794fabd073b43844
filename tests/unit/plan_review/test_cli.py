"""The command line and the gates: what a pipeline relies on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from adapter.version import VERSION
from plan_review import run
from plan_review.cli import main as review_command
from plan_review.gates import GateError, parse_rules
from plan_review.plan.source import PlanError
from stacks.cli import main
from tests.unit.plan_review.support import PLANS, gate, kept, load, plan, resource, review


def call(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["review", *arguments], input=stdin, prog_name="python -m stacks")


def saved(tmp_path: Path, item: dict[str, Any], name: str = "plan.json") -> str:
    path = tmp_path / name
    path.write_text(json.dumps(item))
    return str(path)


def test_a_plan_without_gates_is_exit_code_0() -> None:
    done = call(str(PLANS / "change.json"))
    assert done.exit_code == 0
    assert done.stdout.startswith("PLAN REVIEW  Terraform 1.11.4\n")
    assert done.stderr == ""


def test_a_gate_that_fails_is_exit_code_1_and_explained_below_the_verdict() -> None:
    done = call(str(PLANS / "change.json"), "--gate", "no-destroy")
    assert done.exit_code == 1
    assert "FAIL gate no-destroy (5)" in done.stdout
    assert "aws_dynamodb_table.state is replaced because of hash_key" in done.stdout
    assert "What to do:" in done.stdout
    assert done.stderr == "stacks review: gate no-destroy failed (5)\n"


def test_several_gates_by_commas_and_by_repeating() -> None:
    done = call(str(PLANS / "create.json"), "--gate", "no-destroy,no-public", "--gate", "no-iam-widening")
    assert done.exit_code == 1
    assert [line[:24] for line in done.stdout.splitlines() if " gate " in line] == [
        "ok   gate no-destroy",
        "ok   gate no-public",
        "FAIL gate no-iam-widenin",
    ]


def test_a_gate_that_does_not_exist_is_exit_code_2_with_those_that_do() -> None:
    done = call(str(PLANS / "create.json"), "--gate", "no-surprise")
    assert done.exit_code == 2
    assert "unknown gate 'no-surprise'" in done.stderr
    assert "no-plaintext-secret, only=ADDRESS" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "empty"), (b"PK\x03\x04", "binary"), (b'{"a": 1}', "not a plan"), (b'{"format_version": "1.2"', "cut off")],
)
def test_bad_input_is_exit_code_2_one_line_with_the_files_name(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    done = call(str(path))
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("stacks review: ")
    assert "plan.json: " in done.stderr
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_not_there_is_exit_code_2() -> None:
    done = call("no/such/plan.json")
    assert done.exit_code == 2
    assert done.stderr == "stacks review: no/such/plan.json: No such file or directory\n"


def test_stdin_is_read_for_a_dash() -> None:
    done = call("-", stdin=(PLANS / "create.json").read_bytes())
    assert done.exit_code == 0
    assert "Creates 19" in done.stdout


def test_output_goes_to_a_file_when_asked(tmp_path: Path) -> None:
    target = tmp_path / "review.txt"
    done = call(str(PLANS / "create.json"), "--output", str(target))
    assert done.exit_code == 0
    assert done.stdout == ""
    assert "Creates 19" in target.read_text()


def test_an_output_that_can_not_be_written_is_exit_code_2(tmp_path: Path) -> None:
    done = call(str(PLANS / "create.json"), "--output", str(tmp_path / "no" / "review.txt"))
    assert done.exit_code == 2
    assert "No such file or directory" in done.stderr


def test_several_plans_are_named_by_their_folders_when_all_files_have_one_name(tmp_path: Path) -> None:
    one = plan(resource("aws_sqs_queue.q", after={"name": "q"}))
    for folder in ("network", "adapter"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "plan.json").write_text(json.dumps(one))
    done = call(str(tmp_path / "network" / "plan.json"), str(tmp_path / "adapter" / "plan.json"))
    assert "+ create adapter: aws_sqs_queue.q" in done.stdout
    assert "network (Terraform 1.11.4), adapter (Terraform 1.11.4)" in done.stdout


def test_what_cdktf_wrote_beside_the_plan_fills_in_what_terraform_does_not_know(tmp_path: Path) -> None:
    document = '{"Statement":[{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"${aws_sqs_queue.q.arn}"}]}'
    item = plan(
        resource("aws_iam_role_policy.p", after={"role": "task"}, unknown={"policy": True}),
        expressions={"aws_iam_role_policy.p": {"policy": {"references": ["aws_sqs_queue.q.arn", "aws_sqs_queue.q"]}}},
    )
    path = saved(tmp_path, item)
    synthesised = {"resource": {"aws_iam_role_policy": {"p": {"policy": document, "role": "task"}}}}
    (tmp_path / "cdk.tf.json").write_text(json.dumps(synthesised))
    assert "sqs:SendMessage on ${aws_sqs_queue.q.arn}   <-- as written beside the plan, not judged" in call(path).stdout
    other = {"resource": {"aws_iam_role_policy": {"p": {"policy": document.replace(".q.", ".other."), "role": "task"}}}}
    (tmp_path / "cdk.tf.json").write_text(json.dumps(other))
    assert "only known after apply" in call(path).stdout
    (tmp_path / "cdk.tf.json").write_text("not json")
    assert call(path).exit_code == 0


def test_terminal_escapes_and_invisible_characters_of_a_plan_never_reach_the_terminal(tmp_path: Path) -> None:
    evil = "x\x1b[2J\x1b]0;owned\x07\u202egnp.exe\r\nok   gate no-destroy"
    item = plan(resource("aws_sqs_queue.q", "update", before={"name": "a"}, after={"name": evil, evil: evil}))
    item["resource_changes"].append(resource(f'aws_sqs_queue.q["{evil}"]', after={"name": "q"}))
    done = call(saved(tmp_path, item), "--gate", "only=nothing", "--no-color")
    shown = set(done.stdout + done.stderr) - {"\n"}
    assert all(c.isprintable() for c in shown)
    assert not any(line.startswith("ok ") for line in done.stdout.splitlines())


def test_colours_are_only_there_when_asked_for() -> None:
    assert "\x1b[" not in call(str(PLANS / "create.json")).stdout
    assert "\x1b[" in call(str(PLANS / "create.json"), "--color").stdout


@pytest.mark.parametrize("command", [review_command, main.commands["plan"]])
def test_help_shows_each_example_on_a_line_of_its_own(command: click.Command) -> None:
    shown = CliRunner().invoke(command, ["--help"]).stdout
    assert "\\b" not in shown
    assert "Examples:\n  " in shown
    assert "--gate no-destroy,no-public" in shown


def test_help_names_formats_gates_and_exit_codes() -> None:
    text = call("--help").stdout
    for word in (
        "text|markdown|html",
        "no-iam-widening",
        "only=ADDRESS",
        "Exit code: 0",
        "1 a gate failed",
        "2 bad input",
    ):
        assert word in text


# --- rules -----------------------------------------------------------------------------------------------------------


def test_commas_inside_of_keys_do_not_split_a_rule() -> None:
    assert parse_rules(['only=module.a["x,y"].*,no-destroy', " no-public "]) == (
        'only=module.a["x,y"].*',
        "no-destroy",
        "no-public",
    )


@pytest.mark.parametrize("bad", ["only=", "only", "no-destroy=x", "NO-DESTROY"])
def test_rules_are_read_strictly(bad: str) -> None:
    with pytest.raises(GateError):
        parse_rules([bad])


def test_only_lets_named_addresses_change_and_names_the_others() -> None:
    found = review(
        plan(
            resource("aws_ecs_service.a", after={}),
            resource('aws_sqs_queue.q["k"]', after={}),
            kept("aws_dynamodb_table.t", {"name": "t"}),
        )
    )
    assert gate(found, "only=aws_*").passed
    result = gate(found, "only=aws_ecs_*")
    assert result.reasons == ('aws_sqs_queue.q["k"] is to be created, and no only= names it',)


def test_brackets_in_only_mean_themselves() -> None:
    found = review(plan(resource('aws_sqs_queue.q["k"]', after={}), resource("aws_sqs_queue.qk", after={})))
    assert gate(found, 'only=aws_sqs_queue.q["k"]').reasons == (
        "aws_sqs_queue.qk is to be created, and no only= names it",
    )


def test_no_destroy_looks_at_replacements_leftovers_and_later_runs() -> None:
    deferred = {"reason": "unknown", "resource_change": resource("aws_sqs_queue.later", "delete", before={"name": "q"})}
    found = review(
        plan(
            resource("aws_sqs_queue.r", ["create", "delete"], before={"name": "q"}, after={"name": "r"}),
            resource("aws_sqs_queue.old", "delete", before={"name": "q"}, deposed="ab12cd34"),
            deferred_changes=[deferred],
        )
    )
    assert len(gate(found, "no-destroy").reasons) == 3


def test_a_new_revision_of_a_task_definition_destroys_nothing() -> None:
    found = review(
        plan(resource("aws_ecs_task_definition.t", ["delete", "create"], before={"cpu": "256"}, after={"cpu": "512"}))
    )
    assert gate(found, "no-destroy").passed


def test_forgetting_is_not_destroying() -> None:
    found = review(plan(resource("aws_sqs_queue.q", "forget", before={"name": "q"})))
    assert gate(found, "no-destroy").passed


@pytest.mark.parametrize("rule", ["no-destroy", "no-iam-widening", "no-public", "no-plaintext-secret", "only=*"])
def test_a_plan_that_failed_half_way_passes_no_gate(rule: str) -> None:
    assert not gate(review(plan(errored=True)), rule).passed
    assert gate(review(plan()), rule).passed


def test_of_very_many_reasons_only_some_are_listed_and_the_rest_counted() -> None:
    found = review(plan(*(resource(f"aws_sqs_queue.q{i}", "delete", before={"name": "q"}) for i in range(50))))
    reasons = gate(found, "no-destroy").reasons
    assert len(reasons) == 21
    assert reasons[-1] == "and 30 more"


def test_the_bad_idea_of_a_change_breaks_every_gate() -> None:
    found = review(load("change.json"))
    for rule in ("no-destroy", "no-iam-widening", "no-public", "no-plaintext-secret", "only=aws_ecs_*"):
        result = gate(found, rule)
        assert not result.passed
        assert result.remedy


@pytest.mark.parametrize("style", run.FORMATS)
def test_a_value_that_can_just_be_decoded_is_still_too_deep(style: str) -> None:
    whole = json.dumps(plan(resource("aws_x.y", "update", before={}, after={"a": "HERE"}))).encode()
    deep = b"[" * 900 + b"]" * 900
    with pytest.raises(PlanError, match="nested too deeply"):
        run.run([run.Loaded("plan.json", whole.replace(b'"HERE"', deep))]).render(style)


def test_the_review_is_a_program_of_its_own() -> None:
    arguments = [str(PLANS / "change.json"), "--gate", "no-destroy"]
    own = CliRunner().invoke(review_command, arguments, prog_name="python -m plan_review")
    assert own.exit_code == 1
    assert own.stdout == call(*arguments).stdout
    assert own.stderr == "plan_review: gate no-destroy failed (5)\n"


def test_the_version_is_that_of_the_package_or_says_that_none_is_installed() -> None:
    shown = CliRunner().invoke(review_command, ["--version"])
    assert shown.stdout in {f"cognito-source {VERSION}\n", "cognito-source (not installed)\n"}
