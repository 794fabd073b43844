"""Reviews of large plans: the time of each kind of size, and how the time grows with the size."""

from __future__ import annotations

import gc
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import MEASURED_CPU, Figure, Options, cpu_seconds, pin, say
from plan_review import run as reviewing
from tests.unit.plan_review import large

ROOT: Final = Path(__file__).parents[1]
RULES: Final = ("no-destroy", "no-iam-widening", "no-public", "no-plaintext-secret")
#: Roles of the plans for the growth.
SIZES: Final = (500, 1_000, 2_000, 4_000)
GOAL_S: Final = 4.0


def run(options: Options) -> list[Figure]:
    """`review_s_*` and `review_growth_spread`."""
    pin(MEASURED_CPU)
    rounds = min(options.rounds, 3)
    with tempfile.TemporaryDirectory() as folder:
        files = _files(Path(folder))
        found: dict[str, list[float]] = {key: [] for key in files}
        for _ in range(rounds):
            for key, path in files.items():
                say(f"review: {key}")
                found[key].append(_review_s(path, "text" if key == "review_s_50mb" else "html"))
    about = {
        "review_s_50mb": "a plan of 50 MB as text, with all gates: CPU time of the whole process",
        "review_s_4000_roles": "the same as HTML, of 4,000 roles of one for_each, each with a policy and an attachment",
        "review_s_1000_statements": "the same of a policy of 1,000 statements that all change",
        "review_s_22_boxes": "the same of 22 objects that each refer to all before it",
    }
    figures = [
        Figure(key=key, values=values, unit="s", about=about[key], goal=GOAL_S, at_least=False)
        for key, values in found.items()
    ]
    return [*figures, _growth(rounds)]


def _files(folder: Path) -> dict[str, Path]:
    huge = folder / "huge.json"
    large.write_repeated(huge, 50_000_000)
    made = {
        "review_s_4000_roles": large.roles(4_000),
        "review_s_1000_statements": large.statements(1_000),
        "review_s_22_boxes": large.boxes(22),
    }
    files = {"review_s_50mb": huge}
    for key, item in made.items():
        files[key] = folder / f"{key}.json"
        files[key].write_text(json.dumps(item), encoding="utf-8")
    return files


def _review_s(path: Path, style: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    arguments = ["--format", style, "--output", str(path.with_suffix(f".{style}")), "--gate", ",".join(RULES)]
    done = subprocess.run(
        [sys.executable, "-m", "plan_review", str(path), *arguments], cwd=ROOT, check=False, capture_output=True
    )
    assert done.returncode in (0, 1), done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _growth(rounds: int) -> Figure:
    """The CPU time for a role at sizes that differ by eight."""
    plans = {size: json.dumps(large.roles(size)).encode() for size in SIZES}
    costs: dict[int, list[float]] = {size: [] for size in SIZES}
    gc.disable()
    for _ in range(rounds):
        for size, data in plans.items():
            costs[size].append(cpu_seconds(lambda data=data: _whole(data)) / size * 1e6)  # type: ignore[misc]  # mypy can't infer a lambda with defaults
            gc.collect()
    gc.enable()
    medians = [statistics.median(values) for values in costs.values()]
    extra: dict[str, Any] = {f"us_per_role_{size}": [round(v, 1) for v in values] for size, values in costs.items()}
    return Figure(
        key="review_growth_spread",
        values=[max(medians) / min(medians)],
        unit="x",
        about=f"CPU time per role, dearest over cheapest, of plans of {', '.join(f'{s:,}' for s in SIZES)} roles",
        goal=1.3,
        at_least=False,
        extra=extra,
    )


def _whole(data: bytes) -> str:
    return reviewing.run([reviewing.Loaded("plan.json", data)], RULES).render("html")
