"""`python -m tools.docs.site`: stage the documents, build the site from them, and look at what came out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click

from tools.docs.site.stage import BrokenLinkError, stage

ROOT = Path(__file__).resolve().parents[3]
GENERATOR = ROOT / ".tools/docs/bin/mkdocs"
#: Where mkdocs.yml expects the staged documents, and where it puts the site.
BUILD = Path("build")
#: Tags that make a browser load something when the page is shown: all but those that somebody has to click.
_LOADING = re.compile(r"<(?!a\b)(?P<tag>[a-z]+)\b(?P<rest>[^<>]*)>", re.IGNORECASE)
_OUTSIDE = re.compile(r"\b(?:src|href|srcset|data)=[\"']?(?P<address>(?:https?:)?//[^\"'\s>]+)")
_HARMLESS = re.compile(r"\brel=[\"']?(?:canonical|next|prev)\b")


def outside_requests(site: Path) -> list[str]:
    """What a reader's browser would load from elsewhere: `page: address`."""
    return [
        f"{page.relative_to(site)}: {outside['address']}"
        for page in sorted(site.rglob("*.html"))
        for tag in _LOADING.finditer(page.read_text(encoding="utf-8"))
        if (outside := _OUTSIDE.search(tag["rest"])) and not _HARMLESS.search(tag["rest"])
    ]


def build(root: Path, *command: str) -> int:
    """Stage and run the generator in `root`, which holds mkdocs.yml; returns its exit code."""
    try:
        stage(root, root / BUILD / "docs")
    except BrokenLinkError as fault:
        click.echo(f"docs: {fault}", err=True)
        return 1
    # It tells of its successors on every run; mkdocs.yml says what was decided.
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run([GENERATOR, *command], cwd=root, env=environment, check=False).returncode


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--serve", metavar="HOST:PORT", help="Serve it here instead, until interrupted.")
def main(*, serve: str | None) -> None:
    """Build the docs site into build/site: no warning, no broken link, nothing loaded from elsewhere.

    Exit codes: 0 built, 1 something is wrong with the documents, 2 the generator is missing.
    """
    if not GENERATOR.exists():
        click.echo("docs: MkDocs is missing; run: python tools/setup/bootstrap.py --only docs", err=True)
        sys.exit(2)
    if serve:
        sys.exit(build(ROOT, "serve", "--strict", "--dev-addr", serve))
    if build(ROOT, "build", "--strict"):
        sys.exit(1)
    outside = outside_requests(ROOT / BUILD / "site")
    for line in outside:
        click.echo(f"docs: loaded from elsewhere: {line}", err=True)
    if outside:
        sys.exit(1)
    click.echo(f"docs: {BUILD}/site/index.html")


if __name__ == "__main__":
    main()
