"""Writes the lock files: `make lock`, after a change of pyproject.toml or tools/setup/npm/package.json.

Hashes for every file, no registry's address in any of them. Versions move only as far as pyproject.toml allows;
--upgrade takes the newest ones.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[2]
LOCKS = {
    "adapter.txt": ("--extra", "tracing"),
    "deploy.txt": ("--extra", "deploy"),
    "dev.txt": ("--extra", "deploy", "--extra", "tracing", "--group", "dev"),
}
#: Locks that stand alone: one group each, none of the project's own requirements.
GROUPS = ("terraform", "provider", "node", "checkov", "cdktn", "docs")
#: What users install of their own: names as they stand there, versions those of the tests.
EXAMPLES = ("examples/receiver/requirements.txt",)
HEADER = "# Written by `make lock` from pyproject.toml: don't edit.\n"


def _compile(target: Path, arguments: tuple[str, ...], *, upgrade: bool) -> None:
    uv = [sys.executable, "-m", "uv", "pip", "compile", "--universal", "--python-version", "3.11", "--generate-hashes"]
    quiet = ["--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate", "--quiet"]
    more = ["--upgrade"] if upgrade else []
    subprocess.run([*uv, *quiet, *more, *arguments, "-o", str(target)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    text = target.read_text()
    target.write_text(text if text.startswith(HEADER) else HEADER + text)


def _pin(target: Path, lock: str) -> None:
    """Give an example's requirements the versions of a lock file."""
    pins = dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", lock, re.MULTILINE))
    names = [line.partition("==")[0] for line in target.read_text().split()]
    target.write_text("".join(f"{name}=={pins[name]}\n" for name in names))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--upgrade", is_flag=True, help="Take the newest versions that pyproject.toml allows.")
def main(*, upgrade: bool) -> None:
    """Write requirements/*.txt, the examples' requirements and tools/setup/npm/package-lock.json."""
    folder = ROOT / "requirements"
    folder.mkdir(exist_ok=True)
    constraint: tuple[str, ...] = ()
    for name, arguments in LOCKS.items():
        click.echo(f"lock: requirements/{name}", err=True)
        _compile(folder / name, ("pyproject.toml", *arguments, *constraint), upgrade=upgrade)
        constraint = ("--constraint", str(folder / name))
    for group in GROUPS:
        click.echo(f"lock: requirements/{group}.txt", err=True)
        _compile(folder / f"{group}.txt", ("--group", group), upgrade=upgrade)
    for example in EXAMPLES:
        click.echo(f"lock: {example}", err=True)
        _pin(ROOT / example, (folder / "dev.txt").read_text())
    click.echo("lock: tools/setup/npm/package-lock.json", err=True)
    npm = ["npm", "install", "--package-lock-only", "--ignore-scripts", "--omit-lockfile-registry-resolved"]
    subprocess.run([*npm, "--no-audit", "--no-fund"], cwd=ROOT / "tools/setup/npm", check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main()
