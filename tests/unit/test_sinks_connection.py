"""Reading HTTP/1.1 answers, however they are cut into pieces."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.sinks.connection import Answer, BadAnswerError, Connection


def exchange(*pieces: bytes, end: bool = True, timeout_s: float = 5) -> tuple[Answer, bool]:
    """The answer that comes in these pieces, and whether the connection may be used again."""
    ours, theirs = socket.socketpair()
    connection = Connection(ours)
    feeder = threading.Thread(target=feed, args=(theirs, pieces, end))
    feeder.start()
    try:
        answer = connection.exchange(b"POST / HTTP/1.1\r\n\r\n", time.monotonic() + timeout_s)
        return answer, connection.reusable
    finally:
        connection.close()
        feeder.join()
        theirs.close()


def feed(theirs: socket.socket, pieces: Sequence[bytes], end: bool) -> None:
    try:
        for piece in pieces:
            theirs.sendall(piece)
        if end:
            theirs.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the reader had enough


HEAD = b"HTTP/1.1 200 OK\r\n"
LENGTH = HEAD + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"


@pytest.mark.parametrize(
    ("wire", "body", "reusable"),
    [
        (LENGTH, b"hello", True),
        (CHUNKED, b"hello", True),
        (HEAD + b"content-length:0\r\n\r\n", b"", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
        (b"HTTP/1.1 202\r\nContent-Length: 0\r\n\r\n", b"", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + LENGTH, b"hello", True),
        (HEAD + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
        (HEAD + b"\r\nhello", b"hello", False),
        (LENGTH + b"HTTP/1.1 200 smuggled", b"hello", False),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\nhello", b"hello", False),
        (HEAD + b"Content-Length: -1\r\n\r\nhello", b"hello", False),
        (HEAD + b"Content-Length: 99999999999999\r\n\r\nhello", b"hello", False),
        (HEAD + b"Content-Length: 10\r\n\r\nhello", b"", False),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"", False),
        (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello", True),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\nhello", b"", False),
        (HEAD + b"Content-Length: 70000\r\n\r\n" + b"x" * 70_000, b"x" * 65_536, False),
    ],
)
def test_answers_of_every_framing_are_read(wire: bytes, body: bytes, reusable: bool) -> None:
    answer, may_stay = exchange(wire)
    assert answer.status in {200, 202, 204}
    assert (answer.body, may_stay) == (body, reusable)


@settings(max_examples=60, deadline=None)
@given(wire=st.sampled_from((LENGTH, CHUNKED)), cuts=st.sets(st.integers(1, 60), max_size=6))
def test_it_makes_no_difference_where_an_answer_is_cut(wire: bytes, cuts: set[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(wire)), len(wire)]
    pieces = [wire[start:stop] for start, stop in pairwise(edges)]
    assert exchange(*pieces) == (Answer(200, None, b"hello"), True)


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 999 What\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000,
    ],
)
def test_what_is_no_answer_is_refused(wire: bytes) -> None:
    with pytest.raises(BadAnswerError):
        exchange(wire)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda tail: HEAD + tail))
def test_no_bytes_make_the_reader_crash(wire: bytes) -> None:
    try:
        answer, _ = exchange(wire)
    except BadAnswerError:
        return
    assert 200 <= answer.status < 600


def test_a_deadline_bounds_the_exchange_as_a_whole() -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        exchange(b"HTTP/1.1 200", end=False, timeout_s=0.1)
    assert time.monotonic() - began < 2


def test_retry_after_is_read_whatever_its_case() -> None:
    answer, _ = exchange(b"HTTP/1.1 503 Busy\r\nRETRY-AFTER:  7 \r\nContent-Length: 0\r\n\r\n")
    assert answer == Answer(503, "7", b"")


def test_a_connection_that_was_hung_up_is_noticed_before_it_is_used() -> None:
    ours, theirs = socket.socketpair()
    connection = Connection(ours)
    assert connection.usable()
    theirs.close()
    assert not connection.usable()
    connection.close()


def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    connection = Connection(ours)
    now = time.monotonic()
    monkeypatch.setattr("adapter.sinks.connection.time.monotonic", lambda: now + 61)
    assert not connection.usable()
    connection.close()
    theirs.close()
