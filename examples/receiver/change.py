"""What an event tells of a user. Pure: a CloudEvent in, a row out.

Every function raises one of UNREADABLE for what is no event of cognito-source.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cloudevents.core.bindings.http import HTTPMessage, from_binary
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

CHANGED: Final = "com.amazon.cognito-idp.sync_trigger"
DELETED: Final = "com.amazon.cognito-idp.user_deleted"
UNREADABLE: Final = (CloudEventValidationError, AttributeError, KeyError, TypeError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One event about one user; its fields are the parameters of the statements in store.py.

    `source` and `id` name the event, `source` and `username` the user. `created_ms` and `modified_ms` are Cognito's
    dates, in milliseconds since the epoch: they tell an older form of a user from a newer one, and a user from a later
    one of the same name. `deleted_ms` is when it was noticed that the user is gone. `attributes` is a JSON object.
    """

    source: str
    id: str
    username: str
    created_ms: int
    modified_ms: int
    deleted_ms: int | None
    comes_back: bool
    enabled: bool
    status: str
    attributes: str


def from_headers(headers: Mapping[str, str], data: bytes) -> CloudEvent:
    """An event in the binary content mode of HTTP."""
    if "ce-id" not in map(str.lower, headers):
        raise KeyError("id")  # the SDK would make one up, and every repetition were news
    return _version_1(from_binary(HTTPMessage(dict(headers), data), JSONFormat(), CloudEvent))


def from_json(item: Any) -> CloudEvent:
    """An event in the JSON format of CloudEvents."""
    if "id" not in item:
        raise KeyError("id")
    return _version_1(JSONFormat().read(CloudEvent, json.dumps(item)))


def read_change(event: CloudEvent) -> Change | None:
    """Read an event, whose data is that of schemas/com.amazon.cognito-idp.*.json; None: it says nothing of users."""
    kind = event.get_type()
    if kind not in (CHANGED, DELETED):
        return None
    data = event.get_data()
    if not isinstance(data, Mapping):
        raise TypeError("its data is no JSON object")
    attributes = {_text(pair, "Name"): _text(pair, "Value") for pair in data["Attributes"]}
    return Change(
        source=_storable(event.get_source()),
        id=_storable(event.get_id()),
        username=_storable(_text(data, "Username")),
        created_ms=_milliseconds(_text(data, "UserCreateDate")),
        modified_ms=_milliseconds(_text(data, "UserLastModifiedDate")),
        deleted_ms=_noticed_ms(event) if kind == DELETED else None,
        comes_back=_comes_back(event),
        enabled=data["Enabled"] is True,
        status=_storable(_text(data, "UserStatus")),
        attributes=json.dumps(attributes),
    )


def _version_1(event: object) -> CloudEvent:
    if not isinstance(event, CloudEvent):
        raise TypeError("not of CloudEvents 1.0")
    return event


def _noticed_ms(event: CloudEvent) -> int:
    moment = event.get_time()
    if moment is None:
        raise ValueError("it has no time")
    return round(moment.timestamp() * 1000)


def _comes_back(event: CloudEvent) -> bool:
    """Whether this may tell again, unchanged, of a user that was told as deleted.

    The adapter sends `created` for a user who was gone from two answers of Cognito and is there again. A replay and a
    dead letter say nothing of the kind: they may have been waiting while the user was deleted.
    """
    return event.get_extension("changetype") == "created" and event.get_extension("knativeerrordest") is None


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data[name]
    if not isinstance(value, str):
        raise TypeError(f"its {name} is no text")
    return value


def _storable(text: str) -> str:
    """What every database takes as text: PostgreSQL has no NUL, and neither has half of a surrogate pair."""
    if "\0" in text:
        raise ValueError("one of its texts contains NUL")
    text.encode()  # raises UnicodeEncodeError
    return text


def _milliseconds(date: str) -> int:
    moment = datetime.fromisoformat(date)
    if moment.tzinfo is None:
        raise ValueError("one of its dates has no time zone")
    return round(moment.timestamp() * 1000)
