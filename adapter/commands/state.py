"""`python -m adapter state`: look at a state, move it, forget it."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from adapter.arn import ArnError, are_replicas, parse_pool_arn
from adapter.errors import ConfigError
from adapter.state import export as transfer
from adapter.state.base import Store
from adapter.state.factory import open_store
from adapter.state.inspect import Report, recorded_pool, report_dynamo, report_sqlite
from adapter.state.url import DynamoUrl, SqliteUrl, parse_state_url

if TYPE_CHECKING:
    from botocore.session import Session

_DEFAULT_URL: Final = "sqlite:///cognito-source.db"
_STDIO: Final = "-"


@click.group()
def state() -> None:
    """Show the state of a pool, move it to another store, or reset it.

    The state holds no user attributes, only digests of them.
    """


def _store_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--arn", envvar="ARN", metavar="ARN", help="The user pool; default: the variable ARN."),
        click.option(
            "--state-url",
            envvar="STATE_URL",
            default=_DEFAULT_URL,
            show_default=True,
            metavar="URL",
            help="sqlite:///FILE or dynamodb://TABLE?region=REGION; default: the variable STATE_URL.",
        ),
        click.option("--credentials-secret-arn", envvar="CREDENTIALS_SECRET_ARN", default="", hidden=True),
    ):
        command = option(command)
    return command


@state.command()
@_store_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
def show(*, arn: str | None, state_url: str, credentials_secret_arn: str, as_json: bool) -> None:
    """Print counts, dates, layout and the holder of the state. Works while an adapter runs; changes nothing."""
    url = parse_state_url(state_url)
    if isinstance(url, SqliteUrl):
        report = report_sqlite(url)
    else:
        report = report_dynamo(url, _pool(arn), _session(credentials_secret_arn))
    click.echo(json.dumps(dataclasses.asdict(report), indent=2) if as_json else _described(report))


@state.command("export")
@_store_options
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
def export_(*, arn: str | None, state_url: str, credentials_secret_arn: str, file: str) -> None:
    """Write the state to FILE as JSON Lines ('-': standard output).

    The file holds usernames and subs: personal data. Only its owner can read it, and it is written atomically.
    Refused while an adapter holds the state.
    """
    _must_exist(state_url)
    with _opened(arn, state_url, credentials_secret_arn) as store:
        if file == _STDIO:
            with click.open_file(_STDIO, "wb") as out:
                out.writelines(transfer.export_lines(store))
        else:
            _write_atomically(Path(file), transfer.export_lines(store))
        click.echo(f"exported {store.count()} users", err=True)


@state.command("import")
@_store_options
@click.argument("file", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.option("--force", is_flag=True, help="Replace the content of a store that is not empty.")
@click.option("--adopt", is_flag=True, help="Also accept an export of the same pool in another region.")
def import_(
    *, arn: str | None, state_url: str, credentials_secret_arn: str, file: Path, force: bool, adopt: bool
) -> None:
    """Fill the store from FILE, which `state export` wrote.

    The whole file is checked before anything is stored. Refused while an adapter holds the state.
    """
    if not file.is_file():
        raise ConfigError(f"FILE: {file} is not an ordinary file, and is read twice; save it as one first")
    with file.open("rb") as lines, ExitStack() as stack:
        transfer.check_lines(lines, str(file), _pool(arn), adopt=adopt)
        lines.seek(0)
        store = stack.enter_context(_opened(arn, state_url, credentials_secret_arn))
        if store.count() or store.meta().baseline_started_ms is not None:
            if not force:
                raise ConfigError(
                    f"STATE_URL: the store knows {store.count()} users already; "
                    "name an empty one, or add --force to forget them"
                )
            transfer.clear(store)
        transfer.import_lines(lines, str(file), store)
        click.echo(f"imported {store.count()} users", err=True)


@state.command()
@_store_options
@click.option("--yes", is_flag=True, help="Do not ask.")
def adopt(*, arn: str | None, state_url: str, credentials_secret_arn: str, yes: bool) -> None:
    """Use the state for the same pool in another region. For replicas of multi-Region replication.

    ARN is the pool's ARN in the region where the adapter continues, for example after a failover. Only the region may
    differ from the ARN in the state. Events then have the new ARN as their source, and events that were not confirmed
    before are sent again with it. Refused while an adapter holds the state.
    """
    url, wanted = parse_state_url(state_url), _pool(arn)
    found = recorded_pool(url, wanted, lambda: _session(credentials_secret_arn))
    if found == wanted:
        click.echo(f"the state is that of {wanted} already", err=True)
        return
    if not are_replicas(found, wanted):
        raise ConfigError(
            f"ARN: the state is that of {ascii(found)[1:-1]}; expected the same pool in another region, not {wanted}"
        )
    if isinstance(url, DynamoUrl) and url.region is None:
        state_url += f"{'&' if '?' in state_url else '?'}region={parse_pool_arn(wanted).region}"
    with _opened(found, state_url, credentials_secret_arn) as store:
        if not yes:
            click.confirm(f"Go on with the state of {found} as that of {wanted}?", abort=True, err=True)
        transfer.adopt(store, wanted)
        click.echo(f"the state of {store.count()} users is now that of {wanted}", err=True)


@state.command()
@_store_options
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(*, arn: str | None, state_url: str, credentials_secret_arn: str, yes: bool) -> None:
    """Forget everything; the next start is a first start. It begins as EVENTS_INITIAL says.

    What changes between now and that start is never reported. Refused while an adapter holds the state.
    """
    _must_exist(state_url)
    with _opened(arn, state_url, credentials_secret_arn) as store:
        if not yes:
            question = f"Forget all {store.count()} users of {store.meta().pool_arn}?"
            click.confirm(question, abort=True, err=True)
        click.echo(f"forgot {transfer.clear(store)} users", err=True)


def _pool(arn: str | None) -> str:
    if not arn:
        raise ConfigError("ARN: missing; set the variable or the option --arn to the user pool's ARN")
    try:
        return str(parse_pool_arn(arn))
    except ArnError as error:
        raise ConfigError(f"ARN: {error}") from None


def _session(credentials_secret_arn: str) -> Session:
    """As adapter.runtime.credentials.service_session, without the need for a whole configuration."""
    import botocore.session

    session = botocore.session.Session()
    if credentials_secret_arn:
        session.get_component("credential_provider").remove("env")  # that key is the pool's
    return session


def _must_exist(state_url: str) -> None:
    """Don't make a new file only to say that it is empty."""
    url = parse_state_url(state_url)
    if isinstance(url, SqliteUrl):
        report_sqlite(url)


