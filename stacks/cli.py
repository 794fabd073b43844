"""The command line of the stacks: `python -m stacks review`, `python -m stacks plan`."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from adapter.version import VERSION
from stacks.planning import OUTPUT_DIR, Planner, PlanningError, default_binary
from stacks.review import run as reviewing
from stacks.review.gates import RULES, GateError, parse_rules
from stacks.review.render_text import no_paint
from stacks.review.source import PlanError

EXIT_GATE = 1
EXIT_INPUT = 2
_STYLES: Mapping[str, dict[str, Any]] = {
    "head": {"bold": True},
    "good": {"fg": "green"},
    "bad": {"fg": "red"},
    "warn": {"fg": "yellow"},
}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(VERSION, prog_name="cognito-source", message="%(prog)s %(version)s")
def main() -> None:
    """Plan the stacks of this project, and review plans (these or any other Terraform or OpenTofu plan)."""


def _review_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that `review` and `plan` share."""
    for option in (
        click.option("--color/--no-color", default=None, help="Colour the text; without either, on a terminal."),
        click.option(
            "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file, not to stdout."
        ),
        click.option(
            "--gate",
            "gates",
            multiple=True,
            metavar="RULES",
            help=f"Rules that must hold, separated by commas: {', '.join(RULES)} (* and ? stand for anything).",
        ),
        click.option(
            "--format",
            "style",
            type=click.Choice(reviewing.FORMATS),
            default="text",
            show_default=True,
            help="Text for a terminal, Markdown for a pull request, one self-contained HTML file.",
        ),
    ):
        command = option(command)
    return command


@main.command(short_help="Show what a plan does, for a person or a pipeline.")
@click.argument("plans", nargs=-1, required=True, metavar="PLAN.json...")
@_review_options
def review(
    plans: tuple[str, ...], style: str, gates: tuple[str, ...], output: Path | None, *, color: bool | None
) -> None:
    r"""Show what one or more plans do: rights, network, secrets, data at risk, cost, and every change.

    PLAN.json is the output of `terraform show -json PLANFILE` (or tofu); `-` reads it from stdin. Several plans, one
    for each stack, are reviewed as one. A `cdk.tf.json` beside a plan fills in policies that are only known after
    apply.

    \b
    Exit code: 0 done and every gate passed, 1 a gate failed, 2 bad input.

    \b
    Examples:
      terraform show -json plan.out | python -m stacks review -
      python -m stacks review plan.json --gate no-destroy,no-public
      python -m stacks review a.json b.json --format html --output review.html
      python -m stacks review plan.json --gate 'only=aws_ecs_*,only=aws_cloudwatch_*'
    """
    with _bad_input("review"):
        rules = parse_rules(gates)
        done = reviewing.run([reviewing.load(name, sys.stdin.buffer) for name in plans], rules)
        _finish("review", done, style, output, color=color)


@main.command(short_help="Synthesize and plan the stacks, and review the plans.")
@click.option("--stack", "names", multiple=True, metavar="NAME", help="Only this stack (may be repeated).")
@click.option("--app", default="", metavar="COMMAND", help="What synthesizes. [default: main.py, with this Python]")
@click.option("--keep", is_flag=True, help="Leave the binary plans beside the stacks, to apply what was reviewed.")
@_review_options
def plan(
    names: tuple[str, ...],
    app: str,
    style: str,
    gates: tuple[str, ...],
    output: Path | None,
    *,
    keep: bool,
    color: bool | None,
) -> None:
    r"""Synthesize the stacks, plan each with Terraform, and review the plans as one. Nothing is changed.

    SOURCE_MANIFEST names the manifest (source.yaml by default), TERRAFORM_BINARY_NAME the terraform or tofu to use.

    \b
    Exit code: 0 done and every gate passed, 1 a gate failed, 2 bad input or no plan.

    \b
    Examples:
      python -m stacks plan
      python -m stacks plan --gate no-destroy,no-public,no-plaintext-secret --format html --output review.html
    """
    planner = Planner(
        app=app or shlex.join([sys.executable, "main.py"]),
        binary=default_binary(os.environ),
        output=Path(OUTPUT_DIR),
        environment=os.environ,
        tell=lambda line: click.echo(f"stacks plan: {line}", err=True),
    )
    with _bad_input("plan"):
        rules = parse_rules(gates)
        done = reviewing.run(planner.plan(names, keep=keep), rules)
        _finish("plan", done, style, output, color=color)


@contextmanager
def _bad_input(command: str) -> Iterator[None]:
    """What is wrong with the input as one line and exit code 2."""
    try:
        yield
    except (PlanError, GateError, PlanningError) as error:
        click.echo(f"stacks {command}: {error}", err=True)
        raise SystemExit(EXIT_INPUT) from None


def _finish(command: str, done: reviewing.Done, style: str, output: Path | None, *, color: bool | None) -> None:
    coloured = color if color is not None else sys.stdout.isatty() and "NO_COLOR" not in os.environ
    text = done.render(style, _paint if coloured and output is None else no_paint)
    if output is None:
        click.echo(text, nl=False, color=coloured)
    else:
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise PlanError(f"{output}: {error.strerror}") from error
    for gate in done.failed:
        click.echo(f"stacks {command}: gate {gate.rule} failed ({len(gate.reasons)})", err=True)
    if done.failed:
        raise SystemExit(EXIT_GATE)


def _paint(text: str, style: str) -> str:
    return click.style(text, **_STYLES.get(style, {}))
