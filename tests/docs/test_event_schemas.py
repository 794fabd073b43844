"""The published schemas have the names of the code, take every event that it makes, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7, DRAFT202012

from adapter.arn import parse_pool_arn
from adapter.changes.detector import ANY_PART, ONLY_DATE
from adapter.delivery.dead_letter import dead_letter_event
from adapter.events.builder import SYNC_TRIGGER, USER_DELETED, EventBuilder
from adapter.events.formats import structured
from adapter.manifest.schema import schema as manifest_schema
from adapter.model import Change, Event, Kind, KnownUser, User
from adapter.sinks.base import Failed
from tests.unit.events.test_builder import BUILDER, DETECTOR, SCHEMA, USERS, change

ROOT = Path(__file__).parents[2]
SCHEMAS = {
    name: json.loads((ROOT / "schemas" / name).read_text())
    for name in ("cloudevent.json", f"{SYNC_TRIGGER}.json", f"{USER_DELETED}.json")
}
EVENT_SCHEMA = SCHEMAS["cloudevent.json"]
DATA_SCHEMAS = {type_: SCHEMAS[f"{type_}.json"] for type_ in (SYNC_TRIGGER, USER_DELETED)}
JOHN = User(
    username="johndoe",
    attributes=(("sub", "0c1a9f9e-2f3b-4d59-9d0f-1b6f3f0b8a11"), ("email", "john@example.com")),
    enabled=True,
    status="CONFIRMED",
    created_ms=1_641_031_200_000,
    modified_ms=1_641_121_200_123,
)
REGISTRIES: dict[str, Registry[Any]] = {
    draft: Registry().with_resources(
        (name, Resource.from_contents({**schema, "$schema": uri}, default_specification=specification))
        for name, schema in SCHEMAS.items()
    )
    for draft, uri, specification in (
        ("2020-12", "https://json-schema.org/draft/2020-12/schema", DRAFT202012),
        ("07", "http://json-schema.org/draft-07/schema#", DRAFT7),
    )
}


def validators(schema: dict[str, Any]) -> list[Any]:
    """For the draft that the schemas name, and for the older one that AsyncAPI's tools read."""
    plain = {name: value for name, value in schema.items() if name != "$schema"}
    return [
        jsonschema.Draft202012Validator(plain, registry=REGISTRIES["2020-12"]),
        jsonschema.Draft7Validator(plain, registry=REGISTRIES["07"]),
    ]


EVENT, *_ = EVENT_VALIDATORS = validators(EVENT_SCHEMA)
DATA_VALIDATORS = {type_: validators(schema) for type_, schema in DATA_SCHEMAS.items()}


def example(kind: Kind) -> Event:
    """An event of this kind about the same user, as the published examples show it."""
    deleted = kind is Kind.DELETED
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
    change = Change(
        kind=kind,
        username=JOHN.username,
        event_id=f"0a1b2c3d-4e5f-8a6b-9c7d-8e9fa0b1c2d{list(Kind).index(kind)}",
        time_ms=JOHN.modified_ms or 0,
        user=None if deleted else JOHN,
        before=known if deleted else None,
        changed=("attributes", "status") if kind is Kind.UPDATED else (),
    )
    pool = parse_pool_arn("arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI")
    return EventBuilder(pool=pool).build(change)


def as_json(event: Event) -> Any:
    """An event in the JSON format of CloudEvents."""
    return json.loads(structured(event))


def test_they_name_what_the_code_names() -> None:
    properties = EVENT_SCHEMA["properties"]
    assert properties["type"]["enum"] == [SYNC_TRIGGER, USER_DELETED]
    assert properties["changetype"]["enum"] == [str(kind) for kind in Kind]
    parts = "|".join((*ANY_PART, *ONLY_DATE))
    assert properties["changed"]["pattern"] == f"^({parts})(,({parts}))*$"
    assert properties["source"]["pattern"] == manifest_schema()["$defs"]["SourceSpec"]["properties"]["arn"]["pattern"]


