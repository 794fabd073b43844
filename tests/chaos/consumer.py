"""What a careful consumer makes of the events: it drops what it has seen, and keeps a copy of the pool."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from emulator.sink import ReceivedEvent

#: A user in the form that both sides are compared in.
Shape = dict[str, Any]


def shape_of_event(data: Mapping[str, Any]) -> Shape:
    """A user as an event shows it."""
    return {
        "attributes": {pair["Name"]: pair["Value"] for pair in data["Attributes"]},
        "enabled": data["Enabled"],
        "status": data["UserStatus"],
        "created_ms": _milliseconds(data["UserCreateDate"]),
        "modified_ms": _milliseconds(data["UserLastModifiedDate"]),
    }


def shape_of_pool(shown: Mapping[str, Any]) -> Shape:
    """A user as the pool shows it."""
    return {
        "attributes": {pair["Name"]: pair["Value"] for pair in shown["Attributes"]},
        "enabled": shown["Enabled"],
        "status": shown["UserStatus"],
        "created_ms": round(shown["UserCreateDate"] * 1000),
        "modified_ms": round(shown["UserLastModifiedDate"] * 1000),
    }


def _milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


class Consumer:
    """A copy of the pool, made of events. Thread-safe.

    Attributes:
        users: the copy, by username.
        arrived: events taken, the repeated ones too.
        repeated: of these, with an id that was seen before.
        contradictions: what an event stream must never do, in words, with its event id.
    """

    def __init__(self, users: Mapping[str, Shape]) -> None:
        self.users = dict(users)
        self.arrived = 0
        self.repeated = 0
        self.kinds: Counter[str] = Counter()
        self.contradictions: list[str] = []
        self._seen: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def take(self, events: Iterable[ReceivedEvent]) -> None:
        """Process events in the order in which they came."""
        with self._lock:
            for event in events:
                self._take(event)

    def differences(self, pool: Mapping[str, Shape]) -> tuple[list[str], list[str]]:
        """Usernames that the copy lacks or has in another form, and usernames that it has and the pool has not."""
        with self._lock:
            lost = [name for name, shape in pool.items() if self.users.get(name) != shape]
            return lost, [name for name in self.users if name not in pool]

    def _take(self, event: ReceivedEvent) -> None:
        self.arrived += 1
        key = event["source"], event["id"]
        # All that a consumer may look at must be the same whenever the id is.
        names = ("type", "subject", "time", "partitionkey", "changetype")
        content = json.dumps([{name: str(event[name]) for name in names}, event.data], sort_keys=True)
        before = self._seen.setdefault(key, content)
        if before is not content:
            self.repeated += 1
            if before != content:
                self.contradictions.append(f"{event['id']}: two contents with one id: {before} and {content}")
            return
        kind, name = event["changetype"], event.data["Username"]
        self.kinds[kind] += 1
        known = self.users.get(name)
        if kind == "deleted":
            shape = shape_of_event(event.data)
            if known is not None and known["created_ms"] == shape["created_ms"]:
                del self.users[name]
            return
        shape = shape_of_event(event.data)
        if (
            known is not None
            and known["created_ms"] == shape["created_ms"]
            and known["modified_ms"] > shape["modified_ms"]
        ):
            self.contradictions.append(f"{event['id']}: an older form after a newer one ({kind})")
        self.users[name] = shape
