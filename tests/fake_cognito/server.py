"""The HTTP server: asyncio, and answers made without a framework so that they cost little."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from email.utils import formatdate
from typing import Any, Literal, Self

from tests.fake_cognito.faults import CognitoFault, Kind
from tests.fake_cognito.pool import ARN, POOL_ID, REGION, BadFilterError, MutablePool, Pool, Query, parse_filter

ACCESS_KEY = "AKIAFAKECOGNITO00001"
FilterMode = Literal["indexed", "walked", "refused", "ignored"]


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """How the server answers; every field may be changed while it runs."""

    #: Time before each answer, in seconds.
    latency_s: float = 0.0
    #: Requests per second, with a burst of as many; None: no quota.
    quota_rps: float | None = None
    #: Seconds in the Retry-After of throttled answers; None: no such header.
    retry_after_s: float | None = None
    #: How filters work here: from an index, by walking the whole pool, not at all, or without effect.
    filters: FilterMode = "indexed"
    #: The most users of a page, below what was asked for; None: as asked.
    page_users: int | None = None
    #: Seconds for which a token is good; None: for ever.
    token_ttl_s: float | None = None
    #: Access keys that are known, and those of them that may list; None: every key.
    keys: list[str] | None = None
    allowed_keys: list[str] | None = None
    #: What the Date header is ahead of this machine's clock, in seconds.
    clock_ahead_s: float = 0.0


@dataclass(slots=True)
class Stats:
    """What was asked of the server."""

    requests: int = 0
    throttled: int = 0
    users: int = 0
    first_pages: int = 0
    filtered: int = 0
    faults: int = 0
    #: When each request came, by this process's monotonic clock (the last 100,000).
    times_s: deque[float] = field(default_factory=lambda: deque(maxlen=100_000))


class FakeCognito:
    """The server in a thread of this process. Use it as a context manager."""

    def __init__(self, users: int = 0, *, pool: Pool | None = None, behaviour: Behaviour | None = None) -> None:
        self.pool: Any = pool if pool is not None else MutablePool(users)
        self.behaviour = behaviour or Behaviour()
        self.arn = ARN
        self.endpoint = ""
        self._lock = threading.RLock()
        self._stats = Stats()
        self._faults: list[CognitoFault] = []
        self._hooks: list[Callable[[int], None]] = []
        self._tokens = 0
        self._bucket: tuple[float, float] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="fake-cognito", daemon=True)
        self._up = threading.Event()
        self.connections: set[_FakeConnection] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._up.wait(10):
            raise RuntimeError("the fake server did not come up")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def environment(self) -> dict[str, str]:
        """What a child process needs to use this server."""
        return {
            "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": "synthetic-secret-key",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "ARN": self.arn,
        }

    # What a test does to the pool.

    def create(self, username: str, *, status: str = "CONFIRMED", **attributes: str) -> None:
        """Add a user."""
        self.pool.create(username, status=status, **attributes)

    def change(self, username: str, *, status: str | None = None, touch: bool = True, **attributes: str) -> None:
        """Set attributes and the status; `touch=False` leaves UserLastModifiedDate."""
        self.pool.change(username, status=status, touch=touch, **attributes)

    def disable(self, username: str) -> None:
        """Disable a user."""
        self.pool.set_enabled(username, enabled=False)

    def enable(self, username: str) -> None:
        """Enable a user."""
        self.pool.set_enabled(username, enabled=True)

    def delete(self, username: str) -> None:
        """Delete a user."""
        self.pool.delete(username)

    def usernames(self) -> list[str]:
        """Everybody in the pool."""
        names: list[str] = self.pool.usernames()
        return names

    def shown(self) -> dict[str, dict[str, Any]]:
        """Everybody as the API shows them, by username."""
        users: dict[str, dict[str, Any]] = self.pool.shown()
        return users

    # What a test does to the answers.

    def inject(self, kind: Kind, **how: Any) -> CognitoFault:
        """Add a fault; see tests.fake_cognito.faults."""
        fault = CognitoFault(kind=kind, **how)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear_faults(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()

    def set_behaviour(self, **fields: Any) -> None:
        """Set fields of `behaviour`."""
        for name, value in fields.items():
            getattr(self.behaviour, name)
            setattr(self.behaviour, name, value)

    def on_request(self, hook: Callable[[int], None]) -> None:
        """Call this before each answer with the request's number, from 1, in the server's thread."""
        self._hooks.append(hook)

    def stats(self) -> dict[str, Any]:
        """Counts of requests, throttled answers, users sent, listings begun, filtered requests, faults; times."""
        with self._lock:
            found = asdict(self._stats)
        found["times_s"] = list(found["times_s"])
        return found

    def reset_stats(self) -> None:
        """Count from zero."""
        with self._lock:
            self._stats = Stats()

    # The server.

    def answer(self, request: dict[str, Any], key: str) -> FakeResponse:
        """What a ListUsers request gets."""
        with self._lock:
            self._stats.requests += 1
            number = self._stats.requests
            self._stats.times_s.append(time.monotonic())
        for hook in self._hooks:
            hook(number)
        with self._lock:
            return self._answer(request, key)

    def _answer(self, request: dict[str, Any], key: str) -> FakeResponse:
        told = self.behaviour
        token, text = request.get("PaginationToken"), request.get("Filter")
        if told.keys is not None and key not in told.keys:
            return error(400, "UnrecognizedClientException", "The security token included in the request is invalid.")
        if told.allowed_keys is not None and key not in told.allowed_keys:
            return error(400, "AccessDeniedException", "User is not authorized to perform: cognito-idp:ListUsers")
        if not self._take():
            self._stats.throttled += 1
            return error(400, "TooManyRequestsException", "Rate exceeded", retry_after_s=told.retry_after_s)
        fault = next((f for f in self._faults if f.strikes(token=token is not None, filtered=text is not None)), None)
        if fault is not None:
            self._stats.faults += 1
            if (early := _early(fault, token)) is not None:
                return early
        if request.get("UserPoolId") != POOL_ID:
            return error(400, "ResourceNotFoundException", "User pool does not exist.")
        limit = min(int(request.get("Limit", 60)), 60)
        if limit < 1:
            return error(400, "InvalidParameterException", "1 validation error detected: limit")
        return self._page(token, text, limit, fault)

    def _page(self, token: str | None, text: str | None, limit: int, fault: CognitoFault | None) -> FakeResponse:
        told = self.behaviour
        self._stats.first_pages += token is None
        self._stats.filtered += text is not None
        query: Query | None = None
        if text is not None and told.filters != "ignored":
            if told.filters == "refused":
                return error(400, "InvalidParameterException", "Error while parsing filter.")
            try:
                query = parse_filter(text)
            except BadFilterError as bad:
                return error(400, "InvalidParameterException", str(bad))
        after = 0
        if token is not None:
            try:
                after, issued_s, of = json.loads(base64.urlsafe_b64decode(token))["at"]
            except (ValueError, KeyError):
                return error(400, "InvalidParameterException", "Invalid pagination token.")
            if of != text or (told.token_ttl_s is not None and time.time() - issued_s > told.token_ttl_s):
                return error(400, "InvalidParameterException", "Pagination token has expired or is invalid.")
        kind = fault.kind if fault is not None else None
        if kind == "empty_page":
            return self._users([], self._token(after, text))
        if kind == "short_page":
            limit = 1
        if told.page_users is not None:
            limit = min(limit, told.page_users)
        users, reached = self.pool.page(after, limit, query, walk=told.filters == "walked")
        following = None if reached is None else self._token(reached, text)
        if kind == "repeat_token":
            following = token or following
        answer = self._users(users, following)
        if fault is not None:
            answer.fault = fault
        return answer

    def _users(self, users: Any, token: str | None) -> FakeResponse:
        self._stats.users += len(users)
        end = b"]}" if token is None else b'],"PaginationToken":"%b"}' % token.encode()
        return FakeResponse(200, b"".join((b'{"Users":[', b",".join(users), end)))

    def _token(self, after: int, text: str | None) -> str:
        self._tokens += 1
        content = {"at": [after, int(time.time()), text], "number": self._tokens}
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()

    def _take(self) -> bool:
        """One token from the quota's bucket."""
        rps = self.behaviour.quota_rps
        if rps is None:
            return True
        now = time.monotonic()
        level, since = self._bucket or (rps, now)
        level = min(rps, level + (now - since) * rps)
        self._bucket = (level - 1 if level >= 1 else level, now)
        return level >= 1

    def control(self, order: dict[str, Any]) -> Any:
        """An order of `RemoteCognito`: the name of a method of this class, and its arguments."""
        names = {
            *("create", "change", "disable", "enable", "delete", "usernames", "shown"),
            *("inject", "clear_faults", "set_behaviour", "stats", "reset_stats"),
        }
        if order["do"] not in names:
            raise ValueError(f"unknown order {order['do']!r}")
        found = getattr(self, order["do"])(*order.get("args", ()), **order.get("kwargs", {}))
        return None if isinstance(found, CognitoFault) else found

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            self._loop.create_server(lambda: _FakeConnection(self, self._loop), "127.0.0.1", 0)
        )
        self.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._up.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            for connection in list(self.connections):
                connection.abort()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.run_until_complete(server.wait_closed())
            self._loop.close()


