"""The web server of the status page: two things to GET, nothing to change.

It is meant for 127.0.0.1, so its dangers are other pages in the same browser: no CORS, no framing, and only requests
whose Host header names this machine by an address, so that a name that an attacker points at 127.0.0.1 is of no use.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from adapter.config.values import Address
from adapter.net.http_message import HttpReply, HttpRequest
from adapter.net.http_server import HttpServer
from adapter.observability.status_page.document import Document, load
from adapter.observability.status_page.history import SPANS
from adapter.observability.status_page.report import Report

#: Of every answer; the page has a policy of its own.
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
#: uri-host [ ":" port ] of RFC 9110, section 7.2, as far as it names a machine.
_HOST: Final = re.compile(r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[0-9a-z._-]+))(?::[0-9]{1,5})?", re.ASCII)


class StatusServer:
    """Serves the page in a thread of its own, between `__enter__` and `__exit__`.

    Args:
        report: what to show; told once a second to book what happened.
        address: where to listen; port 0 takes a free one.

    Raises:
        OSError: the address can't be had.
    """

    def __init__(self, report: Report, address: Address) -> None:
        self._address = address
        page = _Page(report, load(), address.host)
        self._server = HttpServer(
            address.host,
            address.port,
            page.answer,
            name="status",
            keep_alive=True,
            headers=_HEADERS,
            tick=report.tick,
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    @property
    def url(self) -> str:
        """What to open in a browser on this machine."""
        return f"http://{Address(_reachable(self._address.host), self.port)}/"

    def __enter__(self) -> StatusServer:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()


@dataclass(frozen=True, slots=True)
class _Page:
    """What is answered to whom; `host` is the one of the setting."""

    report: Report
    document: Document
    host: str

    def answer(self, request: HttpRequest) -> HttpReply:
        """Answer, if it is one of the two that there are and asked in this machine's name."""
        if request.method not in {"GET", "HEAD"}:
            return _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "This page only shows: GET and HEAD.", Allow="GET, HEAD")
        if not self._is_for_us(request):
            return _refusal(
                HTTPStatus.MISDIRECTED_REQUEST,
                "This page answers to the address that it listens on and to localhost, and to no other name.",
            )
        if request.path == "/":
            policy = {"Content-Security-Policy": self.document.policy}
            return HttpReply(
                status=200, body=self.document.body, content_type="text/html; charset=utf-8", headers=policy
            )
        if request.path == "/status":
            return self._status(parse_qs(request.query))
        return _refusal(HTTPStatus.NOT_FOUND, "There are / and /status.")

    def _status(self, query: Mapping[str, list[str]]) -> HttpReply:
        span = query.get("span", [SPANS[0].name])[0]
        names = [each.name for each in SPANS]
        if span not in names:
            return _refusal(HTTPStatus.BAD_REQUEST, f"span: expected one of {', '.join(names)}.")
        body = json.dumps(self.report.status(span), separators=(",", ":")).encode()
        return HttpReply(status=200, body=body, content_type="application/json")

    def _is_for_us(self, request: HttpRequest) -> bool:
        """Whether the one Host header names this machine: localhost, or the address that the connection came to."""
        given = request.all("host")
        found = _HOST.fullmatch(given[0].lower()) if len(given) == 1 else None
        if found is None:
            return False
        name = found["ipv6"] or found["name"]
        if name in {"localhost", self.host.lower()}:
            return True
        try:
            address = ipaddress.ip_address(name)
            came_to = ipaddress.ip_address(request.came_to.partition("%")[0])
        except ValueError:
            return False
        return address.is_loopback or address == getattr(came_to, "ipv4_mapped", None) or address == came_to


def _refusal(status: int, text: str, **headers: str) -> HttpReply:
    return HttpReply(
        status=status, body=f"{text}\n".encode(), content_type="text/plain; charset=utf-8", headers=headers
    )


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
