"""Logs: one JSON object a line on stderr, or readable lines when stderr is a terminal.

Every record of the adapter carries an `action`, a stable name for what happened, and may carry numbers and names beside
it (`extra=...`). Nothing of a user goes into a log: no attribute, no username, no answer of a server.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TextIO

from adapter.line_writer import LineWriter, line_writer
from adapter.terminal import clipped, columns

#: Back to the line's beginning, and what is there is gone.
_CLEAR: Final = "\r\x1b[K"
#: The fields that every LogRecord has; what goes beyond them is ours.
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

#: How long a line may wait for whoever reads the logs, in seconds.
_PATIENCE_S: Final = 1.0
#: Fields that say nothing to people.
_FOR_MACHINES: Final = frozenset({"action", "trace_id", "span_id"})


class Action(StrEnum):
    """What happened, for machines that read the logs. The values are part of the interface."""

    STARTED = "started"
    WAITING = "waiting"
    STATUS_PAGE = "status_page"
    STATE_EPHEMERAL = "state_ephemeral"
    STOPPING = "stopping"
    STOPPED = "stopped"
    BASELINE_STARTED = "baseline_started"
    BASELINE_DONE = "baseline_done"
    SWEEP_PROGRESS = "sweep_progress"
    SWEEP_DONE = "sweep_done"
    SWEEP_FAILED = "sweep_failed"
    SWEEP_RECOVERED = "sweep_recovered"
    PAGE_RETRIED = "page_retried"
    DELIVERED = "delivered"
    DEAD_LETTERED = "dead_lettered"
    UNDELIVERED = "undelivered"
    SINK_DOWN = "sink_down"
    SINK_BACK = "sink_back"
    SINK_BUG = "sink_bug"
    DELETIONS_HELD = "deletions_held"
    DELETIONS_RELEASED = "deletions_released"
    FILTER_REFUSED = "filter_refused"
    SHARDS_GIVEN_UP = "shards_given_up"
    CREDENTIALS_RELOADED = "credentials_reloaded"
    CLOCK_WRONG = "clock_wrong"
    REPLAYED = "replayed"
    SETTING_IGNORED = "setting_ignored"
    TRACES_LOST = "traces_lost"
    TRACES_SENT = "traces_sent"
    METRICS_LOST = "metrics_lost"
    METRICS_WRITTEN = "metrics_written"
    LOGS_LOST = "logs_lost"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: timestamp, severity, action, message, and the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Render the record."""
        line: dict[str, Any] = {
            "timestamp": _timestamp(record),
            "severity": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        } | _extras(record)
        if record.exc_info:
            line["stacktrace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """For people: time, severity, message, and the record's fields in brackets."""

    def format(self, record: logging.LogRecord) -> str:
        """Render the record."""
        fields = ", ".join(f"{name} {value}" for name, value in _extras(record).items() if name not in _FOR_MACHINES)
        text = f"{_timestamp(record)[11:23]} {record.levelname:<7} {record.getMessage()}"
        text += f" ({fields})" if fields else ""
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class LineHandler(logging.Handler):
    """Log lines on a stream that may take a part of one, or none: no two lines become one, and nothing waits for long.

    Lines that can't be written are lost; how many is said as soon as one can be. Nothing is written about that to the
    stream itself, where `logging` would put a traceback.

    Args:
        writer: of the stream; None: it is closed.
    """

    def __init__(self, writer: LineWriter | None) -> None:
        super().__init__()
        self._writer = writer
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record."""
        if self._writer is None:
            return
        try:
            lines = [self._line(record)]
        except Exception:  # noqa: BLE001 - as in `logging`: a record that can't be rendered must not stop its sender
            self._lost += 1
            return
        if self._lost:
            lines.insert(0, self._line(_lost(self._lost)))
        # A reader that stands still is waited for once, not at every line.
        written = self._writer.write(lines, 0.0 if self._lost else _PATIENCE_S)
        self._lost = 0 if written.fault is None else self._lost + 1

    def _line(self, record: logging.LogRecord) -> bytes:
        return f"{self.format(record)}\n".encode(errors="backslashreplace")


def _lost(count: int) -> logging.LogRecord:
    text = f"{count} log lines before this one could not be written"
    return logging.makeLogRecord(
        {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING", "msg": text, "action": Action.LOGS_LOST}
    )


class QuietHandler(logging.StreamHandler[TextIO]):
    """Log lines on a stream of Python's. What can't be written is lost, without a traceback on stderr."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is the base class's
        """Say nothing: the stream is gone, or the record can't be rendered."""


class TerminalHandler(QuietHandler):
    """Log lines on a terminal, above a last line that changes in place."""

    _line = ""

    def show(self, line: str) -> None:
        """Let this be the last line, cut to the terminal's width; "" takes it away. Any thread may call it."""
        self.acquire()
        try:
            if line or self._line:
                self._line = clipped(line, columns(self.stream) - 1)
                self._draw(_CLEAR + self._line)
        finally:
            self.release()

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record above the last line."""
        line, self._line = self._line, ""
        if line:
            self._draw(_CLEAR)
        super().emit(record)
        if line:
            self.show(line)

    def _draw(self, text: str) -> None:
        with suppress(OSError, ValueError):  # the terminal is gone
            self.stream.write(text)
            self.flush()


def status_line() -> Callable[[str], None] | None:
    """What shows a line below the logs; None: they go to no terminal, or to one without a cursor."""
    handlers = logging.getLogger("adapter").handlers
    return next((handler.show for handler in handlers if isinstance(handler, TerminalHandler)), None)


def configure(level: str, stream: TextIO | None = None, *, live: bool = False) -> None:
    """Send the adapter's logs to `stream` (None: stderr), and those of libraries nowhere: they may quote requests.

    With `live`, the stream is a terminal whose last line can be drawn again; see `status_line`.
    """
    target: TextIO | None = sys.stderr if stream is None else stream  # None: the process was started without one
    writer = line_writer(target)
    handler: logging.Handler
    if target is not None and live:
        handler = TerminalHandler(target)
    elif target is None or writer is not None:
        handler = LineHandler(writer)
    else:
        handler = QuietHandler(target)
    handler.setFormatter(TextFormatter() if target is not None and target.isatty() else JsonFormatter())
    logger = logging.getLogger("adapter")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(level.upper())
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())


def _timestamp(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
