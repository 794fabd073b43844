"""`python -m tools.site`: stage the documents, build the site from them, and look at what came out."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import click

from tools.site.stage import stage

ROOT = Path(__file__).resolve().parents[2]
GENERATOR = ROOT / ".tools/docs/bin/mkdocs"
#: Where mkdocs.yml expects the staged documents, and where it puts the site.
BUILD = Path("build")


class _Loaded(HTMLParser):
    """What a page makes a browser load."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect scripts, pictures, frames, style sheets, icons: all but what somebody has to click."""
        given = dict(attrs)
        if tag != "a" and not (tag == "link" and given.get("rel") in {"canonical", "next", "prev"}):
            self.addresses += [value for name in ("src", "href", "srcset", "data") if (value := given.get(name))]


def outside_requests(site: Path) -> list[str]:
    """What a reader's browser would load from elsewhere: `page: address`."""
    found = []
    for page in sorted(site.rglob("*.html")):
        loaded = _Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        outside = [each for each in loaded.addresses if each.startswith(("//", "http:", "https:"))]
        found += [f"{page.relative_to(site)}: {address}" for address in outside]
    return found


def build(root: Path, *command: str) -> int:
    """Stage and run the generator in `root`, which holds mkdocs.yml; returns its exit code."""
    stage(root, root / BUILD / "docs")
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
        click.echo("docs: MkDocs is missing; run: python tools/bootstrap.py docs", err=True)
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
