"""tools/setup/bootstrap.py: idempotent, and one clear line for whatever can go wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pip
import pytest

from tools.setup import bootstrap, steps

ROOT = Path(__file__).resolve().parents[2]


def _checkout(folder: Path) -> Path:
    for name in ("tools", "requirements"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _run(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(checkout / "tools/setup/bootstrap.py"), *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(checkout), "PIP_CONFIG_FILE": os.devnull} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_an_index_out_of_reach_is_told_in_one_line(tmp_path: Path) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    checkout = _checkout(tmp_path)
    # An environment with pip and nothing else, in a tenth of the time that ensurepip takes.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", checkout / ".tools/venv"], check=True)
    (packages,) = (checkout / ".tools/venv/lib").glob("python3*/site-packages")
    shutil.copytree(Path(pip.__file__).parent, packages / "pip")
    run = _run(checkout, **nowhere)

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
    assert "tools/setup/bootstrap.py" in run.stdout


def test_a_step_runs_again_only_when_its_inputs_or_outputs_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "TOOLS", tmp_path)
    monkeypatch.setattr(steps, "ROOT", tmp_path)
    output = tmp_path / "output"
    step = steps.SetupStep("one", "the one step", ["input"], [output], output.touch)

    assert not step.done()
    step.run()
    assert step.done()
    assert not steps.SetupStep("one", "the one step", ["other input"], [output], output.touch).done()
    output.unlink()
    assert not step.done()


def test_a_step_that_left_nothing_behind_is_not_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "TOOLS", tmp_path)
    monkeypatch.setattr(steps, "ROOT", tmp_path)
    step = steps.SetupStep("one", "the one step", ["input"], [tmp_path / "output"], lambda: None)

    with pytest.raises(steps.StepError, match="left no output"):
        step.run()
    assert not step.done()


def test_the_reason_of_a_failure_is_the_line_that_says_it() -> None:
    said = "Looking in indexes\nERROR: No matching distribution found for left-pad==1\nnotice: a new pip"
    assert steps._reason(said) == "ERROR: No matching distribution found for left-pad==1"
    assert steps._reason("") == "no output"
    assert steps._reason("one\ntwo\n") == "two"


def test_what_bootstrap_installed_does_not_count_as_the_machines_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(steps.BIN), "/usr/bin", str(steps.TOOLS / "venv/bin")]))
    assert steps.search_path() == "/usr/bin"


def test_a_linked_tools_folder_does_not_count_as_the_machines_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared/bin").mkdir(parents=True)
    (tmp_path / ".tools").symlink_to(tmp_path / "shared")
    monkeypatch.setattr(steps, "TOOLS", tmp_path / ".tools")
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / ".tools/bin"), "/usr/bin"]))
    assert steps.search_path() == "/usr/bin"


def test_pip_installs_what_uv_could_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []

    def call(log: str, command: list[str | Path], fix: str, **_: object) -> None:
        called.append([str(part) for part in command])
        if log.endswith("-uv"):
            raise steps.StepError("uv failed", fix)

    monkeypatch.setattr(steps, "call", call)
    monkeypatch.setattr(steps, "_index_settings", dict)
    steps.install("docs", tmp_path, "docs.txt")

    by_uv, by_pip = called
    assert by_uv[0].endswith("bin/uv")
    assert "pip" in by_pip[2]
    for command in called:
        assert "--require-hashes" in command
        assert command[command.index("--python") + 1] == str(tmp_path / "bin/python")
        assert command[-1].endswith("requirements/docs.txt")


def test_uv_looks_where_pip_is_told_to_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = http://127.0.0.1:9/global\nextra-index-url = http://127.0.0.1:9/more file:///nowhere\n"
        f"find-links = {tmp_path} /no/such/folder\n[install]\nindex-url = http://127.0.0.1:9/install\n"
    )
    for name in (
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
        "UV_FIND_LINKS",
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "PIP_FIND_LINKS",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("HOME", str(tmp_path))
    found = steps._index_settings()
    assert found["UV_DEFAULT_INDEX"] == "http://127.0.0.1:9/install"
    assert (found["UV_INDEX"], found["UV_FIND_LINKS"]) == ("http://127.0.0.1:9/more", str(tmp_path))

    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/environment")
    monkeypatch.setenv("UV_INDEX", "http://127.0.0.1:9/uv")
    found = steps._index_settings()
    assert found["UV_DEFAULT_INDEX"] == "http://127.0.0.1:9/environment"
    assert "UV_INDEX" not in found


def test_the_docs_need_neither_node_nor_terraform() -> None:
    assert [step.name for step in bootstrap.steps(["docs"], only=True)] == ["python", "docs"]
    assert {"npm", "terraform", "docs"} <= {step.name for step in bootstrap.steps(["docs"])}


def test_a_step_that_nothing_waits_for_runs_beside_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(steps, "TOOLS", tmp_path)
    monkeypatch.setattr(steps, "ROOT", tmp_path)
    later = threading.Event()

    def beside() -> None:
        assert later.wait(20), "the next step did not begin"
        raise steps.StepError("npm failed", "fix it")

    wanted = [steps.SetupStep("npm", "beside", [], [], beside), steps.SetupStep("next", "the next", [], [], later.set)]
    with pytest.raises(bootstrap.FailedError, match="beside: npm failed; fix it"):
        bootstrap.run_all(wanted)
    assert "bootstrap: the next: 0 s" in capsys.readouterr().err
    assert wanted[1].done()
    assert not wanted[0].done()