def test_the_examples_are_events_that_the_code_makes() -> None:
    assert EVENT_SCHEMA["examples"] == [as_json(example(kind)) for kind in Kind]
    for type_, kind in ((SYNC_TRIGGER, Kind.CREATED), (USER_DELETED, Kind.DELETED)):
        assert DATA_SCHEMAS[type_]["examples"] == [json.loads(example(kind).data)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_they_are_valid_schemas_with_valid_examples(name: str) -> None:
    schema = SCHEMAS[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft7Validator.check_schema(schema)
    assert [validator.validate(shown) for validator in validators(schema) for shown in schema["examples"]]


def test_they_promise_what_the_original_promises() -> None:
    for ours in DATA_SCHEMAS.values():
        assert ours["required"] == SCHEMA["required"]
        assert [*ours["properties"]] == [*SCHEMA["properties"]]
        assert ours["additionalProperties"] is SCHEMA["additionalProperties"] is False
        for shown in ours["examples"]:
            jsonschema.Draft4Validator(SCHEMA).validate(shown)


@settings(max_examples=40)
@given(USERS)
def test_every_event_that_is_made_is_valid(who: User) -> None:
    found = change(who)
    assert found.after is not None
    updated = replace(found, kind=Kind.UPDATED, changed=("attributes", "enabled", "status"))
    for each in (found, updated, DETECTOR.gone(found.after, 7), DETECTOR.replay(who, "run", 7)):
        event = BUILDER.build(each)
        for validator in EVENT_VALIDATORS:
            validator.validate(as_json(event))
        for validator in DATA_VALIDATORS[event.attributes["type"]]:
            validator.validate(json.loads(event.data))


def test_a_dead_letter_and_one_with_extensions_are_valid() -> None:
    event = example(Kind.UPDATED)
    failure = Failed(code="503", reason="the sink answered 503", retryable=True, body=b"no" * 2000)
    EVENT.validate(as_json(dead_letter_event(event, failure, "https://events.example.com/")))
    builder = EventBuilder(pool=BUILDER.pool, extensions={"team": "crm"})
    EVENT.validate(as_json(builder.build(change(User(username="ann")))))


# -- each keyword of a schema refuses something ---------------------------------------------------------------------

#: What says nothing about validity, or (properties) makes a schema weaker by being there.
SILENT = {"$schema", "$defs", "title", "description", "format", "examples", "properties"}
ODD: tuple[Any, ...] = (None, 1, "", "x", "Not-Allowed", "9999", "2022-01-02T11:00:00.100Z", [], {}, [None], [{}], True)
ODD += (example(Kind.CREATED).attributes["source"], *Kind, SYNC_TRIGGER, USER_DELETED, "x" * 1025)


MFA: tuple[dict[str, Any], ...] = (
    {"AttributeName": 1, "DeliveryMedium": "x"},
    {"AttributeName": "x", "DeliveryMedium": 1},
    {"AttributeName": "x"},
    {"DeliveryMedium": "x"},
    {"AttributeName": "", "DeliveryMedium": "", "More": ""},
)


def mutants(value: Any) -> Iterator[Any]:
    """This JSON with one thing changed in it: replaced, taken away, or added. An event's data only as a whole."""
    yield from ODD
    if isinstance(value, dict):
        for name, inner in value.items():
            yield {other: each for other, each in value.items() if other != name}
            yield from ({**value, name: mutant} for mutant in (ODD if name == "data" else mutants(inner)))
        for name in ("extra", "Not-Allowed"):
            yield from ({**value, name: each} for each in ("text", 1))
    if isinstance(value, list):
        yield from ([*value, value[0] if value else odd] for odd in MFA)
        for index, inner in enumerate(value):
            yield from ([*value[:index], mutant, *value[index + 1 :]] for mutant in mutants(inner))


def weaker(schema: Any) -> Iterator[tuple[str, Any]]:
    """This schema without one of its keywords, or without one of the names that it requires."""
    if not isinstance(schema, dict):
        return
    for name, value in schema.items():
        rest = {other: each for other, each in schema.items() if other != name}
        if name not in SILENT:
            yield name, rest
        if name == "required":
            yield from ((f"required {each}", {**schema, name: [n for n in value if n != each]}) for each in value)
        elif name in {"properties", "$defs"}:
            for key, inner in value.items():
                yield from ((f"{key}.{path}", {**schema, name: {**value, key: w}}) for path, w in weaker(inner))
        elif name not in {"examples", "const", "enum", "not"}:
            yield from ((f"{name}.{path}", {**schema, name: w}) for path, w in weaker(value))


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_keyword_refuses_something(name: str) -> None:
    schema = SCHEMAS[name]
    strict = validators(schema)[0]
    letter = dead_letter_event(example(Kind.CREATED), Failed(code="503", reason="", retryable=True), "http://x")
    events = [as_json(example(Kind.UPDATED)), as_json(example(Kind.DELETED)), as_json(letter)]
    shown = events if name == "cloudevent.json" else schema["examples"]
    odd = {json.dumps(mutant) for each in shown for mutant in mutants(each)}
    refused = [mutant for mutant in map(json.loads, sorted(odd)) if not strict.is_valid(mutant)]
    assert len(refused) > 100
    idle = [path for path, weak in weaker(schema) if not any(map(validators(weak)[0].is_valid, refused))]
    assert idle == []
