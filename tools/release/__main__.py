"""What a release needs besides the code: version, CHANGELOG and tag that agree, and notes (docs/releasing.md).

python -m tools.release prepare 0.2.0          write the version everywhere, and date the CHANGELOG's Unreleased part
python -m tools.release check [--tag v0.2.0]   say what does not agree
python -m tools.release notes                  print the CHANGELOG's part of this version
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import click

ROOT: Final = Path(__file__).resolve().parents[2]
VERSION_FILE: Final = Path("adapter/version.py")
CHANGELOG: Final = Path("CHANGELOG.md")
UNRELEASED: Final = "Unreleased"
#: Semantic Versioning without build metadata, which neither an image's tag nor the package index allows.
_VERSION: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_ASSIGNMENT: Final = re.compile(r'(?m)^VERSION: Final = "(.*)"$')
#: An image of ours by its tag, in what people copy: the guides and examples/.
_IMAGE: Final = re.compile(r"(cognito-source:)(\d+\.\d+\.\d+)\b")
_HEADING: Final = re.compile(r"(?m)^## (.*)$")
#: The kinds of change of Keep a Changelog 1.1.0.
KINDS: Final = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the CHANGELOG: its version (or "Unreleased"), its date as written, its text."""

    version: str
    date: str
    text: str


def version_of(root: Path = ROOT) -> str:
    """The version that adapter/version.py says, read without importing it."""
    found = _ASSIGNMENT.search((root / VERSION_FILE).read_text())
    return found[1] if found else ""


def parts_of(changelog: str) -> list[Part]:
    """The parts of a CHANGELOG, newest first, as they stand in it."""
    headings = list(_HEADING.finditer(changelog))
    ends = [heading.start() for heading in headings[1:]] + [len(changelog)]
    parts = []
    for heading, end in zip(headings, ends, strict=True):
        version, _, when = heading[1].partition(" - ")
        parts.append(Part(version.strip("[] "), when.strip(), changelog[heading.end() : end].strip()))
    return parts


def problems(version: str, changelog: str, tag: str | None = None) -> list[str]:
    """What does not agree, one line each; with a tag, also what must not be released yet."""
    found = []
    if not _VERSION.fullmatch(version):
        found.append(f"{VERSION_FILE}: VERSION is {version!r}; expected three numbers such as 1.2.3")
    parts = parts_of(changelog)
    if not parts or parts[0].version != UNRELEASED:
        found.append(f"{CHANGELOG}: the first part is not '## {UNRELEASED}'; put it before the newest version")
    released = [part for part in parts if part.version != UNRELEASED]
    if not released or released[0].version != version:
        newest = released[0].version if released else "none"
        found.append(
            f"{CHANGELOG}: the newest version is {newest}, {VERSION_FILE} says {version}; "
            "`python -m tools.release prepare` writes both"
        )
    for part in released:
        found += _problems_of(part)
    numbers = [_numbers(part.version) for part in released if _VERSION.fullmatch(part.version)]
    if numbers != sorted(set(numbers), reverse=True):
        found.append(f"{CHANGELOG}: the versions are not in falling order, each once")
    if tag is not None:
        if tag != f"v{version}":
            found.append(f"the tag is {tag}, {VERSION_FILE} says {version}; expected the tag v{version}")
        if parts and parts[0].version == UNRELEASED and parts[0].text:
            found.append(f"{CHANGELOG}: '{UNRELEASED}' is not empty; what is in the tag belongs to {version}")
    return found


def _problems_of(part: Part) -> list[str]:
    found = []
    if not _VERSION.fullmatch(part.version):
        found.append(f"{CHANGELOG}: '## {part.version}' is no version; expected three numbers such as 1.2.3")
    try:
        date.fromisoformat(part.date)
    except ValueError:
        found.append(f"{CHANGELOG}: {part.version} has the date {part.date!r}; expected '## VERSION - YYYY-MM-DD'")
    if not part.text:
        found.append(f"{CHANGELOG}: {part.version} says nothing; expected what changed for its users")
    kinds = re.findall(r"(?m)^### (.*)$", part.text)
    found += [
        f"{CHANGELOG}: {part.version} has '### {kind}'; expected one of {', '.join(KINDS)}"
        for kind in kinds
        if kind not in KINDS
    ]
    return found


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def notes(version: str, changelog: str) -> str:
    """The text of a version's part; empty if there is none."""
    return next((part.text for part in parts_of(changelog) if part.version == version), "")


