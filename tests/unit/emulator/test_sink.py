"""The recording sink that tests and demo judge deliveries with."""

from __future__ import annotations

import json

import pytest
import requests

from tests.support import RecordingSink

EVENT = {
    "specversion": "1.0",
    "id": "1",
    "type": "t",
    "source": "s",
    "datacontenttype": "application/json",
    "data": {"a": 1},
}
BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-type": "t", "ce-source": "s", "ce-changed": "status"}


def test_events_of_all_three_content_modes_are_read() -> None:
    with RecordingSink.start() as sink:
        requests.post(sink.url, headers=BINARY | {"content-type": "application/json"}, data=b'{"a": 1}', timeout=30)
        requests.post(sink.url, headers={"content-type": "application/cloudevents+json"}, json=EVENT, timeout=30)
        batch = json.dumps([EVENT, EVENT | {"id": "2"}]).encode()
        requests.post(sink.url, headers={"content-type": "application/cloudevents-batch+json"}, data=batch, timeout=30)

    assert [event["id"] for event in sink.events] == ["1", "1", "1", "2"]
    assert all(event.data == {"a": 1} for event in sink.events)
    assert sink.events[0]["changed"] == "status"


def test_a_body_that_is_no_event_is_refused() -> None:
    with RecordingSink.start() as sink:
        answer = requests.post(sink.url, json={"a": 1}, timeout=30)
    assert answer.status_code == 400
    assert sink.requests == []


def test_the_sink_fails_as_often_as_it_is_told_and_keeps_only_what_it_acknowledged() -> None:
    headers = BINARY | {"content-type": "application/json"}
    with RecordingSink.start() as sink:
        sink.fail(503, headers={"Retry-After": "1"})
        sink.fail(0)
        refused = requests.post(sink.url, headers=headers, data=b"{}", timeout=30)
        with pytest.raises(requests.ConnectionError):
            requests.post(sink.url, headers=headers, data=b"{}", timeout=30)
        accepted = requests.post(sink.url, headers=headers, data=b"{}", timeout=30)

    assert (refused.status_code, refused.headers["Retry-After"], accepted.status_code) == (503, "1", 204)
    assert [request.status for request in sink.requests] == [503, 0, 204]
    assert len(sink.events) == 1
