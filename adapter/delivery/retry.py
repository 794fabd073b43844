"""When a failed delivery is tried again: Knative's DeliverySpec, as pure arithmetic.

The names and the formulas are those of Knative Eventing (pkg/apis/duck/v1/delivery_types.go, pkg/kncloudevents/
retries.go). There is no jitter, as there: one adapter is one sender, the requests in flight are bounded, and the
circuit breaker lets single probes through when the sink is down, so there is no herd to spread.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

#: No wait is longer than this: a user's later changes wait behind the event that is being retried.
MAX_WAIT_S = 3600.0
#: The most that a Retry-After is honoured for when `retryAfterMax` is not set.
DEFAULT_RETRY_AFTER_MAX_S = 300.0


class BackoffPolicy(StrEnum):
    """How the wait grows from one retry to the next."""

    LINEAR = "linear"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and when an event is tried again.

    `retry` counts the attempts after the first; `backoff_delay_s` is the unit of the wait before the n-th retry,
    n from 0 as Knative's implementation counts: exponential waits delay * 2**n (0.2, 0.4, 0.8, 1.6, ... s for PT0.2S),
    linear delay * n (0, 0.2, 0.4, 0.6, ... s: the first retry is immediate). No wait is longer than an hour.
    `retry_after_max_s` bounds what a Retry-After may ask for; 0 ignores the header, None stands for 5 minutes.
    `timeout_s` is the time that one attempt may take; the sinks keep it.
    """

    retry: int = 3
    backoff_policy: BackoffPolicy = BackoffPolicy.EXPONENTIAL
    backoff_delay_s: float = 0.2
    timeout_s: float = 30.0
    retry_after_max_s: float | None = None

    def delay(self, attempt: int, retry_after_s: float | None = None) -> float | None:
        """How long to wait before retry number `attempt` (from 0).

        Args:
            attempt: how many retries were made before this one.
            retry_after_s: what the sink asked for, in seconds, if it did.

        Returns:
            Seconds; the longer one of the backoff and the bounded Retry-After. None: no retry is left.
        """
        if attempt >= self.retry:
            return None
        if self.backoff_policy is BackoffPolicy.LINEAR:
            wait_s = self.backoff_delay_s * attempt
        else:
            # 2**60 delays are beyond every limit below, and beyond 2**1023 floats end.
            wait_s = self.backoff_delay_s * 2.0 ** min(attempt, 60)
        return min(max(wait_s, self.asked(retry_after_s)), MAX_WAIT_S)

    def asked(self, retry_after_s: float | None) -> float:
        """What a Retry-After counts for, in seconds: an attempt that is no retry waits for that long alone."""
        longest_s = DEFAULT_RETRY_AFTER_MAX_S if self.retry_after_max_s is None else self.retry_after_max_s
        return min(retry_after_s or 0.0, longest_s, MAX_WAIT_S)
