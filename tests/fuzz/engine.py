"""Runs inputs through a parser and tells findings from results and refusals."""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

#: Seconds of CPU time that one input may take; wall-clock time would blame a parser for a busy machine.
SLOW_S = 1.0
#: An input that takes so much is given up.
STUCK_S = 10.0
#: Findings that are kept with their inputs, of one kind.
KEPT = 3
#: Even the parsers of which few inputs are tried get so many.
LEAST = 20
_SHOWN = 1_000
_ROOT = Path(__file__).parents[2]


class BrokenError(Exception):
    """A promise was not kept. The message says which."""


class RefusedInputError(Exception):
    """What stands for a refusal where the parser says so by its result."""


class StuckError(BaseException):
    """The input takes too long; no handler of the parser's may catch this."""


def promise(kept: object, what: str) -> None:
    """Raise BrokenError unless `kept` is true."""
    if not kept:
        raise BrokenError(what)


@dataclass(frozen=True, kw_only=True)
class FuzzTarget:
    """A parser: how inputs are made, how one is parsed (and the result looked at), which errors refuse one.

    `secret` is what no message about the input may hold, "" for nothing. `share` is the part of the inputs that this
    parser gets, for slow ones. `around` is entered once for many inputs, for parsers that need a place to work in.
    """

    name: str
    make: Callable[[Random], Any]
    parse: Callable[[Any], object]
    refusals: tuple[type[Exception], ...]
    secret: Callable[[Any], str] = field(default=lambda _: "")
    share: float = 1.0
    around: Callable[[], AbstractContextManager[object]] = nullcontext

    def count(self, inputs: int) -> int:
        """How many of so many inputs are tried."""
        return max(min(inputs, LEAST), round(inputs * self.share))

    def input(self, seed: int, index: int) -> Any:
        """One input; always the same for the same arguments."""
        return self.make(Random(f"{seed} {self.name} {index}"))


@dataclass(frozen=True)
class FuzzFinding:
    """What should not have been, the kind of it (by which they are counted), and the input."""

    target: str
    index: int
    kind: str
    detail: str
    shown: str


@dataclass
class Tally:
    """What became of the inputs. `found` counts the findings by kind; a few of each are in `findings`."""

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    found: dict[str, int] = field(default_factory=dict)
    findings: list[FuzzFinding] = field(default_factory=list)

    @property
    def bad(self) -> int:
        """How many inputs were findings."""
        return sum(self.found.values())

    def add(self, other: Tally) -> None:
        """Take another part's counts over."""
        self.inputs += other.inputs
        self.accepted += other.accepted
        self.refused += other.refused
        self.seconds += other.seconds
        self.slowest = max(self.slowest, other.slowest)
        for finding in other.findings:
            if sum(each.kind == finding.kind for each in self.findings) < KEPT:
                self.findings.append(finding)
        for kind, count in other.found.items():
            self.found[kind] = self.found.get(kind, 0) + count

    def note(self, finding: FuzzFinding) -> None:
        """Count a finding, and keep it when it is one of the first of its kind."""
        count = self.found.get(finding.kind, 0)
        self.found[finding.kind] = count + 1
        if count < KEPT:
            self.findings.append(finding)


def run(target: FuzzTarget, seed: int, indices: range) -> Tally:
    """Try these inputs, one after the other, in this thread (which must be the main one)."""
    tally = Tally()
    began = time.process_time()
    with target.around(), _alarm():
        for index in indices:
            _one(target, seed, index, tally)
    tally.seconds = time.process_time() - began
    return tally


def _one(target: FuzzTarget, seed: int, index: int, tally: Tally) -> None:
    given = target.input(seed, index)
    tally.inputs += 1
    problem: tuple[str, str] | None = None
    began = time.thread_time()
    try:
        signal.setitimer(signal.ITIMER_PROF, STUCK_S)
        try:
            target.parse(given)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        tally.accepted += 1
    except target.refusals as error:
        if problem := _unfit(error, target.secret(given)):
            problem = (problem[0], f"{problem[1]}: {str(error)[:_SHOWN]!r}")
        tally.refused += 1
    except BrokenError as error:
        problem = (f"promise: {error}", "")
    except StuckError:
        problem = ("stuck", f"given up after {STUCK_S:g} s")
    except Exception as error:  # noqa: BLE001 - whatever else a parser raises is what we are looking for
        problem = (f"{type(error).__name__} at {_place(error)}", str(error)[:_SHOWN])
    took = time.thread_time() - began
    tally.slowest = max(tally.slowest, took)
    if problem is None and took > SLOW_S:
        problem = ("slow", f"{took:.1f} s")
    if problem:
        shown = ascii(given)
        if len(shown) > _SHOWN:
            shown = f"{shown[:_SHOWN]}... ({len(shown)} characters)"
        tally.note(FuzzFinding(target.name, index, problem[0], problem[1], shown))


def _unfit(error: Exception, secret: str) -> tuple[str, str] | None:
    """What is wrong with the message of a refusal."""
    lines = getattr(error, "problems", (str(error),))
    if secret and secret in str(error):
        return "a message quotes a secret", type(error).__name__
    if not all(line and line.isprintable() for line in lines):
        return "a message is not one printable line", type(error).__name__
    return None


def _place(error: Exception) -> str:
    """The innermost line of ours that the error passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_ROOT) and ".tools" not in frame.filename]
    last = (ours or frames)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


@contextmanager
def _alarm() -> Iterator[None]:
    def stop(signum: int, frame: object) -> None:
        raise StuckError

    before = signal.signal(signal.SIGPROF, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGPROF, before)
