"""`python -m adapter config`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from adapter.commands.options import environment, manifest_options


@click.command()
@manifest_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@click.option("--markdown", is_flag=True, help="Only the table of all variables, as in docs/configuration.md.")
def config(*, manifest: Path | None, source: str | None, as_json: bool, markdown: bool) -> None:
    """Print the effective configuration, secrets masked, and check it."""
    from adapter.config import settings as configuration
    from adapter.config import variables

    if markdown:
        click.echo(variables.markdown(), nl=False)
        return
    given = environment(manifest, source)
    rows = configuration.effective(given)
    if as_json:
        click.echo(json.dumps({name: value for name, value, _ in rows}, indent=2))
    else:
        width = max(len(name) for name, _, _ in rows)
        for name, value, origin in rows:
            where = {"default": "", "environment": "  # set"}.get(origin, f"  # from {origin}")
            click.echo(f"{name:<{width}} = {value}".rstrip() + where)
    for line in configuration.remarks(given):
        click.echo(line, err=True)
    configuration.load(given)
