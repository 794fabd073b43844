"""The command line. What a command needs is imported when it runs, so that `--help` and probes answer at once."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from adapter.errors import AdapterError, ConfigError
from adapter.version import VERSION

_CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_EXIT: Final = "Exit codes: 0 asked to stop (or all told), 1 fatal (or something untold), 2 bad configuration."


class _Group(click.Group):
    """Commands of which `state` lives with the state and is imported only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), "state"})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "state":
            import importlib

            command: click.Command = importlib.import_module("adapter.state.cli").state
            return command
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Group, invoke_without_command=True, context_settings=_CONTEXT, epilog=_EXIT)
@click.version_option(VERSION, prog_name="cognito-source", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Report every change of an Amazon Cognito user pool as a CloudEvent.

    Configured by environment variables (docs/configuration.md) or by a manifest (--manifest). Without a command: run.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(run)


def _manifest_options(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option("--source", metavar="NAME", help="Which source of the manifest, if it has several.")(command)
    return click.option(
        "--manifest",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Read the configuration from this manifest; it wins over the environment.",
    )(command)


@cli.command()
@click.option("--once", is_flag=True, help="One complete sweep, everything delivered, then exit.")
@_manifest_options
def run(*, once: bool = False, manifest: Path | None = None, source: str | None = None) -> None:
    """Watch the user pool and deliver its changes, until SIGTERM or SIGINT."""
    from adapter import app, config, log

    settings = config.load(_environment(manifest, source))
    log.configure(settings.log_level)
    if not app.run(settings, once=once):
        sys.exit(1)


@cli.command()
@_manifest_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@click.option("--markdown", is_flag=True, help="Only the table of all variables, as in docs/configuration.md.")
def config(*, manifest: Path | None, source: str | None, as_json: bool, markdown: bool) -> None:
    """Print the effective configuration, secrets masked, and check it."""
    from adapter import config as configuration
    from adapter import variables

    if markdown:
        click.echo(variables.markdown(), nl=False)
        return
    environment = _environment(manifest, source)
    rows = configuration.effective(environment)
    if as_json:
        click.echo(json.dumps({name: value for name, value, _ in rows}, indent=2))
    else:
        width = max(len(name) for name, _, _ in rows)
        for name, value, origin in rows:
            click.echo(f"{name:<{width}} = {value}".rstrip() + ("" if origin == "default" else "  # set"))
    configuration.load(environment)


@cli.command()
def health() -> None:
    """Ask the adapter of this machine whether it is alive (for container health checks): exit code 0 or 1."""
    status, body = _ask("/live")
    if status == 204:
        return
    reasons = "; ".join(body.get("reasons", [])) if isinstance(body, dict) else ""
    click.echo(reasons or f"/live answered {status}", err=True)
    sys.exit(1)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="The numbers as JSON.")
def status(*, as_json: bool) -> None:
    """Show what the running adapter of this machine does: users, sweeps, events, what is wrong."""
    code, body = _ask("/status")
    if code != 200 or not isinstance(body, dict):
        raise ConfigError(f"HEALTH_ADDRESS names something that is not this adapter: /status answered {code}")
    if as_json:
        click.echo(json.dumps(body, indent=2))
        return
    from adapter.page import render

    click.echo(render(body))


@cli.command()
@click.option("--since", metavar="TIME", help="Users changed at or after this time (ISO 8601, UTC unless it says).")
@click.option("--user", "users", multiple=True, metavar="NAME", help="This user; may be given several times.")
@click.option("--all", "everybody", is_flag=True, help="Every user of the pool.")
@click.option(
    "--events-per-second",
    type=click.FloatRange(0.01, 10_000),
    default=50.0,
    show_default=True,
    help="How fast events are sent at most. MAX_RPS limits how fast users are listed.",
)
@_manifest_options
def replay(
    *,
    since: str | None,
    users: tuple[str, ...],
    everybody: bool,
    events_per_second: float,
    manifest: Path | None,
    source: str | None,
) -> None:
    """Tell users once more, from Cognito's present state, with the changetype `replay`.

    The state is neither read nor changed, so a running adapter is not disturbed.
    """
    from adapter import app, log
    from adapter import config as configuration
    from adapter.delivery import Status
    from adapter.replay import Selection

    if (since is not None) + bool(users) + everybody != 1:
        raise ConfigError("replay: expected exactly one of --since TIME, --user NAME and --all")
    settings = configuration.load(_environment(manifest, source))
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


def _environment(manifest: Path | None, source: str | None) -> Mapping[str, str]:
    """The process environment, with that of a source of the manifest laid over it."""
    if manifest is None:
        if source is not None:
            raise ConfigError("--source names a source of a manifest; give --manifest FILE as well")
        return os.environ
    from adapter import manifest as manifests

    sources = manifests.load(manifest)
    chosen = [each for each in sources if source in {None, each.name}]
    if len(chosen) != 1:
        names = ", ".join(sorted(each.name for each in sources))
        raise ConfigError(f"{manifest}: --source is {source!r}; expected the name of one of its sources: {names}")
    for line in chosen[0].warnings:
        click.echo(line, err=True)
    return {**os.environ, **manifests.environment(chosen[0])}


def _ask(path: str) -> tuple[int, Any]:
    """GET from the adapter's health server.

    Raises:
        ConfigError: nobody answers there.
    """
    import http.client

    from adapter.values import address

    text = os.environ.get("HEALTH_ADDRESS") or "0.0.0.0:8080"
    try:
        there = address(text)
    except ValueError as error:
        raise ConfigError(f"HEALTH_ADDRESS {error}") from None
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(there.host, there.host)  # noqa: S104 - compared, not bound
    connection = http.client.HTTPConnection(host, there.port, timeout=4)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(1_000_000)
        return answer.status, json.loads(body) if body else None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise AdapterError(
            f"no adapter answers at {there} ({reason}); is it running, is HEALTH_ADDRESS the same? "
            "`state show` tells what is stored"
        ) from None
    finally:
        connection.close()


def main() -> NoReturn:
    """Run the command line; errors that a person can mend are one line each, without a traceback."""
    try:
        cli(prog_name="python -m adapter")
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"error: {problem}", err=True)
        sys.exit(2)
    except AdapterError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the outermost boundary: a bug must not print the data it stumbled over
        import traceback

        click.echo(f"error: this is a bug ({type(error).__name__}); please report it with these lines:", err=True)
        traceback.print_tb(error.__traceback__)
        sys.exit(1)
    sys.exit(0)
