"""The tables of docs/performance.md: the last results, and the arithmetic of large pools and quotas."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "performance.md"
LATEST: Final = Path(__file__).parent / "latest.json"

POOLS: Final = (1_000_000, 10_000_000, 40_000_000)
QUOTAS: Final = (30, 120, 1000)
PAGE: Final = 60
#: CPU seconds of one request with an unchanged page, and resident memory; from the results, rounded up.
CPU_S_PER_REQUEST: Final = 0.00025
BASE_MB: Final = 75.0
BYTES_PER_USER: Final = 45.0
#: List prices in us-east-1 in 2026, in dollars: Fargate Linux x86 per vCPU and GB an hour, DynamoDB on demand.
VCPU_HOUR: Final = 0.04048
GB_HOUR: Final = 0.004445
WRITES_MILLION: Final = 0.625
STORAGE_GB_MONTH: Final = 0.25
HOURS: Final = 730
#: What one user takes in DynamoDB (key, packed row, overhead), and the writes of one reported change.
ITEM_BYTES: Final = 300
WRITES_PER_CHANGE: Final = 2
#: The part of the users who change in a month, for the cost of writes.
CHANGES: Final = 1.0
#: Fargate sizes: vCPU, GB.
SIZES: Final = ((0.25, 0.5), (0.25, 1.0), (0.5, 1.0), (0.5, 2.0), (1.0, 2.0), (1.0, 4.0), (2.0, 4.0))


def results(report: dict[str, Any]) -> str:
    """The figures of latest.json as a table, with what each one is."""
    lines = ["| key | median | min | max | unit | goal | reached |", "|---|---:|---:|---:|---|---|---|"]
    notes = []
    for key, figure in report["figures"].items():
        reached = {True: "yes", False: "**no**", None: ""}[figure["reached"]]
        numbers = " | ".join(f"{figure[name]:,g}" for name in ("median", "min", "max"))
        lines.append(f"| `{key}` | {numbers} | {figure['unit']} | {figure['goal'] or ''} | {reached} |")
        notes.append(f"- `{key}`: {figure['about']}.")
    when = (
        f"Python {report['python']}, {report['cpus']} CPUs, {report['at'][:10]}, {report['seconds']} s in all; "
        f"load average of the machine {report['load'][0]:g} (a quiet run has about 2: the two that are measured)."
    )
    return "\n".join([when, "", *lines, "", *notes])


def arithmetic() -> str:
    """Sweep time, latency and cost of pools of several sizes at several quotas, all of the quota used."""
    lines = [
        "| users | requests/s | requests a sweep | sweep, and any change p99 | CPU | memory | task | cost a month |",
        "|---:|---:|---:|---:|---:|---:|---|---:|",
    ]
    for users in POOLS:
        for rps in QUOTAS:
            requests = -(-users // PAGE)
            cores = rps * CPU_S_PER_REQUEST
            memory_mb = BASE_MB + users * BYTES_PER_USER / 1e6
            # A third of the CPU and of the memory stays free for bursts of events.
            vcpu, gb = next(size for size in SIZES if size[0] >= 1.5 * cores and size[1] * 1000 >= 1.5 * memory_mb)
            task = HOURS * (vcpu * VCPU_HOUR + gb * GB_HOUR)
            state = users * (ITEM_BYTES / 1e9 * STORAGE_GB_MONTH + CHANGES * WRITES_PER_CHANGE * WRITES_MILLION / 1e6)
            lines.append(
                f"| {users:,} | {rps:,} | {requests:,} | {_duration(requests / rps)} | {100 * cores:.0f} % "
                f"| {memory_mb:,.0f} MB | {vcpu:g} vCPU, {gb:g} GB | ${task:,.2f} + ${state:,.2f} |"
            )
    return "\n".join(lines)


def rendered(text: str, report: dict[str, Any] | None) -> str:
    """The document with its tables made anew; without a report the results stay as they are."""
    tables = {"arithmetic": arithmetic()}
    if report is not None:
        tables["results"] = results(report)
    for name, table in tables.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- end of {name} -->)", re.DOTALL)
        text, count = pattern.subn(lambda match, table=table: f"{match[1]}{table}{match[2]}", text)  # type: ignore[misc]  # mypy can't infer a lambda with defaults
        assert count == 1, name
    return text


def latest() -> dict[str, Any] | None:
    """What latest.json holds; None when nothing was measured yet."""
    if not LATEST.exists():
        return None
    found: dict[str, Any] = json.loads(LATEST.read_text("utf-8"))
    return found


def update() -> None:
    """Write the tables into the document. The picture of docs/concepts.md shows two of the figures: edit it by hand."""
    DOCUMENT.write_text(rendered(DOCUMENT.read_text("utf-8"), latest()), encoding="utf-8")


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
