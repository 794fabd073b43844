"""The server of probes, metrics and the status page: whom it hears, and what nobody may take from it."""

from __future__ import annotations

import http.client
import os
import resource
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from adapter.net.http_message import BadRequestError, HttpReply, HttpRequest, parse_head, render
from adapter.net.http_server import HttpServer, ServerLimits
from tests.support import wait_until

#: Long enough for a slow machine: waited for only when a test fails.
PATIENCE_S = 30.0
GET = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGE = 5_000_000


def answer(request: HttpRequest) -> HttpReply:
    """Say what was asked for."""
    if request.path == "/bug":
        raise ValueError("canary@example.com")
    if request.path == "/large":
        return HttpReply(status=200, body=b"x" * LARGE)
    return HttpReply(status=200, body=f"{request.method} {request.path}".encode(), content_type="text/plain")


@contextmanager
def served(*, keep_alive: bool = False, **limits: float) -> Iterator[HttpServer]:
    chosen = ServerLimits(**({"head_s": PATIENCE_S, "write_s": PATIENCE_S} | limits))  # type: ignore[arg-type]
    with HttpServer("127.0.0.1", 0, answer, name="test", limits=chosen, keep_alive=keep_alive) as server:
        yield server


def connected(server: HttpServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), PATIENCE_S)


def rest(connection: socket.socket) -> bytes:
    """All that comes until the other side hangs up."""
    parts = []
    with suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def asked(server: HttpServer, text: bytes = GET) -> bytes:
    with connected(server) as connection:
        connection.sendall(text)
        return rest(connection)


def test_idle_connections_make_room_for_whoever_asks() -> None:
    with served(connections=4) as server, ExitStack() as stack:
        idle = [stack.enter_context(connected(server)) for _ in range(40)]
        assert asked(server).endswith(b"GET /x")
        for connection in idle[:36]:  # the oldest ones
            assert rest(connection) == b""
        idle[-1].sendall(GET)
        assert rest(idle[-1]).endswith(b"GET /x")


def test_a_peer_that_reads_its_reply_is_the_last_to_make_room() -> None:
    with served(connections=3) as server, ExitStack() as stack:
        reading = stack.enter_context(connected(server))
        reading.sendall(b"GET /large HTTP/1.1\r\n\r\n")
        assert reading.recv(4) == b"HTTP"
        for _ in range(20):
            stack.enter_context(connected(server))
        assert asked(server).endswith(b"GET /x")
        assert len(rest(reading)) > LARGE


def test_readers_that_do_not_read_keep_nobody_out() -> None:
    with served(connections=3) as server, ExitStack() as stack:
        for _ in range(6):
            lazy = stack.enter_context(connected(server))
            lazy.sendall(b"GET /large HTTP/1.1\r\n\r\n")
            assert lazy.recv(4) == b"HTTP"
        assert asked(server).endswith(b"GET /x")


@pytest.mark.parametrize("beginning", [b"", b"GET /x HTTP/1.1\r\nHost: loc"])
def test_a_request_that_does_not_come_to_its_end_is_not_waited_for(beginning: bytes) -> None:
    with served(head_s=0.05) as server, connected(server) as connection:
        connection.sendall(beginning)
        assert rest(connection) == b""


def test_a_reply_that_is_not_read_is_given_up() -> None:
    with served(write_s=0.05) as server, connected(server) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\n\r\n")
        assert connection.recv(4) == b"HTTP"
        threading.Event().wait(0.2)  # while nothing is read
        assert len(rest(connection)) < LARGE


def test_peers_that_reset_their_connections_leave_no_trace(capfd: pytest.CaptureFixture[str]) -> None:
    with served() as server:
        for beginning in (b"", b"GET", GET, b"GET /large HTTP/1.1\r\n\r\n"):
            connection = connected(server)
            connection.sendall(beginning)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()  # with a reset
        assert asked(server).endswith(b"GET /x")
    assert capfd.readouterr() == ("", "")


