"""A release: one version that everything agrees on, and a CHANGELOG that says what it brings."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from adapter.config import settings as config
from adapter.runtime.credentials import service_session
from adapter.sinks.address import resolve
from adapter.sinks.options import HttpOptions
from adapter.version import USER_AGENT, VERSION
from tools.release import __main__ as release

ROOT = Path(__file__).resolve().parents[2]
CHANGELOG = """# Changelog

Said how.

## Unreleased

### Fixed
- A wrong thing.

## 0.2.0 - 2026-12-01

### Added
- Something.

## 0.1.0 - 2026-11-23

The first version.
"""


def test_version_changelog_and_tag_agree() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert release.version_of() == VERSION
    assert release.problems(VERSION, changelog) == []
    assert release.notes(VERSION, changelog)


def test_what_people_copy_names_this_version_of_the_image(tmp_path: Path) -> None:
    assert release.stale(VERSION) == []
    assert ROOT / "examples/kubernetes/deployment.yaml" in release.copied()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text(f"Use cognito-source:0.0.9, or registry.example.com/cognito-source:{VERSION}.")
    assert release.stale(VERSION, tmp_path) == [f"docs/a.md: names cognito-source:0.0.9, expected {VERSION}"]


def test_the_version_is_written_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "adapter.version.VERSION"}
    assert re.findall(r"(?m)^ARG VERSION=(.*)$", (ROOT / "Dockerfile").read_text()) == ["unknown"]
    built = subprocess.run(
        ["make", "--dry-run", "image", "ENGINE=echo"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert f"--build-arg VERSION={VERSION} " in built.stdout


def test_the_packages_hold_every_file_of_theirs() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["*"]
    listed = subprocess.run(
        ["git", "ls-files", "adapter", "iam", "plan_review", "stacks"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [Path(name) for name in listed.stdout.splitlines()]
    left_out = [file for file in files if file.suffix != ".py" and not any(map(file.match, patterns))]
    assert files
    assert left_out == [], "name them in pyproject.toml, [tool.setuptools.package-data]"


@pytest.mark.parametrize("module", ["adapter", "iam", "stacks"])
def test_every_command_line_says_the_version(module: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", module, "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout == f"cognito-source {VERSION}\n"


def test_every_request_says_the_version() -> None:
    """Those of ListUsers: tests/unit/cognito/test_wire.py."""
    settings = config.load(
        {"ARN": "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI", "K_SINK": "stdout:"}
    )
    assert f"cognito-source/{VERSION}" == USER_AGENT
    sink = resolve("http://127.0.0.1/", HttpOptions(), variable="K_SINK")
    assert sink.origin.user_agent == USER_AGENT
    assert service_session(settings).user_agent().endswith(f" {USER_AGENT}")


def problems_with(edit: Callable[[str], str], version: str = "0.2.0", tag: str | None = None) -> list[str]:
    changed = edit(CHANGELOG)
    assert tag or version != "0.2.0" or changed != CHANGELOG
    return release.problems(version, changed, tag)


def test_a_sound_changelog_has_no_problems() -> None:
    assert release.problems("0.2.0", CHANGELOG) == []
    assert release.problems("0.2.0", CHANGELOG.replace("### Fixed\n- A wrong thing.\n", ""), "v0.2.0") == []


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("## 0.2.0 - 2026-12-01", "## 0.2.1 - 2026-12-01", "newest version is 0.2.1"),
        ("## 0.2.0 - 2026-12-01", "## 0.2.0", "has the date ''"),
        ("## 0.2.0 - 2026-12-01", "## 0.2.0 - 1st of May", "has the date '1st of May'"),
        ("## 0.1.0 -", "## 0.3.0 -", "falling order"),
        ("## 0.1.0 -", "## first -", "'## first' is no version"),
        ("## Unreleased\n", "", "first part is not"),
        ("The first version.\n", "", "0.1.0 says nothing"),
        ("### Added", "### News", "'### News'; expected one of Added"),
    ],
)
def test_each_flaw_of_a_changelog_is_named(old: str, new: str, named: str) -> None:
    (problem,) = problems_with(lambda text: text.replace(old, new))
    assert named in problem


def test_a_tag_must_be_that_of_the_version_and_leave_nothing_unreleased() -> None:
    wrong, unreleased = problems_with(lambda text: text, tag="v0.3.0")
    assert "expected the tag v0.2.0" in wrong
    assert "'Unreleased' is not empty" in unreleased


def test_a_release_names_the_place_of_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github/CODEOWNERS").write_text("* @OWNER\n")
    (tmp_path / "pyproject.toml").write_text('Homepage = "https://github.com/OWNER/REPOSITORY"\n')
    urls, owners = release.placeholders(tmp_path)
    assert urls.startswith("pyproject.toml: names OWNER/REPOSITORY; ")
    assert owners.startswith(".github/CODEOWNERS: names @OWNER; ")
    (tmp_path / ".github/CODEOWNERS").write_text("* @somebody\n")
    (tmp_path / "pyproject.toml").write_text('Homepage = "https://github.com/somebody/cognito-source"\n')
    assert release.placeholders(tmp_path) == []


def test_a_version_of_two_numbers_is_refused() -> None:
    assert any("three numbers" in problem for problem in problems_with(lambda text: text, version="0.2"))


def test_preparing_a_release_leaves_files_that_may_be_tagged() -> None:
    version_file, changelog = release.prepared(
        'VERSION: Final = "0.2.0"\nX = 1\n', CHANGELOG, "0.3.0", date(2026, 12, 24)
    )
    assert version_file == 'VERSION: Final = "0.3.0"\nX = 1\n'
    assert release.problems("0.3.0", changelog, "v0.3.0") == []
    assert release.notes("0.3.0", changelog) == "### Fixed\n- A wrong thing."


@pytest.mark.parametrize(
    ("version", "changelog", "named"),
    [
        ("0.2.0", CHANGELOG, "does not come after 0.2.0"),
        ("v0.3.0", CHANGELOG, "three numbers"),
        ("0.3.0", CHANGELOG.replace("### Fixed\n- A wrong thing.\n", ""), "nothing under"),
    ],
)
def test_what_can_not_be_released_is_refused(version: str, changelog: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        release.prepared('VERSION: Final = "0.2.0"\n', changelog, version, date(2026, 12, 24))
