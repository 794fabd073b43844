"""docs/asyncapi.yaml is valid by AsyncAPI's own schema, its schemas take what is sent, and its examples are sent."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from referencing import Registry, Resource

from adapter.events.builder import SYNC_TRIGGER, USER_DELETED
from adapter.events.formats import BATCH_TYPE, STRUCTURED_TYPE, batched, binary_headers
from adapter.model import Kind, User
from tests.docs.test_event_schemas import EVENT_SCHEMA, ROOT, as_json, example
from tests.unit.events.test_builder import BUILDER, USERS, change

SPECIFICATION = ROOT / ".tools/npm/node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json"
DOCS = ROOT / "docs"
DOCUMENT = yaml.safe_load((DOCS / "asyncapi.yaml").read_text())
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]


REGISTRY: Registry[Any] = Registry().with_resources(
    (path.as_uri(), Resource.from_contents(json.loads(path.read_text()))) for path in (ROOT / "schemas").glob("*.json")
)


def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    """For a schema of the document: what it refers to is found from the document's folder."""
    here = {"$id": (DOCS / "asyncapi.yaml").as_uri(), **schema}
    return jsonschema.Draft202012Validator(here, registry=REGISTRY)


@pytest.mark.parametrize(
    ("name", "type_", "kind"),
    [("userChanged", SYNC_TRIGGER, Kind.UPDATED), ("userDeleted", USER_DELETED, Kind.DELETED)],
)
def test_the_headers_are_the_attributes_of_the_event(name: str, type_: str, kind: Kind) -> None:
    message, event = MESSAGES[name], example(kind)
    headers, attributes = message["headers"]["properties"], EVENT_SCHEMA["properties"]
    assert message["name"] == headers["ce-type"]["const"] == type_
    assert headers["content-type"] == attributes["datacontenttype"]
    shared = [each for each in attributes if each not in {"data", "datacontenttype", "type"}]
    assert {each: headers[f"ce-{each}"] for each in shared} == {each: attributes[each] for each in shared}
    assert {each.removeprefix("ce-") for each in message["headers"]["required"]} == (
        {*EVENT_SCHEMA["required"], "content-type"} - {"data", "datacontenttype"}
    )
    assert message["examples"] == [
        {"name": kind, "headers": binary_headers(event), "payload": json.loads(event.data)},
    ]


def test_whole_events_are_sent_as_their_content_type_says() -> None:
    sent = [{"name": kind, "payload": as_json(example(kind))} for kind in (Kind.UPDATED, Kind.DELETED)]
    assert MESSAGES["event"]["examples"] == sent
    assert MESSAGES["event"]["contentType"] == STRUCTURED_TYPE
    assert MESSAGES["batch"]["contentType"] == BATCH_TYPE
    assert MESSAGES["busEvent"]["examples"][0]["payload"]["detail"] == sent[0]["payload"]


def test_it_is_valid_by_the_schema_of_asyncapi() -> None:
    if not SPECIFICATION.exists():
        pytest.skip("AsyncAPI's schema comes with `make tools`")
    errors = jsonschema.Draft7Validator(json.loads(SPECIFICATION.read_text())).iter_errors(DOCUMENT)
    assert [f"{list(error.path)}: {error.message[:200]}" for error in errors] == []


def test_every_reference_leads_somewhere() -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [found for inner in value.values() for found in references(inner)]
        return [found for inner in value for found in references(inner)] if isinstance(value, list) else []

    found = references(DOCUMENT)
    assert found
    for reference in found:
        if not reference.startswith("#"):
            assert (DOCS / reference).is_file(), reference
            continue
        place: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


@pytest.mark.parametrize("name", [name for name, message in MESSAGES.items() if "examples" in message])
def test_its_examples_are_valid(name: str) -> None:
    message = MESSAGES[name]
    for shown in message["examples"]:
        validator(message["payload"]).validate(shown["payload"])
        if "headers" in message:
            validator(message["headers"]).validate(shown["headers"])


def test_each_channel_has_messages_and_an_operation() -> None:
    told = [operation["channel"]["$ref"] for operation in DOCUMENT["operations"].values()]
    assert told == [f"#/channels/{name}" for name in DOCUMENT["channels"]]
    used = {name for channel in DOCUMENT["channels"].values() for name in channel["messages"]}
    assert used == {*MESSAGES}


CHANGED = MESSAGES["userChanged"]
HEADERS, DATA, BATCH = map(validator, (CHANGED["headers"], CHANGED["payload"], MESSAGES["batch"]["payload"]))


@settings(max_examples=30)
@given(USERS)
def test_what_is_sent_is_valid(who: User) -> None:
    event = BUILDER.build(change(who))
    assert event.attributes["type"] == CHANGED["name"]
    HEADERS.validate(binary_headers(event))
    DATA.validate(json.loads(event.data))
    BATCH.validate(json.loads(batched([event, event])))


def test_headers_that_lack_something_are_refused() -> None:
    message = MESSAGES["userDeleted"]
    (shown,) = message["examples"]
    strict = validator(message["headers"])
    assert [name for name in message["headers"]["required"] if strict.is_valid(_without(shown["headers"], name))] == []
    assert not strict.is_valid({**shown["headers"], "ce-type": SYNC_TRIGGER})


def _without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {other: value for other, value in headers.items() if other != name}
