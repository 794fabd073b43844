"""`python -m tests.fake_cognito`: the fake server as a process; prints where it listens, ends when stdin closes."""

from __future__ import annotations

import json
import os
import sys

import click

from tests.fake_cognito.pool import MutablePool, SyntheticPool
from tests.fake_cognito.server import Behaviour, FakeCognito


@click.command()
@click.option("--users", default=0, show_default=True, help="Users in the pool.")
@click.option("--synthetic", is_flag=True, help="Compute the users instead of keeping them: any size, no changes.")
@click.option("--unconfirmed", default=0, show_default=True, help="UNCONFIRMED users per 1,000 (synthetic pools).")
@click.option("--latency-ms", default=0.0, show_default=True, help="Time before each answer.")
@click.option("--quota", default=0.0, show_default=True, help="Requests per second; 0: no quota.")
@click.option(
    "--filters",
    type=click.Choice(["indexed", "walked", "refused", "ignored"]),
    default="indexed",
    show_default=True,
    help="How filters work.",
)
@click.option("--page-users", default=0, show_default=True, help="The most users of a page; 0: as asked for.")
@click.option("--cpu", default=-1, show_default=True, help="Run on this CPU only; -1: on any.")
def main(
    *,
    users: int,
    synthetic: bool,
    unconfirmed: int,
    latency_ms: float,
    quota: float,
    filters: str,
    page_users: int,
    cpu: int,
) -> None:
    """Serve ListUsers on a free port of 127.0.0.1."""
    if cpu >= 0:
        os.sched_setaffinity(0, {cpu})
    behaviour = Behaviour(
        latency_s=latency_ms / 1000,
        quota_rps=quota or None,
        filters=filters,  # type: ignore[arg-type]  # click.Choice has checked it
        page_users=page_users or None,
    )
    pool = SyntheticPool(users, unconfirmed=unconfirmed) if synthetic else MutablePool(users)
    with FakeCognito(pool=pool, behaviour=behaviour) as server:
        click.echo(json.dumps({"endpoint": server.endpoint, "arn": server.arn}))
        sys.stdin.read()


if __name__ == "__main__":
    main()
