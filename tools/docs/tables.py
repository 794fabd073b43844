"""Writes the tables of docs/ that are made of code: `python -m tools.docs.tables`, `--check` only compares.

A document says where a table goes with two comments, `<!-- table: NAME -->` and `<!-- end of table -->`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import click

from adapter.config import knative, variables
from adapter.config import opentelemetry as tracing
from adapter.manifest import schema as manifest
from adapter.observability import emf, prometheus
from tools.docs import architecture, judged

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
#: What makes each table.
TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "variables": variables.markdown,
    "manifest": manifest.markdown,
    "prometheus": prometheus.markdown,
    "emf": emf.markdown,
    "knative": knative.markdown,
    "opentelemetry": tracing.markdown,
    "rules": architecture.rules_table,
    "packages": architecture.packages_table,
    "modules": architecture.modules_table,
    "judged": judged.judged_table,
    "unjudged": judged.unjudged_table,
    "traits": judged.traits_table,
}
_PLACE: Final = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def rendered(text: str) -> str:
    """The document with its tables as they should be.

    Raises:
        KeyError: a table of this name is not known.
    """
    return _PLACE.sub(lambda match: f"{match[1]}\n{TABLES[match[2]]().strip()}\n\n{match[3]}", text)


def documents() -> list[Path]:
    """The documents that have such tables."""
    return [path for path in sorted(DOCS.glob("*.md")) if _PLACE.search(path.read_text(encoding="utf-8"))]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if a table is not what it should be.")
def main(*, check: bool) -> None:
    """Write the tables that are made of code into docs/*.md."""
    stale = []
    for path in documents():
        text = path.read_text(encoding="utf-8")
        if (wanted := rendered(text)) != text:
            stale.append(path)
            if not check:
                path.write_text(wanted, encoding="utf-8")
    if check and stale:
        names = ", ".join(path.name for path in stale)
        click.echo(f"docs: not what the code says: {names}; run: python -m tools.docs.tables", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
