"""What several commands share: where the configuration comes from, and who answers on this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from adapter.errors import AdapterError, ConfigError

#: HEALTH_ADDRESS's default (adapter/config/variables.py takes a tenth of a second to import, which probes don't have).
_HEALTH_ADDRESS: Final = "0.0.0.0:8080"
#: How long the adapter of this machine may take to answer, in seconds: less than a container's health check.
_PATIENCE_S: Final = 4
_BODY_MAX: Final = 4_000_000

_Command = TypeVar("_Command", bound=Callable[..., Any])


def manifest_options(command: _Command) -> _Command:
    """Add `--manifest FILE` and `--source NAME`; `environment` reads them."""
    command = click.option("--source", metavar="NAME", help="The source to use, if the manifest has several.")(command)
    return click.option(
        "--manifest",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Read the configuration from this manifest; it overrides the environment.",
    )(command)


def address_option(command: _Command) -> _Command:
    """Add `--address HOST:PORT`: which adapter to ask; `ask` reads it."""
    return click.option(
        "--address",
        envvar="HEALTH_ADDRESS",
        default=_HEALTH_ADDRESS,
        show_default=True,
        metavar="HOST:PORT",
        help="Address of the adapter; default: the variable HEALTH_ADDRESS.",
    )(command)


def environment(manifest: Path | None, source: str | None) -> Mapping[str, str]:
    """The process environment, with that of a source of the manifest laid over it.

    Raises:
        ConfigError: the manifest is wrong, or does not say which source.
    """
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
    warnings, made = chosen[0].warnings, manifests.environment(chosen[0])
    for line in warnings:
        click.echo(line, err=True)
    if not warnings and not made.get("K_SINK") and not os.environ.get("K_SINK"):
        message = "this sink is made when it is deployed; to use the manifest here set K_SINK, or give an address"
        click.echo(chosen[0].problem("spec.sink", message), err=True)
    # OpenTelemetry's SDK reads most of its variables by itself.
    os.environ.update({name: value for name, value in made.items() if name.startswith("OTEL_")})
    return {**os.environ, **made}


def ask(path: str, where: str | None = None, *, variable: str = "HEALTH_ADDRESS") -> tuple[int, Any]:
    """GET from an adapter's local server: the status, and the JSON of the body (None: it is empty).

    Args:
        path: begins with a slash.
        where: HOST:PORT; None: as HEALTH_ADDRESS says.
        variable: the variable that `where` is from, for messages.

    Raises:
        ConfigError: that is no address.
        AdapterError: nobody answers there, or not in JSON.
    """
    import http.client

    from adapter.config.values import address

    try:
        there = address(where or os.environ.get("HEALTH_ADDRESS") or _HEALTH_ADDRESS)
    except ValueError as error:
        raise ConfigError(f"{variable} {error}") from None
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(there.host, there.host)  # noqa: S104 - compared, not bound
    connection = http.client.HTTPConnection(host, there.port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(_BODY_MAX)
        return answer.status, json.loads(body) if body else None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise AdapterError(
            f"no adapter answers at {there} ({reason}); is it running, is {variable} the same? "
            "`state show` prints what is stored"
        ) from None
    finally:
        connection.close()
