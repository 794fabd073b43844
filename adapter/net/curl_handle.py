"""One handle of libcurl: the only place that speaks to its bindings."""

from __future__ import annotations

import math
import select
import time
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from adapter.net.failures import BROKEN, FaultKind, Transfer, TransferError, fault_of, proxy_refusal
from adapter.net.origin import Limits, Origin
from adapter.net.response import Response, final_head, status_of
from adapter.net.trust import TrustStore

#: A connection that was idle for longer is not used again: what is between the two ends may have forgotten it.
IDLE_MAX_S: Final = 60
#: CURLOPT_SUPPRESS_CONNECT_HEADERS and CURLOPT_QUICK_EXIT, which pycurl has no names for: what a proxy says is not of
#: the response, and a resolver that does not answer is not waited for at the end.
_SUPPRESS_CONNECT_HEADERS: Final = 265
_QUICK_EXIT: Final = 322
#: Errors of libcurl that leave a response whose status counts: its body is too long, late, cut or broken.
_AFTER_THE_HEAD: Final = frozenset({8, 18, 23, 28, 42, 52, 55, 56, 61, 100})
#: CURLE_BAD_CONTENT_ENCODING comes before the end of the head: of a transfer encoding that nobody asked for.
_BAD_ENCODING: Final = 61
#: A body of so many bytes takes more than one piece to send, so that an answer may come before it was sent.
_LARGE: Final = 16_384