@dataclass(slots=True)
class FakeResponse:
    """What goes back, and the fault that spoils it."""

    status: int
    body: bytes
    content_type: str = "application/x-amz-json-1.1"
    retry_after_s: float | None = None
    fault: CognitoFault | None = None


def error(status: int, code: str, message: str, *, retry_after_s: float | None = None) -> FakeResponse:
    """An error in the JSON protocol."""
    return FakeResponse(status, json.dumps({"__type": code, "message": message}).encode(), retry_after_s=retry_after_s)


def _early(fault: CognitoFault, token: str | None) -> FakeResponse | None:
    """The answer of a fault that does not depend on the pool; None when it spoils the right answer."""
    match fault.kind:
        case "throttle":
            return error(400, "TooManyRequestsException", "Rate exceeded", retry_after_s=fault.seconds or None)
        case "error":
            internal = fault.code == "InternalErrorException"
            return error(fault.status or (500 if internal else 400), fault.code, fault.message)
        case "status":
            return FakeResponse(fault.status or 500, b"")
        case "html":
            return FakeResponse(fault.status or 503, b"<html><body>Service Unavailable</body></html>", "text/html")
        case "malformed":
            return FakeResponse(200, fault.body.encode())
        case "no_users":
            return FakeResponse(200, b"{}")
        case "reset" | "close" | "hang":
            return FakeResponse(200, b"", fault=fault)
        case "expire_token" if token is not None:
            return error(400, "InvalidParameterException", "Pagination token has expired or is invalid.")
    return None


