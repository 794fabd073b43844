"""What runs on GitHub: it can't run here, so its form, its pins and its permissions are held to rules."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github"
WORKFLOWS = sorted((FOLDER / "workflows").glob("*.yml"))
PROGRAMS = Path(sys.executable).parent
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def read(path: Path) -> dict[str, Any]:
    # PyYAML reads YAML 1.1, in which `on` is a boolean.
    document = yaml.safe_load(path.read_text())
    return {"on" if key is True else key: value for key, value in document.items()}


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in read(path)["jobs"].items():
            yield f"{path.stem}.{name}", job


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in jobs():
        for step in job.get("steps", []):
            yield name, step


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.dependabot", [FOLDER / "dependabot.yml"]),
        ("vendor.github-issue-forms", [FOLDER / "ISSUE_TEMPLATE/bug.yml", FOLDER / "ISSUE_TEMPLATE/idea.yml"]),
        ("vendor.github-issue-config", [FOLDER / "ISSUE_TEMPLATE/config.yml"]),
    ],
    ids=["workflows", "dependabot", "issue-forms", "issue-config"],
)
def test_the_files_keep_to_their_published_schemas(schema: str, files: list[Path]) -> None:
    done = subprocess.run(
        [PROGRAMS / "check-jsonschema", "--builtin-schema", schema, *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_audit_finds_nothing() -> None:
    done = subprocess.run(
        [PROGRAMS / "zizmor", "--offline", "--no-progress", "--color", "never", FOLDER],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_every_action_is_pinned_to_a_commit_and_says_its_version() -> None:
    pins: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for used in re.findall(r"uses: (.*)", path.read_text()):
            if used.startswith("./"):
                assert (ROOT / used.split()[0]).is_file()
                continue
            match = re.fullmatch(r"([\w.-]+/[\w./-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)", used)
            assert match, f"{path.name}: {used}"
            pins.setdefault(match[1], set()).add(match[2])
    assert pins
    assert {action: pin for action, pin in pins.items() if len(pin) > 1} == {}


def test_a_workflow_may_nothing_and_a_job_only_what_it_names() -> None:
    assert {path.name: read(path)["permissions"] for path in WORKFLOWS} == {path.name: {} for path in WORKFLOWS}
    writing = {
        name: {scope for scope, level in job["permissions"].items() if level == "write"}
        for name, job in jobs()
        if "write" in job["permissions"].values()
    }
    assert writing == {
        "docs.publish": {"pages", "id-token"},
        "release.image": {"packages", "id-token", "attestations"},
        "release.notes": {"contents", "id-token", "attestations"},
        "update.propose": {"contents", "pull-requests"},
    }


def test_publishing_waits_for_a_persons_approval_and_for_the_tests() -> None:
    release = read(FOLDER / "workflows/release.yml")
    by_name = release["jobs"]
    assert by_name["image"]["environment"] == "release"
    assert by_name["build"]["needs"] == "test"
    assert by_name["image"]["needs"] == "build"
    assert set(by_name["notes"]["needs"]) == {"build", "image"}
    assert by_name["test"]["uses"] == "./.github/workflows/ci.yml"
    assert release["on"] == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}}


def test_no_workflow_knows_a_secret() -> None:
    for path in WORKFLOWS:
        assert "secrets." not in path.read_text()


def test_no_script_is_made_of_what_an_event_says() -> None:
    """An expression in a script is pasted into it: a branch called `$(...)` would run. Variables are not."""
    for name, step in steps():
        assert "${{" not in step.get("run", ""), f"{name}: {step}"


def test_no_job_runs_for_ever_and_no_checkout_leaves_a_token() -> None:
    for name, job in jobs():
        assert "uses" in job or job["timeout-minutes"] <= 60, name
    for name, step in steps():
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"] == {"persist-credentials": False}, name


def test_what_the_workflows_call_exists() -> None:
    text = "\n".join(step.get("run", "") for _, step in steps())
    assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= TARGETS
    assert {".ci/run"} == set(re.findall(r"\.ci/\w+", text))
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
    for module in re.findall(r"python3? -m ([a-z_.]+)", text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


def test_what_dependabot_watches_is_there() -> None:
    watched = {each["package-ecosystem"]: each for each in read(FOLDER / "dependabot.yml")["updates"]}
    assert watched.keys() == {"github-actions", "docker", "npm", "pip"}
    assert (ROOT / watched["npm"]["directory"].lstrip("/") / "package-lock.json").is_file()
    assert "omit-lockfile-registry-resolved=true" in (ROOT / "tools/setup/npm/.npmrc").read_text()
    # Its pull requests for Python would change one lock of several that must agree.
    assert watched["pip"]["open-pull-requests-limit"] == 0
