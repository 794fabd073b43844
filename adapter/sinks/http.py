"""Events to an HTTP address, as the CloudEvents binding and the Knative data plane describe it."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from http.client import HTTPException
from typing import Final

from adapter.http1 import BadAnswerError, ConnectError, Limits, Pool
from adapter.model import Event
from adapter.sinks.address import header_lines, resolve
from adapter.sinks.answer import read_answer
from adapter.sinks.base import Failed, Outcome
from adapter.sinks.options import ContentMode, HttpOptions
from adapter.sinks.token import TokenFile
from adapter.sinks.wire import BATCH_TYPE, STRUCTURED_TYPE, batched, binary_headers, structured

#: Of an answer the status counts. A body that is not there by then, or is longer than its limit, is not waited for.
_CUT_S: Final = 1.0


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
        limits = Limits(connect_s=options.timeout_s, cut_s=_CUT_S, idle=options.connections)
        self._pool = Pool(self._address.route, limits)

    @property
    def target(self) -> str:
        """The address without credentials and query."""
        return self._address.target

    @property
    def max_batch(self) -> int:
        """One, but for the batched mode."""
        return self._batch_size if self._mode is ContentMode.BATCHED else 1

    def send(self, events: Sequence[Event]) -> Sequence[Outcome]:
        """One request; in batched mode all events share its outcome."""
        if self._mode is ContentMode.BINARY:
            headers, body = binary_headers(events[0]), events[0].data
        elif self._mode is ContentMode.STRUCTURED:
            headers, body = {"content-type": STRUCTURED_TYPE}, structured(events[0])
        else:
            headers, body = {"content-type": BATCH_TYPE}, batched(events)
        if self._token:
            headers["authorization"] = f"Bearer {self._token.read()}"
        if self._inject is not None:
            self._inject(headers)
        rest = f"{header_lines(headers)}content-length: {len(body)}\r\n\r\n"
        return [self._post(b"".join((self._address.head, rest.encode("latin-1"), body)))] * len(events)

    def _post(self, request: bytes) -> Outcome:
        try:
            answer = self._pool.exchange(request, time.monotonic() + self._timeout_s)
        except ConnectError as error:
            return _no_connection(error.cause)
        except TimeoutError:
            return Failed(code="timeout", reason="no answer within the time-out", retryable=True)
        except OSError:
            return Failed(code="reset", reason="the connection broke before there was an answer", retryable=True)
        except BadAnswerError as error:
            return Failed(code="reset", reason=str(error), retryable=True)
        retry_after = answer.headers.get("retry-after")
        return read_answer(answer.status, retry_after=retry_after, now_s=time.time(), body=answer.body)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()


def _no_connection(error: OSError | HTTPException) -> Failed:
    """Why there is no connection. The text of the error is left out: it may quote what a proxy said."""
    if isinstance(error, ssl.SSLError):
        code, reason = "tls", "the TLS handshake failed: is the CA of the sink known (K_CA_CERTS), its name right?"
    elif isinstance(error, TimeoutError):
        code, reason = "timeout", "no connection within the time-out"
    elif isinstance(error, socket.gaierror):
        code, reason = "dns", "the name of the host is not known"
    elif isinstance(error, HTTPException):
        code, reason = "proxy", "the proxy refused the connection"
    else:
        code, reason = "connect", f"no connection: {error.strerror}"
    return Failed(code=code, reason=reason, retryable=True)
