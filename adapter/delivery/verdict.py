"""What an answer of the sink says about the sink itself, apart from what it says about the event."""

from __future__ import annotations

from enum import Enum
from typing import Final

from adapter.sinks.base import Delivered, Outcome

#: HTTP statuses that are signs of an outage or an overload, whichever event the request carried.
OUTAGE_STATUSES: Final = frozenset({"429", "502", "503", "504"})
#: An idempotent receiver answers 409 Conflict to an event that it has: about this event, though it can be retried.
REFUSAL_STATUSES: Final = frozenset({"409"})
#: Failures without an HTTP status that can lie in one event: an answer that leaves it out, an exception in a sink.
_ABOUT_ONE_EVENT: Final = frozenset({"internal", "missing"})


class Verdict(Enum):
    """What one outcome says about the sink."""

    DELIVERED = "delivered"
    #: It refuses this event: a final answer, or 409. A gateway before a sink that is down may say so, too.
    REFUSED = "refused"
    #: About this event or about all of them: 404, 408, 500 and other 5xx. Only the answers to others can tell.
    UNCLEAR = "unclear"
    #: No connection, no answer in time, 429, 502, 503, 504; from AWS whatever is not about the entry; a full disk.
    OUTAGE = "outage"


def judge(outcome: Outcome) -> Verdict:
    """Classify an outcome by its code alone."""
    if isinstance(outcome, Delivered):
        return Verdict.DELIVERED
    code = outcome.code
    if not outcome.retryable or code in REFUSAL_STATUSES:
        return Verdict.REFUSED
    is_status = len(code) == 3 and code.isdigit()
    about_one = code not in OUTAGE_STATUSES if is_status else code in _ABOUT_ONE_EVENT
    return Verdict.UNCLEAR if about_one else Verdict.OUTAGE
