"""The command line of the stacks: `python -m stacks plan`, and `python -m stacks review`, which is `plan_review`."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import click

from adapter.version import VERSION
from plan_review import run as reviewing
from plan_review.baseline import BaselineError
from plan_review.cli import bad_input, complain, finish, read_baseline, review_options
from plan_review.cli import main as review
from plan_review.gates import GateError, parse_rules
from plan_review.plan.source import PlanError
from stacks.planning import OUTPUT_DIR, Planner, PlanningError, default_binary


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(VERSION, prog_name="cognito-source", message="%(prog)s %(version)s")
def main() -> None:
    """Plan the stacks of this project, and review plans (these or any other Terraform or OpenTofu plan)."""


main.add_command(review, "review")


@main.command(short_help="Synthesize and plan the stacks, and review the plans.")
@click.option("--stack", "names", multiple=True, metavar="NAME", help="Only this stack (repeatable).")
@click.option("--app", default="", metavar="COMMAND", help="Synthesis command. [default: main.py, with this Python]")
@click.option("--keep", is_flag=True, help="Keep the binary plans beside the stacks, to apply what was reviewed.")
@review_options
def plan(
    names: tuple[str, ...],
    app: str,
    style: str,
    gates: tuple[str, ...],
    output: Path | None,
    accepted: Path | None,
    new_baseline: Path | None,
    *,
    keep: bool,
    color: bool | None,
) -> None:
    """Synthesize the stacks, plan each with Terraform, and review the plans as one. Nothing is changed.

    SOURCE_MANIFEST names the manifest (source.yaml by default), TERRAFORM_BINARY_NAME the terraform or tofu to use.

    \b
    Exit code: 0 every gate passed, 1 a gate failed, 2 bad input or no plan.

    \b
    Examples:
      python -m stacks plan
      python -m stacks plan --gate no-destroy,no-public,no-plaintext-secret --format html --output review.html
    """  # noqa: D301  # \b is a mark for click, and none in a raw text
    planner = Planner(
        app=app or shlex.join([sys.executable, "main.py"]),
        binary=default_binary(os.environ),
        output=Path(OUTPUT_DIR),
        environment=os.environ,
        tell=complain,
    )
    with bad_input(PlanError, GateError, BaselineError, PlanningError):
        rules = parse_rules(gates)
        baseline = read_baseline(accepted)
        done = reviewing.run(planner.plan(names, keep=keep), rules, baseline)
        finish(done, style, output, new_baseline, color=color)
