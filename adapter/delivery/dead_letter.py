"""The dead letter of an event: the event itself, with three extensions that say why it was not delivered.

The extensions are those of Knative Eventing (pkg/kncloudevents/attributes/knative_error.go), so that what reads a
Knative dead-letter queue reads this one.
"""

from __future__ import annotations

from base64 import b64encode

from adapter.model import Event
from adapter.sinks.base import Failed

#: What knativeerrorcode says when the failure was not an HTTP answer, as in Knative.
_NO_STATUS = "500"
#: knativeerrordata has at most 1024 characters: Base64 of this many bytes.
_DATA_BYTES = 768


def dead_letter_event(event: Event, failure: Failed, destination: str) -> Event:
    """The same event (id, source, data and all) plus what went wrong.

    Args:
        event: what could not be delivered.
        failure: why, as the last attempt said.
        destination: the sink that failed, without credentials (knativeerrordest).

    Returns:
        The event with `knativeerrordest`, `knativeerrorcode` (the HTTP status; 500 without one) and
        `knativeerrordata` (Base64 of the first 768 bytes of the sink's answer, or of the reason when there was none).
    """
    status = failure.code if len(failure.code) == 3 and failure.code.isdigit() else _NO_STATUS
    data = failure.body or f"dispatch error: {failure.reason}".encode()
    attributes = {
        **event.attributes,
        "knativeerrordest": destination,
        "knativeerrorcode": status,
        "knativeerrordata": b64encode(data[:_DATA_BYTES]).decode("ascii"),
    }
    return Event(attributes=attributes, data=event.data, key=event.key)
