"""The command line of the stacks: `python -m stacks review`, `python -m stacks plan`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

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
def main() -> None:
    """Plan the stacks of this project, and review plans (these or any other Terraform or OpenTofu plan)."""


@main.command(short_help="Show what a plan does, for a person or a pipeline.")
@click.argument("plans", nargs=-1, required=True, metavar="PLAN.json...")
@click.option(
    "--format",
    "style",
    type=click.Choice(reviewing.FORMATS),
    default="text",
    show_default=True,
    help="Text for a terminal, Markdown for a pull request, one self-contained HTML file.",
)
@click.option(
    "--gate",
    "gates",
    multiple=True,
    metavar="RULES",
    help=f"Rules that must hold, separated by commas: {', '.join(RULES)} (an address; * and ? stand for anything).",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file, not to stdout.")
@click.option("--color/--no-color", default=None, help="Colour the text; without either, when stdout is a terminal.")
def review(
    plans: tuple[str, ...], style: str, gates: tuple[str, ...], output: Path | None, *, color: bool | None
) -> None:
    r"""Show what one or more plans do: rights, network, secrets, data at risk, cost, and every change.

    PLAN.json is the output of `terraform show -json PLANFILE` (or tofu); `-` reads it from stdin. Several plans, one
    for each stack, are reviewed as one.

    \b
    Exit code: 0 done and every gate passed, 1 a gate failed, 2 bad input.

    \b
    Examples:
      terraform show -json plan.out | python -m stacks review -
      python -m stacks review plan.json --gate no-destroy,no-public
      python -m stacks review a.json b.json --format html --output review.html
      python -m stacks review plan.json --gate 'only=aws_ecs_*,only=aws_cloudwatch_*'
    """
    try:
        rules = parse_rules(gates)
        done = reviewing.run([reviewing.load(name, sys.stdin.buffer) for name in plans], rules)
        coloured = color if color is not None else sys.stdout.isatty() and "NO_COLOR" not in os.environ
        text = done.render(style, _paint if coloured and output is None else no_paint)
    except (PlanError, GateError) as error:
        click.echo(f"stacks review: {error}", err=True)
        raise SystemExit(EXIT_INPUT) from None
    if output is None:
        click.echo(text, nl=False, color=coloured)
    else:
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            click.echo(f"stacks review: {output}: {error.strerror}", err=True)
            raise SystemExit(EXIT_INPUT) from None
    for gate in done.failed:
        click.echo(f"stacks review: gate {gate.rule} failed ({len(gate.reasons)})", err=True)
    if done.failed:
        raise SystemExit(EXIT_GATE)


def _paint(text: str, style: str) -> str:
    return click.style(text, **_STYLES.get(style, {}))