class CurlHandle:
    """One handle of libcurl with at most one connection. Used by one thread at a time."""

    __slots__ = (
        *("_body_left", "_curl", "_head_at", "_headers", "_key", "_limits", "_lines", "_origin", "_parts"),
        *("_sent", "_timeout_s", "_trusted"),
    )

    def __init__(self, origin: Origin, limits: Limits) -> None:
        """Connect to nothing yet."""
        pycurl = _libcurl()
        self._origin = origin
        self._limits = limits
        self._lines: list[bytes] = []
        self._parts: list[bytes] = []
        self._body_left = 0
        self._head_at: float | None = None
        self._headers: Sequence[bytes] | None = None
        self._key: tuple[str, str] | None = None
        self._timeout_s = limits.total_s
        self._trusted = 0
        self._sent = 0
        self._curl = curl = pycurl.Curl()
        for option, value in _options(origin, limits):
            curl.setopt(option, value)
        curl.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        curl.setopt(pycurl.WRITEFUNCTION, self._on_body)
        curl.setopt(pycurl.NOPROGRESS, 0)
        curl.setopt(pycurl.XFERINFOFUNCTION, _go_on if limits.cut_s is None else self._on_progress)
        if not limits.repeat:
            curl.setopt(pycurl.PREREQFUNCTION, self._on_request)

    def send(
        self, headers: Sequence[bytes], body: bytes, key: tuple[str, str] | None, timeout_s: float | None
    ) -> Response:
        """As `HttpClient.send`."""
        begun = time.monotonic()
        allowed_s = self._limits.total_s if timeout_s is None else min(timeout_s, self._limits.total_s)
        if headers is not self._headers:
            self._set_headers(headers)
        if key is not self._key and key is not None:
            self._set_key(key)
        self._set_timeout(allowed_s)
        if self._origin.trust is not None:
            self._set_trust(self._origin.trust)
        try:
            return self._perform(body)
        except TransferError as error:
            left_s = allowed_s - (time.monotonic() - begun)
            if error.kind is not FaultKind.RESET or len(body) < _LARGE or not self._limits.repeat or left_s <= 0:
                raise
        # A server that refuses a body without reading it resets the connection, and its answer may get lost by that.
        # Asked for permission first (RFC 9110, 10.1.1) it has nothing unread when it answers.
        self._set_headers(headers, expect=b"Expect: 100-continue")
        self._set_timeout(left_s)
        try:
            return self._perform(body)
        finally:
            self._headers = None

    def close(self) -> None:
        """Close the connection."""
        self._curl.close()

    def _perform(self, body: bytes) -> Response:
        pycurl = _libcurl()
        curl = self._curl
        fresh = self._brought_something_late()
        if fresh:
            curl.setopt(pycurl.FRESH_CONNECT, 1)
        self._lines.clear()
        self._parts.clear()
        self._body_left, self._head_at, self._sent = self._limits.body_bytes, None, 0
        curl.setopt(pycurl.POSTFIELDS, body)
        try:
            curl.perform()
        except pycurl.error as error:
            return self._broken(error)
        finally:
            if fresh:
                curl.setopt(pycurl.FRESH_CONNECT, 0)
        head = final_head(self._lines)
        if head is None:
            raise TransferError(FaultKind.RESET, BROKEN)
        return self._response(head)

    def _response(self, head: Sequence[bytes]) -> Response:
        status = status_of(head)
        if status is None:
            raise TransferError(FaultKind.INVALID, "the response is not valid HTTP/1.1")
        if status == 407 and self._origin.proxy is not None and not self._origin.tunnelled:
            raise TransferError(FaultKind.PROXY, proxy_refusal(status))
        return Response(status, head[1:], b"".join(self._parts))

    def _broken(self, error: Exception) -> Response:
        """What there is in spite of an error of libcurl's: a status that counts.

        Raises:
            TransferError: nothing.
        """
        pycurl = _libcurl()
        get, origin = self._curl.getinfo, self._origin
        code = error.args[0] if isinstance(error.args[0], int) else 0
        if self._sent > 1:
            raise TransferError(FaultKind.RESET, BROKEN) from None
        if code in _AFTER_THE_HEAD and self._limits.cut_s is not None:
            lines = [*self._lines, b"\r\n"] if code == _BAD_ENCODING else self._lines
            if (head := final_head(lines)) is not None:
                return self._response(head)
        raise fault_of(
            Transfer(
                code=code,
                text=str(error.args[-1]),
                verify_result=get(pycurl.SSL_VERIFYRESULT),
                connect_status=get(pycurl.HTTP_CONNECTCODE),
                sent=get(pycurl.REQUEST_SIZE),
                errno=get(pycurl.OS_ERRNO),
                proxied=origin.proxy is not None,
                tunnelled=origin.tunnelled,
                shook_hands=get(pycurl.NUM_CONNECTS) > 0 and get(pycurl.APPCONNECT_TIME) > 0,
            )
        ) from None

    def _brought_something_late(self) -> bool:
        """Whether the kept connection has bytes that nobody asked for, or its end: libcurl looks once a second only.

        Such bytes would be taken for the response to the next request.
        """
        descriptor = self._curl.getinfo(_libcurl().ACTIVESOCKET)
        if descriptor < 0:
            return False
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))

    def _set_headers(self, headers: Sequence[bytes], expect: bytes = b"Expect:") -> None:
        # All in one piece, for it is done for each event.
        text = b"\n%b\n" % b"\n".join(headers)
        between = text.count(b"\n") - 2
        if between >= max(1, len(headers)) or b"\r" in text or b"\0" in text:
            raise TransferError(FaultKind.UNSENDABLE, "a header has a line break")
        # libcurl's own headers are left out, and a header without a value is written with a semicolon.
        lines = [expect, b"Accept:", *headers]
        if b":\n" in text or b" \n" in text:
            lines[2:] = map(_with_empty_value, headers)
        if b"\ncontent-type:" not in text.lower():
            lines.append(b"Content-Type:")
        self._curl.setopt(_libcurl().HTTPHEADER, lines)
        self._headers = headers

    def _set_key(self, key: tuple[str, str]) -> None:
        pycurl = _libcurl()
        self._curl.setopt(pycurl.USERNAME, key[0])
        self._curl.setopt(pycurl.PASSWORD, key[1])
        self._key = key

    def _set_timeout(self, seconds: float) -> None:
        if seconds != self._timeout_s:
            self._curl.setopt(_libcurl().TIMEOUT_MS, _milliseconds(seconds))
            self._timeout_s = seconds

    def _set_trust(self, trust: TrustStore) -> None:
        pycurl = _libcurl()
        found = trust.read()
        if found.version == self._trusted:
            return
        options = [(pycurl.CAINFO_BLOB, pycurl.CAPATH)]
        if self._origin.proxy is not None and self._origin.proxy.url.startswith("https:"):
            options.append((pycurl.PROXY_CAINFO_BLOB, pycurl.PROXY_CAPATH))
        for blob, folder in options:
            self._curl.setopt(blob, found.pem)
            if found.folders:
                self._curl.setopt(folder, found.folders)
        self._trusted = found.version

    def _on_request(self, *_: object) -> int:
        """Called whenever a request is about to be sent over a connection that is there; 1 ends the transfer."""
        self._sent += 1
        return int(self._sent > 1)

    def _on_body(self, data: bytes) -> int:
        """A piece of the body; another number than its length ends the transfer."""
        if len(data) > self._body_left:
            self._parts.append(data[: self._body_left])
            self._body_left = 0
            return -1
        self._parts.append(data)
        self._body_left -= len(data)
        return len(data)

    def _on_progress(self, *_: int) -> int:
        """As `_go_on`, but 1 ends a transfer whose body is not there `cut_s` after its head."""
        if not self._lines or self._limits.cut_s is None:
            return 0
        if self._head_at is None:
            if final_head(self._lines) is not None:
                self._head_at = time.monotonic()
            return 0
        return int(time.monotonic() - self._head_at > self._limits.cut_s)


