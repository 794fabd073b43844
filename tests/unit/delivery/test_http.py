"""Dispatcher and HTTP sink together, with a server that misbehaves."""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict

import pytest

from adapter.delivery import Batching, CircuitBreaker, Delivery, Result, RetryPolicy, Status
from adapter.sinks.http import HttpSink
from adapter.sinks.options import ContentMode, HttpOptions
from tests.support.delivery import make_event
from tests.support.sink_server import ScriptedResponse, SinkServer, sink_server

MISBEHAVIOUR = (
    ScriptedResponse(500),
    ScriptedResponse(503, {"Retry-After": "0"}, b"busy"),
    ScriptedResponse(429),
    ScriptedResponse(fault="reset"),
    ScriptedResponse(fault="garbage"),
    ScriptedResponse(202, body=b"half", fault="truncate"),
    ScriptedResponse(202, close_silently=True),
)


def ids_by_user(server: SinkServer) -> dict[str, list[str]]:
    """What a consumer makes of the requests that dropped what it knows already: the ids of each user, in order."""
    seen: dict[str, list[str]] = defaultdict(list)
    for request in server.requests:
        if "ce-id" in request.headers:
            events = [{"id": request.headers["ce-id"], "partitionkey": request.headers["ce-partitionkey"]}]
        else:
            events = json.loads(request.body)
        for event in events:
            if event["id"] not in seen[event["partitionkey"]]:
                seen[event["partitionkey"]].append(event["id"])
    return seen


def collect_all(delivery: Delivery) -> list[Result]:
    results: list[Result] = []
    deadline = time.monotonic() + 60
    while delivery.in_flight:
        assert time.monotonic() < deadline
        results += delivery.collect(1)
    return results


@pytest.mark.parametrize("mode", [ContentMode.BINARY, ContentMode.BATCHED])
def test_everything_arrives_in_order_at_a_sink_that_misbehaves_every_third_time(mode: ContentMode) -> None:
    dice = random.Random(20_261_123)
    with sink_server() as server:
        server.script.extend(
            dice.choice(MISBEHAVIOUR) if dice.random() < 0.33 else ScriptedResponse() for _ in range(400)
        )
        sink = HttpSink(server.url, HttpOptions(mode=mode, batch_size=10, timeout_s=5))
        delivery = Delivery(
            sink,
            RetryPolicy(retry=100, backoff_delay_s=0.0),
            capacity=50,
            batch=Batching(10, 0.01),
            breaker=CircuitBreaker(signs=3, users=3, probe_s=0.01),
        )
        events = [make_event(f"user-{number % 20}") for number in range(300)]
        for event in events:
            delivery.submit(event)
        results = collect_all(delivery)
        delivery.close(5)
        sink.close()
        seen = ids_by_user(server)
    assert {result.status for result in results} == {Status.DELIVERED}
    assert len(results) == len({result.event.id for result in results}) == 300
    expected: dict[str, list[str]] = defaultdict(list)
    for event in events:
        expected[event.key].append(event.id)
    assert seen == expected
    assert len(server.requests) > 300 or mode is ContentMode.BATCHED