class _FakeConnection(asyncio.Protocol):
    """One client connection: reads requests, writes answers in turn."""

    def __init__(self, server: FakeCognito, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server.connections.discard(self)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end]).decode("latin-1")
            headers = {}
            for line in head.split("\r\n")[1:]:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            length = int(headers.get("content-length", "0"))
            if len(self._buffer) < end + 4 + length:
                return
            body = bytes(self._buffer[end + 4 : end + 4 + length])
            del self._buffer[: end + 4 + length]
            self._dispatch(head.split(" ", 2)[1], headers, body)

    def _dispatch(self, path: str, headers: dict[str, str], body: bytes) -> None:
        if path == "/_control":
            self._write(self._ordered(body))
            return
        if not headers.get("x-amz-target", "").endswith(".ListUsers"):
            self._write(error(400, "UnknownOperationException", "only ListUsers is served here"))
            return
        _, _, credential = headers.get("authorization", "").partition("Credential=")
        answer = self._server.answer(json.loads(body), credential.partition("/")[0])
        delay_s = self._server.behaviour.latency_s
        if answer.fault is not None and answer.fault.kind in {"slow", "hang"}:
            delay_s += answer.fault.seconds
        if delay_s:
            self._loop.call_later(delay_s, self._write, answer)
        else:
            self._write(answer)

    def _ordered(self, body: bytes) -> FakeResponse:
        try:
            return FakeResponse(200, json.dumps(self._server.control(json.loads(body))).encode(), "application/json")
        except (ValueError, TypeError, KeyError, AttributeError) as bad:
            return FakeResponse(400, repr(bad).encode(), "text/plain")

    def _write(self, answer: FakeResponse) -> None:
        transport = self._transport
        if transport is None:
            return
        kind = answer.fault.kind if answer.fault is not None else None
        if kind == "reset":
            # Lingering for no time makes close() send a reset.
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
            return
        if kind in {"close", "hang"}:
            transport.close()
            return
        body = answer.body
        if kind == "cut":
            body = body[: len(body) // 2]
        date = formatdate(time.time() + self._server.behaviour.clock_ahead_s, usegmt=True)
        extra = "" if answer.retry_after_s is None else f"Retry-After: {answer.retry_after_s:g}\r\n"
        head = (
            f"HTTP/1.1 {answer.status} X\r\nDate: {date}\r\nContent-Type: {answer.content_type}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: keep-alive\r\n"
            f"x-amzn-RequestId: 00000000-0000-4000-8000-000000000000\r\n{extra}\r\n"
        ).encode("latin-1")
        if kind == "truncate":
            transport.write(head + body[: len(body) // 2])
            transport.close()
            return
        transport.write(head + body)
