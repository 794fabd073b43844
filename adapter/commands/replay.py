"""`python -m adapter replay`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from adapter.commands.options import environment, manifest_options
from adapter.errors import AdapterError, ConfigError


@click.command()
@click.option("--since", metavar="TIME", help="Users changed at or after this time (ISO 8601, UTC by default).")
@click.option("--user", "users", multiple=True, metavar="NAME", help="This user (repeatable).")
@click.option("--all", "everybody", is_flag=True, help="Every user of the pool.")
@click.option(
    "--events-per-second",
    type=click.FloatRange(0.01, 10_000),
    default=50.0,
    show_default=True,
    help="Maximum rate of events. MAX_RPS limits the ListUsers requests.",
)
@manifest_options
def replay(
    *,
    since: str | None,
    users: tuple[str, ...],
    everybody: bool,
    events_per_second: float,
    manifest: Path | None,
    source: str | None,
) -> None:
    """Report users again, in their present form. The changetype is `replay`.

    The state is neither read nor changed, so an adapter may run meanwhile.
    """
    from adapter import log
    from adapter.config import settings as configuration
    from adapter.delivery import Status
    from adapter.pipeline.replay import Selection
    from adapter.runtime import app

    if (since is not None) + bool(users) + everybody != 1:
        raise ConfigError("replay: expected exactly one of --since TIME, --user NAME and --all")
    settings = configuration.load(environment(manifest, source))
    log.configure(settings.log_level)
    selection = Selection(usernames=users, since_ms=None if since is None else _milliseconds(since))
    counts = app.replay(settings, selection, events_per_s=events_per_second)
    for status in Status:
        click.echo(f"{status.value} {counts[status]}")
    if users and sum(counts.values()) < len(set(users)):
        raise AdapterError("replay: not every user that was named is in the pool")
    if counts[Status.UNDELIVERED]:
        sys.exit(1)


def _milliseconds(text: str) -> int:
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--since is {text!r}; expected a time such as 2026-11-23T12:00:00Z") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
