"""TLS: which certificates the HTTP sink trusts."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest
import trustme

from adapter.errors import ConfigError
from adapter.net import trust
from adapter.net.trust import TrustStore
from adapter.sinks.base import Delivered, Failed, Outcome
from adapter.sinks.http import HttpSink
from adapter.sinks.options import HttpOptions
from tests.support.delivery import make_event
from tests.support.raw_server import raw_servers
from tests.support.sink_server import SinkServer, sink_server


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


def tls(ca: trustme.CA, *names: str, not_after: datetime | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names, not_after=not_after).configure_cert(context)
    return context


def reason(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed)
    # After a handshake of TLS 1.3 a wish for a certificate may get lost with the connection.
    assert outcome.code == "tls" or "TLS 1.3" in outcome.reason
    assert outcome.retryable
    return outcome.reason


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_fault_of_tls_says_which(ca: trustme.CA, version: ssl.TLSVersion) -> None:
    options = HttpOptions(ca_certs=pem(ca))
    expired = tls(ca, "localhost", not_after=datetime(2024, 1, 1, tzinfo=UTC))
    other = tls(ca, "other.example")
    unknown = tls(trustme.CA(), "localhost")
    demanding = tls(ca, "localhost")
    demanding.verify_mode = ssl.CERT_REQUIRED
    demanding.load_verify_locations(cadata=pem(ca))
    said = []
    for context in (expired, other, unknown, demanding):
        context.minimum_version = context.maximum_version = version
        with raw_servers() as serve:
            said.append(reason(post(serve(b"HTTP/1.1 204 No Content\r\n\r\n", tls=context).url, options)))
    assert "has expired" in said[0]
    assert "is for another name" in said[1]
    assert "the CA of the server's certificate is not known" in said[2]
    assert "client certificate" in said[3]


def test_a_server_without_tls_is_told_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:
        answering = threading.Thread(target=_answer_in_plain, args=(plain,))
        answering.start()
        outcome = post(f"https://127.0.0.1:{plain.getsockname()[1]}/", HttpOptions())
        answering.join()
    assert "does not speak TLS" in reason(outcome)


def _answer_in_plain(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(1)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            while connection.recv(65_536):
                pass


def test_a_name_with_a_dot_at_its_end_is_that_of_the_certificate(server: SinkServer, ca: trustme.CA) -> None:
    assert isinstance(post(server.url.replace("localhost", "localhost."), HttpOptions(ca_certs=pem(ca))), Delivered)
    assert server.requests[0].headers["host"].startswith("localhost.:")


class CertificateBundle:
    """A mounted bundle as Kubernetes renews it: another folder behind a link."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written = 0
        (folder / "ca.pem").symlink_to("..data/ca.pem")

    def write(self, text: str) -> None:
        self._written += 1
        made = self._folder / f"..{self._written}"
        made.mkdir()
        (made / "ca.pem").write_text(text)
        (self._folder / "..new").symlink_to(made.name)
        (self._folder / "..new").replace(self._folder / "..data")


def test_a_ca_that_is_rotated_is_trusted_without_a_restart(
    ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapter.net.trust.LOOK_EVERY_S", 0.0)
    newer = trustme.CA()
    context = tls(ca, "localhost")
    bundle = CertificateBundle(tmp_path)
    bundle.write(pem(ca))
    with sink_server(context) as server:
        sink = HttpSink(server.url, HttpOptions(ca_folder=tmp_path))
        outcomes = [sink.send([make_event()])[0]]
        newer.issue_cert("localhost").configure_cert(context)  # connections that stand are not touched by it
        outcomes += sink.send([make_event()])
        bundle.write("-----BEGIN CERT")  # half written: what was trusted stays so
        outcomes += sink.send([make_event()])
        bundle.write(pem(newer))
        outcomes += sink.send([make_event()])
        bundle.write(pem(trustme.CA()))
        refused = sink.send([make_event()])[0]
        bundle.write(pem(newer))
        outcomes += sink.send([make_event()])
        sink.close()
    assert [type(outcome) for outcome in outcomes] == [Delivered] * 5
    assert "is not known" in reason(refused)
    connections = [id(request.connection) for request in server.requests]
    assert connections[0] == connections[1] == connections[2]
    assert connections[3] not in connections[:3]


def test_files_are_looked_at_once_a_second(ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000.0]
    monkeypatch.setattr("adapter.net.trust.time.monotonic", lambda: now[0])
    file = tmp_path / "ca.pem"
    file.write_text(pem(ca))
    store = TrustStore([trust.Bundle(name="AWS_CA_BUNDLE", path=file)])
    first = store.read()
    file.write_text(pem(trustme.CA()) + pem(ca))
    assert store.read() is first
    now[0] += 1
    second = store.read()
    assert (second.version, second.pem.count(b"BEGIN")) == (2, 2)
    file.unlink()
    now[0] += 1
    assert store.read() is second


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
