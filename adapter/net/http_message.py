"""Requests and replies of HTTP/1.1 as values, for a server that shows things and takes nothing. No I/O.

https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

#: The end of a head. A recipient may take a bare LF for a line's end (RFC 9112, 2.2).
HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE: Final = re.compile(rf"({_NAME}) ([!-~]+) HTTP/1\.([0-9])")
#: No space before the colon and no line that continues another: both are ways to smuggle (RFC 9112, 5.1 and 5.2).
_FIELD: Final = re.compile(rf"({_NAME}):[ \t]*([^\0\r\n]*?)[ \t]*")
_SERVER: Final = "cognito-source"


class BadRequestError(ValueError):
    """The head of a request is not one of HTTP/1.x."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request without its body.

    `headers` have names in lower case, in the order in which they came; `came_to` is the address of this machine that
    the connection was made to.
    """

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    came_to: str = ""
    persistent: bool = True

    def all(self, name: str) -> list[str]:
        """Every value of a header, by its name in lower case."""
        return [value for each, value in self.headers if each == name]

    def header(self, name: str) -> str:
        """The values of a header as one list, "" if there is none."""
        return ", ".join(self.all(name))

    @property
    def has_body(self) -> bool:
        """Whether a body follows, which must not be taken for the next request."""
        return bool(self.all("content-length") or self.all("transfer-encoding"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """What is said to a request; `content_type` is left out where it is ""."""

    status: int
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def parse_head(head: bytes, came_to: str = "") -> HttpRequest:
    """Read a request's head, without the empty line at its end.

    Raises:
        BadRequestError: it is none. Its text repeats nothing of it.
    """
    line, *fields = head.decode("latin-1").replace("\r\n", "\n").split("\n")
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        raise BadRequestError("the request line is not one of HTTP/1.x")
    headers = []
    for each in fields:
        pair = _FIELD.fullmatch(each)
        if pair is None:
            raise BadRequestError("a header field is malformed")
        headers.append((pair[1].lower(), pair[2]))
    path, _, query = found[2].partition("?")
    wishes = ",".join(value for name, value in headers if name == "connection").lower().split(",")
    return HttpRequest(
        method=found[1],
        path=path,
        query=query,
        headers=tuple(headers),
        came_to=came_to,
        persistent=found[3] != "0" and "close" not in map(str.strip, wishes),
    )


def render(reply: HttpReply, *, now_s: float, close: bool, head_only: bool = False) -> bytes:
    """The bytes of a reply.

    Args:
        reply: what to say.
        now_s: seconds since the epoch, for Date.
        close: whether the connection ends with it.
        head_only: the request was HEAD.
    """
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = ""
    lines = [f"HTTP/1.1 {reply.status} {phrase}", f"Server: {_SERVER}", f"Date: {formatdate(now_s, usegmt=True)}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    if reply.content_type:
        lines.append(f"Content-Type: {reply.content_type}")
    bodiless = reply.status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
    if not bodiless:  # RFC 9110, section 8.6
        lines.append(f"Content-Length: {len(reply.body)}")
    if close:
        lines.append("Connection: close")
    head = "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")
    return head if head_only or bodiless else head + reply.body
