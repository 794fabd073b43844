"""`python -m adapter run`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from adapter.commands.options import environment, manifest_options


@click.command()
@click.option("--once", is_flag=True, help="Run one complete sweep, deliver everything, then exit.")
@manifest_options
def run(*, once: bool = False, manifest: Path | None = None, source: str | None = None) -> None:
    """Watch the user pool and deliver its changes. Runs until SIGTERM or SIGINT."""
    from adapter import log
    from adapter.config import settings as config
    from adapter.runtime import app
    from adapter.terminal import is_live

    settings = config.load(environment(manifest, source))
    # Progress is drawn at the end of the terminal, where what goes to stdout would be written over.
    own = settings.sink != "stdout:" and not settings.metrics.emf
    log.configure(settings.log_level, live=own and is_live(sys.stderr, os.environ))
    if not app.run(settings, once=once):
        sys.exit(1)
