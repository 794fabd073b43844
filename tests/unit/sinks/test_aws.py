"""What EventBridge and SQS answer, one entry at a time: against scripted answers of the API."""

from __future__ import annotations

import json
import threading
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from adapter.arn import parse_arn
from adapter.delivery.verdict import Verdict, judge
from adapter.sinks.aws import groups
from adapter.sinks.base import Delivered, Failed, Outcome
from adapter.sinks.eventbridge import EventBridgeSink
from adapter.sinks.sqs import SqsSink
from tests.support.delivery import make_event
from tests.support.sink_contract import CANARY
from tests.support.sink_server import ScriptedResponse, sink_server

SESSION = boto3.Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="example")
BUS = parse_arn("arn:aws:events:eu-central-1:123456789012:event-bus/users")
QUEUE = parse_arn("arn:aws:sqs:eu-central-1:210987654321:users")


@pytest.fixture
def bus() -> EventBridgeSink:
    return EventBridgeSink(BUS, SESSION, timeout_s=1, connections=1)


@pytest.fixture
def queue() -> SqsSink:
    return SqsSink(QUEUE, SESSION, timeout_s=1, connections=1)


def send(sink: EventBridgeSink | SqsSink, count: int, *, answer: dict[str, Any] | str) -> list[Outcome]:
    """Send events; the service answers this, or with the error of this code."""
    operation = "put_events" if isinstance(sink, EventBridgeSink) else "send_message_batch"
    with Stubber(sink._client) as stub:
        if isinstance(answer, str):
            stub.add_client_error(operation, answer, f"no: {CANARY}", 400)
        elif isinstance(sink, EventBridgeSink):
            stub.add_response(operation, answer, {"Entries": ANY})
        else:
            url = "https://sqs.eu-central-1.amazonaws.com/210987654321/users"
            stub.add_response(operation, answer, {"QueueUrl": url, "Entries": ANY})
        outcomes = list(sink.send([make_event(str(number)) for number in range(count)]))
        stub.assert_no_pending_responses()
    return outcomes


def test_each_entry_of_a_bus_has_its_own_outcome(bus: EventBridgeSink) -> None:
    entries = [
        {"EventId": "1"},
        {"ErrorCode": "ThrottlingException", "ErrorMessage": f"no: {CANARY}"},
        {"ErrorCode": "MalformedDetail", "ErrorMessage": f"no: {CANARY}"},
        {},
    ]
    good, throttled, malformed, missing = send(bus, 4, answer={"FailedEntryCount": 2, "Entries": entries})
    assert isinstance(good, Delivered)
    assert isinstance(throttled, Failed)
    assert (throttled.code, throttled.retryable) == ("ThrottlingException", True)
    assert isinstance(malformed, Failed)
    assert (malformed.code, malformed.retryable) == ("MalformedDetail", False)
    assert isinstance(missing, Failed)
    assert missing.retryable
    assert CANARY not in repr([throttled, malformed])


def test_each_entry_of_a_queue_has_its_own_outcome(queue: SqsSink) -> None:
    answer = {
        "Successful": [{"Id": "2", "MessageId": "m", "MD5OfMessageBody": "x"}],
        "Failed": [
            {"Id": "0", "SenderFault": False, "Code": "InternalError", "Message": CANARY},
            {"Id": "1", "SenderFault": True, "Code": "InvalidMessageContents", "Message": CANARY},
        ],
    }
    internal, invalid, good, missing = send(queue, 4, answer=answer)
    assert isinstance(internal, Failed)
    assert (internal.code, internal.retryable) == ("InternalError", True)
    assert isinstance(invalid, Failed)
    assert (invalid.code, invalid.retryable) == ("InvalidMessageContents", False)
    assert isinstance(good, Delivered)
    assert isinstance(missing, Failed)
    assert missing.retryable
    assert CANARY not in repr([internal, invalid])


GOOD = {"EventId": "1"}
THROTTLED = {"ErrorCode": "ThrottlingException"}
#: Answers with the status 200 to two entries, and how many events they prove to have arrived.
UNPROVEN: list[tuple[str, object, int]] = [
    ("bus", b"<html><title>Sign in to the Wi-Fi</title></html>", 0),
    ("bus", b"", 0),
    ("bus", None, 0),
    ("bus", [], 0),
    ("bus", {}, 0),
    ("bus", {"Entries": None}, 0),
    ("bus", {"Entries": "no"}, 0),
    ("bus", {"Entries": [None, None]}, 0),
    ("bus", {"Entries": [{}, {}]}, 0),
    ("bus", {"Entries": [{"EventId": None}, {"EventId": ""}]}, 0),
    ("bus", {"Entries": [{"EventId": 1}, {"EventId": ["x"]}]}, 0),
    ("bus", {"FailedEntryCount": 0, "Entries": [GOOD]}, 0),
    ("bus", {"FailedEntryCount": 0, "Entries": [GOOD, GOOD, GOOD]}, 0),
    ("bus", {"FailedEntryCount": 1, "Entries": [GOOD, GOOD]}, 0),
    ("bus", {"FailedEntryCount": "many", "Entries": [GOOD, GOOD]}, 0),
    ("bus", {"FailedEntryCount": 0, "Entries": [GOOD, THROTTLED]}, 1),
    ("bus", {"FailedEntryCount": 1, "Entries": [GOOD, {**GOOD, **THROTTLED}]}, 1),
    ("bus", {"FailedEntryCount": 0, "Entries": [GOOD, GOOD]}, 2),
    ("queue", b"<html><title>Sign in to the Wi-Fi</title></html>", 0),
    ("queue", None, 0),
    ("queue", [], 0),
    ("queue", {}, 0),
    ("queue", {"Successful": None, "Failed": None}, 0),
    ("queue", {"Successful": "no"}, 0),
    ("queue", {"Successful": [{"Id": "0"}, {"Id": "1", "MessageId": ""}]}, 0),
    ("queue", {"Successful": [{"Id": "0", "MessageId": "m"}, {"Id": "7", "MessageId": "m"}]}, 0),
    ("queue", {"Successful": [{"Id": "0", "MessageId": "m"}, {"Id": "0", "MessageId": "m"}]}, 0),
    ("queue", {"Successful": [{"Id": ["0"], "MessageId": "m"}]}, 0),
    ("queue", {"Successful": [{"Id": "0", "MessageId": "m"}], "Failed": [{"Id": "0", "Code": "InternalError"}]}, 0),
    ("queue", {"Successful": [{"Id": "0", "MessageId": "m"}], "Failed": [{"Id": "1"}]}, 1),
    ("queue", {"Successful": [{"Id": "0", "MessageId": "m"}, {"Id": "1", "MessageId": "m"}]}, 2),
]


