"""Events as JSON lines on stdout: for trying things out, and for what reads the other end of a pipe.

Every line is a CloudEvent in JSON (structured mode).
"""

from __future__ import annotations

from collections.abc import Sequence

from adapter.events.formats import structured
from adapter.line_writer import LineWriter
from adapter.model import Event
from adapter.sinks.base import Delivered, Failed, Outcome

#: Events that share one turn at the stream.
_MAX_BATCH = 1000


class StreamSink:
    """Writes to stdout, or another stream that somebody else opened and closes."""

    def __init__(self, writer: LineWriter, name: str = "stdout:", *, timeout_s: float = 30.0) -> None:
        """`name` is what people call it; `timeout_s` is how long one `send` may wait for a slow reader."""
        self._writer = writer
        self._name = name
        self._timeout_s = timeout_s

    @property
    def target(self) -> str:
        """The stream's name."""
        return self._name

    @property
    def max_batch(self) -> int:
        """As many as may share one turn."""
        return _MAX_BATCH

    def send(self, events: Sequence[Event]) -> Sequence[Outcome]:
        """Write the lines; an event is delivered when the whole line was taken. What is behind may still lose it."""
        written = self._writer.write([structured(event) + b"\n" for event in events], self._timeout_s)
        if written.fault is None:
            return [Delivered()] * len(events)
        failure = io_failure(f"{self._name} can't be written", written.fault)
        return [Delivered()] * written.lines + [failure] * (len(events) - written.lines)

    def close(self) -> None:
        """Nothing: the stream is not ours."""


def io_failure(what: str, error: OSError) -> Failed:
    """A write that failed: every fault may pass, when the disk has room or the reader is back."""
    timed_out = isinstance(error, TimeoutError)
    return Failed(code="timeout" if timed_out else "io", reason=f"{what}: {error.strerror}", retryable=True)
