"""A plan of 50 MB gets the right answer within 5 seconds."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from tests.unit.plan_review.support import load

SIZE = 50_000_000
LIMIT_S = 5.0
#: What the loop below takes on the machine that the limit is meant for; a slower or busier one gets more time.
LOOP_S = 0.5


def loop_seconds() -> float:
    begun = time.process_time()
    total = 0
    for i in range(10_000_000):
        total += i
    return time.process_time() - begun


def write_huge_plan(path: Path) -> int:
    """Repeat what Terraform wrote, all four sections of it, until the file is large; returns how often."""
    item = load("change.json")
    sections: dict[str, list[str]] = {
        "planned": item["planned_values"]["root_module"]["resources"],
        "changes": item["resource_changes"],
        "prior": item["prior_state"]["values"]["root_module"]["resources"],
        "configured": item["configuration"]["root_module"]["resources"],
    }
    templates = {name: [json.dumps(entry) for entry in entries] for name, entries in sections.items()}
    parts: dict[str, list[str]] = {name: [] for name in sections}
    size = copies = 0
    while size < SIZE:
        copies += 1
        for name, texts in templates.items():
            for text in texts:
                parts[name].append(text.replace('"address": "', f'"address": "module.m{copies}.', 1))
                size += len(parts[name][-1])
    joined = {name: ",".join(texts) for name, texts in parts.items()}
    path.write_text(
        f"""{{"format_version":"1.2","terraform_version":"1.11.4",
        "planned_values":{{"root_module":{{"resources":[{joined["planned"]}]}}}},
        "resource_changes":[{joined["changes"]}],
        "prior_state":{{"values":{{"root_module":{{"resources":[{joined["prior"]}]}}}}}},
        "configuration":{{"root_module":{{"resources":[{joined["configured"]}]}}}}}}"""
    )
    assert path.stat().st_size > SIZE
    return copies


def test_fifty_megabytes_are_reviewed_within_five_seconds(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    copies = write_huge_plan(path)
    slower = max(1.0, loop_seconds() / LOOP_S)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "stacks", "review", str(path), "--gate", "no-destroy"],
        capture_output=True,
        check=False,
        text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 1
    assert f"Creates {copies * 11}, changes {copies * 7}, replaces {copies * 2}, destroys {copies * 4}" in done.stdout
    assert f"Data at risk in {copies * 2} stores." in done.stdout
    assert "canary" not in done.stdout + done.stderr
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < LIMIT_S * slower, f"{used:.1f} s of processor time"


def test_fifty_megabytes_that_are_cut_off_are_refused_as_quickly(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_huge_plan(path)
    with path.open("r+b") as file:
        file.truncate(SIZE - 1000)
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "stacks", "review", str(path)], capture_output=True, check=False, text=True
    )
    assert done.returncode == 2
    assert "is it cut off?" in done.stderr
    assert time.monotonic() - begun < LIMIT_S * 3