def _go_on(*_: int) -> int:
    """Called ten times a request, and once a second: what lets Python handle signals while a response is awaited."""
    return 0


def _with_empty_value(line: bytes) -> bytes:
    name, _, value = line.partition(b":")
    return line if value.strip() else name + b";"


def _options(origin: Origin, limits: Limits) -> list[tuple[int, object]]:
    """Everything that stays the same for all requests of a handle."""
    pycurl = _libcurl()
    proxy = origin.proxy
    options: list[tuple[int, object]] = [
        (pycurl.URL, origin.url),
        (pycurl.POST, 1),
        (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
        (pycurl.USERAGENT, origin.user_agent),
        (pycurl.NOSIGNAL, 1),
        (pycurl.TCP_KEEPALIVE, 1),
        (pycurl.MAXCONNECTS, 1),
        (pycurl.MAXAGE_CONN, IDLE_MAX_S),
        # Connections are kept, so that a name is asked for seldom; what is asked for then should be what is true then.
        (pycurl.DNS_CACHE_TIMEOUT, 0),
        (pycurl.TIMEOUT_MS, _milliseconds(limits.total_s)),
        (pycurl.CONNECTTIMEOUT_MS, _milliseconds(limits.connect_s or limits.total_s)),
        (pycurl.PROXY, proxy.url if proxy else ""),
        (pycurl.NOPROXY, ""),  # who is reached without a proxy was decided before
        (_SUPPRESS_CONNECT_HEADERS, 1),
        (_QUICK_EXIT, 1),
    ]
    if proxy is not None and (proxy.username or proxy.password):
        options += [(pycurl.PROXYUSERNAME, proxy.username), (pycurl.PROXYPASSWORD, proxy.password)]
    if limits.silence_s is not None:
        options += [(pycurl.LOW_SPEED_LIMIT, 1), (pycurl.LOW_SPEED_TIME, math.ceil(limits.silence_s))]
    if origin.method != "POST":
        options.append((pycurl.CUSTOMREQUEST, origin.method))
    if origin.signing:
        options.append((pycurl.AWS_SIGV4, origin.signing))
    return options


def _milliseconds(seconds: float) -> int:
    """At least 1: 0 would be no time-out at all."""
    return max(1, math.ceil(seconds * 1000))


def libcurl_version() -> str:
    """The version of libcurl that is in use."""
    return str(_libcurl().version_info()[1])


@cache
def _libcurl() -> Any:
    """Import libcurl's bindings when they are first needed: they take 20 MB of libraries and 30 ms."""
    import pycurl

    return pycurl