@contextmanager
def no_descriptors() -> Iterator[None]:
    """This process may open nothing more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_process_without_descriptors_gives_those_of_idle_connections_to_whoever_asks() -> None:
    with served() as server, connected(server) as idle, socket.socket() as connection:
        assert wait_until(lambda: len(server._peers) == 1)
        connection.settimeout(PATIENCE_S)
        with no_descriptors():
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(GET)
            assert rest(connection).endswith(b"GET /x")
        assert rest(idle) == b""
        assert asked(server).endswith(b"GET /x")


def test_a_reply_that_cannot_be_made_is_a_500_that_tells_nothing() -> None:
    with served() as server:
        said = asked(server, b"GET /bug HTTP/1.1\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 500 ")
        assert b"canary" not in said
        assert asked(server).endswith(b"GET /x")


def test_a_tick_that_fails_stops_nothing() -> None:
    ticks = threading.Semaphore(0)

    def tick() -> None:
        ticks.release()
        raise ValueError

    with HttpServer("127.0.0.1", 0, answer, name="test", tick=tick) as server:
        assert all(ticks.acquire(timeout=PATIENCE_S) for _ in range(2))
        assert asked(server).endswith(b"GET /x")


def test_a_connection_is_kept_where_that_is_wanted() -> None:
    with served(keep_alive=True) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
        for path in ("/a", "/b"):
            connection.request("GET", path)
            reply = connection.getresponse()
            assert (reply.read(), reply.will_close) == (f"GET {path}".encode(), False)
        connection.request("GET", "/c", headers={"Connection": "close"})
        assert connection.getresponse().will_close
        connection.close()


@pytest.mark.parametrize(
    "text",
    [
        GET + GET,
        b"POST /x HTTP/1.1\r\nContent-Length: 40\r\n\r\n" + GET,
        b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + GET,
        b"GET /x HTTP/1.0\r\n\r\n" + GET,
    ],
)
def test_one_reply_is_given_where_more_was_sent(text: bytes) -> None:
    with served(keep_alive=True) as server:
        assert asked(server, text).count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /x\r\n\r\n", 400),
        (b"GET /x HTTP/2.0\r\n\r\n", 400),
        (b"GET /x y HTTP/1.1\r\n\r\n", 400),
        (b"GET /\x01 HTTP/1.1\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nA: 1\r\n folded\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nA: \x00\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nA: 1\rB: 2\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"x" * 200_000, 431),
        (b"\r\n\r\n" + GET, 200),
        (b"GET /x HTTP/1.1\nHost: x\n\n", 200),
    ],
)
def test_what_is_no_request_is_refused(text: bytes, status: int) -> None:
    with served() as server:
        assert asked(server, text).startswith(b"HTTP/1.1 %d " % status)


def test_its_end_ends_the_connections() -> None:
    with served(keep_alive=True) as server:
        connection = connected(server)
        connection.sendall(GET)
        assert connection.recv(4) == b"HTTP"
        port = server.port
    assert rest(connection).endswith(b"GET /x")
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), PATIENCE_S)


def test_a_server_that_was_never_started_leaves_nothing_open() -> None:
    HttpServer("127.0.0.1", 0, answer, name="test").close()


def test_a_head_is_read_into_its_parts() -> None:
    request = parse_head(b"GET /status?span=3h HTTP/1.1\r\nHost: a\r\nX-Y:  b \r\nhost: c", "127.0.0.1")
    assert (request.method, request.path, request.query) == ("GET", "/status", "span=3h")
    assert (request.all("host"), request.header("x-y"), request.header("none")) == (["a", "c"], "b", "")
    assert (request.came_to, request.persistent, request.has_body) == ("127.0.0.1", True, False)
    with pytest.raises(BadRequestError):
        parse_head(b"")


def test_a_reply_without_content_has_no_length() -> None:
    for status in (204, 304):
        assert b"Content-Length" not in render(HttpReply(status=status), now_s=0, close=True)
    text = render(HttpReply(status=299, body=b"x"), now_s=0, close=False, head_only=True)
    assert text == (
        b"HTTP/1.1 299 \r\nServer: cognito-source\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 1\r\n\r\n"
    )
