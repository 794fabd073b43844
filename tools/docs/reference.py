"""Writes docs/cli.md from the command lines' own help: `python -m tools.docs.reference`, `--check` only compares."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
#: Each command line, where its click command is, and what it is for.
COMMAND_LINES = {
    "adapter": ("adapter.commands.cli", "cli"),
    "iam": ("iam.cli", "main"),
    "plan_review": ("plan_review.cli", "main"),
    "stacks": ("stacks.cli", "main"),
}
_HEAD = """\
# Command lines

Four programs, each started with `python -m`. This page is made from their `--help` by `python -m tools.docs.reference`.
Results go to stdout, progress and problems to stderr; bad input ends with exit code 2 and one line for each problem.
Every command takes `-h` and `--help`.
"""


def rendered() -> str:
    """The document as it should be."""
    parts = [_HEAD]
    for name, (module, attribute) in COMMAND_LINES.items():
        command: click.Command = getattr(importlib.import_module(module), attribute)
        parts += list(_sections(command, f"python -m {name}", None))
    return "\n".join(parts)


def _sections(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    """A command's section, then those of its commands."""
    info_name = name if parent is None else name.rpartition(" ")[2]
    # click keeps a command's help option once it is made: a context without the settings would take -h away for good.
    context = click.Context(command, info_name=info_name, parent=parent, **command.context_settings)
    # "adapter", "adapter run", "adapter state show": the levels below the page's title, three at most.
    level = min(2 + len(name.split()) - 3, 4)
    pieces = " ".join(command.collect_usage_pieces(context))
    yield "\n".join([f"{'#' * level} {name}\n", *_text(command.help), f"```text\n{name} {pieces}\n```\n"])
    yield from _parameters(command, context)
    if command.epilog:
        yield from _text(command.epilog)
    if isinstance(command, click.Group):
        names = command.list_commands(context)
        commands = {each: found for each in names if (found := command.get_command(context, each)) and not found.hidden}
        rows = [
            (f"[`{each}`](#{_anchor(f'{name} {each}')})", found.get_short_help_str(200))
            for each, found in commands.items()
        ]
        yield _table(("command", "what it does"), rows)
        for each, found in commands.items():
            yield from _sections(found, f"{name} {each}", context)


def _parameters(command: click.Command, context: click.Context) -> Iterator[str]:
    records = [
        record
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context)) and record[1] and "--help" not in record[0]
    ]
    if records:
        yield _table(("option", "meaning"), [(f"`{_cell(names)}`", _cell(text)) for names, text in records])


def _text(help_: str | None) -> list[str]:
    """A help text's paragraphs; those that click must not rewrap, as they stand."""
    paragraphs = inspect.cleandoc(help_ or "").partition("\f")[0].split("\n\n")
    return [
        f"```text\n{inspect.cleandoc(each.removeprefix(chr(8)))}\n```\n"
        if each.startswith("\b")
        else f"{_escaped(each)}\n"
        for each in paragraphs
        if each.strip()
    ]


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    lines = [f"| {left} | {right} |" for left, right in [head, ("---", "---"), *rows]]
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def _escaped(text: str) -> str:
    return re.sub(r"(?<!`)([*_<])(?!`)", r"\\\1", text)


def _anchor(heading: str) -> str:
    return heading.replace(" ", "-")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if the document is not what it should be.")
def main(*, check: bool) -> None:
    """Write docs/cli.md from the programs' own help."""
    text = rendered()
    if check and (not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != text):
        click.echo("docs/cli.md is not what the programs say now; run: python -m tools.docs.reference", err=True)
        sys.exit(1)
    DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
