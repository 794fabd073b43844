"""Our reading of errors against botocore's own parser, on every shape that an answer can have."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import JSONParser
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.cognito.service_error import ServiceError, read_error

SERVICE = botocore.session.Session().get_service_model("cognito-idp")
SHAPES: list[Any] = [SERVICE.operation_model("ListUsers").output_shape, None]

CODES = st.sampled_from(
    [
        "TooManyRequestsException",
        "com.amazonaws.cognito#InvalidParameterException",
        "aws.protocoltests.json#FooError:http://internal.amazon.com/coral/com.amazon.coral.validate/",
        "FooError:http://internal",
        "a#b#c:d:e",
        "",
    ]
)
PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=10)
BODIES = st.fixed_dictionaries(
    {},
    optional={"__type": CODES | PLAIN, "message": st.text() | st.none(), "Message": st.text(), "reasonCode": PLAIN},
).map(lambda found: json.dumps(found).encode())
ODD = st.sampled_from(
    [b"", b" ", b"<html>busy</html>", b" <html>", b"not json", b"[]", b"null", b'"text"', b"7", b"\xff\xfe", b"{"]
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "x-amzn-query-error": st.sampled_from(["AWS.Simple;Sender", ";Sender", "x", "a;b;c", "a;", ""]),
        "retry-after": st.sampled_from(["7", "soon"]),
        "x-amzn-requestid": st.just("r-1"),
    },
)
STATUSES = st.sampled_from([301, 302, 400, 401, 403, 404, 413, 429, 500, 502, 503, 504, 599])


def ours(status: int, headers: dict[str, str], body: bytes) -> ServiceError:
    return read_error(status, headers.get, body)


@given(STATUSES, HEADERS, BODIES | ODD | st.binary(max_size=100), st.sampled_from(SHAPES))
@settings(max_examples=400, deadline=None)
def test_any_error_means_the_same_to_us_and_to_botocore(
    status: int, headers: dict[str, str], body: bytes, shape: Any
) -> None:
    found = ours(status, headers, body)
    answer = {"status_code": status, "headers": HeadersDict(headers), "body": body, "context": {}}
    try:
        theirs = JSONParser().parse(answer, shape)["Error"]
    except (AttributeError, TypeError, ValueError, RecursionError):
        # JSON that is no object, a code that is no text, not UTF-8: botocore's parser breaks, the status still counts.
        assert found.code == str(status)
        return
    assert found.code == theirs["Code"]
    assert found.message == str(theirs["Message"])


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("-1", None), ("soon", None), ("1e9", None), ("nan", None), (None, None)],
)
def test_retry_after_counts_when_it_is_a_sensible_number_of_seconds(value: str | None, seconds: float | None) -> None:
    assert ours(429, {} if value is None else {"retry-after": value}, b"{}").retry_after_s == seconds


def test_json_that_is_too_deep_keeps_its_status() -> None:
    assert ours(502, {}, b"[" * 100_000).code == "502"


def test_the_services_words_are_not_shown() -> None:
    assert "canary" not in repr(ours(400, {}, b'{"__type":"X","message":"canary"}'))
