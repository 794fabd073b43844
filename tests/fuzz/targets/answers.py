"""What servers answer: HTTP/1.1 byte by byte, pages of ListUsers, single users."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any

from msgspec import structs

from adapter.cognito.decode import decode_answer, decode_user
from adapter.errors import UnavailableError
from adapter.net.failures import FaultKind, TransferError
from adapter.net.http_client import HttpClient
from adapter.net.origin import Limits, Origin
from adapter.net.response import Response
from tests.fuzz.engine import FuzzTarget, promise
from tests.fuzz.mutate import binary
from tests.fuzz.structure import mutated, written
from tests.fuzz.targets.texts import CANARY
from tests.support.raw_server import RawServer, Script, raw_servers

_STRICT = Limits(total_s=9)
_CUTTING = Limits(total_s=9, cut_s=9, body_bytes=100)
_HEAD = b"HTTP/1.1 200 OK\r\n"
_WIRE = binary(
    [
        _HEAD + b"Content-Length: 5\r\n\r\nhello",
        _HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n",
        _HEAD + b"Connection: close\r\n\r\nuntil the end",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        + _HEAD
        + b"Content-Length: 0\r\n\r\n",
        b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 120\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    ],
    [
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b":",
        b"HTTP/1.1 ",
        b"HTTP/2",
        b"Content-Length: ",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"0\r\n\r\n",
        b"ffffffffffffffff",
        b"-1",
        b"200",
        b"304",
        b"\r\n\r\n",
        b"Connection: close\r\n",
        b"Upgrade: x\r\nConnection: Upgrade\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
    ],
    200_000,
)


class _Wire:
    """A server on loopback that sends what it is given; made once for many inputs."""

    def __init__(self) -> None:
        self._server: RawServer | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        with raw_servers() as serve:
            self._server = serve(b"")
            yield

    def exchange(self, pieces: Sequence[bytes], limits: Limits) -> Response:
        server = self._server
        promise(server is not None, "the server runs")
        assert server is not None
        server.scripts[:] = [Script(pieces, then="end")]
        client = HttpClient(Origin(url=server.url), limits)
        try:
            return client.send((), b"")
        finally:
            client.close()


_wire_server = _Wire()


def _make_wire(rng: Random) -> tuple[bytes, int, bool]:
    return _WIRE.make(rng), rng.randrange(1, 40), rng.random() < 0.5


def _wire(given: tuple[bytes, int, bool]) -> None:
    data, step, cutting = given
    limits = _CUTTING if cutting else _STRICT
    # In pieces; long ones in larger pieces, so that their number stays small.
    step = max(step, len(data) // 20)
    outcomes = [_outcome([data[n : n + size] for n in range(0, len(data), size)], limits) for size in (step, 65_536)]
    first, second = outcomes
    if len(data) < 32_768 and not cutting and isinstance(first, Response) and isinstance(second, Response):
        promise((first.status, first.body) == (second.status, second.body), "a response does not depend on its pieces")
    for outcome in outcomes:
        if isinstance(outcome, TransferError):
            promise(outcome.kind in {FaultKind.RESET, FaultKind.INVALID}, "nothing is waited for")
            raise outcome
        promise(200 <= outcome.status < 1_000, "a status is a final one")
        promise(len(outcome.body) <= limits.body_bytes, "a body is as long as allowed")


def _outcome(pieces: Sequence[bytes], limits: Limits) -> Response | TransferError:
    try:
        return _wire_server.exchange([piece for piece in pieces if piece], limits)
    except TransferError as error:
        return error


_USER: dict[str, Any] = {
    "Attributes": [
        {"Name": "email", "Value": f"{CANARY}@example.org"},
        {"Name": "email_verified", "Value": "true"},
        {"Name": "sub", "Value": "2b1c4d5e-7f60-4b8a-9c3d-0e1f2a3b4c5d"},
    ],
    "Enabled": True,
    "MFAOptions": [{"AttributeName": "phone_number", "DeliveryMedium": "SMS"}],
    "UserCreateDate": 1641031200.123,
    "UserLastModifiedDate": 1.641031200456e9,
    "UserStatus": "CONFIRMED",
    "Username": CANARY,
}
_WORDS = (
    *("Users", "PaginationToken", "Username", "Attributes", "Name", "Value", "Enabled", "UserStatus", "UserCreateDate"),
    *(
        "UserLastModifiedDate",
        "MFAOptions",
        "sub",
        CANARY,
        "2022-01-01T10:00:00Z",
        "1641031200",
        "0001-01-01T00:00+23:59",
    ),
    *("9999-12-31T23:59:59.999999-23:59", "1e15", "-1e15", "NaN", "sNaN1", "1E+1000000", "1_000", "٣"),
)
_PAGE: dict[str, Any] = {"PaginationToken": "token", "Users": [_USER, _USER | {"Username": "b"}]}
_PAGES = binary([json.dumps(_PAGE).encode(), b'{"Users":[]}'], [word.encode() for word in _WORDS])
_USERS = binary([json.dumps(_USER).encode(), b'{"Username":"x"}'], [word.encode() for word in _WORDS])


def _make_page(rng: Random) -> bytes:
    return _PAGES.make(rng) if rng.random() < 0.5 else written(rng, mutated(rng, _PAGE, _WORDS))


def _page(body: bytes) -> None:
    users, token = decode_answer(body)
    promise(token is None or token, "a token is not empty")
    made = list(users)
    promise(len(made) == len(users), "a page has as many users as it says")
    for raw in made:
        _user(raw)


def _make_user(rng: Random) -> bytes:
    return _USERS.make(rng) if rng.random() < 0.5 else written(rng, mutated(rng, _USER, _WORDS))


def _user(raw: bytes) -> None:
    user = decode_user(raw)
    for moment in (user.created_ms, user.modified_ms):
        promise(moment is None or -62_135_596_800_000 <= moment <= 253_402_300_799_999, "a date is in its range")
    for text in (user.username, user.status or "", *(value or "" for _, value in user.attributes)):
        text.encode()
    promise(CANARY not in repr(structs.replace(user, status=None)), "a user's repr holds no data")


TARGETS = (
    # Each input takes two connections: a millisecond.
    FuzzTarget(
        name="http-response",
        make=_make_wire,
        parse=_wire,
        refusals=(TransferError,),
        share=0.1,
        around=_wire_server.running,
    ),
    FuzzTarget(
        name="listusers-page", make=_make_page, parse=_page, refusals=(UnavailableError,), secret=lambda _: CANARY
    ),
    FuzzTarget(
        name="listusers-user", make=_make_user, parse=_user, refusals=(UnavailableError,), secret=lambda _: CANARY
    ),
)
