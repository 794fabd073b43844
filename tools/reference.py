"""Writes what the docs repeat of the code: `python -m tools.reference`, `--check` only compares.

docs/cli.md is made of the command lines' own help; the tables of docs/architecture.md of the modules' own docstrings.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from tools.architecture import ALLOWED, PROGRAMS, summary

ROOT = Path(__file__).resolve().parent.parent
#: Each command line, where its click command is, and what it is for.
COMMAND_LINES = {
    "adapter": ("adapter.cli", "cli"),
    "iam": ("iam.cli", "main"),
    "stacks": ("stacks.cli", "main"),
}
_HEAD = """\
# Command lines

Three programs, each started with `python -m`. This page is made from their `--help` by `python -m tools.reference`.
Results go to stdout, progress and problems to stderr; bad input ends with exit code 2 and one line for each problem.
Every command takes `-h` and `--help`.
"""


#: What is no program, and yet explained.
_OTHERS = ("demo", "benchmarks", "tools")


def rendered() -> dict[str, str]:
    """The documents as they should be, by their names in docs/."""
    architecture = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    for name, table in {"rules": _rules(), "packages": _packages(), "adapter": _modules()}.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, _, rest = architecture.partition(begin)
        architecture = before + begin + table + end + rest.partition(end)[2]
    return {"cli.md": _command_lines(), "architecture.md": architecture}


def _rules() -> str:
    rows = [(f"`{name}`", ", ".join(f"`{each}`" for each in sorted(ALLOWED[name])) or "nothing") for name in PROGRAMS]
    return _table(("program", "may import of the others"), rows)


def _packages() -> str:
    folders = [ROOT / "main.py"]
    for name in (*PROGRAMS[1:], *_OTHERS):
        inner = sorted(path.parent for path in (ROOT / name).glob("*/__init__.py"))
        folders += [ROOT / name, *(path for path in inner if name in PROGRAMS)]
    return _table(("package", "what it is"), [(f"`{_path(each)}`", _cell(summary(each))) for each in folders])


def _modules() -> str:
    files = [path for path in sorted((ROOT / "adapter").glob("*.py")) if not path.name.startswith("__")]
    return _table(("module", "what it is"), [(f"`{path.stem}`", _cell(summary(path))) for path in files])


def _path(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _command_lines() -> str:
    parts = [_HEAD]
    for name, (module, attribute) in COMMAND_LINES.items():
        command: click.Command = getattr(importlib.import_module(module), attribute)
        parts += list(_sections(command, f"python -m {name}", None))
    return "\n".join(parts)


def _sections(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    """A command's section, then those of its commands."""
    context = click.Context(command, info_name=name if parent is None else name.rpartition(" ")[2], parent=parent)
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
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if a document is not what it should be.")
def main(*, check: bool) -> None:
    """Write docs/cli.md and the tables of docs/architecture.md from the code."""
    stale = False
    for name, text in rendered().items():
        path = ROOT / "docs" / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale = True
        if check:
            click.echo(f"docs/{name} is not what the code says now; run: python -m tools.reference", err=True)
        else:
            path.write_text(text, encoding="utf-8")
    sys.exit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
