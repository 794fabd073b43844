"""An HTTP response out of the lines and bytes that libcurl hands over: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

#: How libcurl ends a head: a line with nothing in it.
_BLANK: Final = (b"\r\n", b"\n")
_BLANK_MAX: Final = 2
#: Where a status line's code is: `HTTP/1.1 200 OK`.
_CODE: Final = slice(9, 12)


@dataclass(frozen=True, slots=True)
class Response:
    """A final response: its status, the lines of its head, its body as it was sent."""

    status: int
    lines: Sequence[bytes] = field(repr=False)
    body: bytes = field(repr=False)

    def header(self, name: str) -> str | None:
        """The value of a header, repeated ones joined by commas; None without it. `name` is in lower case."""
        wanted = name.encode("ascii") + b":"
        # All lines in one look: most responses don't have the header that is asked for.
        if wanted not in b"".join(self.lines).lower():
            return None
        size = len(wanted)
        found = [line[size:].strip() for line in self.lines if line[:size].lower() == wanted]
        return b", ".join(found).decode("latin-1") if found else None


def final_head(lines: Sequence[bytes]) -> list[bytes] | None:
    """The status line and headers of the final response; None when its head did not come whole.

    libcurl takes a connection that ends in the middle of a head for the end of the response: a status whose head is not
    complete is no answer. Interim responses come before the final one, trailers after it.

    Args:
        lines: every line that libcurl read as one of a head, in order, folded lines unfolded.
    """
    start = 0
    for number, line in enumerate(lines):
        if len(line) > _BLANK_MAX or line not in _BLANK:
            continue
        head = list(lines[start:number])
        code = head[0][_CODE] if head else b""
        if code[:1] != b"1" or code == b"101":
            return head
        start = number + 1
    return None


def status_of(head: Sequence[bytes]) -> int | None:
    """The status of a final response's head; None when it is in another protocol than HTTP/1."""
    line = head[0] if head else b""
    code = line[_CODE]
    if not line.startswith(b"HTTP/1.") or not code.isdigit() or code < b"200":
        return None
    return int(code)
