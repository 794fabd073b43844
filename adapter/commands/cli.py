"""The command line: a table. A command is imported when it is asked for, so that `--help` and probes answer at once."""

from __future__ import annotations

import importlib
import io
import os
import sys
from contextlib import suppress
from typing import Final, NoReturn

import click

from adapter.errors import AdapterError, ConfigError
from adapter.startup import flushed
from adapter.terminal import wants_no_colour
from adapter.version import VERSION

_COMMANDS: Final = {
    "config": "adapter.commands.config:config",
    "doctor": "adapter.commands.doctor:doctor",
    "health": "adapter.commands.health:health",
    "init": "adapter.commands.init:init",
    "replay": "adapter.commands.replay:replay",
    "run": "adapter.commands.run:run",
    "state": "adapter.commands.state:state",
    "status": "adapter.commands.status:status",
    "tail": "adapter.commands.tail:tail",
}
_CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_EXIT: Final = (
    "Exit codes: 0 stopped on request (with --once: everything delivered), 1 fatal error or events left undelivered, "
    "2 bad configuration."
)


class _Group(click.Group):
    """The commands of the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=_Group, invoke_without_command=True, context_settings=_CONTEXT, epilog=_EXIT)
@click.version_option(VERSION, prog_name="cognito-source", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Report every change of an Amazon Cognito user pool as a CloudEvent.

    Configured by environment variables (docs/configuration.md) or by a manifest (--manifest). Without a command: run.
    """
    if wants_no_colour(os.environ):
        ctx.color = False
    if ctx.invoked_subcommand is None:
        run = cli.get_command(ctx, "run")
        assert run is not None, "it is in the table"  # noqa: S101 - narrows the type
        ctx.invoke(run)


def main() -> NoReturn:
    """Run the command line; errors that a person can mend are one line each, without a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that the terminal's encoding lacks is still shown
    code = _run()
    if (fault := flushed()) and not code:
        code = _complain(1, f"the standard output can't be written: {fault}")
    sys.exit(code)


def _run() -> int:
    """Run the command line; returns the exit code."""
    try:
        cli(prog_name="python -m adapter")
    except SystemExit as end:  # how click ends
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except ConfigError as error:
        return _complain(2, *error.problems)
    except AdapterError as error:
        return _complain(1, str(error))
    except Exception as error:  # noqa: BLE001 - the outermost boundary: a bug must not print the data it stumbled over
        import traceback

        *_, (frame, _line) = traceback.walk_tb(error.__traceback__)
        if isinstance(error, OSError) and frame.f_code is click.echo.__code__:
            return _complain(1, f"the standard output can't be written: {error.strerror}")
        _complain(1, f"this is a bug ({type(error).__name__}); please report it with these lines:")
        traceback.print_tb(error.__traceback__)
        return 1
    return 0


def _complain(code: int, *problems: str) -> int:
    """Print errors, if there is where to; returns the exit code."""
    with suppress(OSError, ValueError):
        for problem in problems:
            click.echo(f"error: {problem}", err=True)
    return code
