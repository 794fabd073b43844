"""Rounds, medians, and the two CPUs: one for what is measured, one for the servers that it talks to."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_CPUS = sorted(os.sched_getaffinity(0))
#: Where the thing that is measured runs, and where its servers run (the same one on a machine with one CPU).
MEASURED_CPU = _CPUS[0]
SERVER_CPU = _CPUS[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much is measured: `rounds` of everything, `users` in the big pools."""

    rounds: int = 5
    users: int = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number: every round's value, its unit, what it is for people, and the goal it is held to.

    `goal` is a lower bound when `at_least`, else an upper bound; None: there is none.
    """

    key: str
    values: list[float]
    unit: str
    about: str
    goal: float | None = None
    at_least: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return statistics.median(self.values)

    @property
    def reached(self) -> bool | None:
        """Whether the median keeps to the goal; None without one."""
        if self.goal is None:
            return None
        return self.median >= self.goal if self.at_least else self.median <= self.goal

    def as_json(self) -> dict[str, Any]:
        """The figure's entry in latest.json."""
        return {
            "median": rounded(self.median),
            "min": rounded(min(self.values)),
            "max": rounded(max(self.values)),
            "rounds": len(self.values),
            "unit": self.unit,
            "about": self.about,
            "goal": None if self.goal is None else f"{'>=' if self.at_least else '<='} {self.goal:g}",
            "reached": self.reached,
            **({"extra": dict(self.extra)} if self.extra else {}),
        }


def rounded(value: float) -> float:
    """Four digits that count."""
    return float(f"{value:.4g}")


def alternate(rounds: int, what: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Run each of these once per round, in turn, so that a disturbance of the machine hits all of them."""
    found: dict[str, list[float]] = {name: [] for name in what}
    for number in range(rounds):
        names = list(what)
        for name in names if number % 2 == 0 else reversed(names):
            found[name].append(what[name]())
    return found


def ratios(ours: list[float], baseline: list[float]) -> list[float]:
    """Ours over the baseline's, round by round."""
    return [a / b for a, b in zip(ours, baseline, strict=True)]


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU time of this process (all threads) for the work."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def pin(cpu: int) -> None:
    """Run this process, and what it starts from now on, on one CPU."""
    os.sched_setaffinity(0, {cpu})


def say(text: str) -> None:
    """Progress, for people."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def table(figures: list[Figure]) -> str:
    """All figures as a Markdown table."""
    lines = ["| key | median | min | max | unit | goal | reached |", "|---|---:|---:|---:|---|---|---|"]
    for figure in figures:
        entry = figure.as_json()
        cells = [f"`{figure.key}`", *(f"{entry[name]:,g}" for name in ("median", "min", "max")), figure.unit]
        reached = {True: "yes", False: "no", None: ""}[figure.reached]
        lines.append("| " + " | ".join([*cells, entry["goal"] or "", reached]) + " |")
    return "\n".join(lines)
