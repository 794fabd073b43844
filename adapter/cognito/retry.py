"""Which ListUsers requests are worth another attempt, and when: botocore's standard mode, as pure functions.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html; tests/unit/cognito/test_retry.py compares.
"""

from __future__ import annotations

from typing import Final

from adapter.cognito.service_error import ServiceError
from adapter.net.failures import FaultKind, TransferError

#: Attempts of one request, the first included.
ATTEMPTS: Final = 3
#: Codes that ask to slow down. ListUsers models TooManyRequestsException; gateways in front of it use the others.
THROTTLING_CODES: Final = frozenset(
    {
        "TooManyRequestsException",
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "BandwidthLimitExceeded",
        "TransactionInProgressException",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "SlowDown",
        "429",
    }
)
_TRANSIENT_CODES: Final = frozenset({"RequestTimeout", "RequestTimeoutException"})
_TRANSIENT_STATUSES: Final = frozenset({500, 502, 503, 504})
_TOO_MANY: Final = 429
#: The longest wait before the second attempt, in seconds: after throttling, and after anything else. It doubles.
_THROTTLED_S: Final = 1.0
_OTHERWISE_S: Final = 0.05
_MAX_S: Final = 20.0


def is_throttled(error: ServiceError) -> bool:
    """Whether an answer asks to slow down."""
    return error.code in THROTTLING_CODES or error.status == _TOO_MANY


def is_retryable(error: ServiceError | TransferError) -> bool:
    """Whether the same request may succeed in a moment."""
    if isinstance(error, TransferError):
        return error.kind is not FaultKind.UNSENDABLE
    return is_throttled(error) or error.code in _TRANSIENT_CODES or error.status in _TRANSIENT_STATUSES


def backoff_s(attempt: int, error: ServiceError | TransferError, share: float) -> float:
    """How long to wait after an attempt: up to 0.05, 0.1, 0.2 s, or after throttling up to 1, 2, 4 ... 20 s.

    Args:
        attempt: the number of the attempt, from 1.
        error: how it failed.
        share: from 0 to 1, by chance: of several clients not all come back at once.
    """
    throttled = isinstance(error, ServiceError) and is_throttled(error)
    return share * float(min((_THROTTLED_S if throttled else _OTHERWISE_S) * 2 ** (attempt - 1), _MAX_S))
