"""Our retries against those of botocore's standard mode."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions as boto
from botocore.awsrequest import AWSResponse
from botocore.retries import standard

from adapter.cognito.retry import backoff_s, is_retryable, is_throttled
from adapter.cognito.service_error import ServiceError
from adapter.net.failures import FaultKind, TransferError

THROTTLED: Any = standard.ThrottledRetryableChecker()
TRANSIENT: Any = standard.TransientRetryableChecker()
CODES = [
    *THROTTLED._THROTTLED_ERROR_CODES,
    *TRANSIENT._TRANSIENT_ERROR_CODES,
    "InvalidParameterException",
    "NotAuthorizedException",
    "ResourceNotFoundException",
    "ExpiredTokenException",
    "InternalErrorException",
    "400",
]


def context(code: str, status: int, caught: Exception | None = None) -> standard.RetryContext:
    answer: Any = None if caught else AWSResponse("http://x", status, {}, None)  # type: ignore[arg-type]
    parsed = None if caught else {"Error": {"Code": code}, "ResponseMetadata": {}}
    return standard.RetryContext(
        attempt_number=1, http_response=answer, parsed_response=parsed, caught_exception=caught
    )


def botocore_retries(asked: standard.RetryContext) -> bool:
    return bool(TRANSIENT.is_retryable(asked) or THROTTLED.is_retryable(asked))


@pytest.mark.parametrize("status", [400, 403, 500, 501, 502, 503, 504, 505])
@pytest.mark.parametrize("code", CODES)
def test_an_answer_is_worth_another_attempt_to_us_when_it_is_to_botocore(code: str, status: int) -> None:
    assert is_retryable(ServiceError(status=status, code=code)) == botocore_retries(context(code, status))


def test_too_many_requests_of_a_gateway_are_tried_again_as_well() -> None:
    assert is_retryable(ServiceError(status=429, code="429"))


@pytest.mark.parametrize(
    ("kind", "theirs"),
    [
        (FaultKind.DNS, boto.EndpointConnectionError(endpoint_url="")),
        (FaultKind.CONNECT, boto.EndpointConnectionError(endpoint_url="")),
        (FaultKind.PROXY, boto.ProxyConnectionError(proxy_url="")),
        (FaultKind.TLS, boto.SSLError(endpoint_url="", error=OSError())),
        (FaultKind.CONNECT_TIMEOUT, boto.ConnectTimeoutError(endpoint_url="")),
        (FaultKind.TIMEOUT, boto.ReadTimeoutError(endpoint_url="")),
        (FaultKind.RESET, boto.ConnectionClosedError(endpoint_url="")),
        (FaultKind.INVALID, boto.HTTPClientError(error="")),
    ],
)
def test_a_fault_on_the_way_is_worth_another_attempt(kind: FaultKind, theirs: Exception) -> None:
    assert is_retryable(TransferError(kind, "")) == botocore_retries(context("", 0, theirs))


def test_what_can_not_be_sent_is_not() -> None:
    assert not is_retryable(TransferError(FaultKind.UNSENDABLE, ""))


def test_the_waits_grow_and_are_longer_after_throttling() -> None:
    throttled = ServiceError(status=400, code="TooManyRequestsException")
    broken = TransferError(FaultKind.RESET, "")
    assert is_throttled(throttled)
    assert [backoff_s(attempt, throttled, 1.0) for attempt in range(1, 8)] == [1, 2, 4, 8, 16, 20, 20]
    assert [backoff_s(attempt, broken, 1.0) for attempt in range(1, 4)] == [0.05, 0.1, 0.2]
    assert backoff_s(3, throttled, 0.25) == 1
