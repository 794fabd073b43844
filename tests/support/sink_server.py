"""An HTTP server in the test's process that does exactly what it is told, in the order it is told."""

from __future__ import annotations

import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal


@dataclass(frozen=True)
class ScriptedResponse:
    """One answer, or one way not to give one. `drip` sends the headers a byte at a time, never ending.

    `close_silently` hangs up after the answer without having announced it.
    """

    status: int = 202
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    fault: Literal["", "hang", "reset", "truncate", "garbage", "drip"] = ""
    close_silently: bool = False


@dataclass(frozen=True)
class ServedRequest:
    """What came over the wire. `connection` tells requests of one connection from those of another."""

    path: str
    headers: dict[str, str]
    body: bytes
    connection: object


class SinkServer:
    """Answers with `script` first, one entry a request, then with `default`."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[ServedRequest] = []
        self.script: deque[ScriptedResponse] = deque()
        self.default = ScriptedResponse()
        self.stop = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                owner.requests.append(ServedRequest(self.path, headers, body, self.connection))
                answer = owner.script.popleft() if owner.script else owner.default
                self.act(answer)

            def act(self, answer: ScriptedResponse) -> None:
                if answer.fault == "hang":
                    owner.stop.wait(30)
                elif answer.fault == "garbage":
                    self.wfile.write(b"this is not HTTP\r\n\r\n")
                elif answer.fault == "drip":
                    self.wfile.write(b"HTTP/1.1 202 Accepted\r\nx-drip: ")
                    while not owner.stop.wait(0.05):
                        self.wfile.write(b"x")
                if answer.fault in {"", "truncate"}:
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    extra = 10 if answer.fault == "truncate" else 0
                    self.send_header("content-length", str(len(answer.body) + extra))
                    self.end_headers()
                    self.wfile.write(answer.body)
                if answer.fault or answer.close_silently:
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 64

            def get_request(self) -> tuple[socket.socket, Any]:
                connection, address = super().get_request()
                if not context:
                    return connection, address
                try:
                    return context.wrap_socket(connection, server_side=True), address
                except OSError:
                    connection.close()
                    raise

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # clients of these tests hang up on purpose

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        host = "localhost" if context else "127.0.0.1"
        self.url = f"{'https' if context else 'http'}://{host}:{self._server.server_address[1]}/events"

    def close(self) -> None:
        self.stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def sink_server(context: ssl.SSLContext | None = None) -> Iterator[SinkServer]:
    """A server on a free port, for the length of a test."""
    server = SinkServer(context)
    try:
        yield server
    finally:
        server.close()
