"""`python -m adapter health`."""

from __future__ import annotations

import sys

import click

from adapter.commands.options import ask


@click.command()
def health() -> None:
    """Check whether the adapter on this machine is alive. For container health checks: exit code 0 or 1."""
    status, body = ask("/live")
    if status == 204:
        return
    reasons = "; ".join(body.get("reasons", [])) if isinstance(body, dict) else ""
    click.echo(reasons or f"/live answered {status}", err=True)
    sys.exit(1)
