"""`python -m tools.pictures`: draw all of them into docs/pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from tools.pictures import architecture, life, overview, timing

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "pictures"


def drawn() -> dict[str, str]:
    """Every picture by the name of its file."""
    figures = json.loads((ROOT / "benchmarks/latest.json").read_text(encoding="utf-8"))["figures"]
    return {
        "overview.svg": overview.draw(),
        "timing.svg": timing.draw(figures),
        "life-of-an-event.svg": life.draw(),
        "architecture.svg": architecture.draw(ROOT),
    }


def stale() -> list[str]:
    """The pictures that are not what would be drawn now."""
    return [
        name
        for name, text in drawn().items()
        if not (FOLDER / name).exists() or (FOLDER / name).read_text(encoding="utf-8") != text
    ]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--check", is_flag=True, help="Draw nothing; exit code 1 if a picture is not what it should be.")
def main(*, check: bool) -> None:
    """Draw the pictures of the docs from the last benchmark's figures and from the code."""
    if check:
        for name in (old := stale()):
            click.echo(f"docs/pictures/{name} is out of date; run: python -m tools.pictures", err=True)
        sys.exit(1 if old else 0)
    FOLDER.mkdir(exist_ok=True)
    for name, text in drawn().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
