"""From the string that names a sink to the sink."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from adapter.arn import ArnError, parse_arn
from adapter.errors import ConfigError
from adapter.sinks.base import Sink
from adapter.sinks.options import HttpOptions

if TYPE_CHECKING:
    from boto3 import Session


def open_sink(target: str, options: HttpOptions, sessions: Callable[[], Session], *, variable: str = "K_SINK") -> Sink:
    """Open the sink that a string names. Only what that kind of sink needs is imported.

    Args:
        target: an http(s) URL, the ARN of an event bus or a queue, `file:///path` or `stdout:`.
        options: time-out and connections go for every sink that has such, the rest for HTTP.
        sessions: makes the boto3 session of the adapter's own services; asked only for AWS sinks.
        variable: the environment variable that `target` is from, for messages.

    Raises:
        ConfigError: there is no such kind of sink, or it can't be used the way it is configured.
    """
    scheme, _, rest = target.partition(":")
    scheme = scheme.lower()
    if scheme in {"http", "https"}:
        from adapter.sinks.http import HttpSink  # TLS and HTTP libraries

        return HttpSink(target, options, variable=variable)
    if scheme == "arn":
        return _open_on_aws(target, options, sessions, variable)
    if scheme == "file" and (path := unquote(urlsplit(target).path)).startswith("/"):
        from adapter.sinks.file import FileSink

        return FileSink(Path(path), variable=variable, timeout_s=options.timeout_s)
    if scheme == "stdout" and not rest:
        return _open_stdout(options.timeout_s, variable)
    raise ConfigError(
        f"{variable} names no sink that is known ({scheme}:); expected an http:// or https:// URL, the ARN of an event "
        "bus or an SQS queue, file:///path or stdout:"
    )


def open_dead_letter_sink(target: str, options: HttpOptions, sessions: Callable[[], Session]) -> Sink:
    """Open the dead-letter sink: as `open_sink`, but headers and token of the sink proper stay away from it."""
    options = replace(options, headers={}, token_file=None)
    return open_sink(target, options, sessions, variable="DELIVERY_DEAD_LETTER_SINK")


def _open_stdout(timeout_s: float, variable: str) -> Sink:
    from adapter.line_writer import line_writer
    from adapter.sinks.stream import StreamSink

    writer = line_writer(sys.stdout)
    if writer is None:
        raise ConfigError(
            f"{variable} is stdout:, but the standard output is closed; expected one that is open: redirect it, or "
            "name another sink"
        )
    return StreamSink(writer, timeout_s=timeout_s)


def _open_on_aws(target: str, options: HttpOptions, sessions: Callable[[], Session], variable: str) -> Sink:
    try:
        arn = parse_arn(target)
    except ArnError as error:
        raise ConfigError(f"{variable} is wrong: {error}") from error
    if arn.service == "events" and arn.resource.startswith("event-bus/"):
        from adapter.sinks.eventbridge import EventBridgeSink  # boto3

        return EventBridgeSink(arn, sessions(), timeout_s=options.timeout_s, connections=options.connections)
    if arn.service == "sqs":
        from adapter.sinks.sqs import SqsSink  # boto3

        return SqsSink(arn, sessions(), timeout_s=options.timeout_s, connections=options.connections)
    raise ConfigError(f"{variable} is the ARN {target!r}; expected that of an event bus or of an SQS queue")
