"""tools/bootstrap.py: idempotent, and one clear line for whatever can go wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import bootstrap

ROOT = Path(__file__).resolve().parents[2]


def _checkout(folder: Path) -> Path:
    for name in ("tools", "requirements"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _run(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(checkout / "tools/bootstrap.py"), *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(checkout), "PIP_CONFIG_FILE": os.devnull} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_an_index_out_of_reach_is_told_in_one_line(tmp_path: Path) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    run = _run(_checkout(tmp_path), **nowhere)

    assert run.returncode == 1
    assert run.stderr.strip().splitlines()[-1].startswith("bootstrap: Python packages: ")
    assert "run it again" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_missing_lock_is_told_in_one_line(tmp_path: Path) -> None:
    checkout = _checkout(tmp_path)
    (checkout / "requirements/dev.txt").unlink()
    run = _run(checkout)

    assert run.returncode == 1
    assert "requirements/dev.txt is missing" in run.stderr
    assert "Traceback" not in run.stderr


def test_an_unknown_argument_shows_the_usage(tmp_path: Path) -> None:
    run = _run(_checkout(tmp_path), "everything")
    assert run.returncode == 2
    assert "tools/bootstrap.py" in run.stdout


def test_a_step_runs_again_only_when_its_inputs_or_outputs_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "TOOLS", tmp_path)
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    output = tmp_path / "output"
    step = bootstrap.Step("one", "the one step", ["input"], [output], output.touch)

    assert not step.done()
    step.run()
    assert step.done()
    assert not bootstrap.Step("one", "the one step", ["other input"], [output], output.touch).done()
    output.unlink()
    assert not step.done()


def test_a_step_that_left_nothing_behind_is_not_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "TOOLS", tmp_path)
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    step = bootstrap.Step("one", "the one step", ["input"], [tmp_path / "output"], lambda: None)

    with pytest.raises(bootstrap.StepError, match="left no output"):
        step.run()
    assert not step.done()


def test_the_reason_of_a_failure_is_the_line_that_says_it() -> None:
    said = "Looking in indexes\nERROR: No matching distribution found for left-pad==1\nnotice: a new pip"
    assert bootstrap._reason(said) == "ERROR: No matching distribution found for left-pad==1"
    assert bootstrap._reason("") == "no output"
    assert bootstrap._reason("one\ntwo\n") == "two"


def test_what_bootstrap_installed_does_not_count_as_the_machines_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(bootstrap.BIN), "/usr/bin", str(bootstrap.TOOLS / "venv/bin")]))
    assert bootstrap.search_path() == "/usr/bin"