def prepared(version_file: str, changelog: str, version: str, today: date) -> tuple[str, str]:
    """The two files as they are for a new version: what was unreleased is that version's part.

    Raises:
        ValueError: this can't be the next version, or there is nothing to release.
    """
    if not _VERSION.fullmatch(version):
        raise ValueError(f"{version!r} is no version; expected three numbers such as 1.2.3")
    parts = parts_of(changelog)
    newest = [part.version for part in parts if part.version != UNRELEASED][:1]
    if newest and _numbers(version) <= _numbers(newest[0]):
        raise ValueError(f"{version} does not come after {newest[0]}, the newest version of {CHANGELOG}")
    if not parts or parts[0].version != UNRELEASED or not parts[0].text:
        raise ValueError(f"{CHANGELOG} has nothing under '## {UNRELEASED}'; say there what changed")
    assignment = f'VERSION: Final = "{version}"'
    heading = f"## {UNRELEASED}\n\n## {version} - {today.isoformat()}"
    return _ASSIGNMENT.sub(assignment, version_file, count=1), changelog.replace(f"## {UNRELEASED}", heading, 1)


def copied(root: Path = ROOT) -> list[Path]:
    """The files from which people copy: they name the image."""
    files = [*(root / "docs").glob("*.md"), *(root / "examples").rglob("*.yaml"), root / "README.md"]
    return sorted(file for file in files if file.is_file() and _IMAGE.search(file.read_text()))


def stale(version: str, root: Path = ROOT) -> list[str]:
    """Which of them name another version of the image, one line each."""
    return [
        f"{file.relative_to(root)}: names cognito-source:{found}, expected {version}"
        for file in copied(root)
        for _, found in _IMAGE.findall(file.read_text())
        if found != version
    ]


def placeholders(root: Path = ROOT) -> list[str]:
    """Which files still name no place of the repository, one line each."""
    wanted = {Path("pyproject.toml"): "OWNER/REPOSITORY", Path(".github/CODEOWNERS"): "@OWNER"}
    return [
        f"{file}: names {text}; write the repository's owner and name (docs/releasing.md)"
        for file, text in wanted.items()
        if text in (root / file).read_text()
    ]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Prepare and check a release; docs/releasing.md says what to do when."""


@main.command()
@click.argument("version")
def prepare(version: str) -> None:
    """Write VERSION wherever it stands, and close the CHANGELOG's Unreleased part under it, with today's date."""
    files = [ROOT / VERSION_FILE, ROOT / CHANGELOG]
    try:
        texts: tuple[str, ...] = prepared(files[0].read_text(), files[1].read_text(), version, datetime.now(UTC).date())
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    for file in copied():
        files.append(file)
        texts = (*texts, _IMAGE.sub(rf"\g<1>{version}", file.read_text()))
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
        click.echo(f"wrote {file.relative_to(ROOT)}")


@main.command()
@click.option("--tag", help="Check also that this tag may be released.")
def check(tag: str | None) -> None:
    """Check that version, CHANGELOG and tag agree; exit code 1 if they don't."""
    version = version_of()
    found = [*problems(version, (ROOT / CHANGELOG).read_text(), tag), *stale(version)]
    found += placeholders() if tag else []
    for problem in found:
        click.echo(f"release: {problem}", err=True)
    if found:
        raise SystemExit(1)
    click.echo(f"{version}: version, CHANGELOG{' and tag' if tag else ''} agree")


@main.command("notes")
def print_notes() -> None:
    """Print the CHANGELOG's part of this version, the notes of its release."""
    click.echo(notes(version_of(), (ROOT / CHANGELOG).read_text()))


if __name__ == "__main__":
    main()
