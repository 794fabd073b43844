"""An HTTP sink that hands on what it is sent: CloudEvents in each of the three content modes."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final
from urllib.parse import unquote

from cloudevents.core.bindings.http import HTTPMessage, from_http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from adapter.commands.event_log.lines import Event
from adapter.config.values import Address
from adapter.events.formats import BATCH_TYPE, STRUCTURED_TYPE
from adapter.terminal import printable

#: The largest body: more than any batch of the adapter's (DELIVERY_BATCH_SIZE) with ordinary users.
_BODY_MAX: Final = 64 * 1024 * 1024
#: Events that wait to be shown; then senders wait.
_WAITING_MAX: Final = 10_000
#: How long a connection may be silent, in seconds.
_SILENCE_S: Final = 300.0
_METHODS: Final = {"Allow": "OPTIONS, POST"}


class Inbox:
    """The events that came; `port` says where."""

    def __init__(self, port: int, events: queue.Queue[Event]) -> None:
        self.port = port
        self._events = events

    def take(self, timeout_s: float) -> Event | None:
        """The next event; None: none came in that time."""
        try:
            return self._events.get(timeout=timeout_s)
        except queue.Empty:
            return None


@contextmanager
def open_inbox(address: Address) -> Iterator[Inbox]:
    """Listen in threads until the end of the block; port 0 takes a free one.

    Raises:
        OSError: the address can't be had.
    """
    events: queue.Queue[Event] = queue.Queue(_WAITING_MAX)
    handler = type("Handler", (_Handler,), {"events": events})
    server = type("Server", (_Server,), {"address_family": address.family})((address.host, address.port), handler)
    thread = Thread(target=server.serve_forever, args=(0.1,), name="inbox", daemon=True)
    thread.start()
    try:
        yield Inbox(int(server.server_address[1]), events)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def read_events(headers: Mapping[str, str], body: bytes) -> list[Event]:
    """The events of one POST as JSON objects of the structured mode.

    Args:
        headers: by their names in lower case.
        body: all of it.

    Raises:
        ValueError: it is no CloudEvent of version 1.0; the message says why in one line.
    """
    try:
        if not headers.get("content-type", "").lower().startswith(BATCH_TYPE):
            return [_event(headers, body)]
        items = json.loads(body)
        if not isinstance(items, list):
            raise TypeError("a batch is a JSON array")  # noqa: TRY301 - told with the SDK's own below
        return [_event({"content-type": STRUCTURED_TYPE}, json.dumps(item).encode()) for item in items]
    except Exception as error:  # the boundary: the SDK raises whatever it stumbles over
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"not a CloudEvent: {printable(reason)}") from error


def _event(headers: Mapping[str, str], body: bytes) -> Event:
    """One event as it came: the SDK insists that it is one, but writes its time anew."""
    if not isinstance(from_http(HTTPMessage(headers=dict(headers), body=body), JSONFormat(), CloudEvent), CloudEvent):
        raise TypeError("expected specversion 1.0")
    attributes = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    if not attributes:
        structured: Event = json.loads(body)
        return structured
    content_type = headers.get("content-type", "")
    if content_type:
        attributes["datacontenttype"] = content_type
    try:
        return {**attributes, "data": json.loads(body)} if body else attributes
    except ValueError:  # of another content type
        return {**attributes, "data": body.decode(errors="replace")}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that hung up: it will send again."""


class _Handler(BaseHTTPRequestHandler):
    events: queue.Queue[Event]
    protocol_version = "HTTP/1.1"
    server_version = "cognito-source"
    sys_version = ""
    timeout = _SILENCE_S
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Take events."""
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()):
            self._refuse(411, "a Content-Length is needed")
        elif len(length) > len(str(_BODY_MAX)) or int(length) > _BODY_MAX:
            self._refuse(413, f"at most {_BODY_MAX} bytes are accepted")
        else:
            self._take(self.rfile.read(int(length)))

    def do_OPTIONS(self) -> None:
        """Say what may be sent."""
        self._answer(204, _METHODS)

    def _take(self, body: bytes) -> None:
        try:
            events = read_events({name.lower(): value for name, value in self.headers.items()}, body)
        except ValueError as error:
            self._answer(400, {}, str(error))
            return
        for event in events:
            self.events.put(event)
        self._answer(204, {})

    def _refuse(self, status: int, why: str) -> None:
        """Answer without having read the body: the connection is of no further use."""
        self.close_connection = True
        self._answer(status, {"Connection": "close"}, why)

    def _answer(self, status: int, headers: Mapping[str, str], text: str = "") -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:  # RFC 9110, section 8.6: no Content-Length there
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the events are what is shown."""
