"""Writes docs/asyncapi.yaml, the AsyncAPI document of the events: `python -m tools.asyncapi`.

Headers, payloads and examples are those of tools/event_schemas.py and adapter/sinks, so that it says what is sent.
https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from adapter.arn import parse_arn
from adapter.events import SYNC_TRIGGER, USER_DELETED
from adapter.model import Event, Kind
from adapter.sinks.wire import BATCH_TYPE, STRUCTURED_TYPE, binary_headers
from tools.event_schemas import ARN, as_json, event_schema, example

TARGET: Final = Path(__file__).resolve().parent.parent / "docs" / "asyncapi.yaml"
HEADER: Final = "# Written by `python -m tools.asyncapi`: don't edit.\n"
#: The version of what is sent, not of the program that sends it.
VERSION: Final = "1.0.0"
SCHEMAS: Final = "../schemas"
EVENT: Final = {"$ref": f"{SCHEMAS}/cloudevent.json"}

Json = dict[str, Any]


def document() -> Json:
    """The whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "cognito-source",
            "version": VERSION,
            "description": "Every change of a Cognito user pool as a CloudEvent, at least once, with stable ids.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": _channels(),
        "operations": _operations(),
        "components": {"messages": _messages()},
    }


def text() -> str:
    """The document as it is published."""
    return HEADER + yaml.dump(document(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)


class _Plain(yaml.SafeDumper):
    """Says what occurs twice twice, instead of referring to its first place."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _servers() -> Json:
    region = {"region": {"description": "The region in the sink's ARN.", "default": "eu-central-1"}}
    return {
        "http": {
            "host": "{host}",
            "protocol": "https",
            "description": "An HTTP sink, K_SINK=https://HOST/PATH; http:// works as well.",
            "variables": {"host": {"description": "The host of K_SINK.", "default": "events.example.com"}},
        },
        "eventBridge": {
            "host": "events.{region}.amazonaws.com",
            "protocol": "eventbridge",
            "description": "Amazon EventBridge, K_SINK=arn:aws:events:REGION:ACCOUNT:event-bus/NAME.",
            "variables": region,
        },
        "sqs": {
            "host": "sqs.{region}.amazonaws.com",
            "protocol": "sqs",
            "description": "Amazon SQS, K_SINK=arn:aws:sqs:REGION:ACCOUNT:NAME.",
            "variables": region,
        },
    }


@dataclass(frozen=True)
class _Channel:
    """One kind of sink: `parameter` is its address, whose meaning and default follow."""

    parameter: str
    meaning: str
    default: str
    description: str
    messages: tuple[str, ...]
    operation: str


_CHANNELS: Final = {
    "http": _Channel(
        parameter="path",
        meaning="The path of K_SINK.",
        default="users",
        description="One POST for each message; any 2xx is taken for an acknowledgement. DELIVERY_FORMAT chooses the "
        "messages: binary (userChanged, userDeleted), structured (event) or batched (batch).",
        messages=("userChanged", "userDeleted", "event", "batch"),
        operation="post",
    ),
    "eventBridge": _Channel(
        parameter="bus",
        meaning="The name of the event bus.",
        default="cognito-users",
        description="What a rule matches and its target is given. EventBridge keeps no order.",
        messages=("busEvent",),
        operation="putEvents",
    ),
    "sqs": _Channel(
        parameter="queue",
        meaning="The name of the queue.",
        default="cognito-users.fifo",
        description="On a FIFO queue the message group is the SHA-256 of the username, and the deduplication id is the "
        "event's id. A standard queue keeps no order. The message attribute content-type names the format.",
        messages=("event",),
        operation="sendMessageBatch",
    ),
}


def _channels() -> Json:
    return {
        name: {
            "address": f"{{{channel.parameter}}}",
            "description": channel.description,
            "servers": [{"$ref": f"#/servers/{name}"}],
            "parameters": {channel.parameter: {"description": channel.meaning, "default": channel.default}},
            "messages": {message: {"$ref": f"#/components/messages/{message}"} for message in channel.messages},
        }
        for name, channel in _CHANNELS.items()
    }


def _operations() -> Json:
    more = {"http": {"bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}}}}
    return {
        channel.operation: {
            "action": "send",
            "channel": {"$ref": f"#/channels/{name}"},
            "summary": "Tell every change of a user, those of one user in their order.",
            **more.get(name, {}),
        }
        for name, channel in _CHANNELS.items()
    }


def _messages() -> Json:
    changed, deleted = example(Kind.UPDATED), example(Kind.DELETED)
    return {
        "userChanged": _binary(SYNC_TRIGGER, "A user was created or changed, or is told again", changed),
        "userDeleted": _binary(USER_DELETED, "A user is no longer in the pool", deleted),
        "event": {
            "title": "Either event in the JSON format of CloudEvents",
            "contentType": STRUCTURED_TYPE,
            "payload": EVENT,
            "examples": [_example(each) for each in (changed, deleted)],
        },
        "batch": {
            "title": "Several events, of different users",
            "contentType": BATCH_TYPE,
            "payload": {"type": "array", "minItems": 1, "items": EVENT},
            # The specification wants an object for a payload in an example: an array has none.
        },
        "busEvent": {
            "title": "Either event as EventBridge hands it to a target",
            "contentType": "application/json",
            "payload": bus_event_schema(),
            "examples": [{"name": str(Kind.UPDATED), "payload": _bus_event(changed)}],
        },
    }


def _binary(type_: str, title: str, shown: Event) -> Json:
    """A message of the binary content mode: attributes in headers, which are percent-encoded where HTTP needs it."""
    properties = event_schema()["properties"]
    optional = {*properties} - {*event_schema()["required"]}
    headers = {f"ce-{name}": schema for name, schema in properties.items() if name not in {"data", "datacontenttype"}}
    headers["ce-type"] = {"description": properties["type"]["description"], "const": type_}
    headers["content-type"] = properties["datacontenttype"]
    required = [name for name in headers if name.removeprefix("ce-") not in optional]
    headers["kn-namespace"] = {"description": "NAMESPACE, if it is set.", "type": "string"}
    headers["traceparent"] = {"description": "W3C Trace Context, if traces are on.", "type": "string"}
    return {
        "name": type_,
        "title": title,
        "contentType": "application/json",
        "headers": {"type": "object", "required": required, "properties": headers},
        "payload": {"$ref": f"{SCHEMAS}/{type_}.json"},
        "examples": [
            {
                "name": shown.attributes["changetype"],
                "headers": binary_headers(shown),
                "payload": json.loads(shown.data),
            }
        ],
    }


def _example(shown: Event) -> Json:
    return {"name": shown.attributes["changetype"], "payload": as_json(shown)}


def bus_event_schema() -> Json:
    """The schema of what EventBridge makes of an event."""
    attributes = event_schema()["properties"]
    text = {"type": "string"}
    properties = {
        "version": text,
        "id": {"type": "string", "description": "EventBridge's own: the event's is in detail."},
        "detail-type": {"description": "The event's type.", "enum": attributes["type"]["enum"]},
        "source": attributes["source"],
        "account": text,
        "time": text,
        "region": text,
        "resources": {"type": "array", "items": attributes["source"], "minItems": 1, "maxItems": 1},
        "detail": EVENT,
    }
    return {"type": "object", "required": [*properties], "properties": properties}


def _bus_event(event: Event) -> Json:
    arn = parse_arn(ARN)
    return {
        "version": "0",
        "id": "5b9e3f0e-3c1a-4f65-8a52-1f1f6f0c7a3d",
        "detail-type": event.attributes["type"],
        "source": event.attributes["source"],
        "account": arn.account,
        "time": f"{event.attributes['time'][:19]}Z",
        "region": arn.region,
        "resources": [event.attributes["source"]],
        "detail": as_json(event),
    }


def main() -> int:
    """Write the file."""
    TARGET.write_text(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
