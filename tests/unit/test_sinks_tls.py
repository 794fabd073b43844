"""TLS: which certificates the HTTP sink trusts."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest
import trustme

from adapter.errors import ConfigError
from adapter.sinks.base import Delivered, Failed, Outcome
from adapter.sinks.http import HttpSink
from adapter.sinks.options import HttpOptions
from tests.unit.delivery_support import make_event
from tests.unit.sink_server import SinkServer, sink_server


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(ca: trustme.CA) -> Iterator[SinkServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost", "sink.example").configure_cert(context)
    with sink_server(context) as server:
        yield server


def pem(ca: trustme.CA) -> str:
    return ca.cert_pem.bytes().decode()


def post(url: str, options: HttpOptions, count: int = 1) -> Outcome:
    sink = HttpSink(url, options)
    try:
        return [sink.send([make_event()])[0] for _ in range(count)][-1]
    finally:
        sink.close()


def test_a_private_ca_given_as_text_is_trusted(server: SinkServer, ca: trustme.CA) -> None:
    text = "# the CA of our cluster: Főtanúsítvány\n" + pem(trustme.CA()) + pem(ca)
    assert isinstance(post(server.url, HttpOptions(ca_certs=text), count=3), Delivered)
    assert len({id(request.connection) for request in server.requests}) == 1


def test_every_file_of_the_mounted_bundle_is_trusted(server: SinkServer, ca: trustme.CA, tmp_path: Path) -> None:
    # As Kubernetes mounts it: links into a hidden folder.
    (tmp_path / "..data").mkdir()
    for name, text in (("a.pem", pem(trustme.CA())), ("b.crt", pem(ca))):
        (tmp_path / "..data" / name).write_text(text)
        (tmp_path / name).symlink_to(tmp_path / "..data" / name)
    assert isinstance(post(server.url, HttpOptions(ca_folder=tmp_path)), Delivered)


def test_a_bundle_of_the_environment_is_trusted_as_requests_does(
    server: SinkServer, ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bundle.pem").write_text(pem(ca))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "bundle.pem"))
    assert isinstance(post(server.url, HttpOptions()), Delivered)


def test_an_unknown_ca_is_refused(server: SinkServer) -> None:
    outcome = post(server.url, HttpOptions(ca_certs=pem(trustme.CA())))
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("tls", True)
    assert "K_CA_CERTS" in outcome.reason
    assert server.requests == []


def test_a_certificate_for_another_name_is_refused(server: SinkServer, ca: trustme.CA) -> None:
    outcome = post(server.url.replace("localhost", "127.0.0.1"), HttpOptions(ca_certs=pem(ca)))
    assert isinstance(outcome, Failed)
    assert outcome.code == "tls"


def test_a_folder_that_is_not_there_is_no_mistake(server: SinkServer, ca: trustme.CA) -> None:
    options = HttpOptions(ca_certs=pem(ca), ca_folder=Path("/nonexistent"))
    assert isinstance(post(server.url, options), Delivered)


def test_certificates_that_are_none_are_a_configuration_error_each(tmp_path: Path) -> None:
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nxxxx\n-----END CERTIFICATE-----\n")
    with pytest.raises(ConfigError) as caught:
        HttpSink("https://sink.example/", HttpOptions(ca_certs="no certificate", ca_folder=tmp_path))
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["K_CA_CERTS", str(tmp_path / "broken.pem")]


def test_a_bundle_of_the_environment_that_is_not_there_is_a_configuration_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent.pem")
    with pytest.raises(ConfigError, match=r"REQUESTS_CA_BUNDLE.*/nonexistent\.pem can't be read: No such file"):
        HttpSink("https://sink.example/", HttpOptions())


class ConnectProxy(socketserver.BaseRequestHandler):
    """Opens the one tunnel that it is asked for, whatever the host's name, and remembers how it was asked."""

    asked: ClassVar[list[bytes]] = []
    behind: ClassVar[tuple[str, int]] = ("127.0.0.1", 0)

    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.request.recv(1)
        self.asked.append(head)
        with socket.create_connection(self.behind) as upstream:
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=self.pump, args=(upstream, self.request))
            back.start()
            self.pump(self.request, upstream)
            back.join()

    @staticmethod
    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


def test_a_proxy_tunnels_tls_to_the_sink(server: SinkServer, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(server.url.split(":")[2].split("/")[0])
    ConnectProxy.asked.clear()
    ConnectProxy.behind = ("127.0.0.1", port)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), ConnectProxy) as proxy:
        running = threading.Thread(target=proxy.serve_forever, args=(0.02,))
        running.start()
        monkeypatch.setenv("https_proxy", f"http://me:pw@127.0.0.1:{proxy.server_address[1]}")
        monkeypatch.setenv("no_proxy", "")
        try:
            sink = HttpSink(server.url.replace("localhost", "sink.example"), HttpOptions(ca_certs=pem(ca)))
            (outcome,) = sink.send([make_event()])
            sink.close()
        finally:
            proxy.shutdown()
            running.join()
    assert isinstance(outcome, Delivered)
    (asked,) = ConnectProxy.asked
    assert asked.startswith(f"CONNECT sink.example:{port} HTTP/1.".encode())
    assert b"proxy-authorization: basic bwu6chc=" in asked.lower()
    assert "proxy-authorization" not in server.requests[0].headers
