"""Events to an HTTP address, as the CloudEvents binding and the Knative data plane describe it."""

from __future__ import annotations

import socket
import ssl
import time
from collections import deque
from collections.abc import Sequence
from http.client import HTTPException

from adapter.model import Event
from adapter.sinks.address import header_lines, resolve
from adapter.sinks.answer import read_answer
from adapter.sinks.base import Failed, Outcome
from adapter.sinks.connection import BadAnswerError, Connection
from adapter.sinks.options import ContentMode, HttpOptions
from adapter.sinks.token import TokenFile
from adapter.sinks.wire import BATCH_TYPE, STRUCTURED_TYPE, batched, binary_headers, structured


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
        self._connections = options.connections
        self._token = TokenFile(options.token_file) if options.token_file else None
        self._idle: deque[Connection] = deque()

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
        rest = f"{header_lines(headers)}content-length: {len(body)}\r\n\r\n"
        return [self._post(b"".join((self._address.head, rest.encode("latin-1"), body)))] * len(events)

    def _post(self, request: bytes) -> Outcome:
        deadline = time.monotonic() + self._timeout_s
        connection = self._idle_connection()
        if connection is None:
            try:
                connection = self._address.route.connect(self._timeout_s)
            except (OSError, HTTPException) as error:
                return _no_connection(error)
        try:
            answer = connection.exchange(request, deadline)
        except TimeoutError:
            return Failed(code="timeout", reason="no answer within the time-out", retryable=True)
        except OSError:
            return Failed(code="reset", reason="the connection broke before there was an answer", retryable=True)
        except BadAnswerError as error:
            return Failed(code="reset", reason=str(error), retryable=True)
        finally:
            if connection.reusable and len(self._idle) < self._connections:
                self._idle.append(connection)
            else:
                connection.close()
        return read_answer(answer.status, retry_after=answer.retry_after, now_s=time.time(), body=answer.body)

    def _idle_connection(self) -> Connection | None:
        """The connection that was used last, if the sink did not close it meanwhile."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.usable():
                return connection
            connection.close()

    def close(self) -> None:
        """Close the idle connections."""
        self._connections = 0
        while self._idle:
            self._idle.pop().close()


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
