"""The HTTP server of probes, metrics and the status page: one thread, and a bound on everything that a peer can take.

Connections wait in a selector, not in threads, so that idle ones cost a descriptor each and nothing else; over the
bound the one that has been idle for longest makes room. So whoever comes to talk is heard, however many only connect.
Peers that go away in the middle of something are no fault, and nothing is said of them.
"""

from __future__ import annotations

import errno
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from types import TracebackType
from typing import Final

from adapter.net.http_message import HEAD_END, BadRequestError, HttpReply, HttpRequest, parse_head, render

#: Connections that the kernel keeps for the next turn; the kernel's own limit may be lower.
_BACKLOG: Final = 128
#: Wait after the system had no descriptor or no memory for a connection, in seconds.
_SHORTAGE_S: Final = 0.2
_RECEIVE: Final = 65_536
#: How long the end of the server waits for its thread, in seconds.
_JOIN_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What peers may take.

    Attributes:
        connections: at a time.
        head_bytes: longest head of a request.
        head_s: how long a request's head may take from the connection, or from the reply before it, in seconds.
        write_s: how long a peer may take to read a reply, in seconds.
        linger_s: how long to wait for a peer to hang up after the last reply: what it sends meanwhile is thrown away,
            for closing while it sends could take the reply from it (RFC 9112, 9.6).
    """

    connections: int = 32
    head_bytes: int = 16_384
    head_s: float = 10.0
    write_s: float = 10.0
    linger_s: float = 1.0


class _Phase(Enum):
    READING = auto()
    WRITING = auto()
    LINGERING = auto()


@dataclass(slots=True, eq=False)
class _Peer:
    """A connection. `since` is when its phase began, `until` when it has to be over, on the monotonic clock."""

    sock: socket.socket
    since: float
    until: float
    phase: _Phase = _Phase.READING
    inbox: bytearray = field(default_factory=bytearray)
    outbox: memoryview = field(default_factory=lambda: memoryview(b""))
    last: bool = False


class HttpServer:
    """Answers requests in a thread of its own, between `start` and `close`; or as a context manager.

    Args:
        host: address or name to listen at.
        port: 0 takes a free one.
        answer: makes the reply to a request, at once: all connections wait for it.
        name: of the thread.
        limits: what peers may take.
        keep_alive: whether a connection may ask again; otherwise it ends after the first reply.
        headers: of every reply, unless it has its own of that name.
        tick: called about once a second in the server's thread.

    Raises:
        OSError: the address can't be had.
    """

    def __init__(
        self,
        host: str,
        port: int,
        answer: Callable[[HttpRequest], HttpReply],
        *,
        name: str,
        limits: ServerLimits | None = None,
        keep_alive: bool = False,
        headers: Mapping[str, str] | None = None,
        tick: Callable[[], object] | None = None,
    ) -> None:
        self._answer = answer
        self._limits = limits or ServerLimits()
        self._keep_alive = keep_alive
        self._headers = dict(headers or {})
        self._tick = tick
        self._tick_at = 0.0
        self._accept_at: float | None = None
        self._peers: set[_Peer] = set()
        self._listener = _listen(host, port)
        #: Where it listens, or did.
        self.port = int(self._listener.getsockname()[1])
        self._wake, self._woken = socket.socketpair()
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Listen no more, and end the connections that are kept open."""
        self._stopping = True
        if self._thread.ident is None:
            self._release()
            return
        with suppress(OSError):  # it has ended already
            self._wake.send(b"x")
        self._thread.join(_JOIN_S)

    def __enter__(self) -> HttpServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # -- the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        finally:
            self._release()

    def _turn(self) -> None:
        """Wait for something to do, and do it."""
        for key, _ in self._selector.select(self._wait_s()):
            if key.fileobj is self._listener:
                self._accept()
            elif key.data in self._peers:  # it may have made room for another one just now
                self._serve(key.data)
        now = time.monotonic()
        for peer in [peer for peer in self._peers if now >= peer.until]:
            self._drop(peer)
        if self._accept_at is not None and now >= self._accept_at:
            self._accept_at = None
            self._selector.register(self._listener, selectors.EVENT_READ)
        if self._tick is not None and now >= self._tick_at:
            self._tick_at = now + 1.0
            with suppress(Exception):  # as for replies
                self._tick()

    def _wait_s(self) -> float | None:
        times = [peer.until for peer in self._peers]
        if self._accept_at is not None:
            times.append(self._accept_at)
        if self._tick is not None:
            times.append(self._tick_at)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _accept(self) -> None:
        """Take one connection: with a second look, a process without descriptors could not tell that there is none."""
        try:
            sock, _address = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:  # no descriptors, no memory: one of ours is given back, and the listener rests
            self._make_room()
            self._selector.unregister(self._listener)
            self._accept_at = time.monotonic() + _SHORTAGE_S
            return
        if len(self._peers) >= self._limits.connections:
            self._make_room()
        sock.settimeout(0)
        now = time.monotonic()
        peer = _Peer(sock, now, now + self._limits.head_s)
        self._peers.add(peer)
        self._selector.register(sock, selectors.EVENT_READ, peer)

    def _make_room(self) -> None:
        """End the connection that has been idle for longest; one that still reads its reply only if all do."""
        if self._peers:
            self._drop(min(self._peers, key=lambda peer: (peer.phase is _Phase.WRITING, peer.since)))

    def _serve(self, peer: _Peer) -> None:
        """Go on with a connection that is ready."""
        try:
            if peer.phase is _Phase.WRITING:
                self._write(peer)
                return
            data = peer.sock.recv(_RECEIVE)
            if not data:
                self._drop(peer)
            elif peer.phase is _Phase.READING:
                peer.inbox += data
                self._read(peer)
        except BlockingIOError:
            pass
        except Exception:  # noqa: BLE001 - the boundary of a connection: OSError where the peer is gone; the others go on
            self._drop(peer)

    def _read(self, peer: _Peer) -> None:
        """Answer the request at the beginning of what came, if its head is complete."""
        while peer.inbox.startswith((b"\r", b"\n")):  # RFC 9112, 2.2: empty lines before a request are ignored
            del peer.inbox[:1]
        end = HEAD_END.search(peer.inbox)
        if end is not None and end.start() <= self._limits.head_bytes:
            head = bytes(peer.inbox[: end.start()])
            del peer.inbox[: end.end()]
            self._reply(peer, *self._answered(head, str(peer.sock.getsockname()[0])))
        elif end is not None or len(peer.inbox) > self._limits.head_bytes:
            self._reply(peer, HttpReply(status=431), None)

    def _answered(self, head: bytes, came_to: str) -> tuple[HttpReply, HttpRequest | None]:
        try:
            request = parse_head(head, came_to)
        except BadRequestError:
            return HttpReply(status=400), None
        try:
            return self._answer(request), request
        except Exception:  # noqa: BLE001 - the boundary of the thread: one reply that can't be made is no reason to end
            return HttpReply(status=500), None

    def _reply(self, peer: _Peer, reply: HttpReply, request: HttpRequest | None) -> None:
        """Begin to send a reply; `request` is None where what came was none.

        Whoever sends more before it has the reply has to ask again: nobody gets two turns at once.
        """
        goes_on = self._keep_alive and request is not None and request.persistent and not request.has_body
        peer.last = not goes_on or bool(peer.inbox)
        data = render(
            replace(reply, headers=self._headers | dict(reply.headers)),
            now_s=time.time(),
            close=peer.last,
            head_only=request is not None and request.method == "HEAD",
        )
        peer.outbox = memoryview(data)
        self._enter(peer, _Phase.WRITING, self._limits.write_s)
        self._write(peer)

    def _write(self, peer: _Peer) -> None:
        while peer.outbox:
            peer.outbox = peer.outbox[peer.sock.send(peer.outbox) :]
        if peer.last:
            peer.inbox.clear()
            peer.sock.shutdown(socket.SHUT_WR)
            self._enter(peer, _Phase.LINGERING, self._limits.linger_s)
        else:
            self._enter(peer, _Phase.READING, self._limits.head_s)

    def _enter(self, peer: _Peer, phase: _Phase, seconds: float) -> None:
        peer.phase, peer.since = phase, time.monotonic()
        peer.until = peer.since + seconds
        wanted = selectors.EVENT_WRITE if phase is _Phase.WRITING else selectors.EVENT_READ
        self._selector.modify(peer.sock, wanted, peer)

    def _drop(self, peer: _Peer) -> None:
        self._peers.discard(peer)
        self._selector.unregister(peer.sock)
        peer.sock.close()

    def _release(self) -> None:
        for peer in list(self._peers):
            self._drop(peer)
        self._selector.close()
        for sock in (self._listener, self._wake, self._woken):
            sock.close()


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens; a host with a colon is an IPv6 address."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.settimeout(0)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (UnicodeError, TypeError):  # TypeError: how `bind` says it
        listener.close()
        raise OSError(errno.EADDRNOTAVAIL, "no such host") from None
    except BaseException:
        listener.close()
        raise
    return listener
