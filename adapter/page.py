"""The status of a running adapter, for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def render(status: Mapping[str, Any]) -> str:
    """Lines of `name: value` for the JSON of /status."""
    reasons = [*status.get("dead", ()), *status.get("unready", ())]
    last = status.get("last_successful_sweep")
    when = datetime.fromtimestamp(last, UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if last else "never"
    rows = [
        ("source", status.get("source", "")),
        ("name", status.get("name", "")),
        ("state", "ready" if not reasons else "not ready"),
        *(("because", reason) for reason in reasons),
        ("known users", status.get("users", 0)),
        ("last complete sweep", f"{when}, took {status.get('last_sweep_seconds', 0)} s" if last else when),
        ("sweeps", _counts(status.get("sweeps", {}))),
        ("requests", f"{status.get('requests', 0)}, of which throttled {status.get('throttled', 0)}"),
        ("pages asked for again", _counts(status.get("retries", {}))),
        ("events", _counts(status.get("events", {}))),
        ("on their way", status.get("in_flight", 0)),
        ("undelivered users", status.get("undelivered", 0)),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
