"""The extensions of a dead letter."""

from __future__ import annotations

from base64 import b64decode

import pytest

from adapter.delivery.dead_letter import dead_letter_event
from adapter.sinks.base import Failed
from tests.support.delivery import make_event


def letter(failure: Failed) -> dict[str, str]:
    return dict(dead_letter_event(make_event(), failure, "https://sink.example/events").attributes)


def test_a_dead_letter_is_the_event_plus_three_extensions() -> None:
    event = make_event()
    failure = Failed(code="400", reason="the sink answered 400", retryable=False, body=b"no such field")
    dead = dead_letter_event(event, failure, "https://sink.example/events")
    assert dead.data == event.data
    assert dead.key == event.key
    assert dict(dead.attributes) == {
        **event.attributes,
        "knativeerrordest": "https://sink.example/events",
        "knativeerrorcode": "400",
        "knativeerrordata": "bm8gc3VjaCBmaWVsZA==",
    }


@pytest.mark.parametrize("code", ["timeout", "reset", "ThrottlingException", "internal"])
def test_without_an_http_status_the_code_is_500_and_the_data_says_why(code: str) -> None:
    attributes = letter(Failed(code=code, reason="no answer within the time-out", retryable=True))
    assert attributes["knativeerrorcode"] == "500"
    assert b64decode(attributes["knativeerrordata"]) == b"dispatch error: no answer within the time-out"


def test_a_long_answer_is_cut_so_that_it_still_decodes() -> None:
    attributes = letter(Failed(code="500", reason="", retryable=True, body=bytes(range(256)) * 4))
    assert len(attributes["knativeerrordata"]) == 1024
    assert b64decode(attributes["knativeerrordata"]) == bytes(range(256)) * 3
