"""Inputs on several cores: each process takes a slice of them at a time."""

from __future__ import annotations

import logging
import resource
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.fuzz.engine import Tally, run
from tests.fuzz.targets import TARGETS

#: Inputs that a process takes at once.
_SLICE = 2_500
#: A parser that asks for more memory gets a MemoryError, which is a finding.
_MEMORY_BYTES = 3 * 1024**3


def processes_of(count: int) -> ProcessPoolExecutor:
    """So many processes, with bounded memory and without logs."""
    return ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_start)


def slices(count: int, processes: int) -> list[range]:
    """The numbers of so many inputs, cut into what one process does at a time."""
    size = min(_SLICE, -(-count // processes))
    return [range(first, min(first + size, count)) for first in range(0, count, size)]


def run_slice(name: str, seed: int, indices: range) -> Tally:
    """Try these inputs of the parser of this name."""
    return run(TARGETS[name], seed, indices)


def _start() -> None:
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
