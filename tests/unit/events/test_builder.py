"""The events: exact bytes, the original's schema, and what the SDK reads back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cloudevents.core.bindings.http import from_binary, to_binary
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from adapter.arn import parse_pool_arn
from adapter.changes.detector import Detector, InitialScan
from adapter.events.builder import EventBuilder, rfc3339, user_json
from adapter.model import Change, Event, Kind, User

ARN = "arn:aws:cognito-idp:us-west-2:123456789012:userpool/us-west-2_abcdefghi"
BUILDER = EventBuilder(pool=parse_pool_arn(ARN))
DETECTOR = Detector(pool_arn=ARN)
JOHN = User(
    username="johndoe",
    attributes=(("sub", "a-b-c"), ("email", "john@example.com")),
    enabled=True,
    status="CONFIRMED",
    created_ms=1_641_031_200_000,
    modified_ms=1_641_121_200_123,
)
JOHN_JSON = (
    b'{"Attributes":[{"Name":"sub","Value":"a-b-c"},{"Name":"email","Value":"john@example.com"}],"Enabled":true,'
    b'"MFAOptions":[],"UserCreateDate":"2022-01-01T10:00:00Z","UserLastModifiedDate":"2022-01-02T11:00:00.123Z",'
    b'"UserStatus":"CONFIRMED","Username":"johndoe"}'
)
#: The original's published schema, from its description in the contract (draft 04; null is allowed nowhere).
_TEXT = {"type": "string"}
_DATE = {"type": "string", "format": "date-time"}
_PROPERTIES: dict[str, Any] = {
    "Attributes": {"type": "array", "items": {"$ref": "#/definitions/Attribute"}},
    "Enabled": {"type": "boolean"},
    "MFAOptions": {"type": "array", "items": {"$ref": "#/definitions/MFAOption"}},
    "UserCreateDate": _DATE,
    "UserLastModifiedDate": _DATE,
    "UserStatus": _TEXT,
    "Username": _TEXT,
}


def _strict(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [*properties], "properties": properties, "additionalProperties": False}


SCHEMA = _strict(_PROPERTIES) | {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "definitions": {
        "Attribute": _strict({"Name": _TEXT, "Value": _TEXT}),
        "MFAOption": _strict({"AttributeName": _TEXT, "DeliveryMedium": _TEXT}),
    },
}


def change(who: User, initial: InitialScan = InitialScan()) -> Change:  # noqa: B008 - frozen
    found = DETECTOR.examine(who, b"", None, initial, 0)
    assert isinstance(found, Change)
    return found


def test_the_data_is_what_go_makes_of_the_user() -> None:
    assert user_json(JOHN) == JOHN_JSON


def test_the_documentation_shows_these_bytes() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "events.md").read_text()
    assert JOHN_JSON.decode() in text
    assert [kind for kind in Kind if f"`{kind}`" not in text] == []


def test_the_context_attributes_are_those_of_the_contract() -> None:
    made = change(JOHN)
    assert dict(BUILDER.build(made).attributes) == {
        "specversion": "1.0",
        "id": made.event_id,
        "source": ARN,
        "type": "com.amazon.cognito-idp.sync_trigger",
        "subject": "us-west-2_abcdefghi",
        "time": "2022-01-01T10:00:00Z",
        "datacontenttype": "application/json",
        "partitionkey": "johndoe",
        "changetype": "created",
    }


def test_an_update_says_what_changed() -> None:
    known = change(JOHN).after
    later = User(username="johndoe", attributes=(("sub", "a-b-c"),), enabled=False, created_ms=JOHN.created_ms)
    found = DETECTOR.examine(later, b"", known, InitialScan(), 7)
    assert isinstance(found, Change)
    attributes = BUILDER.build(found).attributes
    assert (attributes["changetype"], attributes["changed"]) == ("updated", "attributes,enabled,status")


def test_a_deletion_shows_what_is_known_in_the_shape_of_the_schema() -> None:
    known = change(JOHN).after
    assert known is not None
    event = BUILDER.build(DETECTOR.gone(known, 1_700_000_000_500))
    assert event.attributes["type"] == "com.amazon.cognito-idp.user_deleted"
    assert event.attributes["time"] == "2023-11-14T22:13:20.5Z"
    assert "changed" not in event.attributes
    data = json.loads(event.data)
    assert data["Attributes"] == [{"Name": "sub", "Value": "a-b-c"}]
    assert (data["Enabled"], data["UserStatus"], data["UserCreateDate"]) == (True, "CONFIRMED", "2022-01-01T10:00:00Z")
    jsonschema.validate(data, SCHEMA)


def test_overrides_are_set_last_and_win_over_our_extensions() -> None:
    builder = EventBuilder(pool=parse_pool_arn(ARN), extensions={"team": "crm", "changetype": "theirs"})
    attributes = builder.build(change(JOHN)).attributes
    assert (attributes["team"], attributes["changetype"]) == ("crm", "theirs")


def test_an_extension_that_cloudevents_forbids_is_refused_when_the_event_is_built() -> None:
    builder = EventBuilder(pool=parse_pool_arn(ARN), extensions={"Not-Allowed": "x"})
    with pytest.raises(CloudEventValidationError):
        builder.build(change(JOHN))


def test_only_listed_attributes_leave_cognito() -> None:
    builder = EventBuilder(pool=parse_pool_arn(ARN), attributes=frozenset({"email"}))
    assert json.loads(builder.build(change(JOHN)).data)["Attributes"] == [
        {"Name": "email", "Value": "john@example.com"}
    ]
    known = change(JOHN).after
    assert known is not None
    assert json.loads(builder.build(DETECTOR.gone(known, 5)).data)["Attributes"] == []


def test_the_characters_that_go_escapes_are_escaped() -> None:
    who = User(username='<a>&\u2028\u2029é\u007f"\\\n\t😀', created_ms=0)
    assert (
        rb'"Username":"\u003ca\u003e\u0026\u2028\u2029' + "é\u007f".encode() + rb"\"\\\n\t" + "😀".encode() + b'"'
        in user_json(who)
    )


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_641_121_200_000, "2022-01-02T11:00:00Z"),
        (1_641_121_200_120, "2022-01-02T11:00:00.12Z"),
        (1_641_121_200_123, "2022-01-02T11:00:00.123Z"),
        (1_641_121_200_001, "2022-01-02T11:00:00.001Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (1_711_846_800_000, "2024-03-31T01:00:00Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_dates_are_rfc_3339_without_trailing_zeros(time_ms: int, text: str) -> None:
    assert rfc3339(time_ms) == text


def test_what_cognito_left_out_never_becomes_null() -> None:
    bare = User(username="bare", attributes=(("email", None),), mfa_options=((None, None),))
    data = json.loads(user_json(bare))
    jsonschema.validate(data, SCHEMA)
    assert data == {
        "Attributes": [{"Name": "email", "Value": ""}],
        "Enabled": False,
        "MFAOptions": [{"AttributeName": "", "DeliveryMedium": ""}],
        "UserCreateDate": "1970-01-01T00:00:00Z",
        "UserLastModifiedDate": "1970-01-01T00:00:00Z",
        "UserStatus": "UNKNOWN",
        "Username": "bare",
    }


@pytest.mark.parametrize("date", ["created_ms", "modified_ms"])
def test_a_missing_date_is_the_other_one(date: str) -> None:
    data = json.loads(user_json(User(username="x", **{date: 1_500})))  # type: ignore[arg-type]  # one of two names
    assert data["UserCreateDate"] == data["UserLastModifiedDate"] == "1970-01-01T00:00:01.5Z"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MS = st.none() | st.integers(-62_135_596_800_000, 253_402_300_799_999)
USERS = st.builds(
    User,
    username=TEXT.filter(bool),
    attributes=st.lists(st.tuples(TEXT, st.none() | TEXT), max_size=4).map(tuple),
    enabled=st.none() | st.booleans(),
    status=st.none() | TEXT,
    created_ms=MS,
    modified_ms=MS,
)


@given(USERS)
def test_any_user_becomes_an_event_that_the_sdk_reads_back(who: User) -> None:
    event: Event = BUILDER.build(change(who))
    data = json.loads(event.data)
    jsonschema.validate(data, SCHEMA)
    assert list(data) == sorted(data)
    assert [(pair["Name"], pair["Value"] or None) for pair in data["Attributes"]] == [
        (name, value or None) for name, value in who.attributes
    ]
    assert (data["Username"], data["Enabled"]) == (who.username, bool(who.enabled))
    assert not set("<>&\u2028\u2029") & set(event.data.decode())
    moment = datetime.fromisoformat(event.attributes["time"])
    built = CloudEvent({**event.attributes, "time": moment}, event.data)
    read = from_binary(to_binary(built, JSONFormat()), JSONFormat())
    assert read.get_data() == data
    assert read.get_time() == moment.astimezone(UTC)
    assert read.get_extension("partitionkey") == who.username


@given(USERS)
def test_the_same_change_always_gives_the_same_bytes(who: User) -> None:
    assert BUILDER.build(change(who)) == BUILDER.build(change(who))
