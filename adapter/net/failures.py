"""Why there is no response: libcurl's errors as the few kinds that make a difference to whoever asked.

libcurl's own texts are read here and never passed on: they may quote what a server or a proxy sent.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

BROKEN: Final = "the connection broke before there was an answer"


class FaultKind(StrEnum):
    """What went wrong on the way to a response."""

    DNS = "dns"
    CONNECT = "connect"
    PROXY = "proxy"
    TLS = "tls"
    CONNECT_TIMEOUT = "connect_timeout"
    TIMEOUT = "timeout"
    RESET = "reset"
    INVALID = "invalid"
    #: The request can't be sent at all: repeating it is of no use.
    UNSENDABLE = "unsendable"


class TransferError(Exception):
    """There is no response. `reason` is one line for logs; it quotes nothing that came over the network."""

    def __init__(self, kind: FaultKind, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What libcurl says of a transfer that failed.

    Attributes:
        code: a number of https://curl.se/libcurl/c/libcurl-errors.html.
        text: libcurl's message.
        verify_result: OpenSSL's verdict on the server's certificate: X509_V_ERR_* of x509_vfy.h, 0 for a good one.
        connect_status: the status of the proxy's answer to CONNECT; 0: none came.
        sent: bytes of requests that were sent, those to a proxy included.
        errno: the system's number for why there is no connection; 0: not known.
        proxied: there is a proxy on the way.
        tunnelled: the proxy is asked for a tunnel.
        shook_hands: the connection was new, and TLS was agreed on.
    """

    code: int
    text: str
    verify_result: int = 0
    connect_status: int = 0
    sent: int = 0
    errno: int = 0
    proxied: bool = False
    tunnelled: bool = False
    shook_hands: bool = False


_DNS: Final = 6
_CONNECT: Final = 7
_PROXY: Final = frozenset({5, 97})
_TIMEOUT: Final = 28
#: CURLE_PARTIAL_FILE, CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR.
_RESET: Final = frozenset({18, 52, 55, 56})
_TLS: Final = frozenset({35, 53, 54, 58, 59, 60, 64, 66, 77, 80, 82, 83, 90, 91, 98})
#: CURLE_UNSUPPORTED_PROTOCOL (for HTTP/0.9 too), CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING, CURLE_TOO_LARGE.
_INVALID: Final = frozenset({1, 8, 61, 100})
#: What comes after the head and is broken: of responses whose status counts, it is cut.
_BAD_FRAMING: Final = ("chunk", "headers")
_TOO_LONG: Final = 23
_CA_FILE: Final = 77
#: X509_V_ERR_*: not yet valid, expired; no issuer, self-signed, chain incomplete, untrusted root.
_NOT_VALID_NOW: Final = {9: "is not valid yet", 10: "has expired"}
_UNKNOWN_CA: Final = frozenset({2, 18, 19, 20, 21, 27})
#: Texts of OpenSSL for the alert by which a server asks for a client's certificate (RFC 8446, 6.2), and of older ones.
_CLIENT_CERTIFICATE: Final = ("certificate required", "handshake failure")
_NO_TLS: Final = ("wrong version number", "packet length too long", "http request", "unexpected message")


def fault_of(transfer: Transfer) -> TransferError:
    """The error for a transfer that failed."""
    code = transfer.code
    if transfer.tunnelled and transfer.connect_status >= 300:
        return TransferError(FaultKind.PROXY, proxy_refusal(transfer.connect_status))
    if code == _TIMEOUT:
        return _timeout(transfer)
    if code in _PROXY:
        return TransferError(FaultKind.PROXY, "the proxy can't be reached, or does not answer as one")
    if code == _DNS:
        return TransferError(FaultKind.DNS, "the name of the host is not known")
    if code == _CONNECT:
        if transfer.proxied:
            return TransferError(FaultKind.PROXY, "the proxy can't be reached")
        why = os.strerror(transfer.errno) if transfer.errno else "the host can't be reached"
        return TransferError(FaultKind.CONNECT, f"no connection: {why}")
    if code in _TLS or (code in _RESET and _mentions(transfer.text, (_CLIENT_CERTIFICATE[0],))):
        return TransferError(FaultKind.TLS, _tls(transfer))
    if code == _TOO_LONG:
        return TransferError(FaultKind.INVALID, "the response's body is too long")
    if code in _INVALID or (code in _RESET and _mentions(transfer.text, _BAD_FRAMING)):
        return TransferError(FaultKind.INVALID, "the response is not valid HTTP/1.1")
    if code in _RESET:
        # A server's wish for a certificate comes after a handshake of TLS 1.3, and may get lost when it hangs up.
        hint = " (as after TLS 1.3 when a client certificate is missing)" if transfer.shook_hands else ""
        return TransferError(FaultKind.RESET, BROKEN + hint)
    return TransferError(FaultKind.RESET, f"the transfer failed (libcurl's error {code})")


def proxy_refusal(status: int) -> str:
    """What to say of a proxy that answers with a status of its own."""
    if status == 407:
        return "the proxy asks for other credentials (407)"
    return f"the proxy refused the connection ({status})"


def _timeout(transfer: Transfer) -> TransferError:
    if not transfer.sent or (transfer.tunnelled and not transfer.connect_status):
        return TransferError(FaultKind.CONNECT_TIMEOUT, "no connection within the time-out")
    return TransferError(FaultKind.TIMEOUT, "no answer within the time-out")


def _tls(transfer: Transfer) -> str:
    """Which fault of TLS it is."""
    text, verdict = transfer.text, transfer.verify_result
    if transfer.code == _CA_FILE:
        return "the TLS handshake failed: the CA certificates can't be read"
    if verdict in _NOT_VALID_NOW:
        return f"the TLS handshake failed: the server's certificate {_NOT_VALID_NOW[verdict]}"
    if _mentions(text, ("subject name", "does not match", "hostname mismatch")):
        return "the TLS handshake failed: the server's certificate is for another name"
    if verdict in _UNKNOWN_CA:
        return "the TLS handshake failed: the CA of the server's certificate is not known"
    if _mentions(text, _CLIENT_CERTIFICATE):
        return "the TLS handshake failed: the server asks for a client certificate, or for other versions or ciphers"
    if _mentions(text, _NO_TLS):
        return "the TLS handshake failed: the server does not speak TLS on this port"
    return "the TLS handshake failed"


def _mentions(text: str, words: tuple[str, ...]) -> bool:
    text = text.lower()
    return any(word in text for word in words)
