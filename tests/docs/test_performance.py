"""docs/performance.md shows what was measured last, and its arithmetic."""

from __future__ import annotations

import re

from adapter.cognito import lookups, shards
from adapter.cognito import rate_limiter as rate
from adapter.cognito import signup_scan as early
from adapter.pipeline.deletions import SAMPLE
from benchmarks import report

TEXT = report.DOCUMENT.read_text("utf-8")


def test_the_tables_are_those_of_the_last_run() -> None:
    assert report.rendered(TEXT, report.latest()) == TEXT, "run: python -m benchmarks --tables"


def test_the_picture_of_timing_shows_the_measured_figures() -> None:
    drawn = (report.DOCUMENT.parent / "pictures/timing.svg").read_text("utf-8")
    found = report.latest()
    assert found is not None
    for key in ("signup_to_event_p99_s", "signup_to_event_p99_s_sweep_only"):
        seconds = found["figures"][key]["median"]
        said = f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.1f} s"
        assert f">{said}<" in drawn, f"{key}: edit docs/pictures/timing.svg"


def test_the_numbers_in_the_text_are_those_of_the_code() -> None:
    for constant, said in {
        early.SHORT_SWEEP_S: r"more than (\d+) s,",
        early.CYCLE_S: r"every (\d+) s, for a\nthird",
        early.FILL_MIN: r"fewer than (\d+) users a request",
        shards.JUDGED_AFTER: r"after (\d+) requests",
        shards.SUM_MIN * 100: r"less than (\d+) % of the known",
        lookups.BUDGET_S: r"more than it and (\d+) s of requests",
        lookups.REQUESTS_MAX: r"takes more than (\d+) requests",
        SAMPLE: r"sample of (\d+) of them",
        rate.INCREASE_PER_S * 100: r"grows back by (\d+) % of MAX_RPS",
    }.items():
        (found,) = re.findall(said, TEXT)
        assert float(found) == constant, said
    assert early.SHARE == 1 / 3
    assert early.LENGTH_MAX == 1 / 8
    assert (early.PAUSE_S, early.PAUSE_MAX_S) == (60, 3600)
    assert shards.FILL_MIN == 0.5
    assert (shards.PAUSE_S, shards.PAUSE_MAX_S) == (60, 6 * 3600)
    assert rate.DECREASE == 0.5
