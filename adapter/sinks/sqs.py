"""Events to an Amazon SQS queue, standard or FIFO: SendMessageBatch.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html

The message's body is the CloudEvent in JSON. On a FIFO queue the user is the message group, so that a user's changes
are received in order, and the event's id is the deduplication id, so that a re-send within five minutes is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from adapter.arn import Arn
from adapter.events.formats import STRUCTURED_TYPE, structured
from adapter.model import Event
from adapter.sinks.aws import (
    MAX_ENTRIES,
    UNCONFIRMED,
    entry_failure,
    is_id,
    listed,
    make_client,
    request,
    send_in_groups,
)
from adapter.sinks.base import Delivered, Failed, Outcome

if TYPE_CHECKING:
    from boto3 import Session

#: What MessageDeduplicationId may be; an id that is something else is hashed.
_DEDUPLICATION_ID = re.compile(r"[!-~]{1,128}")
_ATTRIBUTES = {"content-type": {"DataType": "String", "StringValue": STRUCTURED_TYPE}}
_ATTRIBUTES_BYTES = len("content-type" + "String" + STRUCTURED_TYPE)


class SqsSink:
    """Up to ten messages a request, each with its own outcome."""

    def __init__(self, arn: Arn, session: Session, *, timeout_s: float, connections: int) -> None:
        """`arn` is that of the queue, `.fifo` at its end makes it a FIFO queue; it may be another account's."""
        self._arn = str(arn)
        self._fifo = arn.resource.endswith(".fifo")
        self._client = make_client(session, "sqs", arn.region, timeout_s=timeout_s, connections=connections)
        # What GetQueueUrl would answer, without the permission to ask.
        self._url = f"{self._client.meta.endpoint_url}/{arn.account}/{arn.resource}"

    @property
    def target(self) -> str:
        """The queue's ARN."""
        return self._arn

    @property
    def max_batch(self) -> int:
        """Ten, the API's limit."""
        return MAX_ENTRIES

    def send(self, events: Sequence[Event]) -> Sequence[Outcome]:
        """One request, or several when the events are too large for one."""
        entries = [self._entry(index, event) for index, event in enumerate(events)]
        return send_in_groups(entries, _size, self._send_group)

    def _send_group(self, group: Sequence[tuple[int, dict[str, Any]]], outcomes: list[Outcome]) -> None:
        entries = [entry for _, entry in group]
        answer = request(lambda: self._client.send_message_batch(QueueUrl=self._url, Entries=entries))
        if isinstance(answer, Failed):
            for index, _ in group:
                outcomes[index] = answer
            return
        taken, refused = listed(answer, "Successful"), listed(answer, "Failed")
        if not taken and not refused:
            return  # no answer of the API's: no event is known to have arrived
        ids = [str(each.get("Id")) for each in (*(taken or ()), *(refused or ()))]
        # Ids that were not sent, or that come twice: the answer may be to another request.
        fits = len(ids) == len(set(ids)) and {entry["Id"] for entry in entries}.issuperset(ids)
        confirmed = {str(each.get("Id")) for each in taken or () if is_id(each.get("MessageId"))}
        codes = {str(each.get("Id")): each.get("Code") for each in refused or ()}
        for index, entry in group:
            if entry["Id"] in codes:
                outcomes[index] = entry_failure(codes[entry["Id"]])
            elif fits:
                outcomes[index] = Delivered() if entry["Id"] in confirmed else UNCONFIRMED

    def _entry(self, index: int, event: Event) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "Id": str(index),
            "MessageBody": _message_text(structured(event)),
            "MessageAttributes": _ATTRIBUTES,
        }
        if self._fifo:
            # Hashed: a username may be longer than a group's name and is nothing for metadata anyway.
            entry["MessageGroupId"] = _hash(event.key)
            entry["MessageDeduplicationId"] = event.id if _DEDUPLICATION_ID.fullmatch(event.id) else _hash(event.id)
        return entry

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _size(entry: dict[str, Any]) -> int:
    return len(entry["MessageBody"].encode()) + _ATTRIBUTES_BYTES


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _message_text(body: bytes) -> str:
    """JSON with the two characters escaped that SQS refuses and JSON does not."""
    return body.decode().replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
