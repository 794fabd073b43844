"""The users behind the fake server: a pool that can be changed, and one of any size that is computed."""

from __future__ import annotations

import bisect
import hashlib
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

REGION = "eu-central-1"
POOL_ID = "eu-central-1_FaKeCoGnI"
ACCOUNT = "123456789012"
ARN = f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{POOL_ID}"
#: When the computed users were created: 2023-11-14T22:13:20Z.
EPOCH_S = 1_700_000_000

_FILTER = re.compile(r'\s*"?([\w:]+)"?\s*(\^?=)\s*"((?:[^"\\]|\\.)*)"\s*', re.DOTALL)


class BadFilterError(ValueError):
    """The text is not a filter that ListUsers takes."""


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed filter."""

    attribute: str
    prefix: bool
    value: str

    def matches(self, user: Mapping[str, Any]) -> bool:
        """Whether a user, as the API shows it, belongs into the answer."""
        if self.attribute == "username":
            found = user["Username"]
        elif self.attribute == "cognito:user_status":
            found = user.get("UserStatus")
        elif self.attribute == "status":
            found = "Enabled" if user.get("Enabled") else "Disabled"
        else:
            found = next((a.get("Value") for a in user.get("Attributes") or () if a["Name"] == self.attribute), None)
        if found is None:
            return False
        return str(found).startswith(self.value) if self.prefix else found == self.value


def parse_filter(text: str) -> Query:
    """Read `attribute = "value"` or `attribute ^= "value"`.

    Raises:
        BadFilterError: it is neither.
    """
    match = _FILTER.fullmatch(text)
    if match is None:
        raise BadFilterError("Error while parsing filter.")
    return Query(match[1], match[2] == "^=", re.sub(r"\\(.)", r"\1", match[3], flags=re.DOTALL))


class Pool(Protocol):
    """What the server needs of a pool. Positions are integers that grow along a listing; 0 is before the first user."""

    def page(self, after: int, limit: int, query: Query | None, *, walk: bool) -> tuple[Sequence[bytes], int | None]:
        """The users behind position `after` and the position reached, None at the end.

        With `walk`, `limit` users are looked at and those that match are answered (perhaps none); otherwise the answer
        is filled up to `limit` as an index would do it.
        """
        ...


@dataclass
class _Entry:
    shown: dict[str, Any]
    raw: bytes = field(default=b"", repr=False)

    def render(self) -> None:
        self.raw = json.dumps(self.shown, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


class MutablePool:
    """Users that can be created, changed and deleted while the pool is listed, in order of creation. Thread-safe.

    Those it begins with are an hour old, so that no baseline takes them for new ones.
    """

    def __init__(self, users: int = 0, *, clock: Callable[[], float] = time.time) -> None:
        self._lock = threading.RLock()
        self._clock: Callable[[], float] = lambda: clock() - 3600
        self._entries: dict[int, _Entry] = {}
        self._positions: dict[str, int] = {}
        self._order: list[int] = []
        self._next = 1
        for number in range(users):
            self.create(f"user-{number:07d}", email=f"user-{number:07d}@example.org")
        self._clock = clock

    def page(self, after: int, limit: int, query: Query | None, *, walk: bool) -> tuple[Sequence[bytes], int | None]:
        """See `Pool`."""
        with self._lock:
            index = bisect.bisect_right(self._order, after)
            found: list[bytes] = []
            looked = 0
            while index < len(self._order) and (looked < limit if walk else len(found) < limit):
                entry = self._entries[self._order[index]]
                if query is None or query.matches(entry.shown):
                    found.append(entry.raw)
                index += 1
                looked += 1
            return found, (self._order[index - 1] if index < len(self._order) else None)

    def create(self, username: str, *, status: str = "CONFIRMED", sub: str | None = None, **attributes: str) -> None:
        """Add a user; a `sub` that can be foreseen unless one is given."""
        with self._lock:
            if username in self._positions:
                raise ValueError("there is such a user already")
            position, self._next = self._next, self._next + 1
            digest = hashlib.sha256(f"{position}/{username}".encode("utf-8", "surrogatepass")).digest()
            sub = sub or str(uuid.UUID(bytes=digest[:16], version=4))
            now = self._now()
            entry = _Entry(
                {
                    "Username": username,
                    "Attributes": [
                        {"Name": "sub", "Value": sub},
                        *({"Name": name.replace("__", ":"), "Value": value} for name, value in attributes.items()),
                    ],
                    "UserCreateDate": now,
                    "UserLastModifiedDate": now,
                    "Enabled": True,
                    "UserStatus": status,
                }
            )
            entry.render()
            self._entries[position] = entry
            self._positions[username] = position
            self._order.append(position)

    def put_raw(self, shown: Mapping[str, Any]) -> None:
        """Add a user exactly as given, for shapes that Cognito may send and `create` does not make."""
        with self._lock:
            position, self._next = self._next, self._next + 1
            entry = _Entry(dict(shown))
            entry.render()
            self._entries[position] = entry
            self._positions[str(shown["Username"])] = position
            self._order.append(position)

    def change(self, username: str, *, status: str | None = None, touch: bool = True, **attributes: str) -> None:
        """Set attributes (and the status); `touch=False` leaves UserLastModifiedDate as it was."""
        with self._lock:
            entry = self._entries[self._positions[username]]
            kept = {a["Name"]: a["Value"] for a in entry.shown["Attributes"]}
            kept.update({name.replace("__", ":"): value for name, value in attributes.items()})
            entry.shown["Attributes"] = [{"Name": name, "Value": value} for name, value in kept.items()]
            if status is not None:
                entry.shown["UserStatus"] = status
            self._changed(entry, touch=touch)

    def set_enabled(self, username: str, *, enabled: bool, touch: bool = True) -> None:
        """Enable or disable a user."""
        with self._lock:
            entry = self._entries[self._positions[username]]
            entry.shown["Enabled"] = enabled
            self._changed(entry, touch=touch)

    def delete(self, username: str) -> None:
        """Forget a user; tokens that point at it go on behind it."""
        with self._lock:
            position = self._positions.pop(username)
            del self._entries[position]
            del self._order[bisect.bisect_left(self._order, position)]

    def usernames(self) -> list[str]:
        """Everybody, in order of creation."""
        with self._lock:
            return list(self._positions)

    def shown(self) -> dict[str, dict[str, Any]]:
        """Everybody as the API shows them, by username."""
        with self._lock:
            return {name: json.loads(self._entries[at].raw) for name, at in self._positions.items()}

    def _changed(self, entry: _Entry, *, touch: bool) -> None:
        if touch:
            entry.shown["UserLastModifiedDate"] = self._now()
        entry.render()

    def _now(self) -> float:
        return int(self._clock() * 1000) / 1000


_TEMPLATE = (
    b'{"Attributes":[{"Name":"sub","Value":"%b"},{"Name":"email","Value":"person.%07d@customers.example.org"},'
    b'{"Name":"email_verified","Value":"true"},{"Name":"given_name","Value":"Given%07d"},'
    b'{"Name":"family_name","Value":"Family%07d"},{"Name":"phone_number","Value":"+49301%07d"}],'
    b'"Enabled":true,"UserCreateDate":%d.123,"UserLastModifiedDate":%d.456,"UserStatus":"%b","Username":"%b"}'
)


class SyntheticPool:
    """`size` users with 6 attributes (450 bytes each), computed from their number: nothing is kept but rendered pages.

    Users are in order of `sub`, which is their number as a share of the pool, so that a prefix of `sub` is a range. The
    first `unconfirmed` of every 1,000 users have the status UNCONFIRMED. It can't be changed.
    """

    #: Rendered pages that are kept, at 27 kB each.
    _KEPT = 2000

    def __init__(self, size: int, *, unconfirmed: int = 0) -> None:
        self.size = size
        self._unconfirmed = unconfirmed
        self._pages: dict[tuple[int, int], list[bytes]] = {}

    def page(self, after: int, limit: int, query: Query | None, *, walk: bool) -> tuple[Sequence[bytes], int | None]:
        """See `Pool`."""
        if query is None:
            return self._range(after, min(after + limit, self.size), self.size)
        if query.attribute == "sub" and query.prefix and not walk:
            first, last = self._bounds(query.value)
            after = max(after, first)
            return self._range(after, max(after, min(after + limit, last)), last)
        found: list[bytes] = []
        at = after
        while at < self.size and (at - after < limit if walk else len(found) < limit):
            if self._matches(at, query):
                found.append(self.render(at))
            at += 1
        return found, (at if at < self.size else None)

    def render(self, number: int) -> bytes:
        """The user with this number as the API shows it."""
        sub = self.sub(number).encode()
        status = b"UNCONFIRMED" if number % 1000 < self._unconfirmed else b"CONFIRMED"
        return _TEMPLATE % (sub, number, number, number, number % 10**7, EPOCH_S, EPOCH_S + number % 86400, status, sub)

    def sub(self, number: int) -> str:
        """The user's `sub`, also its username."""
        head = number * 2**32 // self.size
        return f"{head:08x}-{number & 0xFFFF:04x}-4{number >> 16 & 0xFFF:03x}-8000-{number:012x}"

    def __iter__(self) -> Iterator[bytes]:
        return (self.render(number) for number in range(self.size))

    def _range(self, first: int, last: int, end: int) -> tuple[list[bytes], int | None]:
        rendered = self._pages.get((first, last))
        if rendered is None:
            rendered = [self.render(number) for number in range(first, last)]
            if len(self._pages) < self._KEPT:
                self._pages[first, last] = rendered
        return rendered, (last if last < end else None)

    def _bounds(self, prefix: str) -> tuple[int, int]:
        """Numbers of the users whose `sub` begins with up to 8 hexadecimal digits."""
        scale = 16 ** (8 - len(prefix))
        low, high = int(prefix, 16) * scale, (int(prefix, 16) + 1) * scale
        return -(-low * self.size // 2**32), -(-high * self.size // 2**32)

    def _matches(self, number: int, query: Query) -> bool:
        if query.attribute == "sub" or query.attribute == "username":
            sub = self.sub(number)
            return sub.startswith(query.value) if query.prefix else sub == query.value
        if query.attribute == "cognito:user_status":
            return query.value == ("UNCONFIRMED" if number % 1000 < self._unconfirmed else "CONFIRMED")
        return False
