"""Whole lines to pipes and files that take only a part of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from adapter.line_writer import LineWriter, line_writer
from adapter.sinks.base import Delivered
from adapter.sinks.stream import StreamSink
from tests.support.delivery import make_event

#: Long enough for a slow machine: waited for only when a test fails.
PATIENCE_S = 30.0


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for file in (reader, writer):
        with suppress(OSError):
            os.close(file)


def drain(reader: int) -> bytes:
    """All that is in the pipe."""
    os.set_blocking(reader, False)
    parts = []
    try:
        while part := os.read(reader, 65_536):
            parts.append(part)
    except BlockingIOError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize("blocking", [True, False])
def test_only_whole_lines_count_when_nobody_reads(pipe: tuple[int, int], *, blocking: bool) -> None:
    reader, writer = pipe
    os.set_blocking(writer, blocking)
    lines = [b"%d %s\n" % (number, b"x" * 300) for number in range(1000)]
    written = LineWriter(writer).write(lines, 0.01)
    assert isinstance(written.fault, TimeoutError)
    assert 0 < written.lines < 1000
    assert drain(reader) == b"".join(lines[: written.lines])


@pytest.mark.parametrize("blocking", [True, False])
def test_a_slow_reader_gets_every_line(pipe: tuple[int, int], *, blocking: bool) -> None:
    reader, writer = pipe
    os.set_blocking(writer, blocking)
    lines = [b"%d %s\n" % (number, b"x" * (number % 9000)) for number in range(300)]
    received: list[bytes] = []

    def read() -> None:
        while part := os.read(reader, 997):
            received.append(part)

    reading = threading.Thread(target=read)
    reading.start()
    written = LineWriter(writer).write(lines, PATIENCE_S)
    os.close(writer)
    reading.join()
    assert (written.lines, written.fault) == (300, None)
    assert b"".join(received) == b"".join(lines)


@pytest.mark.parametrize("blocking", [True, False])
def test_a_line_that_was_cut_off_does_not_swallow_the_next_one(pipe: tuple[int, int], *, blocking: bool) -> None:
    reader, writer = pipe
    os.set_blocking(writer, blocking)
    lines = LineWriter(writer)
    assert lines.write([b"x" * 1_000_000 + b"\n"], 0.01).lines == 0
    cut = drain(reader)
    assert 0 < len(cut) < 1_000_000
    assert lines.write([b"next\n"], PATIENCE_S).lines == 1
    assert drain(reader) == b"\nnext\n"
    assert lines.write([b"last\n"], PATIENCE_S).lines == 1
    assert drain(reader) == b"last\n"


def test_a_disk_that_is_full_for_a_while_merges_no_lines(tmp_path: Path) -> None:
    """The kernel takes what fits of the second line, refuses the rest, and has room again later."""
    code = """
import os, resource, sys
from adapter.line_writer import LineWriter
lines = LineWriter(1)
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (30, before[1]))
first = lines.write([b"a" * 20 + b"\\n", b"b" * 20 + b"\\n"], 5)
again = lines.write([b"c" * 20 + b"\\n"], 5)
resource.setrlimit(resource.RLIMIT_FSIZE, before)
last = lines.write([b"b" * 20 + b"\\n"], 5)
print(first.lines, type(first.fault).__name__, again.lines, last.lines, file=sys.stderr)
"""
    path = tmp_path / "stdout"
    with path.open("wb") as file:
        done = subprocess.run([sys.executable, "-c", code], stdout=file, stderr=subprocess.PIPE, text=True, check=True)
    assert done.stderr == "1 OSError 0 1\n"
    assert path.read_bytes() == b"a" * 20 + b"\n" + b"b" * 9 + b"\n" + b"b" * 20 + b"\n"


def test_a_reader_that_is_gone_is_a_fault(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.close(reader)
    written = LineWriter(writer).write([b"x\n"], PATIENCE_S)
    assert (written.lines, type(written.fault)) == (0, BrokenPipeError)
    os.close(writer)
    fault = LineWriter(writer).write([b"x\n"], PATIENCE_S).fault
    assert fault is not None
    assert fault.strerror == "Bad file descriptor"


def test_lines_of_many_threads_stay_whole(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    lines = LineWriter(writer)
    threads = [
        threading.Thread(target=lines.write, args=([bytes([97 + n]) * 9000 + b"\n"] * 10, PATIENCE_S)) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    received = b""
    while received.count(b"\n") < 40:
        received += os.read(reader, 65_536)
    for thread in threads:
        thread.join()
    assert {(len(line), len(set(line))) for line in received.splitlines()} == {(9000, 1)}


def test_all_who_write_to_a_stream_share_its_writer(tmp_path: Path) -> None:
    with (tmp_path / "stdout").open("w") as stream:
        assert line_writer(stream) is line_writer(stream)
    assert line_writer(stream) is None
    assert line_writer(None) is None


def test_a_pipe_in_non_blocking_mode_gets_every_event_that_counts_as_delivered(pipe: tuple[int, int]) -> None:
    """The image sets PYTHONUNBUFFERED=1; node, ssh and others leave pipes in non-blocking mode."""
    reader, writer = pipe
    os.set_blocking(writer, False)
    sink = StreamSink(LineWriter(writer), timeout_s=0.01)
    events = [make_event(str(number)) for number in range(300)]
    delivered = []
    for event in events:
        (outcome,) = sink.send([event])
        if isinstance(outcome, Delivered):
            delivered.append(event.id)
    assert 0 < len(delivered) < 300
    assert [json.loads(line)["id"] for line in drain(reader).splitlines()] == delivered
