"""The lean transport against servers that are written down byte by byte."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.cognito.transport import LeanTransport
from adapter.http1 import ConnectError, Route

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: now\r\n\r\n{}"


class ScriptedServer:
    """Answers the n-th request, whatever it says, with the n-th of these; None closes the connection instead."""

    def __init__(self, answers: list[bytes | None], tls: ssl.SSLContext | None = None) -> None:
        self._answers = iter(answers)
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._listener.getsockname()[1]}/"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        try:
            self._answer(self._tls.wrap_socket(connection, server_side=True) if self._tls else connection)
        except OSError:
            connection.close()

    def _answer(self, connection: socket.socket) -> None:
        self._open.append(connection)
        received = b""
        while data := connection.recv(65536):
            received += data
            if not received.endswith(b"{}"):
                continue
            self.requests.append(received)
            received = b""
            answer = next(self._answers, None)
            if answer is None:
                break
            connection.sendall(answer)
            if b"connection: close" in answer.lower():
                break
        connection.close()


Serve = Callable[..., ScriptedServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[ScriptedServer] = []

    def start(*answers: bytes | None, tls: ssl.SSLContext | None = None) -> ScriptedServer:
        servers.append(ScriptedServer(list(answers), tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def transport() -> Iterator[LeanTransport]:
    found = LeanTransport(connect_timeout_s=2, read_timeout_s=0.5)
    yield found
    found.close()


def request(url: str) -> AWSPreparedRequest:
    headers = {"X-Amz-Target": "T.ListUsers", "Authorization": b"AWS4"}
    return AWSRequest(method="POST", url=url, headers=headers, data=b"{}").prepare()


def sent(transport: LeanTransport, url: str) -> AWSResponse:
    answer = transport.send(request(url))
    assert answer is not None
    return answer


def test_an_answer_comes_back_whole(serve: Serve, transport: LeanTransport) -> None:
    server = serve(OK)
    answer = sent(transport, server.url)
    assert (answer.status_code, answer.content, answer.headers["date"]) == (200, b"{}", "now")
    head = server.requests[0].split(b"\r\n")
    assert head[0] == b"POST / HTTP/1.1"
    assert f"Host: {server.url[7:-1]}".encode() in head
    assert b"Authorization: AWS4" in head
    assert b"Content-Length: 2" in head


def test_a_connection_is_used_again(serve: Serve, transport: LeanTransport) -> None:
    server = serve(OK, OK, OK)
    for _ in range(3):
        sent(transport, server.url)
    assert server.connections == 1


def test_a_connection_that_the_server_closed_meanwhile_is_replaced(serve: Serve, transport: LeanTransport) -> None:
    server = serve(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), OK)
    sent(transport, server.url)
    assert sent(transport, server.url).content == b"{}"
    assert server.connections == 2


def test_a_connection_closed_without_a_word_is_replaced(serve: Serve, transport: LeanTransport) -> None:
    server = serve(OK, None, OK)
    sent(transport, server.url)
    with pytest.raises(ConnectionClosedError):
        transport.send(request(server.url))
    assert sent(transport, server.url).content == b"{}"


def test_an_answer_in_chunks_comes_back_whole(serve: Serve, transport: LeanTransport) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
    assert sent(transport, server.url).content == b"{}"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 140_000,
    ],
)
def test_an_answer_that_is_no_http_is_a_client_error(serve: Serve, transport: LeanTransport, answer: bytes) -> None:
    server = serve(answer, OK)
    with pytest.raises(HTTPClientError):
        transport.send(request(server.url))
    assert sent(transport, server.url).content == b"{}"


@given(st.binary(max_size=300) | st.integers(0, len(OK)).map(lambda n: OK[:n]))
@settings(max_examples=60, deadline=None)
def test_no_bytes_make_it_fail_in_another_way(answer: bytes) -> None:
    server = ScriptedServer([answer + b"\r\nConnection: close"])
    transport = LeanTransport(connect_timeout_s=2, read_timeout_s=2)
    try:
        with contextlib.suppress(HTTPClientError):
            transport.send(request(server.url))
    finally:
        transport.close()
        server.close()


def test_an_answer_cut_short_is_a_closed_connection(serve: Serve, transport: LeanTransport) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 100\r\n\r\n{}")
    with pytest.raises(ConnectionClosedError):
        transport.send(request(server.url))


def test_an_answer_that_does_not_come_is_a_read_timeout(serve: Serve, transport: LeanTransport) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\n", OK)
    with pytest.raises(ReadTimeoutError):
        transport.send(request(server.url))


def test_nobody_at_the_endpoint_is_an_endpoint_error(transport: LeanTransport) -> None:
    with pytest.raises(EndpointConnectionError):
        transport.send(request("http://127.0.0.1:1/"))


def test_a_connection_that_takes_too_long_is_a_connect_timeout(
    transport: LeanTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(route: Route, timeout_s: float) -> socket.socket:
        raise ConnectError(TimeoutError(f"after {timeout_s:g} s"))

    monkeypatch.setattr(Route, "connect", connect)
    with pytest.raises(ConnectTimeoutError):
        transport.send(request("http://127.0.0.1:9/"))


def test_a_proxy_leaves_everything_to_botocore(
    serve: Serve, transport: LeanTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server = serve(OK)
    assert transport.send(request(server.url)) is None
    assert server.connections == 0


def test_another_endpoint_is_left_to_botocore(serve: Serve, transport: LeanTransport) -> None:
    first, second = serve(OK, OK), serve(OK)
    sent(transport, first.url)
    assert transport.send(request(second.url)) is None
    assert sent(transport, first.url).content == b"{}"


def test_requests_side_by_side_have_a_connection_each(serve: Serve, transport: LeanTransport) -> None:
    server = serve(*[OK] * 4)
    ready = threading.Barrier(2)

    def send() -> None:
        ready.wait(5)
        sent(transport, server.url)
        sent(transport, server.url)

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 4
    assert server.connections <= 2


def test_closing_gives_the_idle_connections_back(serve: Serve, transport: LeanTransport) -> None:
    server = serve(OK, OK)
    sent(transport, server.url)
    transport.close()
    assert sent(transport, server.url).content == b"{}"
    assert server.connections == 2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1 and its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def tls_server(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_tls_trusts_the_bundle_that_is_set(serve: Serve, certificate: Path) -> None:
    server = serve(OK, OK, tls=tls_server(certificate))
    transport = LeanTransport(connect_timeout_s=2, read_timeout_s=2, ca_bundle=str(certificate))
    for _ in range(2):
        assert sent(transport, server.url).content == b"{}"
    transport.close()
    assert server.connections == 1


def test_tls_does_not_talk_to_a_server_that_it_does_not_trust(
    serve: Serve, certificate: Path, transport: LeanTransport
) -> None:
    server = serve(OK, tls=tls_server(certificate))
    assert transport.send(request(server.url)) is None
    assert server.requests == []


def test_tls_does_not_talk_to_a_server_of_another_name(serve: Serve, certificate: Path) -> None:
    server = serve(OK, tls=tls_server(certificate))
    transport = LeanTransport(connect_timeout_s=2, read_timeout_s=2, ca_bundle=str(certificate))
    assert transport.send(request(server.url.replace("127.0.0.1", "localhost"))) is None
    transport.close()
    assert server.requests == []
