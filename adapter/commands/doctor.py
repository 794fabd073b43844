"""`python -m adapter doctor`."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from adapter.commands.options import ask, environment, manifest_options
from adapter.errors import ConfigError
from adapter.terminal import printable

if TYPE_CHECKING:
    from adapter.commands.checks.check import Check

_COLOURS: Final = {"ok": "green", "warn": "yellow", "fail": "red", "skip": "bright_black"}
_NAME_WIDTH: Final = 16


@click.command(epilog="Exit codes: 0 no check failed (warnings are allowed), 1 a check failed.")
@click.option("--send", is_flag=True, help="Send an event of the type com.amazon.cognito-idp.probe to the sinks.")
@click.option(
    "--timeout",
    "limit_s",
    type=click.FloatRange(0.5, 600),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Time limit of each check.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@manifest_options
def doctor(*, send: bool, limit_s: float, as_json: bool, manifest: Path | None, source: str | None) -> None:
    """Check everything that the adapter needs. Says how to fix what is wrong.

    Configuration, user pool, credentials (their values are never shown), permission (ListUsers for one user), clock,
    sinks (DNS, TCP, TLS, OPTIONS; an event only with --send), state (read only), quota, and the running adapter.
    It needs the adapter's own permissions only, and changes nothing.
    """
    from adapter.commands.checks.check import Mark, fail
    from adapter.commands.checks.examine import examine

    checks: list[Check] = []
    try:
        found = examine(environment(manifest, source), ask, send=send, limit_s=limit_s)
    except ConfigError as error:  # a manifest that can't be read: nothing else is known
        found = iter([fail("manifest", problem) for problem in error.problems])
    for check in found:
        checks.append(check)
        if not as_json:
            click.echo(line_of(check))
    failed = any(check.mark is Mark.FAIL for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": not failed, "checks": [dataclasses.asdict(check) for check in checks]}, indent=2))
    if failed:
        sys.exit(1)


def line_of(check: Check) -> str:
    """A check as lines for people; how to mend it on a line of its own."""
    mark = click.style(f"{check.mark:<4}", fg=_COLOURS[check.mark], bold=True if check.mark == "fail" else None)
    line = f"{mark}  {check.name:<{_NAME_WIDTH}}  {printable(check.found)}"
    return f"{line}\n{'':<{_NAME_WIDTH + 8}}-> {printable(check.mend)}" if check.mend else line
