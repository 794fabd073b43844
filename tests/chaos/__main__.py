"""`python -m tests.chaos`: the long form of the chaos test."""

from __future__ import annotations

import random
import sys

import click

from tests.chaos.driver import run


@click.command()
@click.option("--kills", default=200, show_default=True, help="How often the adapter is killed.")
@click.option("--seed", type=int, help="What everything random is drawn from; default: a new one.")
@click.option("--store", type=click.Choice(["sqlite", "dynamodb", "both"]), default="both", show_default=True)
@click.option("--initial", type=click.Choice(["baseline", "snapshot"]), help="EVENTS_INITIAL; default: drawn.")
def main(*, kills: int, seed: int | None, store: str, initial: str | None) -> None:
    """Kill the adapter at random moments, with a sink that fails one call of five; compare consumer and pool.

    Prints one line of figures for each store. Exit code 1 if anything was lost, invented or contradictory.
    """
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    good = True
    for name in ("sqlite", "dynamodb") if store == "both" else (store,):
        first = initial or random.Random(f"{seed} {name}").choice(["baseline", "snapshot"])
        click.echo(f"seed {seed}, {name}, {first}: begins", err=True)
        figures = run(
            kills=kills, seed=seed, store=name, initial=first, told=lambda line: click.echo(f"... {line}", err=True)
        )
        click.echo(str(figures))
        for problem in (*figures.lost, *figures.invented, *figures.contradictions):
            click.echo(problem, err=True)
        good &= figures.good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
