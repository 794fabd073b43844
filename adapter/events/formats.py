"""Events as bytes on the wire: the CloudEvents HTTP protocol binding and JSON format, version 1.0.2.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md

Written by hand because it runs once per event; the tests let the cloudevents SDK decode every form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

import msgspec

from adapter.model import Event

#: Section 3.1.3.2 of the binding: printable ASCII stays as it is, except space, double quote and percent.
_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_UNSAFE = re.compile(r"[^!#$&-~]")

STRUCTURED_TYPE = "application/cloudevents+json"
BATCH_TYPE = "application/cloudevents-batch+json"

_encode = msgspec.json.Encoder().encode


def header_value(value: str) -> str:
    """An attribute's value as a header: percent-encoded UTF-8 where the binding asks for it."""
    return quote(value, safe=_SAFE) if _UNSAFE.search(value) else value


def binary_headers(event: Event) -> dict[str, str]:
    """The headers of the binary content mode; the body is the event's data as it is."""
    attributes = event.attributes
    if _UNSAFE.search("".join(attributes.values())):
        headers = {f"ce-{name}": header_value(value) for name, value in attributes.items()}
    else:  # nearly always: one look at all of them
        headers = {f"ce-{name}": value for name, value in attributes.items()}
    content_type = headers.pop("ce-datacontenttype", None)
    if content_type is not None:
        headers["content-type"] = event.attributes["datacontenttype"]
    return headers


def structured(event: Event) -> bytes:
    """The event as one JSON object; its data, which is JSON, stays byte for byte as it is."""
    return _encode({**event.attributes, "data": msgspec.Raw(event.data)})


def batched(events: Iterable[Event]) -> bytes:
    """The events as one JSON array."""
    return _array(map(structured, events))


def batches(events: Iterable[Event], most_bytes: int) -> Iterator[tuple[int, bytes]]:
    """The events as JSON arrays, none longer than `most_bytes` unless it is of one event.

    Yields:
        How many events an array has, and the array.
    """
    bodies: list[bytes] = []
    size = 2
    for body in map(structured, events):
        if bodies and size + len(body) > most_bytes:
            yield len(bodies), _array(bodies)
            bodies, size = [], 2
        bodies.append(body)
        size += len(body) + 1
    yield len(bodies), _array(bodies)


def _array(bodies: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(bodies) + b"]"
