"""Events to an Amazon EventBridge event bus: PutEvents.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html

The bus event has the CloudEvent's `source` and `type` (as detail-type), the pool's ARN as resource, and the whole
CloudEvent in JSON as `detail`, so that rules can match on any of its attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from adapter.arn import Arn
from adapter.events.formats import structured
from adapter.model import Event
from adapter.sinks.aws import (
    INVALID_RESPONSE,
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
        for (index, _), outcome in zip(group, _outcomes(answer, len(group)), strict=True):
            outcomes[index] = outcome

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


def _outcomes(answer: dict[str, Any], count: int) -> list[Outcome]:
    """What an answer says of each entry. Its entries are those of the request, in order: other counts prove nothing."""
    entries = listed(answer, "Entries")
    if entries is None or len(entries) != count:
        return [INVALID_RESPONSE] * count
    outcomes: list[Outcome] = [_outcome(entry) for entry in entries]
    failed = answer.get("FailedEntryCount", 0)
    if not isinstance(failed, int) or failed > sum(isinstance(outcome, Failed) for outcome in outcomes):
        # More were refused than can be told apart: nobody knows which of them arrived.
        return [outcome if isinstance(outcome, Failed) else INVALID_RESPONSE for outcome in outcomes]
    return outcomes


def _outcome(entry: dict[str, Any]) -> Outcome:
    if code := entry.get("ErrorCode"):
        return entry_failure(code)
    return Delivered() if is_id(entry.get("EventId")) else UNCONFIRMED