@pytest.mark.parametrize(("kind", "answer", "proven"), UNPROVEN)
def test_only_what_the_answer_confirms_counts_as_delivered(
    kind: str, answer: object, proven: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    with sink_server() as server:
        server.default = ScriptedResponse(status=200, headers={"content-type": "application/x-amz-json-1.0"}, body=body)
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url.removesuffix("/events"))
        sink: EventBridgeSink | SqsSink = (
            EventBridgeSink(BUS, SESSION, timeout_s=5, connections=1)
            if kind == "bus"
            else SqsSink(QUEUE, SESSION, timeout_s=5, connections=1)
        )
        outcomes = sink.send([make_event("0"), make_event("1")])
        sink.close()
    assert [type(outcome) for outcome in outcomes] == [Delivered] * proven + [Failed] * (2 - proven)
    assert all(outcome.retryable for outcome in outcomes if isinstance(outcome, Failed))


def test_an_entry_without_a_word_may_be_alone_but_an_answer_of_something_else_is_about_the_service(
    bus: EventBridgeSink, queue: SqsSink
) -> None:
    entry = {"Successful": [{"Id": "0", "MessageId": "m", "MD5OfMessageBody": "x"}], "Failed": []}
    outcomes = [
        *send(bus, 2, answer={"FailedEntryCount": 0, "Entries": [GOOD, {}]})[1:],
        *send(queue, 2, answer=entry)[1:],
        *send(bus, 1, answer={}),
        *send(queue, 1, answer={"Successful": [], "Failed": []}),
    ]
    assert [judge(outcome) for outcome in outcomes] == [Verdict.UNCLEAR] * 2 + [Verdict.OUTAGE] * 2


@pytest.mark.parametrize("kind", ["bus", "queue"])
@pytest.mark.parametrize(
    "code", ["ThrottlingException", "AccessDenied", "ExpiredToken", "InternalFailure", "ServiceUnavailable"]
)
def test_an_error_of_the_whole_request_is_retried(kind: str, code: str, request: pytest.FixtureRequest) -> None:
    outcomes = send(request.getfixturevalue(kind), 3, answer=code)
    assert [(outcome.code, outcome.retryable) for outcome in outcomes if isinstance(outcome, Failed)] == [
        (code, True)
    ] * 3
    assert CANARY not in repr(outcomes)


def test_a_request_that_is_refused_for_its_content_lets_each_event_try_alone(queue: SqsSink) -> None:
    outcomes = send(queue, 2, answer="AWS.SimpleQueueService.BatchRequestTooLong")
    assert [(o.retryable, o.shared) for o in outcomes if isinstance(o, Failed)] == [(False, True)] * 2


def test_without_credentials_events_wait() -> None:
    sink = SqsSink(QUEUE, boto3.Session(), timeout_s=1, connections=1)
    (outcome,) = sink.send([make_event()])
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("NoCredentialsError", True)


@pytest.mark.parametrize(
    "answer",
    [
        ScriptedResponse(status=200, fault="drip"),
        ScriptedResponse(status=200, body=b" " * 2_000_000),
        ScriptedResponse(status=200, fault="garbage"),
    ],
    ids=["drip", "large", "garbage"],
)
@pytest.mark.parametrize("kind", ["bus", "queue"])
def test_no_answer_holds_a_worker_for_ever_or_fills_the_memory(
    kind: str, answer: ScriptedResponse, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: list[Outcome] = []
    with sink_server() as server:
        server.default = answer
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url.removesuffix("/events"))
        sink = (EventBridgeSink if kind == "bus" else SqsSink)(
            BUS if kind == "bus" else QUEUE, SESSION, timeout_s=1, connections=1
        )
        worker = threading.Thread(target=lambda: outcomes.extend(sink.send([make_event()])), daemon=True)
        worker.start()
        worker.join(30)
        assert [judge(outcome) for outcome in outcomes] == [Verdict.OUTAGE]
        sink.close()


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([1] * 25, [10, 10, 5]),
        ([100_000] * 5, [2, 2, 1]),
        ([1, 262_144, 1], [1, 1, 1]),
        ([1_000_000, 1], [1, 1]),
        ([262_143, 1, 1], [2, 1]),
    ],
)
def test_requests_stay_within_ten_entries_and_256_kb(sizes: list[int], expected: list[int]) -> None:
    made = list(groups([(size, index) for index, size in enumerate(sizes)]))
    assert [len(group) for group in made] == expected
    assert [index for group in made for index in group] == list(range(len(sizes)))
