"""Events as bytes: what the SDK of the CloudEvents project reads from them is what they are."""

from __future__ import annotations

import json

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_binary, from_structured, to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from adapter.events.formats import batched, binary_headers, header_value, structured
from tests.support.delivery import make_event

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@given(value=TEXT.filter(bool), data=JSON)
def test_binary_mode_is_read_back_as_the_same_event(value: str, data: object) -> None:
    event = replace(make_event(partitionkey=value), data=json.dumps(data, ensure_ascii=False).encode())
    read = from_binary(HTTPMessage(headers=binary_headers(event), body=event.data), JSONFormat())
    assert read.get_attributes()["partitionkey"] == value
    assert read.get_id() == event.id
    assert read.get_datacontenttype() == "application/json"
    assert read.get_data() == data


@given(value=TEXT.filter(bool), data=JSON)
def test_structured_mode_is_read_back_as_the_same_event(value: str, data: object) -> None:
    event = replace(make_event(partitionkey=value), data=json.dumps(data, ensure_ascii=False).encode())
    read = from_structured(
        HTTPMessage(headers={"content-type": "application/cloudevents+json"}, body=structured(event)), JSONFormat()
    )
    assert read.get_attributes()["partitionkey"] == value
    assert read.get_data() == data


@given(TEXT)
def test_header_values_are_encoded_as_the_sdk_does_and_are_plain_ascii(value: str) -> None:
    event = CloudEvent({"id": "1", "type": "t", "source": "s", "specversion": "1.0", "note": value}, None)
    assert header_value(value) == to_binary(event, JSONFormat()).headers["ce-note"]
    assert all("!" <= character <= "~" for character in header_value(value))


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("plain/text:1,2;3", "plain/text:1,2;3"),
        ("100 %", "100%20%25"),
        ('"quoted"', "%22quoted%22"),
        ("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
        ("evil\r\nX-Injected: 1", "evil%0D%0AX-Injected:%201"),
    ],
)
def test_header_values_of_the_specification(value: str, encoded: str) -> None:
    assert header_value(value) == encoded


def test_the_bytes_of_an_event_on_the_wire() -> None:
    event = make_event(id="1", partitionkey="ann")
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-type": "com.amazon.cognito-idp.sync_trigger",
        "ce-source": "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI",
        "ce-subject": "eu-central-1_AbCdEfGhI",
        "ce-time": "2026-11-23T12:00:00.123Z",
        "ce-partitionkey": "ann",
        "ce-changetype": "created",
        "content-type": "application/json",
    }
    assert binary_headers(event) == headers
    assert structured(event) == (
        b'{"specversion":"1.0","id":"1","type":"com.amazon.cognito-idp.sync_trigger",'
        b'"source":"arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI",'
        b'"subject":"eu-central-1_AbCdEfGhI","time":"2026-11-23T12:00:00.123Z","datacontenttype":"application/json",'
        b'"partitionkey":"ann","changetype":"created","data":{"Username":"ann","Attributes":[]}}'
    )
    assert batched([event, event]) == b"[" + structured(event) + b"," + structured(event) + b"]"


def test_data_is_not_rewritten() -> None:
    event = replace(make_event(), data=b'{"a":"\\u003cb\\u003e", "n": 1.0}')
    assert structured(event).endswith(b'"data":{"a":"\\u003cb\\u003e", "n": 1.0}}')
