"""The contract of all sinks, and what is special about EventBridge and SQS, on the emulated AWS."""

from __future__ import annotations

import json
import socket
from typing import Any

import boto3
import pytest

from adapter.arn import parse_arn
from adapter.sinks.base import Delivered, Failed
from adapter.sinks.eventbridge import EventBridgeSink
from adapter.sinks.sqs import SqsSink
from emulator.aws import EmulatedAws
from tests.support.delivery import make_event
from tests.support.sink_contract import SinkContract, SinkRig, as_json, by_id, with_data

REGION = "eu-central-1"


@pytest.fixture
def session(aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch) -> boto3.Session:
    for name, value in aws.environment(REGION).items():
        monkeypatch.setenv(name, value)
    return boto3.Session()


class SinkQueue:
    """A queue that is read back."""

    def __init__(self, aws: EmulatedAws, name: str, attributes: dict[str, str] | None = None) -> None:
        self._client = aws.client("sqs", REGION)
        self._url = self._client.create_queue(QueueName=name, Attributes=attributes or {})["QueueUrl"]
        self.arn = f"arn:aws:sqs:{REGION}:{aws.account}:{name}"

    def messages(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        while True:
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=10,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
            if not answer.get("Messages"):
                return messages
            for message in answer["Messages"]:
                self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                messages.append(message)

    def delete(self) -> None:
        self._client.delete_queue(QueueUrl=self._url)


class SqsRig(SinkRig):
    large_bytes = 120_000  # two do not fit into the emulator's 256 KB

    def __init__(self, aws: EmulatedAws, session: boto3.Session, name: str, attributes: dict[str, str]) -> None:
        self.queue = SinkQueue(aws, name, attributes)
        self.sink = SqsSink(parse_arn(self.queue.arn), session, timeout_s=10, connections=4)

    def received(self) -> list[dict[str, object]]:
        return [json.loads(message["Body"]) for message in self.queue.messages()]

    def break_it(self) -> None:
        self.queue.delete()


class EventBridgeRig(SinkRig):
    """A bus with a rule that sends everything to a queue."""

    large_bytes = 120_000

    def __init__(self, aws: EmulatedAws, session: boto3.Session) -> None:
        self.queue = SinkQueue(aws, "behind-the-bus")
        self._events = aws.client("events", REGION)
        arn = self._events.create_event_bus(Name="users")["EventBusArn"]
        pattern = json.dumps({"detail-type": ["com.amazon.cognito-idp.sync_trigger"]})
        self._events.put_rule(Name="all", EventBusName="users", EventPattern=pattern, State="ENABLED")
        self._events.put_targets(Rule="all", EventBusName="users", Targets=[{"Id": "queue", "Arn": self.queue.arn}])
        self.sink = EventBridgeSink(parse_arn(arn), session, timeout_s=10, connections=4)

    def bus_events(self) -> list[dict[str, Any]]:
        return [json.loads(message["Body"]) for message in self.queue.messages()]

    def received(self) -> list[dict[str, object]]:
        return [event["detail"] for event in self.bus_events()]

    def break_it(self) -> None:
        # The emulator, unlike AWS, takes events for a bus that is gone.
        with socket.socket() as closed, pytest.MonkeyPatch.context() as patch:
            closed.bind(("127.0.0.1", 0))
            patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
            self.sink = EventBridgeSink(parse_arn(self.sink.target), boto3.Session(), timeout_s=10, connections=4)


class TestSqs(SinkContract):
    @pytest.fixture(params=["users", "users.fifo"])
    def rig(self, request: pytest.FixtureRequest, aws: EmulatedAws, session: boto3.Session) -> SinkRig:
        attributes = {"FifoQueue": "true"} if request.param.endswith(".fifo") else {}
        return SqsRig(aws, session, request.param, attributes)


class TestEventBridge(SinkContract):
    @pytest.fixture
    def rig(self, aws: EmulatedAws, session: boto3.Session) -> SinkRig:
        return EventBridgeRig(aws, session)


def test_a_bus_event_has_what_rules_match_on(aws: EmulatedAws, session: boto3.Session) -> None:
    rig = EventBridgeRig(aws, session)
    event = make_event(changetype="created")
    rig.sink.send([event])
    (received,) = rig.bus_events()
    assert received["source"] == event.attributes["source"]
    assert received["detail-type"] == event.attributes["type"]
    assert received["resources"] == [event.attributes["source"]]
    assert received["time"].startswith("2026-11-23T12:00:00")
    assert received["detail"] == as_json(event)


def test_a_fifo_queue_groups_by_user_and_drops_repeated_ids(aws: EmulatedAws, session: boto3.Session) -> None:
    rig = SqsRig(aws, session, "users.fifo", {"FifoQueue": "true"})
    name = "ü" * 128
    first, second, other = make_event(name), make_event(name), make_event("bob")
    for event in (first, first, second, other):
        assert rig.sink.send([event]) == [Delivered()]
    messages = rig.queue.messages()
    assert [json.loads(message["Body"])["id"] for message in messages] == [first.id, second.id, other.id]
    groups = [message["Attributes"]["MessageGroupId"] for message in messages]
    assert groups[0] == groups[1] != groups[2]
    assert messages[0]["Attributes"]["MessageDeduplicationId"] == first.id
    assert not any("ü" in group or "bob" in group for group in groups)


def test_an_id_that_a_fifo_queue_does_not_take_is_hashed(aws: EmulatedAws, session: boto3.Session) -> None:
    rig = SqsRig(aws, session, "users.fifo", {"FifoQueue": "true"})
    assert rig.sink.send([make_event(id="a b" * 100)]) == [Delivered()]
    (message,) = rig.queue.messages()
    assert len(message["Attributes"]["MessageDeduplicationId"]) == 64


@pytest.mark.parametrize("kind", ["sqs", "eventbridge"])
def test_an_event_beyond_every_limit_fails_alone_and_for_good(
    kind: str, aws: EmulatedAws, session: boto3.Session
) -> None:
    rig: SinkRig = SqsRig(aws, session, "users", {}) if kind == "sqs" else EventBridgeRig(aws, session)
    events = [make_event("a"), with_data(make_event("b"), "x" * 1_100_000), make_event("c")]
    outcomes = rig.sink.send(events)
    assert isinstance(outcomes[1], Failed)
    assert not outcomes[1].retryable
    assert "1048576" in outcomes[1].reason
    assert by_id(rig.received()) == [as_json(events[0]), as_json(events[2])]


def test_a_missing_queue_is_worth_a_retry_and_named(aws: EmulatedAws, session: boto3.Session) -> None:
    rig = SqsRig(aws, session, "users", {})
    rig.queue.delete()
    (outcome,) = rig.sink.send([make_event()])
    assert isinstance(outcome, Failed)
    assert outcome.retryable
    assert "NonExistentQueue" in outcome.code
