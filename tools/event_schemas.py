"""Writes the JSON Schemas of the events: `python -m tools.event_schemas`, after a change of adapter/{events,model}.py.

    schemas/com.amazon.cognito-idp.sync_trigger.json   the data of created and updated users
    schemas/com.amazon.cognito-idp.user_deleted.json   the data of deleted ones
    schemas/cloudevent.json                            the whole event in the JSON format of CloudEvents

Names, types and kinds are those of the code, and the examples are events that it makes. The schemas are of draft
2020-12 and keep to what means the same in draft 07, which is what AsyncAPI's tools read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from adapter.arn import parse_pool_arn
from adapter.changes import ANY_PART, ONLY_DATE
from adapter.events import SYNC_TRIGGER, UNKNOWN_STATUS, USER_DELETED, EventBuilder
from adapter.manifest.schema import schema as manifest_schema
from adapter.model import Change, Event, Kind, KnownUser, User
from adapter.sinks.wire import structured

FOLDER: Final = Path(__file__).resolve().parent.parent / "schemas"
DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
ARN: Final = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"
JOHN: Final = User(
    username="johndoe",
    attributes=(("sub", "0c1a9f9e-2f3b-4d59-9d0f-1b6f3f0b8a11"), ("email", "john@example.com")),
    enabled=True,
    status="CONFIRMED",
    created_ms=1_641_031_200_000,
    modified_ms=1_641_121_200_123,
)

_TEXT: Final = {"type": "string"}
_DATE: Final = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{0,2}[1-9])?Z$",
}
#: What the name of an extension may be.
_EXTENSION: Final = "^[a-z0-9]+$"


def example(kind: Kind) -> Event:
    """An event of this kind about the same user."""
    known = KnownUser(
        username=JOHN.username,
        sub=JOHN.sub,
        digest=b"",
        attributes=b"",
        enabled=JOHN.enabled,
        status=JOHN.status,
        created_ms=JOHN.created_ms,
        modified_ms=JOHN.modified_ms,
    )
    deleted = kind is Kind.DELETED
    change = Change(
        kind=kind,
        username=JOHN.username,
        event_id=f"0a1b2c3d-4e5f-8a6b-9c7d-8e9fa0b1c2d{list(Kind).index(kind)}",
        time_ms=JOHN.modified_ms or 0,
        user=None if deleted else JOHN,
        before=known if deleted else None,
        changed=("attributes", "status") if kind is Kind.UPDATED else (),
    )
    return EventBuilder(pool=parse_pool_arn(ARN)).build(change)


def as_json(event: Event) -> Any:
    """An event in the JSON format of CloudEvents."""
    return json.loads(structured(event))


def data_schema(type_: str) -> dict[str, Any]:
    """The schema of the data of events of this type."""
    deleted = type_ == USER_DELETED
    name: dict[str, Any] = {"type": "string", "minLength": 1}
    return {
        "$schema": DRAFT,
        "title": f"Data of {type_}",
        "description": "A user who is no longer in the pool, as far as the adapter remembers: no attribute but sub."
        if deleted
        else "The present form of a user: what is not in it any more is gone. Nothing is ever null.",
        **_object(
            {
                "Attributes": _described(
                    {"type": "array", "items": {"$ref": "#/$defs/Attribute"}} | ({"maxItems": 1} if deleted else {}),
                    "At most `sub`." if deleted else "All of them, or those that EVENTS_ATTRIBUTES lists.",
                ),
                "Enabled": _described({"type": "boolean"}, "Whether the user may sign in."),
                "MFAOptions": _described(
                    {"type": "array"} | ({"maxItems": 0} if deleted else {"items": {"$ref": "#/$defs/MFAOption"}}),
                    "Always empty." if deleted else "Cognito no longer fills it.",
                ),
                "UserCreateDate": _described(
                    _DATE, "Tells apart users who had the same name one after the other; UTC, to the millisecond."
                ),
                "UserLastModifiedDate": _described(_DATE, "Tells an older form of a user from a newer one."),
                "UserStatus": _described(
                    _TEXT, f"UserStatusType of the API, such as CONFIRMED; {UNKNOWN_STATUS} where Cognito says nothing."
                ),
                "Username": _described(name, "Unique in its pool; given again after a deletion."),
            }
        ),
        "$defs": {"Attribute": _object({"Name": {"const": "sub"} if deleted else _TEXT, "Value": _TEXT})}
        | ({} if deleted else {"MFAOption": _object({"AttributeName": _TEXT, "DeliveryMedium": _TEXT})}),
        "examples": [json.loads(example(Kind.DELETED if deleted else Kind.CREATED).data)],
    }


def event_schema() -> dict[str, Any]:
    """The schema of an event in the JSON format of CloudEvents."""
    arn = manifest_schema()["$defs"]["SourceSpec"]["properties"]["arn"]["pattern"]
    parts = "|".join((*ANY_PART, *ONLY_DATE))
    name: dict[str, Any] = {"type": "string", "minLength": 1}
    attributes = {
        "specversion": _described({"const": "1.0"}, "The version of CloudEvents."),
        "id": _described(name, "The same whenever the same change is sent again; says nothing of order."),
        "source": _described({"type": "string", "pattern": arn}, "The user pool's ARN. With `id` it names the event."),
        "type": _described({"enum": [SYNC_TRIGGER, USER_DELETED]}, "Created and updated users alike, or deleted ones."),
        "subject": _described({"type": "string", "pattern": "^[A-Za-z0-9_-]+_[0-9a-zA-Z]+$"}, "The user pool's id."),
        "time": _described(_DATE, "When the user changed; for a deletion, when it was noticed."),
        "datacontenttype": _described({"const": "application/json"}, "The data is JSON."),
        "partitionkey": _described(name, "The username: events of one user keep their order."),
        "changetype": _described({"enum": [str(kind) for kind in Kind]}, "What happened."),
        "changed": _described(
            {"type": "string", "pattern": f"^({parts})(,({parts}))*$"}, "Of an update: which parts differ."
        ),
        "knativeerrordest": _described(_TEXT, "Of a dead letter: the sink that did not take it."),
        "knativeerrorcode": _described({"type": "string", "pattern": "^[0-9]{3}$"}, "Of a dead letter: HTTP status."),
        "knativeerrordata": _described(
            {"type": "string", "maxLength": 1024}, "Of a dead letter: Base64 of the beginning of the sink's answer."
        ),
        "data": _described({}, "The user; its schema is that of `type`."),
    }
    optional = {"changed", "knativeerrordest", "knativeerrorcode", "knativeerrordata"}
    deleted = {"const": str(Kind.DELETED)}
    return {
        "$schema": DRAFT,
        "title": "An event of cognito-source in the JSON format of CloudEvents 1.0",
        "description": "K_CE_OVERRIDES may set more extensions, and other values of partitionkey, changetype, changed.",
        "type": "object",
        "required": [name for name in attributes if name not in optional],
        "properties": attributes,
        "propertyNames": {"pattern": _EXTENSION},
        "additionalProperties": _TEXT,
        "if": {"properties": {"type": {"const": USER_DELETED}}},
        "then": {"properties": {"changetype": deleted, "data": {"$ref": f"{USER_DELETED}.json"}}},
        "else": {"properties": {"changetype": {"not": deleted}, "data": {"$ref": f"{SYNC_TRIGGER}.json"}}},
        "examples": [as_json(example(kind)) for kind in Kind],
    }


def files() -> dict[str, str]:
    """The schemas as they are published, by the names of their files."""
    schemas = {f"{type_}.json": data_schema(type_) for type_ in (SYNC_TRIGGER, USER_DELETED)}
    schemas["cloudevent.json"] = event_schema()
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [*properties], "properties": properties, "additionalProperties": False}


def _described(schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {"description": text, **schema}


def main() -> int:
    """Write the files."""
    for name, text in files().items():
        (FOLDER / name).write_text(text)
        sys.stderr.write(f"event_schemas: schemas/{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
