"""The command line of the review: `python -m plan_review FILE...`. Other programs add `main` to their commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from plan_review import run as reviewing
from plan_review.baseline import Baseline, BaselineError
from plan_review.gates import RULES, GateError, parse_rules
from plan_review.plan.source import PlanError
from plan_review.render.escape import plain
from plan_review.render.text import no_paint
from plan_review.version import DISTRIBUTION, version

EXIT_GATE = 1
EXIT_INPUT = 2
#: How long what a new baseline holds is accepted, until somebody says otherwise.
_ACCEPTED_FOR = timedelta(days=90)
_STYLES: Mapping[str, dict[str, Any]] = {
    "head": {"bold": True},
    "good": {"fg": "green"},
    "bad": {"fg": "red"},
    "warn": {"fg": "yellow"},
}


def review_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that ends in a review."""
    for option in (
        click.option("--color/--no-color", default=None, help="Colour the text; default: on a terminal."),
        click.option(
            "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file instead of stdout."
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
            help="Text for a terminal, Markdown for a comment on a pull request, one self-contained HTML file, one line"
            " for a title, JSON for programs, SARIF for code scanning.",
        ),
        click.option(
            "--baseline",
            "accepted",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="YAML file of findings that are accepted until a date and fail no gate.",
        ),
        click.option(
            "--write-baseline",
            "new_baseline",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Write the findings that fail the gates as a baseline, for you to add reasons. Never replaces a file.",
        ),
    ):
        command = option(command)
    return command


@click.command(
    short_help="Show what a plan does, for a person or a pipeline.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.argument("plans", nargs=-1, required=True, metavar="PLAN.json...")
@review_options
@click.version_option(version(), prog_name=DISTRIBUTION, message="%(prog)s %(version)s")
def main(
    plans: tuple[str, ...],
    style: str,
    gates: tuple[str, ...],
    output: Path | None,
    accepted: Path | None,
    new_baseline: Path | None,
    *,
    color: bool | None,
) -> None:
    """Show what one or more plans do: rights, network, secrets, data at risk, cost, and every change.

    PLAN.json is the output of `terraform show -json PLANFILE` (or tofu); `-` reads it from stdin. Several plans, one
    for each stack, are reviewed as one. A `cdk.tf.json` beside a plan is shown as an explanation of policies that are
    only known after apply; it decides nothing.

    \b
    Exit code: 0 every gate passed, 1 a gate failed, 2 bad input.

    \b
    Examples:
      terraform show -json plan.out | python -m plan_review -
      python -m plan_review plan.json --gate no-destroy,no-public
      python -m plan_review a.json b.json --format html --output review.html
      python -m plan_review plan.json --gate 'only=aws_ecs_*,only=aws_cloudwatch_*'
      python -m plan_review plan.json --gate no-public --baseline accepted.yaml --format markdown
    """  # noqa: D301  # \b is a mark for click, and none in a raw text
    with bad_input(PlanError, GateError, BaselineError):
        rules = parse_rules(gates)
        baseline = read_baseline(accepted)
        done = reviewing.run([reviewing.load(name, sys.stdin.buffer) for name in plans], rules, baseline)
        finish(done, style, output, new_baseline, color=color)


def read_baseline(accepted: Path | None) -> Baseline:
    """What `--baseline` names; nothing without it.

    Raises:
        BaselineError: it isn't a baseline.
    """
    return reviewing.load_baseline(accepted, _today()) if accepted is not None else Baseline()


def _today() -> date:
    return datetime.now(UTC).date()


@contextmanager
def bad_input(*kinds: type[Exception]) -> Iterator[None]:
    """What is wrong with the input as one line and exit code 2."""
    try:
        yield
    except kinds as error:
        complain(str(error))
        raise SystemExit(EXIT_INPUT) from None


def complain(line: str) -> None:
    """One line on stderr, with the name of the command that runs before it."""
    command = click.get_current_context().command_path.removeprefix("python -m ")
    click.echo(f"{command}: {line}", err=True)


def finish(
    done: reviewing.Done, style: str, output: Path | None, new_baseline: Path | None, *, color: bool | None
) -> None:
    """Write the review, name the gates that failed, and end with their exit code.

    Raises:
        PlanError: the file can't be written.
        BaselineError: the new baseline can't be written, or is there already.
    """
    coloured = color if color is not None else sys.stdout.isatty() and "NO_COLOR" not in os.environ
    text = done.render(style, _paint if coloured and output is None else no_paint)
    if output is None:
        click.echo(text, nl=False, color=coloured)
    else:
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise PlanError(f"{output}: {error.strerror}") from error
    if new_baseline is not None:
        _write_new(new_baseline, done.written_baseline(_today() + _ACCEPTED_FOR))
    for note in done.notes:
        complain(plain(note))
    for gate in done.failed:
        complain(f"gate {gate.rule} failed ({len(gate.reasons)})")
    if done.failed:
        raise SystemExit(EXIT_GATE)


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise BaselineError(f"{plain(str(path))}: {error.strerror}") from error


def _paint(text: str, style: str) -> str:
    return click.style(text, **_STYLES.get(style, {}))
