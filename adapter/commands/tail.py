"""`python -m adapter tail`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from adapter.errors import AdapterError, ConfigError
from adapter.terminal import printable

if TYPE_CHECKING:
    from adapter.commands.event_log.lines import Event

#: How often a file is looked at, and a running adapter asked, in seconds.
_PAUSE_S: Final = 0.2
_ASK_S: Final = 1.0
_STATUS_ADDRESS: Final = "127.0.0.1:8081"
_STDIN: Final = "-"
_KINDS: Final = ("created", "updated", "deleted", "snapshot", "replay")


@click.command()
@click.argument("file", required=False)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="Be the sink: accept CloudEvents at this address, respond 204. Port 0 uses a free port.",
)
@click.option(
    "--address",
    envvar="STATUS_ADDRESS",
    default=_STATUS_ADDRESS,
    show_default=True,
    metavar="HOST:PORT",
    help="Status page of the adapter, without FILE and --listen; default: the variable STATUS_ADDRESS.",
)
@click.option(
    "-n",
    "--lines",
    "last",
    type=click.IntRange(0, 1_000_000),
    default=10,
    show_default=True,
    help="Number of earlier events to show.",
)
@click.option("--follow/--no-follow", "-f/-F", default=True, show_default=True, help="Continue with new events.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(_KINDS), help="Only these kinds (repeatable).")
@click.option("--user", "users", multiple=True, metavar="NAME", help="Only events of this user (repeatable).")
@click.option("--json", "as_json", is_flag=True, help="Print whole events, one JSON object per line (structured mode).")
def tail(
    *,
    file: str | None,
    listen: str | None,
    address: str,
    last: int,
    follow: bool,
    kinds: tuple[str, ...],
    users: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print events as they are delivered. Each is one line: time, kind, user, what changed.

    FILE is the file of a `file:///` sink (path or URL; '-': standard input, for a `stdout:` sink). With --listen this
    command is the sink: start the adapter with K_SINK=http://HOST:PORT. Without both it shows the last events of the
    adapter on this machine from its status page: usernames are hashed unless STATUS_SHOW_USERS is true.

    Runs until Ctrl-C. Control characters in events are shown as text.
    """
    from adapter.commands.event_log.lines import Lines, Wanted, raw

    if file is not None and listen is not None:
        raise ConfigError("tail: expected FILE or --listen, not both")
    if listen is not None:
        events = _listening(listen)
    elif file is not None:
        events = _of_file(file, last, follow=follow)
    else:
        events = _of_running(address, last, follow=follow)
    wanted, lines = Wanted(kinds=kinds, users=users), Lines()
    with suppress(KeyboardInterrupt):
        for event in events:
            if wanted(event):
                click.echo(raw(event) if as_json else lines.line(event))


def _listening(listen: str) -> Iterator[Event]:
    from adapter.commands.event_log.inbox import open_inbox
    from adapter.config.values import Address, address

    try:
        where = address(listen)
    except ValueError as error:
        raise ConfigError(f"--listen {error}") from None
    try:
        with open_inbox(where) as inbox:
            here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(where.host, where.host)  # noqa: S104 - compared, not bound
            click.echo(f"listening; start the adapter with K_SINK=http://{Address(here, inbox.port)}", err=True)
            while True:
                event = inbox.take(_PAUSE_S)
                if event is not None:
                    yield event
    except OSError as error:
        raise ConfigError(
            f"--listen {where} can't be listened on ({error.strerror}); expected a free port: name another one"
        ) from None


def _of_file(file: str, last: int, *, follow: bool) -> Iterator[Event]:
    from adapter.commands.event_log import follow as files

    if file == _STDIN:
        yield from _parsed(iter(sys.stdin.buffer.readline, b""))
        return
    path = _path(file)
    if follow and not path.exists():
        click.echo(f"{path} is not there yet: waiting for it", err=True)
    try:
        yield from _parsed(files.follow(path, last=last, on=_pause if follow else lambda: False))
    except OSError as error:
        raise ConfigError(f"FILE: {path} can't be read ({error.strerror}); name the file of a file:/// sink") from None


def _path(file: str) -> Path:
    from urllib.parse import unquote, urlsplit

    return Path(unquote(urlsplit(file).path)) if file.startswith("file:///") else Path(file)


def _pause() -> bool:
    time.sleep(_PAUSE_S)
    return True


def _parsed(lines: Iterator[bytes]) -> Iterator[Event]:
    """The events of JSON lines; a line that is none is told, and left out."""
    import json

    for line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            yield value
        elif line.strip():
            click.echo("a line is left out: it is no event", err=True)


def _of_running(address: str, last: int, *, follow: bool) -> Iterator[Event]:
    from adapter.commands.event_log.running import Recent

    recent = Recent()
    page = _page(address)
    whose = f"{page.get('name', '')}, {page.get('source', '')}"
    hashed = " (usernames hashed: STATUS_SHOW_USERS)" if page.get("usernames_hashed") else ""
    click.echo(f"the last events of {printable(whose)}{hashed}", err=True)
    events, _ = recent.news(page)
    yield from events[-last:] if last else []
    away = False
    while follow:
        time.sleep(_ASK_S)
        try:
            events, gap = recent.news(_page(address))
        except ConfigError:
            raise
        except AdapterError:
            if not away:
                click.echo("the adapter does not answer any more: waiting for it", err=True)
            away = True
            continue
        away = False
        if gap:
            click.echo("more events came than the adapter keeps: some are left out", err=True)
        yield from events


def _page(address: str) -> Mapping[str, Any]:
    """What the status page shows.

    Raises:
        ConfigError: there is none at this address, and will be none.
        AdapterError: nobody answers.
    """
    from adapter.commands.options import ask

    if address.lower() == "off":
        raise ConfigError("STATUS_ADDRESS is off: name where a status page is, or a FILE, or --listen HOST:PORT")
    try:
        code, body = ask("/status", address, variable="STATUS_ADDRESS")
    except ConfigError:
        raise
    except AdapterError:
        raise AdapterError(
            f"no status page answers at {address}; is the adapter running, is STATUS_ADDRESS the same? "
            "`tail FILE` and `tail --listen HOST:PORT` need none"
        ) from None
    if code != 200 or not isinstance(body, dict) or "last_events" not in body:
        raise ConfigError(f"STATUS_ADDRESS {address} is no status page of an adapter; it answered {code}")
    return body
