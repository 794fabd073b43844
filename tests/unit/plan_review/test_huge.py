"""A plan of 50 MB gets the right answer; how long that takes is measured in benchmarks/."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.unit.plan_review.large import write_repeated

SIZE = 50_000_000


def review(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "plan_review", *arguments]
    return subprocess.run(command, capture_output=True, check=False, text=True)


def test_fifty_megabytes_are_reviewed_whole(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    copies = write_repeated(path, SIZE)
    done = review(str(path), "--gate", "no-destroy")
    assert done.returncode == 1
    assert f"Creates {copies * 11}, changes {copies * 7}, replaces {copies * 2}, destroys {copies * 4}" in done.stdout
    assert f"Data at risk in {copies * 2} stores." in done.stdout
    assert "canary" not in done.stdout + done.stderr


def test_fifty_megabytes_that_are_cut_off_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_repeated(path, SIZE)
    with path.open("r+b") as file:
        file.truncate(SIZE - 1000)
    done = review(str(path))
    assert done.returncode == 2
    assert "is it cut off?" in done.stderr