@contextmanager
def _opened(arn: str | None, state_url: str, credentials_secret_arn: str) -> Iterator[Store]:
    session = lambda: _session(credentials_secret_arn)  # noqa: E731 - a name for what is made only when needed
    with closing(open_store(state_url, _pool(arn), service_session=session)) as store:
        yield store


def _write_atomically(path: Path, lines: Iterator[bytes]) -> None:
    try:
        with tempfile.NamedTemporaryFile(prefix=f".{path.name}.", dir=path.parent, delete=False) as file:
            try:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                with suppress(FileNotFoundError):
                    Path(file.name).unlink()
                raise
    except OSError as error:
        raise ConfigError(f"FILE: {path} can't be written ({error.strerror}); name another place") from error


def _date(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "never"
    try:
        moment = datetime.fromtimestamp(milliseconds / 1_000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{milliseconds} ms (no date)"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _described(report: Report) -> str:
    meta = report.meta
    baseline = f"begun {_date(meta.baseline_started_ms)}, {'complete' if meta.baseline_done else 'not complete'}"
    rows = [
        ("store", report.store),
        ("pool", meta.pool_arn),
        ("layout", str(report.layout)),
        ("users", str(report.users)),
        ("first sweep", "not begun" if meta.baseline_started_ms is None else f"{meta.initial}, {baseline}"),
        ("last sweep", f"{_date(meta.last_sweep_ms)} ({meta.sweeps} complete)"),
        ("in use by", "nobody" if report.holder is None else str(report.holder)),
    ]
    if report.unconfirmed is not None:
        rows.insert(4, ("unconfirmed", f"{report.unconfirmed} (sent, perhaps; not confirmed)"))
    if report.missing is not None:
        rows.insert(5, ("missing", f"{report.missing} (deletion being reported)"))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)
