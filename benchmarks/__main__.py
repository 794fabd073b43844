"""`python -m benchmarks` (`make bench`): measures everything, writes benchmarks/latest.json and prints a table."""

from __future__ import annotations

import gc
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from adapter.runtime.app import GC_THRESHOLDS
from benchmarks import events, quota, report, review, signup, start, sweep
from benchmarks.measure import Figure, Options, say, table

PARTS: Final[dict[str, Callable[[Options], list[Figure]]]] = {
    "sweep": sweep.run,
    "events": events.run,
    "quota": quota.run,
    "signup": signup.run,
    "start": start.run,
    "imports": start.imports,
    "growth": sweep.growth,
    "synth": start.synth,
    "review": review.run,
}


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(PARTS)), help="Measure this part only (repeatable).")
@click.option("--quick", is_flag=True, help="Two rounds, and 100,000 users instead of a million: a minute or two.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Where to write JSON; else latest.json, if all is measured."
)
@click.option("--tables", is_flag=True, help="Measure nothing: write the tables of docs/performance.md anew.")
def main(*, only: tuple[str, ...], quick: bool, out: Path | None, tables: bool) -> None:
    """Measure the adapter against its baselines, and the plan review against its goals.

    No network; about six minutes on two quiet cores.

    A whole run writes benchmarks/latest.json and the tables of docs/performance.md.
    """
    if tables:
        report.update()
        return
    gc.set_threshold(*GC_THRESHOLDS)
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    options = Options(rounds=2, users=100_000) if quick else Options()
    begun = time.monotonic()
    figures: list[Figure] = []
    for name in only or PARTS:
        figures += PARTS[name](options)
    seconds = time.monotonic() - begun
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load": [round(value, 1) for value in os.getloadavg()],
        "figures": {figure.key: figure.as_json() for figure in figures},
    }
    whole = not only and not quick
    target = out or (report.LATEST if whole else None)
    if target is not None:
        target.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if target == report.LATEST:
        report.update()
    say(f"{seconds:.0f} s")
    sys.stdout.write(table(figures) + "\n")


if __name__ == "__main__":
    main()
