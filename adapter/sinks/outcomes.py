"""What an HTTP answer to an event means: the table of the Knative data plane.

https://github.com/knative/specs/blob/main/specs/eventing/data-plane.md#event-acknowledgement-and-delivery-retry
"""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from adapter.sinks.base import Delivered, Failed, Outcome

#: Besides 5xx. 404 and 409 are among them: a route that is not there yet, a conflict that passes.
_RETRYABLE = frozenset({404, 408, 409, 429})
#: Statuses that no event of a batch is to blame for: they speak about the sender, or about the sink as a whole.
_ABOUT_NO_EVENT = frozenset({401, 405, 407, 429, 502, 503, 504})
#: knativeerrordata has room for no more.
BODY_MAX = 1024


def read_answer(status: int, *, retry_after: str | None, now_s: float, body: bytes = b"") -> Outcome:
    """Turn an answer into an outcome.

    Args:
        status: the HTTP status.
        retry_after: the Retry-After header, if there is one.
        now_s: seconds since the epoch, for a Retry-After that is a date.
        body: the beginning of the answer's body.
    """
    if 200 <= status < 300:
        return Delivered(code=str(status))
    try:
        answered = f"the sink answered {status} {HTTPStatus(status).phrase}"
    except ValueError:
        answered = f"the sink answered {status}"
    if 300 <= status < 400:
        answered += "; redirects are not followed: set the sink to the final address"
    return Failed(
        code=str(status),
        reason=answered,
        retryable=status >= 500 or status in _RETRYABLE,
        retry_after_s=parse_retry_after(retry_after, now_s) if retry_after else None,
        body=body[:BODY_MAX],
        shared=status >= 400 and status not in _ABOUT_NO_EVENT,
    )


def parse_retry_after(value: str, now_s: float) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3): whole seconds or an HTTP date.

    Returns:
        Seconds from now, at least 0; None when the value is neither.
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:  # "-0000": RFC 5322 for UTC of an unknown place
        when = when.replace(tzinfo=UTC)
    return max(0.0, when.timestamp() - now_s)
