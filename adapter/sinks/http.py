"""Events to an HTTP address, as the CloudEvents binding and the Knative data plane describe it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from adapter.events.formats import BATCH_TYPE, STRUCTURED_TYPE, batches, binary_headers, structured
from adapter.model import Event
from adapter.net.failures import FaultKind, TransferError
from adapter.net.http_client import HttpClient
from adapter.net.origin import Limits
from adapter.sinks.address import header_lines, resolve
from adapter.sinks.base import Failed, Outcome
from adapter.sinks.options import ContentMode, HttpOptions
from adapter.sinks.outcomes import read_answer
from adapter.sinks.token import TokenFile

#: Of an answer the status counts. A body that is not there by then, or is longer than its limit, is not waited for.
_CUT_S: Final = 1.0
#: The longest body with more than one event, in bytes: below nginx's default limit (1 MiB).
BATCH_BYTES: Final = 1_000_000
#: The codes of outcomes, where they are not the names of the faults.
_CODES: Final = {FaultKind.CONNECT_TIMEOUT: "timeout", FaultKind.INVALID: "reset"}


class HttpSink:
    """One POST per event (binary, structured) or per batch (batched)."""

    def __init__(self, url: str, options: HttpOptions, *, variable: str = "K_SINK") -> None:
        """Prepare everything; nothing is sent and no connection is made.

        Args:
            url: `http://` or `https://`, with credentials and query if need be.
            options: see there.
            variable: the environment variable that the address is from, for messages.

        Raises:
            ConfigError: the address, CAs, headers, proxy or the token file can't be used.
        """
        self._address = resolve(url, options, variable=variable)
        self._mode = options.mode
        self._batch_size = options.batch_size
        self._timeout_s = options.timeout_s
        self._inject = options.inject
        self._token = TokenFile(options.token_file) if options.token_file else None
        limits = Limits(total_s=options.timeout_s, cut_s=_CUT_S, idle=options.connections)
        self._client = HttpClient(self._address.origin, limits)

    @property
    def target(self) -> str:
        """The address without credentials and query."""
        return self._address.target

    @property
    def max_batch(self) -> int:
        """One, but for the batched mode."""
        return self._batch_size if self._mode is ContentMode.BATCHED else 1

    def send(self, events: Sequence[Event]) -> Sequence[Outcome]:
        """One request for one event; in batched mode one for as many as fit into `BATCH_BYTES`.

        Events of one request share its outcome. All of it takes `timeout_s` at most.
        """
        try:
            if self._mode is ContentMode.BINARY:
                return [self._post(binary_headers(events[0]), events[0].data, self._timeout_s)]
            if self._mode is ContentMode.STRUCTURED:
                return [self._post({"content-type": STRUCTURED_TYPE}, structured(events[0]), self._timeout_s)]
            return self._post_batches(events)
        except UnicodeError:
            unsendable = Failed(code="unsendable", reason="the event has text that can't be sent", retryable=False)
            return [unsendable] * len(events)

    def _post_batches(self, events: Sequence[Event]) -> list[Outcome]:
        deadline = time.monotonic() + self._timeout_s
        outcomes: list[Outcome] = []
        for count, body in batches(events, BATCH_BYTES):
            left_s = self._timeout_s if not outcomes else deadline - time.monotonic()
            if left_s > 0:
                outcome = self._post({"content-type": BATCH_TYPE}, body, left_s)
            else:
                outcome = Failed(code="timeout", reason="no time was left for this part of the batch", retryable=True)
            outcomes += [outcome] * count
        return outcomes

    def _post(self, headers: dict[str, str], body: bytes, timeout_s: float) -> Outcome:
        if self._token:
            headers["authorization"] = f"Bearer {self._token.read()}"
        if self._inject is not None:
            self._inject(headers)
        try:
            response = self._client.send(self._address.headers + header_lines(headers), body, timeout_s=timeout_s)
        except TransferError as error:
            return _failed(error)
        retry_after = response.header("retry-after")
        return read_answer(response.status, retry_after=retry_after, now_s=time.time(), body=response.body)

    def close(self) -> None:
        """Close the idle connections."""
        self._client.close()


def _failed(error: TransferError) -> Failed:
    """What a fault on the way is to an event."""
    code = _CODES.get(error.kind, error.kind.value)
    reason = f"{error.reason} (K_CA_CERTS)" if error.kind is FaultKind.TLS else error.reason
    return Failed(code=code, reason=reason, retryable=error.kind is not FaultKind.UNSENDABLE)
