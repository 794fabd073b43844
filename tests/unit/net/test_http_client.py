"""Responses however they are framed and cut into pieces, and connections that are used again only when they can be."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.net.failures import FaultKind, TransferError
from adapter.net.http_client import HttpClient
from adapter.net.origin import Limits, Origin
from adapter.net.response import Response, final_head, status_of
from tests.support import wait_until
from tests.support.raw_server import RawServer, Script, Serve, raw_servers, unserved_port

STRICT = Limits(total_s=20)
CUTTING = Limits(total_s=20, cut_s=5)
BODY_MAX = STRICT.body_bytes
HEAD = b"HTTP/1.1 200 OK\r\n"
LENGTH = HEAD + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"
HINTS = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"


@pytest.fixture
def serve() -> Iterator[Serve]:
    with raw_servers() as start:
        yield start


def client_of(server: RawServer, limits: Limits = STRICT) -> HttpClient:
    return HttpClient(Origin(url=server.url, user_agent="tests"), limits)


def exchange(server: RawServer, limits: Limits = STRICT) -> tuple[Response, bool]:
    """The response to a request, and whether its connection was used for another one."""
    client = client_of(server, limits)
    try:
        response = client.send((), b"{}")
        client.send((), b"{}")
        return response, server.connections == 1
    finally:
        client.close()


def fault(server: RawServer, limits: Limits = STRICT, body: bytes = b"{}") -> FaultKind:
    client = client_of(server, limits)
    with pytest.raises(TransferError) as caught:
        client.send((), body)
    client.close()
    return caught.value.kind


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
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000 + LENGTH, b"hello", True),
        (HEAD + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
        (LENGTH + b"HTTP/1.1 500 smuggled\r\nContent-Length: 3\r\n\r\nbye", b"hello", False),
        (LENGTH + b"H", b"hello", False),
        (HEAD + b"Connection: close\r\nContent-Length: 5\r\n\r\nhellojunk", b"hello", False),
        (HEAD + b"Content-Length: 65536\r\n\r\n" + b"x" * BODY_MAX, b"x" * BODY_MAX, True),
        # What Go, urllib3 and curl take as well: obs-fold (RFC 9112, 5.2), bare LF, control characters, lengths twice.
        (HEAD + b"X: a\r\n  b\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
        (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", b"hello", True),
        (HEAD + b"X: a\x01b\x7f\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
        (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello", True),
        (HEAD + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello", True),
        # Nobody asked for it, so nobody unpacks it.
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
    ],
)
def test_responses_of_every_framing_are_read(
    serve: Serve, wire: bytes, body: bytes, reusable: bool, limits: Limits
) -> None:
    response, again = exchange(serve(wire), limits)
    assert response.status in {200, 202, 204}
    assert (response.body, again) == (body, reusable)


def test_a_response_without_a_length_ends_with_the_connection(serve: Serve) -> None:
    response, again = exchange(serve(Script((HEAD + b"\r\nhello",), then="end")))
    assert (response.status, response.body, again) == (200, b"hello", False)


@settings(max_examples=40, deadline=None)
@given(wire=st.sampled_from((LENGTH, CHUNKED, HINTS + LENGTH)), cuts=st.sets(st.integers(1, 120), max_size=6))
def test_it_makes_no_difference_where_a_response_is_cut(wire: bytes, cuts: set[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(wire)), len(wire)]
    with raw_servers() as serve:
        response, again = exchange(serve(Script([wire[start:stop] for start, stop in pairwise(edges)])))
    assert (response.status, response.body, again) == (200, b"hello", True)


@pytest.mark.parametrize("limits", [STRICT, CUTTING], ids=["strict", "cutting"])
@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        HEAD + b"x: y\r\n" * 20_000,
        HEAD + b"x: " + b"y" * 400_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000,
        HEAD + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\nhello",
        HEAD + b"Content-Length: -1\r\n\r\nhello",
        HEAD + b"no colon\r\nContent-Length: 5\r\n\r\nhello",
        HEAD + b"X: \x00\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/2 200\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
def test_what_is_no_response_is_refused(serve: Serve, wire: bytes, limits: Limits) -> None:
    assert fault(serve(Script((wire,), then="end")), limits) is FaultKind.INVALID


def test_another_protocol_is_refused(serve: Serve) -> None:
    wire = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n\0"
    assert fault(serve(Script((wire,), then="end"))) is FaultKind.INVALID


@pytest.mark.parametrize("limits", [STRICT, CUTTING], ids=["strict", "cutting"])
@pytest.mark.parametrize("then", ["end", "close", "reset"])
@pytest.mark.parametrize("wire", [b"", b"HTTP", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\n", HINTS])
def test_an_end_before_the_response_is_a_broken_connection(
    serve: Serve, wire: bytes, then: str, limits: Limits
) -> None:
    assert fault(serve(Script((wire,), then=then)), limits) is FaultKind.RESET  # type: ignore[arg-type]  # one of Then


BROKEN_BODIES = [
    (HEAD + b"Content-Length: 10\r\n\r\nhello", FaultKind.RESET, b"hello"),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", FaultKind.RESET, b"hello"),
    (HEAD + b"Transfer-Encoding: gzip\r\n\r\nhello", FaultKind.INVALID, b""),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", FaultKind.INVALID, b""),
    (HEAD + b"Content-Length: 70000\r\n\r\n" + b"x" * 70_000, FaultKind.INVALID, b"x" * BODY_MAX),
    (HEAD + b"\r\n" + b"x" * 200_000, FaultKind.INVALID, b"x" * BODY_MAX),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 70_000, FaultKind.INVALID, b"x" * BODY_MAX),
]


@pytest.mark.parametrize(("wire", "kind", "body"), BROKEN_BODIES)
def test_a_body_that_is_broken_or_too_long_is_an_error(serve: Serve, wire: bytes, kind: FaultKind, body: bytes) -> None:
    del body
    assert fault(serve(Script((wire,), then="end"))) is kind


@pytest.mark.parametrize(("wire", "kind", "body"), BROKEN_BODIES)
def test_a_body_that_is_broken_or_too_long_is_cut_where_the_status_counts(
    serve: Serve, wire: bytes, kind: FaultKind, body: bytes
) -> None:
    del kind
    response, again = exchange(serve(Script((wire,), then="end")), CUTTING)
    assert (response.status, response.body, again) == (200, body, False)


def test_a_body_without_end_is_not_waited_for_where_the_status_counts(serve: Serve) -> None:
    client = client_of(serve(HEAD + b"Content-Length: 10\r\n\r\nhello"), Limits(total_s=3_600, cut_s=0))
    response = client.send((), b"{}")
    client.close()
    assert (response.status, response.body) == (200, b"hello")


@pytest.mark.parametrize(
    "wire",
    [b"HTTP/1.1 200 ", HEAD, HEAD + b"Content-Length: 1000\r\n\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;"],
)
def test_the_time_out_bounds_a_response_that_trickles(serve: Serve, wire: bytes) -> None:
    server = serve(Script((wire, *[b"1"] * 100_000), pause_s=0.01))
    assert fault(server, Limits(total_s=0.3)) is FaultKind.TIMEOUT


def test_silence_is_bounded_on_its_own(serve: Serve) -> None:
    assert fault(serve(HEAD), Limits(total_s=3_600, silence_s=0.1)) is FaultKind.TIMEOUT


def signal_when_asked(server: RawServer) -> None:
    wait_until(lambda: server.requests)
    os.kill(os.getpid(), signal.SIGUSR1)


def test_a_signal_is_handled_while_a_response_is_awaited(serve: Serve) -> None:
    """SIGTERM comes to the main thread, which may be waiting for Cognito just then."""
    server = serve(LENGTH)
    server.together = threading.Barrier(2)
    client = client_of(server, Limits(total_s=30))
    before = signal.signal(signal.SIGUSR1, lambda *_: server.together.abort())
    try:
        asking = threading.Thread(target=signal_when_asked, args=(server,))
        asking.start()
        with pytest.raises(TransferError) as caught:
            client.send((), b"{}")
        asking.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
        client.close()
    assert caught.value.kind is FaultKind.RESET


def test_a_request_that_is_not_taken_is_bounded_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = HttpClient(Origin(url=f"http://127.0.0.1:{listener.getsockname()[1]}/"), Limits(total_s=0.3))
        with pytest.raises(TransferError) as caught:
            client.send((), b"x" * 20_000_000)
        client.close()
    assert caught.value.kind is FaultKind.TIMEOUT


@pytest.mark.parametrize("then", ["close", "end", "reset"])
def test_a_response_that_comes_before_the_request_was_read_is_read(serve: Serve, then: str) -> None:
    """As gunicorn, hypercorn and Node.js refuse what is too long; see tests/faults for the sizes of real networks."""
    wire = b"HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig"
    script = Script((wire,), then="end" if then == "end" else "close", early=True)
    for _ in range(20):
        client = client_of(serve(script), CUTTING)
        response = client.send((), b"x" * 4_000_000)
        client.close()
        assert (response.status, response.body) == (413, b"big")


def test_headers_are_found_by_name_and_joined(serve: Serve) -> None:
    wire = b"HTTP/1.1 503 Busy\r\nRETRY-AFTER:  7 \r\nA: 1\r\na: 2\r\nEmpty:\r\nContent-Length: 0\r\n\r\n"
    response, _ = exchange(serve(wire))
    assert response.status == 503
    names = ("retry-after", "a", "empty", "content-length", "missing")
    assert [response.header(name) for name in names] == ["7", "1, 2", "", "0", None]


def test_headers_of_hints_and_trailers_are_not_those_of_the_response(serve: Serve) -> None:
    response, _ = exchange(serve(HINTS + CHUNKED))
    assert [response.header(name) for name in ("link", "trailer", "transfer-encoding")] == [None, None, "chunked"]


def test_a_request_carries_what_it_is_given_and_no_more(serve: Serve) -> None:
    server = serve(LENGTH)
    client = client_of(server)
    client.send((b"X-A: b", b"x-empty: ", "x-ü: ö".encode("latin-1")), b"body")
    client.close()
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body == b"body"
    assert head.split(b"\r\n") == [
        b"POST / HTTP/1.1",
        b"Host: " + server.url.split("/")[2].encode(),
        b"User-Agent: tests",
        b"X-A: b",
        b"x-empty:",
        "x-ü: ö".encode("latin-1"),
        b"Content-Length: 4",
    ]


@pytest.mark.parametrize("header", [b"X: a\r\nInjected: b", b"X: a\nb", b"X: \x00"])
def test_a_header_with_a_line_break_is_not_sent(serve: Serve, header: bytes) -> None:
    server = serve(LENGTH)
    client = client_of(server)
    with pytest.raises(TransferError) as caught:
        client.send((header,), b"")
    client.close()
    assert caught.value.kind is FaultKind.UNSENDABLE
    assert server.requests == []


def test_a_connection_that_was_hung_up_is_replaced(serve: Serve) -> None:
    server = serve(LENGTH)
    client = client_of(server, Limits(total_s=20, repeat=False))
    client.send((), b"{}")
    server.hang_up()
    wait_until(lambda: server.open == 0)
    assert client.send((), b"{}").body == b"hello"
    client.close()
    assert server.connections == 2


@pytest.mark.parametrize("then", ["close", "reset"])
def test_a_connection_that_is_closed_just_then_costs_nothing_where_a_request_may_be_repeated(
    serve: Serve, then: str
) -> None:
    server = serve(Script((LENGTH,)), Script((), then=then), Script((LENGTH,)))  # type: ignore[arg-type]  # one of Then
    client = client_of(server)
    assert [client.send((), b"{}").body for _ in range(2)] == [b"hello"] * 2
    client.close()
    assert len(server.requests) == 3


@pytest.mark.parametrize("then", ["close", "reset"])
def test_a_request_is_sent_once_where_it_may_not_be_repeated(serve: Serve, then: str) -> None:
    server = serve(Script((LENGTH,)), Script((), then=then), Script((LENGTH,)))  # type: ignore[arg-type]  # one of Then
    client = client_of(server, Limits(total_s=20, repeat=False))
    client.send((), b"{}")
    with pytest.raises(TransferError) as caught:
        client.send((), b"{}")
    assert caught.value.kind is FaultKind.RESET
    assert client.send((), b"{}").body == b"hello"
    client.close()
    assert len(server.requests) == 3


def test_a_connection_that_brought_something_late_is_not_used_again(serve: Serve) -> None:
    server = serve(Script((LENGTH, b"HTTP/1.1 500 nobody asked\r\n\r\n"), pause_s=0.01))
    client = client_of(server)
    client.send((), b"{}")
    wait_until(lambda: server.answered == 1)  # everything was sent; on loopback it is there then
    assert client.send((), b"{}").body == b"hello"
    client.close()
    assert server.connections == 2


def at_once(count: int, work: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_client_keeps_no_more_connections_than_it_may(serve: Serve) -> None:
    server = serve(LENGTH)
    server.together = threading.Barrier(4)
    client = client_of(server, Limits(total_s=20, idle=2))
    at_once(4, lambda: client.send((), b"{}"))
    at_once(4, lambda: client.send((), b"{}"))
    assert (server.connections, client.idle) == (6, 2)
    client.close()


def test_a_closed_client_keeps_nothing(serve: Serve) -> None:
    server = serve(LENGTH)
    client = client_of(server)
    client.send((), b"{}")
    client.close()
    client.send((), b"{}")
    client.send((), b"{}")
    assert (server.connections, client.idle) == (3, 0)


def test_ipv6_is_spoken(serve: Serve) -> None:
    response, again = exchange(serve(LENGTH, family=socket.AF_INET6))
    assert (response.body, again) == (b"hello", True)


def test_no_connection_says_why() -> None:
    with unserved_port() as port:
        client = HttpClient(Origin(url=f"http://127.0.0.1:{port}/"), STRICT)
        with pytest.raises(TransferError, match="no connection: Connection refused") as caught:
            client.send((), b"{}")
    client.close()
    assert caught.value.kind is FaultKind.CONNECT


@given(st.lists(st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 C\r\n", b"\r\n", b"\n", b"A: b\r\n", b""])))
def test_whatever_lines_came_a_head_is_whole_or_none(lines: list[bytes]) -> None:
    head = final_head(lines)
    assert head is None or not {b"\r\n", b"\n"} & set(head)
    assert head is None or status_of(head) in {200, None}


@settings(max_examples=100, deadline=None)
@given(wire=st.binary(max_size=200) | st.binary(max_size=100).map(lambda tail: HEAD + tail), cutting=st.booleans())
def test_no_bytes_make_the_client_crash_or_hang(wire: bytes, cutting: bool) -> None:
    with raw_servers() as serve:
        client = client_of(serve(Script((wire,), then="end")), CUTTING if cutting else STRICT)
        try:
            found: object = client.send((), b"{}").status in range(200, 1_000)
        except TransferError as error:
            found = error.kind in {FaultKind.RESET, FaultKind.INVALID}
        client.close()
        assert found
