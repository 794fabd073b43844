"""A server of bytes on loopback: it sends what a test wrote down, whatever was asked."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Then = Literal["keep", "end", "close", "reset"]


@dataclass(frozen=True)
class Script:
    """What is done with one request.

    Attributes:
        pieces: what is sent, each piece in a packet of its own.
        then: keep the connection; end it in order (FIN), close it at once, or reset it (RST).
        early: answer after the head of the request, without reading its body.
        pause_s: between the pieces.
    """

    pieces: Sequence[bytes] = ()
    then: Then = "keep"
    early: bool = False
    pause_s: float = 0.0


@dataclass
class RawServer:
    """Answers the n-th request with the n-th script, and all others with the last one."""

    scripts: list[Script]
    tls: ssl.SSLContext | None = None
    family: socket.AddressFamily = socket.AF_INET
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    #: How many requests were answered in full.
    answered: int = 0
    #: As many requests have to be under way before there is an answer.
    together: threading.Barrier = field(default_factory=lambda: threading.Barrier(1))

    def __post_init__(self) -> None:
        """Listen on a free port."""
        host = "::1" if self.family == socket.AF_INET6 else "127.0.0.1"
        self._listener = socket.create_server((host, 0), family=self.family, backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address; a name where there is a certificate."""
        host = "[::1]" if self.family == socket.AF_INET6 else "localhost" if self.tls else "127.0.0.1"
        return f"http{'s' if self.tls else ''}://{host}:{self.port}/"

    @property
    def open(self) -> int:
        """How many connections there are."""
        with self._lock:
            return len(self._open)

    def hang_up(self) -> None:
        """Close all connections, as a server does with those that were idle for long."""
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop listening, and close all connections."""
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        self._thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        connection = plain
        try:
            if self.tls:
                connection = self.tls.wrap_socket(plain, server_side=True)
            while self._answer(connection):
                pass
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(plain)
            connection.close()

    def _answer(self, connection: socket.socket) -> bool:
        """Read a request and act on its script; whether another one may follow."""
        head = _until(connection, b"\r\n\r\n")
        if not head:
            return False
        with self._lock:
            number = len(self.requests)
            self.requests.append(head)
        script = self.scripts[min(number, len(self.scripts) - 1)]
        if not script.early:
            body = _exactly(connection, _length(head))
            with self._lock:
                self.requests[number] = head + body
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.together.wait(60)
        except threading.BrokenBarrierError:
            return False
        for piece in script.pieces:
            connection.sendall(piece)
            if script.pause_s and self.stopping.wait(script.pause_s):
                return False
        with self._lock:
            self.answered += 1
        if script.then == "end":
            connection.shutdown(socket.SHUT_WR)
            self._drain(connection)
        if script.then == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return script.then == "keep"

    def _drain(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.settimeout(10)
            while connection.recv(65_536):
                pass


def _until(connection: socket.socket, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        byte = connection.recv(1)
        if not byte:
            return b""
        received += byte
    return received


def _exactly(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count and (data := connection.recv(count - len(received))):
        received += data
    return received


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


Serve = Callable[..., RawServer]


@contextmanager
def raw_servers() -> Iterator[Serve]:
    """Makes servers that are closed at the end: of scripts, or of the bytes of answers."""
    made: list[RawServer] = []

    def start(*answers: bytes | Script, **how: object) -> RawServer:
        scripts = [Script((answer,)) if isinstance(answer, bytes) else answer for answer in answers]
        made.append(RawServer(scripts, **how))  # type: ignore[arg-type]  # its keywords
        return made[-1]

    yield start
    for server in made:
        server.close()


@contextmanager
def unserved_port() -> Iterator[int]:
    """A port that is taken, so that nobody else gets it, and on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
