"""`python -m benchmarks` (`make bench`): measures everything, writes benchmarks/latest.json and prints a table."""

from __future__ import annotations

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

from benchmarks import events, quota, signup, start, sweep
from benchmarks.measure import Figure, Options, say, table

LATEST: Final = Path(__file__).parent / "latest.json"
PARTS: Final[dict[str, Callable[[Options], list[Figure]]]] = {
    "sweep": sweep.run,
    "events": events.run,
    "quota": quota.run,
    "signup": signup.run,
    "start": start.run,
    "imports": start.imports,
    "growth": sweep.growth,
    "synth": start.synth,
}


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(PARTS)), help="Measure this part only (repeatable).")
@click.option("--quick", is_flag=True, help="Two rounds, and 100,000 users instead of a million: a minute or two.")
@click.option("--out", type=click.Path(path_type=Path), default=LATEST, show_default=True, help="Where to write JSON.")
def main(*, only: tuple[str, ...], quick: bool, out: Path) -> None:
    """Measure the adapter against its baselines. No network; about five minutes on two quiet cores."""
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    options = Options(rounds=2, users=100_000) if quick else Options()
    begun = time.monotonic()
    figures: list[Figure] = []
    for name in only or PARTS:
        figures += PARTS[name](options)
    seconds = time.monotonic() - begun
    report = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load": [round(value, 1) for value in os.getloadavg()],
        "figures": {figure.key: figure.as_json() for figure in figures},
    }
    out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    say(f"{seconds:.0f} s, written to {out}")
    sys.stdout.write(table(figures) + "\n")


if __name__ == "__main__":
    main()
