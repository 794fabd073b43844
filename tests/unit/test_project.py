"""Promises about the project itself: targets, locks, documents. What they say must be so."""

from __future__ import annotations

import re
import subprocess
import tarfile
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = [*sorted((ROOT / "requirements").glob("*.txt")), ROOT / "tools/setup/npm/package-lock.json"]
TRACKED = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.splitlines()
]


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_make_help_lists_every_target() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in shown.splitlines()} == _targets()
    bare = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert bare == shown


@pytest.mark.parametrize("lock", LOCKS, ids=_name)
def test_a_lock_file_has_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    if lock.suffix == ".json":
        assert '"resolved"' not in text
        assert '"integrity"' in text
        return
    assert "://" not in text
    assert not re.search(r"^\s*--(?!hash)", text, re.MULTILINE)
    pinned = re.findall(r"^[a-z0-9._\[\]-]+==", text, re.MULTILINE | re.IGNORECASE)
    assert pinned
    assert len(re.findall(r"--hash=sha256:", text)) >= len(pinned)


def _locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text()
    pins = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", text, re.MULTILINE)
    return {canonicalize_name(package): version for package, version in pins}


def test_the_locks_are_those_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    direct = project["project"]["dependencies"]
    deploy = project["project"]["optional-dependencies"]["deploy"]
    tracing = project["project"]["optional-dependencies"]["tracing"]
    groups = project["dependency-groups"]
    wanted = {
        "adapter.txt": direct + tracing,
        "deploy.txt": direct + deploy,
        "dev.txt": direct + deploy + tracing + groups["dev"],
    }
    wanted |= {f"{name}.txt": groups[name] for name in groups if name != "dev"}
    stale = [
        f"{lock}: {text}"
        for lock, texts in wanted.items()
        for text in texts
        for requirement in [Requirement(text)]
        if not requirement.specifier.contains(_locked(lock).get(canonicalize_name(requirement.name), "0"))
    ]
    assert stale == [], "run `make lock`"


def test_the_adapters_lock_has_neither_cdktf_nor_node() -> None:
    names = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements/adapter.txt").read_text(), re.MULTILINE))
    assert {"boto3", "cloudevents", "msgspec"} <= names
    assert not {name for name in names if name.startswith(("cdktf", "constructs", "jsii", "nodejs", "pytest", "moto"))}


def test_the_hooks_of_a_commit_start_tools_that_are_locked() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    programs = [hook["entry"].split()[0] for hook in local["hooks"]]
    assert programs
    assert [each for each in programs if canonicalize_name(Path(each).name) not in _locked("dev.txt")] == []
    assert {str(Path(each).parent) for each in programs} == {".tools/venv/bin"}


def test_no_package_goes_to_an_index_and_nobody_is_told_to_install_one() -> None:
    """Whoever owns the name there would be run (docs/adr/0012)."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "Private :: Do Not Upload" in project["classifiers"]
    told = re.compile(r"(pip|pipx|uv|uvx)\b[^`\n]* ['\"]?cognito-source(\[|['\"` ]|$)", re.MULTILINE)
    texts = {path: path.read_text() for path in TRACKED if path.is_file() and path.suffix in {".md", ".py", ".yml"}}
    found = {path: told.findall(text) for path, text in texts.items() if "tests/golden" not in str(path)}
    assert {_name(path) for path, hits in found.items() if hits} <= {
        "docs/adr/0012-an-image-and-a-source-archive-no-package.md"
    }


def test_the_source_archive_holds_what_deploys(tmp_path: Path) -> None:
    subprocess.run(["git", "archive", "--output", tmp_path / "source.tar", "HEAD"], cwd=ROOT, check=True)
    with tarfile.open(tmp_path / "source.tar") as archive:
        names = set(archive.getnames())
    wanted = {
        "main.py",
        "cdktf.json",
        "source.yaml",
        "Dockerfile",
        "pyproject.toml",
        "requirements/adapter.txt",
        "LICENSE",
    }
    assert wanted <= names


def test_the_index_lists_every_guide_and_decision() -> None:
    listed = set(re.findall(r"\]\(([^)#]+)", (ROOT / "docs/README.md").read_text()))
    there = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert there - {"README.md"} == listed


def test_contributing_is_short() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 100


def test_no_file_names_a_machine_a_package_index_or_a_home_folder() -> None:
    assert TRACKED
    addresses = "|".join(
        ["pypi" + r"\.org", "registry" + r"\.npmjs", "files\\.python" + "hosted", "/" + r"root/", "/wo" + r"rk/"]
    )
    found = []
    for path in TRACKED:
        if path.suffix in {".png", ".ico"} or not path.is_file():
            continue
        found += [f"{_name(path)}: {match[0]}" for match in re.finditer(addresses, path.read_text(errors="replace"))]
    assert found == []
