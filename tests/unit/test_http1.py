"""Answers however they are framed and cut into pieces, and connections that are used again only when they can be."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, pairwise, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.http1 import IDLE_MAX_S, Answer, BadAnswerError, ConnectError, Connection, Limits, Pool, Route

REQUEST = b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n"
STRICT = Limits(connect_s=5)
CUTTING = Limits(connect_s=5, cut_s=1)
BODY_MAX = STRICT.body_bytes
HEAD = b"HTTP/1.1 200 OK\r\n"
LENGTH = HEAD + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"
HINTS = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"


def exchange(
    *pieces: bytes, end: bool = True, timeout_s: float = 5, limits: Limits = STRICT, pause_s: float = 0
) -> tuple[Answer, bool]:
    """The answer that comes in these pieces, and whether the connection may be used again."""
    ours, theirs = socket.socketpair()
    connection = Connection(ours, limits)
    done = threading.Event()

    def feed() -> None:
        with suppress(OSError):  # the reader had enough
            for piece in pieces:
                theirs.sendall(piece)
                if pause_s and done.wait(pause_s):
                    return
            if end:
                theirs.shutdown(socket.SHUT_WR)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        answer = connection.exchange(REQUEST, time.monotonic() + timeout_s)
        return answer, connection.reusable
    finally:
        done.set()
        connection.close()
        feeder.join()
        theirs.close()


@pytest.mark.parametrize("limits", [STRICT, CUTTING], ids=["strict", "cutting"])
@pytest.mark.parametrize(
    ("wire", "body", "reusable"),
    [
        (LENGTH, b"hello", True),
        (CHUNKED, b"hello", True),
        (HEAD + b"content-length:0\r\n\r\n", b"", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
        (b"HTTP/1.1 202\r\nContent-Length: 0\r\n\r\n", b"", True),
        (HINTS + LENGTH, b"hello", True),
        (HEAD + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
        (HEAD + b"\r\nhello", b"hello", False),
        (LENGTH + b"HTTP/1.1 500 smuggled\r\nContent-Length: 3\r\n\r\nbye", b"hello", False),
        (LENGTH + b"H", b"hello", False),
        (LENGTH + b"junk", b"hello", False),
        (HEAD + b"Connection: close\r\nContent-Length: 5\r\n\r\nhellojunk", b"hello", False),
        (HEAD + b"Content-Length: 65536\r\n\r\n" + b"x" * BODY_MAX, b"x" * BODY_MAX, True),
    ],
)
def test_answers_of_every_framing_are_read(wire: bytes, body: bytes, reusable: bool, limits: Limits) -> None:
    answer, may_stay = exchange(wire, limits=limits)
    assert answer.status in {200, 202, 204}
    assert (answer.body, may_stay) == (body, reusable)


@settings(max_examples=60, deadline=None)
@given(wire=st.sampled_from((LENGTH, CHUNKED, HINTS + LENGTH)), cuts=st.sets(st.integers(1, 120), max_size=6))
def test_it_makes_no_difference_where_an_answer_is_cut(wire: bytes, cuts: set[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(wire)), len(wire)]
    answer, may_stay = exchange(*[wire[start:stop] for start, stop in pairwise(edges)])
    assert (answer.status, answer.body, may_stay) == (200, b"hello", True)
    assert set(answer.headers) < {"content-length", "transfer-encoding"}


@pytest.mark.parametrize("limits", [STRICT, CUTTING], ids=["strict", "cutting"])
@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n\0",
        HEAD + b"x: y\r\n" * 20_000,
        HEAD + b"x: " + b"y" * 100_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
        HEAD + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\nhello",
        HEAD + b"Content-Length: -1\r\n\r\nhello",
        HEAD + b"Content-Length: 99999999999999999999\r\n\r\nhello",
        HEAD + b"Content-Length : 5\r\n\r\nhello",
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_answer_is_refused(wire: bytes, limits: Limits) -> None:
    with pytest.raises(BadAnswerError):
        exchange(wire, end=False, limits=limits)


@pytest.mark.parametrize("wire", [b"", b"HTTP", b"HTTP/1.1 200 OK\r\nContent-Le", HINTS])
def test_an_end_before_the_answer_is_a_broken_connection(wire: bytes) -> None:
    with pytest.raises(ConnectionResetError):
        exchange(wire, limits=CUTTING)


BROKEN_BODIES = [
    (HEAD + b"Content-Length: 10\r\n\r\nhello", ConnectionResetError, b"hello"),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", ConnectionResetError, b"hello"),
    (HEAD + b"Transfer-Encoding: gzip\r\n\r\nhello", ConnectionResetError, b"hello"),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", BadAnswerError, b""),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;" + b"x" * 200_000, BadAnswerError, b""),
    (HEAD + b"Content-Length: 70000\r\n\r\n" + b"x" * 70_000, BadAnswerError, b"x" * BODY_MAX),
    (HEAD + b"\r\n" + b"x" * 200_000, BadAnswerError, b"x" * BODY_MAX),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 70_000, BadAnswerError, b"x" * BODY_MAX),
]


@pytest.mark.parametrize(("wire", "error", "body"), BROKEN_BODIES)
def test_a_body_that_is_broken_or_too_long_is_an_error(wire: bytes, error: type[Exception], body: bytes) -> None:
    with pytest.raises(error):
        exchange(wire)


@pytest.mark.parametrize(("wire", "error", "body"), BROKEN_BODIES)
def test_a_body_that_is_broken_or_too_long_is_cut_where_the_status_counts(
    wire: bytes, error: type[Exception], body: bytes
) -> None:
    answer, may_stay = exchange(wire, limits=CUTTING)
    assert (answer.status, answer.body, may_stay) == (200, body, False)


def test_a_body_that_does_not_come_is_not_waited_for_where_the_status_counts() -> None:
    began = time.monotonic()
    wire = HEAD + b"Content-Length: 10\r\n\r\nhello"
    answer, may_stay = exchange(wire, end=False, timeout_s=30, limits=Limits(connect_s=5, cut_s=0.1))
    assert (answer.status, answer.body, may_stay) == (200, b"hello", False)
    assert time.monotonic() - began < 5


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=200) | st.binary(max_size=100).map(lambda tail: HEAD + tail),
    st.sampled_from((STRICT, CUTTING)),
)
def test_no_bytes_make_the_reader_crash_or_hang(wire: bytes, limits: Limits) -> None:
    try:
        answer, _ = exchange(wire, limits=limits)
    except (BadAnswerError, ConnectionResetError):
        return
    assert 200 <= answer.status <= 999


@pytest.mark.parametrize(
    "wire", [HEAD, HEAD + b"Content-Length: 1000\r\n\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;"]
)
def test_a_deadline_bounds_an_answer_that_trickles(wire: bytes) -> None:
    began = time.monotonic()
    pieces = chain([wire], repeat(b"1", 3000))
    with pytest.raises(TimeoutError):
        exchange(*pieces, timeout_s=0.3, pause_s=0.01)
    assert 0.3 <= time.monotonic() - began < 5


def test_silence_is_bounded_on_its_own() -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        exchange(HEAD, end=False, timeout_s=30, limits=Limits(connect_s=5, silence_s=0.1))
    assert time.monotonic() - began < 5


def test_a_deadline_that_passed_sends_nothing() -> None:
    with pytest.raises(TimeoutError):
        Pool(Route(host="127.0.0.1", port=1), STRICT).exchange(REQUEST, time.monotonic())


def test_headers_are_found_in_lower_case_and_joined() -> None:
    wire = b"HTTP/1.1 503 Busy\r\nRETRY-AFTER:  7 \r\nA: 1\r\na: 2\r\nEmpty:\r\nContent-Length: 0\r\n\r\n"
    answer, _ = exchange(wire)
    assert answer == Answer(503, {"retry-after": "7", "a": "1, 2", "empty": "", "content-length": "0"}, b"")


def test_headers_of_hints_and_trailers_are_not_those_of_the_answer() -> None:
    assert exchange(HINTS + CHUNKED)[0].headers == {"transfer-encoding": "chunked"}


def test_answers_follow_each_other_on_one_connection() -> None:
    ours, theirs = socket.socketpair()
    connection = Connection(ours, STRICT)
    for wire in (LENGTH, CHUNKED, HINTS + LENGTH, b"HTTP/1.1 204 No Content\r\n\r\n", CHUNKED):
        theirs.sendall(wire)
        answer = connection.exchange(REQUEST, time.monotonic() + 5)
        assert answer.body == (b"" if answer.status == 204 else b"hello")
        assert connection.reusable
        assert connection.usable()
    connection.close()
    theirs.close()


def test_a_connection_that_was_hung_up_is_noticed_before_it_is_used() -> None:
    ours, theirs = socket.socketpair()
    connection = Connection(ours, STRICT)
    assert connection.usable()
    theirs.close()
    assert not connection.usable()
    connection.close()


def test_a_connection_that_brought_something_late_is_not_used_again() -> None:
    ours, theirs = socket.socketpair()
    connection = Connection(ours, STRICT)
    theirs.sendall(LENGTH)
    assert connection.usable() is False
    connection.close()
    theirs.close()


def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    connection = Connection(ours, STRICT)
    now = time.monotonic()
    monkeypatch.setattr("adapter.http1.time.monotonic", lambda: now + IDLE_MAX_S + 1)
    assert not connection.usable()
    connection.close()
    theirs.close()


class Origin:
    """Accepts connections, and answers on each as often as it is asked."""

    def __init__(self, answer: bytes = LENGTH) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.accepted = 0
        self.route = Route(host="127.0.0.1", port=self._listener.getsockname()[1])
        #: As many exchanges have to be under way before there is an answer.
        self.together = threading.Barrier(1)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.accepted += 1
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while connection.recv(65_536):
                self.together.wait(10)
                connection.sendall(self._answer)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def origin() -> Iterator[Origin]:
    found = Origin()
    yield found
    found.close()


def at_once(count: int, work: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def ask(pool: Pool) -> Answer:
    return pool.exchange(REQUEST, time.monotonic() + 10)


def test_a_pool_uses_a_connection_again(origin: Origin) -> None:
    pool = Pool(origin.route, STRICT)
    assert {ask(pool).body for _ in range(5)} == {b"hello"}
    assert origin.accepted == 1
    pool.close()


def test_a_pool_keeps_no_more_connections_than_it_may(origin: Origin) -> None:
    pool = Pool(origin.route, Limits(connect_s=5, idle=2))
    origin.together = threading.Barrier(4)
    at_once(4, lambda: ask(pool))
    at_once(4, lambda: ask(pool))
    assert origin.accepted == 6
    pool.close()


def test_a_closed_pool_keeps_nothing(origin: Origin) -> None:
    pool = Pool(origin.route, STRICT)
    ask(pool)
    pool.close()
    ask(pool)
    ask(pool)
    assert origin.accepted == 3


def test_a_request_that_is_not_taken_is_bounded_too() -> None:
    ours, theirs = socket.socketpair()
    connection = Connection(ours, STRICT)
    with pytest.raises(TimeoutError):
        connection.exchange(b"x" * 10_000_000, time.monotonic() + 0.2)
    assert not connection.reusable
    connection.close()
    theirs.close()


def test_no_connection_says_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectError) as caught:
        Route(host="127.0.0.1", port=port).connect(5)
    assert isinstance(caught.value.cause, ConnectionRefusedError)


def test_a_server_without_tls_is_a_tls_failure() -> None:
    plain = Origin(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    route = Route(host="127.0.0.1", port=plain.route.port, tls=ssl.create_default_context())
    with pytest.raises(ConnectError) as caught:
        route.connect(5)
    assert isinstance(caught.value.cause, ssl.SSLError)
    plain.close()


def test_a_proxy_that_stays_silent_is_a_time_out_and_no_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        route = Route(host="127.0.0.1", port=listener.getsockname()[1], tunnel=("behind.example", 443))
        with pytest.raises(ConnectError) as caught:
            route.connect(0.1)
    assert isinstance(caught.value.cause, TimeoutError)
