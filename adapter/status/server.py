"""The web server of the status page: two things to GET, nothing to change.

It is meant for 127.0.0.1, so its dangers are other pages in the same browser: no CORS, no framing, and only requests
whose Host header names this machine by an address, so that a name that an attacker points at 127.0.0.1 is of no use.
"""

from __future__ import annotations

import ipaddress
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs

from adapter.status.document import Document, load
from adapter.status.history import SPANS
from adapter.status.report import Report
from adapter.values import Address

#: Connections at a time: one for every window that shows the page, and some to spare.
_CONNECTIONS: Final = 32
#: How long a connection may be silent, in seconds; the page asks every 2 seconds.
_SILENCE_S: Final = 10.0
#: How often the history is told what happened since, in seconds.
_TICK_S: Final = 1.0
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
#: uri-host [ ":" port ] of RFC 9110, section 7.2, as far as it names a machine.
_HOST: Final = re.compile(r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[0-9a-z._-]+))(?::[0-9]{1,5})?", re.ASCII)
_NOTHING: Final = "default-src 'none'; frame-ancestors 'none'"


class StatusServer:
    """Serves the page in a thread of its own, between `__enter__` and `__exit__`.

    Args:
        report: what to show.
        address: where to listen; port 0 takes a free one.

    Raises:
        OSError: the address can't be had.
    """

    def __init__(self, report: Report, address: Address) -> None:
        values = {"report": report, "document": load(), "host": address.host}
        self._address = address
        self._server = _Server(address, type("Handler", (_Handler,), values), report.tick)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="status", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """What to open in a browser on this machine."""
        return f"http://{Address(_reachable(self._address.host), self.port)}/"

    def __enter__(self) -> StatusServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: Address, handler: type[BaseHTTPRequestHandler], tick: Callable[[], None]) -> None:
        self._tick = tick
        self._ticked_s = time.monotonic()
        self._connections: set[socket.socket] = set()
        self.address_family = address.family
        super().__init__((address.host, address.port), handler)

    def service_actions(self) -> None:
        """Called several times a second by `serve_forever`."""
        now = time.monotonic()
        if now - self._ticked_s >= _TICK_S:
            self._ticked_s = now
            self._tick()

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for the connection, if there is room for one more."""
        if len(self._connections) < _CONNECTIONS:
            self._connections.add(request)
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """The connection is over."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Listen no more, and end the connections that browsers keep open."""
        super().server_close()
        for connection in list(self._connections):
            with suppress(OSError):  # it ended by itself just now
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: object) -> None:
        """Say nothing: the browser went away."""


class _Handler(BaseHTTPRequestHandler):
    report: Report
    document: Document
    host: str
    protocol_version = "HTTP/1.1"
    server_version = "cognito-source"
    sys_version = ""
    timeout = _SILENCE_S

    def do_GET(self) -> None:
        """Answer, if it is one of the two that there are and asked in this machine's name."""
        if not self._is_for_us():
            self._refuse(
                HTTPStatus.MISDIRECTED_REQUEST,
                "This page answers to the address that it listens on and to localhost, and to no other name.",
            )
            return
        if {"Content-Length", "Transfer-Encoding"} & set(self.headers):
            self.close_connection = True  # a body that nobody reads must not be taken for the next request
        path, _, query = self.path.partition("?")
        if path == "/":
            policy = {"Content-Security-Policy": self.document.policy}
            self._send(200, self.document.body, "text/html; charset=utf-8", policy)
        elif path == "/status":
            self._status(parse_qs(query))
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "There are / and /status.")

    do_HEAD = do_GET  # noqa: N815 - http.server looks for this name

    def _status(self, query: Mapping[str, list[str]]) -> None:
        span = query.get("span", [SPANS[0].name])[0]
        names = [each.name for each in SPANS]
        if span not in names:
            self._refuse(HTTPStatus.BAD_REQUEST, f"span: expected one of {', '.join(names)}.")
            return
        body = json.dumps(self.report.status(span), separators=(",", ":")).encode()
        self._send(200, body, "application/json")

    def _is_for_us(self) -> bool:
        """Whether the one Host header names this machine: localhost, or the address that the connection came to."""
        given = self.headers.get_all("Host", [])
        found = _HOST.fullmatch(given[0].lower()) if len(given) == 1 else None
        if found is None:
            return False
        name = found["ipv6"] or found["name"]
        if name in {"localhost", self.host.lower()}:
            return True
        try:
            address = ipaddress.ip_address(name)
            came_to = ipaddress.ip_address(self.connection.getsockname()[0].partition("%")[0])
        except ValueError:
            return False
        return address.is_loopback or address == getattr(came_to, "ipv4_mapped", None) or address == came_to

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the library finds wrong with a request, without its page, which repeats some of it."""
        del message, explain
        if code == HTTPStatus.NOT_IMPLEMENTED:
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "This page only shows: GET and HEAD.", {"Allow": "GET, HEAD"})
        else:
            self._refuse(code, HTTPStatus(code).phrase)

    def _refuse(self, code: int, text: str, more: Mapping[str, str] | None = None) -> None:
        self.close_connection = True
        self._send(code, f"{text}\n".encode(), "text/plain; charset=utf-8", more)

    def _send(self, code: int, body: bytes, kind: str, more: Mapping[str, str] | None = None) -> None:
        self.send_response(code)
        headers = {**_HEADERS, "Content-Security-Policy": _NOTHING, **(more or {})}
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the page asks every 2 seconds."""


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
