"""An HTTP sink that keeps every CloudEvent it is sent, and fails when told to.

with RecordingSink.start() as sink:
    ... post events to sink.url ...
    sink.fail(503, times=2)          # the next two requests are refused
    sink.events                      # what was acknowledged, as the CloudEvents SDK reads it
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cloudevents.core.bindings.http import HTTPMessage, from_http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

#: Content type of a JSON batch (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md).
BATCH = "application/cloudevents-batch+json"


@dataclass(frozen=True)
class ReceivedEvent:
    """One CloudEvent as it arrived: `at` is the time of arrival in seconds since the epoch."""

    attributes: Mapping[str, Any]
    data: Any
    at: float

    def __getitem__(self, name: str) -> Any:
        """A context attribute or extension."""
        return self.attributes[name]


@dataclass(frozen=True)
class SinkRequest:
    """One POST as it arrived: `headers` by their lower-case names, `status` as it was answered."""

    path: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    events: tuple[ReceivedEvent, ...]
    status: int
    at: float


@dataclass(frozen=True)
class SinkResponse:
    """What the sink says to a request. Status 0 closes the connection without an answer."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay_s: float = 0.0


class RecordingSink:
    """The sink: a server on loopback in threads of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[SinkRequest] = []
        self._events: list[ReceivedEvent] = []
        self._failures: list[SinkResponse] = []
        self._answer: Callable[[SinkRequest], SinkResponse] = lambda _request: SinkResponse()
        self.url = ""

    @classmethod
    @contextmanager
    def start(cls, port: int = 0) -> Iterator[RecordingSink]:
        """Serve on 127.0.0.1 until the end of the block; port 0 picks a free one."""
        sink = cls()
        server = _SinkHttpServer(("127.0.0.1", port), _handler_of(sink))
        sink.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield sink
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    @property
    def events(self) -> list[ReceivedEvent]:
        """Every event that was acknowledged, in order of arrival."""
        with self._lock:
            return list(self._events)

    @property
    def requests(self) -> list[SinkRequest]:
        """Every request, refused ones too, in order of arrival."""
        with self._lock:
            return list(self._requests)

    def clear(self) -> None:
        """Forget what has arrived."""
        with self._lock:
            self._requests.clear()
            self._events.clear()

    def fail(self, status: int = 503, times: int = 1, *, headers: Mapping[str, str] | None = None) -> None:
        """Refuse the next `times` requests with this status (0: close the connection without an answer)."""
        with self._lock:
            self._failures += [SinkResponse(status, headers or {})] * times

    def answer_with(self, answer: Callable[[SinkRequest], SinkResponse] | SinkResponse) -> None:
        """Decide each answer: a function of the request (whose status is 0 then), or always the same."""
        with self._lock:
            self._answer = (lambda _request: answer) if isinstance(answer, SinkResponse) else answer

    def take(self, request: SinkRequest) -> SinkResponse:
        """Record one request and decide its answer."""
        with self._lock:
            answer = self._failures.pop(0) if self._failures else self._answer(request)
            self._requests.append(
                SinkRequest(request.path, request.headers, request.body, request.events, answer.status, request.at)
            )
            if not 200 <= answer.status < 300:
                return answer
            self._events += request.events
        return answer


class _SinkHttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed in mid-request is no error of the sink's."""


def _handler_of(sink: RecordingSink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            now = time.time()
            try:
                events = tuple(ReceivedEvent(e.get_attributes(), e.get_data(), now) for e in parse(headers, body))
            except Exception as fault:  # noqa: BLE001 (the boundary: whatever the SDK says of a bad event is the answer)
                self._send(SinkResponse(400, body=f"not a CloudEvent: {fault}".encode()))
                return
            answer = sink.take(SinkRequest(self.path, headers, body, events, 0, now))
            if answer.delay_s:
                time.sleep(answer.delay_s)
            self._send(answer)

        def _send(self, answer: SinkResponse) -> None:
            if answer.status == 0:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.status != 204:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if answer.status != 204:
                self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name that the base class gives it)
            """Say nothing: the program that started the sink tells the story."""

    return Handler


def parse(headers: Mapping[str, str], body: bytes) -> list[CloudEvent]:
    """The CloudEvents of one POST, in whichever of the three content modes it came.

    Raises:
        TypeError, ValueError: not a CloudEvent (or the SDK's own CloudEventValidationError).
    """
    if not headers.get("content-type", "").startswith(BATCH):
        return [_event(headers, body)]
    items = json.loads(body)
    if not isinstance(items, list):
        raise TypeError("a batch is a JSON array")
    structured = {"content-type": "application/cloudevents+json"}
    return [_event(structured, json.dumps(item).encode()) for item in items]


def _event(headers: Mapping[str, str], body: bytes) -> CloudEvent:
    event = from_http(HTTPMessage(headers=dict(headers), body=body), JSONFormat(), CloudEvent)
    if not isinstance(event, CloudEvent):
        raise TypeError(f"expected a CloudEvent of version 1.0, got {type(event).__name__}")
    return event
