"""`python -m tests.fuzz`: many inputs for every parser, on several cores."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future

import click

from tests.fuzz.engine import Tally
from tests.fuzz.parallel import processes_of, run_slice, slices
from tests.fuzz.targets import TARGETS

_HEAD = ("parser", "inputs", "accepted", "refused", "findings", "CPU s", "slowest s")


def _line(cells: Sequence[str]) -> str:
    return f"{cells[0]:16}" + "".join(f"{cell:>11}" for cell in cells[1:])


def _row(name: str, tally: Tally) -> str:
    counts = (tally.inputs, tally.accepted, tally.refused, tally.bad)
    return _line([name, *(f"{count:,}" for count in counts), f"{tally.seconds:.1f}", f"{tally.slowest:.2f}"])


def _told(tally: Tally, seed: int) -> None:
    for kind, count in tally.found.items():
        shown = [finding for finding in tally.findings if finding.kind == kind]
        click.echo(f"\n{shown[0].target}: {kind} ({count} inputs)", err=True)
        for finding in shown:
            click.echo(f"  {finding.detail}".rstrip(), err=True)
            click.echo(f"  input: {finding.shown}", err=True)
            click.echo(
                f"  again: python -m tests.fuzz --seed {seed} --only {finding.target} --at {finding.index}", err=True
            )


@click.command()
@click.option("--inputs", default=100_000, show_default=True, type=click.IntRange(1), help="Inputs for each parser.")
@click.option("--seed", type=int, help="What everything random is drawn from; default: a new one.")
@click.option("--only", multiple=True, type=click.Choice(sorted(TARGETS)), help="Only this parser; may be repeated.")
@click.option("--at", type=click.IntRange(0), help="Only the input of this number, as a finding names it.")
@click.option("--processes", default=2, show_default=True, type=click.IntRange(1), help="Processes at work.")
def main(*, inputs: int, seed: int | None, only: tuple[str, ...], at: int | None, processes: int) -> None:
    """Give every parser of outside input inputs that nobody would write.

    Prints findings on stderr, then a table. Exit code 1 if a parser raised what it doesn't document, took more than a
    second for an input, broke a promise, or put a secret or more than a printable line into a message.
    """
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    click.echo(f"seed {seed}", err=True)
    began = time.monotonic()
    tallies: dict[str, Tally] = {}
    with processes_of(processes) as pool:
        waiting: dict[str, list[Future[Tally]]] = {}
        for name in only or TARGETS:
            indices = slices(TARGETS[name].count(inputs), processes) if at is None else [range(at, at + 1)]
            waiting[name] = [pool.submit(run_slice, name, seed, each) for each in indices]
        for name, futures in waiting.items():
            tallies[name] = Tally()
            for future in futures:
                tallies[name].add(future.result())
            _told(tallies[name], seed)
            click.echo(f"... {_row(name, tallies[name])}", err=True)
    for line in (_line(_HEAD), *(_row(name, tally) for name, tally in tallies.items())):
        click.echo(line)
    click.echo(f"{time.monotonic() - began:.0f} s with {processes} processes, seed {seed}")
    sys.exit(1 if any(tally.bad for tally in tallies.values()) else 0)


if __name__ == "__main__":
    main()
