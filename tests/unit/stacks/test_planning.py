"""`python -m stacks plan` with a stand-in for Terraform: what is called, what is kept, what is said when it fails."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stacks.cli import main
from tests.unit.plan_review.support import plan, resource

#: Writes down how it is called; "plan" makes a file, "show" prints the JSON of the plan in the stack's folder.
TERRAFORM = """#!{python}
import os, pathlib, sys
here = pathlib.Path.cwd()
with open({log!r}, "a") as log:
    print(here.name, *sys.argv[1:2], file=log)
failing = os.environ.get("FAIL_AT")
if failing == sys.argv[1]:
    print("Planning\\n\\n│ Error: No valid credential sources found\\n│ \\n│   with provider aws\\n")
    sys.exit(1)
for argument in sys.argv:
    if argument.startswith("-out="):
        pathlib.Path(argument[5:]).write_text("a plan")
if sys.argv[1] == "show":
    assert pathlib.Path(sys.argv[3]).read_text() == "a plan"
    print((here / "shown.json").read_text())
"""
APP = """
import json, os, pathlib
for name in ("adapter", "registry"):
    folder = pathlib.Path(os.environ["CDKTF_OUTDIR"]) / "stacks" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cdk.tf.json").write_text("{}")
    (folder / "shown.json").write_text(os.environ["SHOWN"])
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an app of two stacks, and a terraform that only pretends."""
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text(TERRAFORM.format(python=sys.executable, log=str(tmp_path / "log")))
    program.chmod(0o755)
    (tmp_path / "app.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}/usr/bin:/bin")
    monkeypatch.setenv("SHOWN", json.dumps(plan(resource("aws_sqs_queue.q", after={"name": "canary-not-secret"}))))
    return tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(
        main, ["plan", "--app", f"{sys.executable} app.py", *arguments], prog_name="python -m stacks"
    )


def test_every_stack_is_planned_and_all_are_reviewed_as_one(project: Path) -> None:
    done = call("--gate", "no-destroy")
    assert done.exit_code == 0, done.stderr
    assert "Creates 2, changes 0" in done.stdout
    assert "+ create adapter: aws_sqs_queue.q" in done.stdout
    assert (project / "log").read_text().splitlines() == [
        f"{stack} {verb}" for stack in ("adapter", "registry") for verb in ("init", "plan", "show")
    ]
    assert "planning adapter" in done.stderr


def test_no_plan_is_left_behind_for_it_holds_secrets_in_clear(project: Path) -> None:
    assert call().exit_code == 0
    assert not list(project.rglob("*.tfplan"))


def test_plans_that_are_to_be_applied_are_kept_for_their_owner_alone(project: Path) -> None:
    done = call("--keep", "--stack", "adapter")
    (kept,) = project.rglob("*.tfplan")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert f"{kept}: `terraform apply plan.tfplan` in its folder applies exactly this plan" in done.stderr


def test_only_the_stacks_that_are_named_are_planned(project: Path) -> None:
    assert "Creates 1," in call("--stack", "registry").stdout
    done = call("--stack", "nobody")
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == "stacks plan: no stack nobody; there are: adapter, registry"


@pytest.mark.parametrize("step", ["init", "plan", "show"])
def test_a_step_that_fails_is_exit_code_2_with_what_terraform_said(
    project: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setenv("FAIL_AT", step)
    done = call()
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == (
        f"stacks plan: {step} of adapter failed (exit code 1): "
        "Error: No valid credential sources found with provider aws"
    )
    assert not list(project.rglob("*.tfplan"))


def test_an_app_that_fails_is_exit_code_2(project: Path) -> None:
    (project / "app.py").write_text("import sys; sys.exit('source.yaml:3: spec.arn: missing')")
    done = call()
    assert done.exit_code == 2
    assert "synthesizing failed (exit code 1): source.yaml:3: spec.arn: missing" in done.stderr


def test_a_missing_terraform_is_told_with_what_to_do(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRAFORM_BINARY_NAME", "no-such-tofu")
    done = call()
    assert done.exit_code == 2
    assert "no-such-tofu is not there: install Terraform or OpenTofu" in done.stderr


def test_a_gate_that_fails_is_exit_code_1(project: Path) -> None:
    assert call("--gate", "only=aws_ecs_*").exit_code == 1
