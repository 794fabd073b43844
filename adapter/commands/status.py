"""`python -m adapter status`."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from adapter.commands.options import address_option, ask
from adapter.errors import AdapterError, ConfigError
from adapter.terminal import aligned, count, duration, is_live, printable


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object each time.")
@click.option(
    "--watch",
    "every_s",
    type=click.FloatRange(0.2, 3600),
    metavar="SECONDS",
    help="Repeat after this many seconds, until Ctrl-C.",
)
@address_option
def status(*, as_json: bool, every_s: float | None, address: str) -> None:
    """Show the status of the adapter on this machine. Shows users, sweeps, events and problems.

    Exit codes: 0 the adapter responded, 1 no response.
    """
    if every_s is None:
        body = _look(address)
        click.echo(json.dumps(body, indent=2) if as_json else render(body, now_s=time.time()))
        return
    try:
        _watch(address, every_s, as_json=as_json)
    except KeyboardInterrupt:
        return


def _watch(address: str, every_s: float, *, as_json: bool) -> None:
    """Look again and again; on a terminal each look takes the place of the one before."""
    live = is_live(sys.stdout, os.environ) and not as_json
    before: Mapping[str, Any] | None = None
    at_s = time.monotonic()
    while True:
        try:
            body = _look(address)
            since_s, at_s = time.monotonic() - at_s, time.monotonic()
            lines = json.dumps(body) if as_json else render(body, now_s=time.time(), before=before, since_s=since_s)
            before = body
        except ConfigError:
            raise
        except AdapterError as error:  # it may be starting just now
            lines = json.dumps({"error": str(error)}) if as_json else click.style(str(error), fg="red")
        if live:
            click.clear()
        click.echo(lines if live or as_json else f"{lines}\n")
        time.sleep(every_s)


def _look(address: str) -> Mapping[str, Any]:
    code, body = ask("/status", address)
    if code != 200 or not isinstance(body, dict):
        raise ConfigError(f"HEALTH_ADDRESS names something that is not this adapter: /status answered {code}")
    return body


def render(
    status: Mapping[str, Any], *, now_s: float, before: Mapping[str, Any] | None = None, since_s: float = 0.0
) -> str:
    """The JSON of /status as lines for people.

    Args:
        status: what the adapter says now.
        now_s: seconds since the epoch.
        before: what it said `since_s` seconds ago, for rates; None: nothing is known of before.
        since_s: see there.
    """
    reasons = [printable(str(each)) for each in (*status.get("dead", ()), *status.get("unready", ()))]
    ready = click.style("ready", fg="green", bold=True)
    state = click.style("not ready", fg="red", bold=True) if reasons else ready
    rows = [
        ("name", printable(str(status.get("name", "")))),
        ("user pool", printable(str(status.get("source", "")))),
        ("state", "\n".join((state, *(click.style(reason, fg="yellow") for reason in reasons)))),
    ]
    if isinstance(sweep := status.get("first_sweep"), Mapping):
        rows.append(("sweeping now", _sweeping(sweep)))
    rows += [
        ("known users", count(status.get("users", 0))),
        ("last complete sweep", _last(status, now_s)),
        ("sweeps", _counts(status.get("sweeps", {}))),
        ("requests", _requests(status, before, since_s)),
        ("pages requested again", _counts(status.get("retries", {}))),
        ("events", _counts(status.get("events", {}))),
        ("in flight", count(status.get("in_flight", 0))),
        ("undelivered users", _bad(status.get("undelivered", 0))),
        ("deletions waiting", count(status.get("deletions_waiting", 0))),
    ]
    return aligned(rows)


def _last(status: Mapping[str, Any], now_s: float) -> str:
    last = status.get("last_successful_sweep")
    if not last:
        return "never"
    when = datetime.fromtimestamp(last, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    pages = status.get("last_sweep_pages")
    took = duration(status.get("last_sweep_seconds", 0)) + (f" for {count(pages)} pages" if pages else "")
    return f"{duration(max(0.0, now_s - last))} ago, took {took}, ended at {when}"


def _sweeping(sweep: Mapping[str, Any]) -> str:
    from adapter.observability.progress import Sight, describe

    names = set(Sight.__dataclass_fields__)
    return describe(Sight(**{name: value for name, value in sweep.items() if name in names}))


def _requests(status: Mapping[str, Any], before: Mapping[str, Any] | None, since_s: float) -> str:
    requests, throttled = status.get("requests", 0), status.get("throttled", 0)
    text = count(requests)
    if before is not None and since_s > 0 and requests >= before.get("requests", 0):
        text += f", now {(requests - before.get('requests', 0)) / since_s:.1f} a second"
    return f"{text}, throttled {_bad(throttled)}"


def _bad(number: int) -> str:
    """A count that should be 0."""
    return click.style(count(number), fg="yellow") if number else "0"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{printable(str(name))} {count(number)}" for name, number in sorted(counts.items())) or "none"
