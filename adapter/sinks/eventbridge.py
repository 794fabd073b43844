"""Events to an Amazon EventBridge event bus: PutEvents.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html

The bus event has the CloudEvent's `source` and `type` (as detail-type), the pool's ARN as resource, and the whole
CloudEvent in JSON as `detail`, so that rules can match on any of its attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from adapter.arn import Arn
from adapter.model import Event
from adapter.sinks.aws import MAX_ENTRIES, entry_failure, make_client, request, send_in_groups
from adapter.sinks.base import Failed, Outcome
from adapter.sinks.wire import structured

if TYPE_CHECKING:
    from boto3 import Session

#: PutEvents counts 14 bytes for the time of an entry, and the UTF-8 bytes of everything else:
#: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html
_TIME_BYTES = 14


class EventBridgeSink:
    """Up to ten events a request, each with its own outcome."""

    def __init__(self, arn: Arn, session: Session, *, timeout_s: float, connections: int) -> None:
        """`arn` is that of the event bus; it may be another account's."""
        self._arn = str(arn)
        self._client = make_client(session, "events", arn.region, timeout_s=timeout_s, connections=connections)

    @property
    def target(self) -> str:
        """The bus's ARN."""
        return self._arn

    @property
    def max_batch(self) -> int:
        """Ten, the API's limit."""
        return MAX_ENTRIES

    def send(self, events: Sequence[Event]) -> Sequence[Outcome]:
        """One request, or several when the events are too large for one."""
        entries = [self._entry(event) for event in events]
        return send_in_groups(entries, _size, self._send_group)

    def _send_group(self, group: Sequence[tuple[int, dict[str, Any]]], outcomes: list[Outcome]) -> None:
        entries = [entry for _, entry in group]
        answer = request(lambda: self._client.put_events(Entries=entries))
        if isinstance(answer, Failed):
            for index, _ in group:
                outcomes[index] = answer
            return
        # The answer's entries are those of the request, in order.
        for (index, _), said in zip_longest(group, answer["Entries"][: len(group)]):
            if said is None:
                outcomes[index] = Failed(code="missing", reason="the answer leaves the entry out", retryable=True)
            elif code := said.get("ErrorCode"):
                outcomes[index] = entry_failure(code)

    def _entry(self, event: Event) -> dict[str, Any]:
        attributes = event.attributes
        entry: dict[str, Any] = {
            "EventBusName": self._arn,
            "Source": attributes["source"],
            "DetailType": attributes["type"],
            "Detail": structured(event).decode(),
            "Resources": [attributes["source"]],
        }
        if "time" in attributes:
            entry["Time"] = datetime.fromisoformat(attributes["time"])
        return entry

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _size(entry: dict[str, Any]) -> int:
    texts = (entry["Source"], entry["DetailType"], entry["Detail"], *entry["Resources"])
    return sum(len(text.encode()) for text in texts) + (_TIME_BYTES if "Time" in entry else 0)
