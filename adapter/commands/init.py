"""`python -m adapter init`."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from adapter.errors import ConfigError
from adapter.terminal import clipped, printable

if TYPE_CHECKING:
    from adapter.commands.scaffold.answers import Answers
    from adapter.commands.scaffold.pools import Found

#: Where editors find what a manifest may say, if the file lies beside a checkout's.
_SCHEMA: Final = "schemas/source.schema.json"
_SINKS: Final = """\
Where should events go?
  https://events.example.com/users                        an HTTP address (Knative's among them)
  arn:aws:events:REGION:ACCOUNT:event-bus/NAME            an EventBridge bus
  arn:aws:sqs:REGION:ACCOUNT:NAME                         an SQS queue, standard or FIFO
  file:///tmp/events.jsonl                                a file, to try it out
  http://127.0.0.1:8090                                   with `python -m adapter tail --listen 127.0.0.1:8090`"""


@click.command(epilog="Exit codes: 0 written, 1 cancelled, 2 a value is wrong or missing.")
@click.option("--arn", metavar="ARN", help="The user pool to watch.")
@click.option("--sink", metavar="SINK", help="Where events go: an http(s) URL, a bus's or queue's ARN, file:///path.")
@click.option("--name", metavar="NAME", help="Name of the source; default: the pool's name, else customers.")
@click.option(
    "--state",
    "state_url",
    metavar="URL",
    help="Where the state is stored: a path, sqlite:///FILE or dynamodb://TABLE?region=REGION; "
    "default: cognito-source.db here, a table of its own on AWS.",
)
@click.option(
    "--initial",
    type=click.Choice(["baseline", "snapshot"]),
    help="Report only changes from now on (the default), or every user first.",
)
@click.option("--region", metavar="REGION", help="Region of the user pools; default: that of the AWS configuration.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("source.yaml"),
    show_default=True,
    metavar="FILE",
    help="The manifest to write.",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing: use defaults for missing values.")
def init(
    *,
    arn: str | None,
    sink: str | None,
    name: str | None,
    state_url: str | None,
    initial: str | None,
    region: str | None,
    output: Path,
    force: bool,
    yes: bool,
) -> None:
    """Write a manifest for a pool and a sink.

    Asks for missing values, and offers the user pools that your AWS credentials can list.

    Creates and sends nothing. Listing pools needs cognito-idp:ListUserPools, which the adapter does not need;
    without it, pass the ARN.
    """
    from adapter.commands.scaffold.answers import Answers, check_arn, check_name, check_sink, check_state, name_from

    asking = sys.stdin.isatty() and not yes
    _may_write(output, force=force)
    given = _checked(((arn, check_arn), (sink, check_sink), (name, check_name), (state_url, check_state)))
    missing = [flag for flag, value in (("--arn", arn), ("--sink", sink)) if value is None]
    if missing and not asking:
        why = "--yes asks nothing" if yes else "standard input is no terminal, so nothing can be asked"
        raise ConfigError(f"{why}; give {' and '.join(missing)} (and --name, --state, --initial, --output if need be)")
    pool_arn, target, called, where = given
    pool_name = ""
    if pool_arn is None:
        pool_arn, pool_name = _ask_pool(region)
    if target is None:
        click.echo(_SINKS, err=True)
        target = _ask("Sink", check_sink)
    if called is None:
        called = _ask("Name", check_name, name_from(pool_name)) if asking else name_from(pool_name)
    if where is None:
        where = (
            _ask("State (a file's path; empty: cognito-source.db, on AWS a table)", check_state, "") if asking else ""
        )
    if initial is None:
        everybody = asking and click.confirm("Begin with an event for every user who is there already?", err=True)
        initial = "snapshot" if everybody else "baseline"
    _finish(
        Answers(arn=pool_arn, sink=target, name=called, state_url=where, initial=initial),
        output,
        asking=asking,
        force=force,
    )


def _finish(answers: Answers, output: Path, *, asking: bool, force: bool) -> None:
    """Show it, write it, say what comes next."""
    from adapter.commands.scaffold.manifest import compose, deployable

    shown = shlex.quote(str(output)) if str(output).isprintable() else "FILE"
    schema = _SCHEMA if (output.parent / _SCHEMA).is_file() else ""
    text = compose(answers, file=shown, schema=schema)
    if asking:
        click.echo(f"\n{text}", err=True)
        if not click.confirm(f"Write this to {shown}?", default=True, err=True):
            click.echo("nothing was written", err=True)
            sys.exit(1)
    _write(output, text, force=force)
    click.echo(f"wrote {shown}; next:")
    click.echo(f"  python -m adapter doctor --manifest {shown}    check everything that it needs")
    click.echo(f"  python -m adapter run --manifest {shown}       watch the pool from here")
    if why := deployable(answers):
        click.echo(f"To deploy it on AWS (docs/deploy.md): {why}.")
    else:
        click.echo(f"  SOURCE_MANIFEST={shown} python -m stacks plan    what deploying it on AWS would create")


def _checked(pairs: tuple[tuple[str | None, Callable[[str], str]], ...]) -> list[str | None]:
    """The given values, checked; all that is wrong is told at once."""
    found: list[str | None] = []
    problems: list[str] = []
    for value, check in pairs:
        try:
            found.append(None if value is None else check(value))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return found


def _ask(question: str, check: Callable[[str], str], default: str | None = None) -> str:
    """Ask until the answer is good."""

    def parse(text: str) -> str:
        try:
            return check(text)
        except ConfigError as error:
            raise click.UsageError("; ".join(each.partition(" ")[2] for each in error.problems)) from None

    answer: Any = click.prompt(question, default=default, show_default=bool(default), value_proc=parse, err=True)
    return str(answer)


def _ask_pool(region: str | None) -> tuple[str, str]:
    """The ARN of a pool that was chosen from a list, or typed; and its name as far as it is known."""
    import botocore.session

    from adapter.commands.scaffold.answers import check_arn
    from adapter.commands.scaffold.pools import default_region, list_pools

    session = botocore.session.Session()
    if region is None:
        region = default_region(session, os.environ) or click.prompt("AWS region, such as eu-central-1", err=True)
    click.echo(f"Looking for user pools in {printable(region)} ...", err=True)
    listed = list_pools(session, region)
    for number, pool in enumerate(listed.pools, 1):
        pool_id = pool.arn.rpartition("/")[2]
        click.echo(f"{number:>4}  {pool_id:<28}  {clipped(printable(pool.name), 60)}", err=True)
    if listed.problem:
        click.echo(f"{listed.problem}; the ARN of a pool will do", err=True)
    elif not listed.pools:
        click.echo("there are none; the ARN of a pool will do", err=True)

    def chosen(text: str) -> str:
        found = _by_number(text, listed.pools)
        return found.arn if found is not None else check_arn(text)

    arn = _ask("User pool: its number or ARN" if listed.pools else "ARN of the user pool", chosen)
    return arn, next((pool.name for pool in listed.pools if pool.arn == arn), "")


def _by_number(text: str, pools: tuple[Found, ...]) -> Found | None:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        return None
    if not 1 <= int(text) <= len(pools):
        raise ConfigError(f"--arn is {text}; expected a number from 1 to {len(pools)}, or an ARN")
    return pools[int(text) - 1]


def _may_write(output: Path, *, force: bool) -> None:
    if output.is_dir():
        raise ConfigError(f"--output {output} is a folder; name a file in it, like {output / 'source.yaml'}")
    if output.exists() and not force:
        raise ConfigError(f"--output {output} is there already; name another file, or add --force to replace it")
    if not output.absolute().parent.is_dir():
        raise ConfigError(f"--output {output}: the folder {output.parent} is not there; create it, or name another one")


def _write(output: Path, text: str, *, force: bool) -> None:
    """The whole file or nothing; what is there is replaced only with `force`, also if it came a moment ago."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{output.name}.", dir=output.absolute().parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).chmod(0o644)
            if force:
                Path(name).replace(output)
            else:
                output.hardlink_to(name)
        finally:
            with suppress(FileNotFoundError):
                Path(name).unlink()
    except FileExistsError:
        raise ConfigError(f"--output {output} is there already; add --force to replace it") from None
    except OSError as error:
        raise ConfigError(f"--output {output} can't be written ({error.strerror}); name another place") from None
