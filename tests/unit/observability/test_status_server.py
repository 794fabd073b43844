"""The status page's server: what it says as JSON, and whom it answers."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapter.cognito.rate_limiter import RateLimiter
from adapter.config import settings as config
from adapter.config.settings import Settings
from adapter.config.values import Address
from adapter.delivery import Result, Status
from adapter.model import Event, Kind
from adapter.observability.health import Health
from adapter.observability.metrics import Metrics
from adapter.observability.status_page.report import Report
from adapter.observability.status_page.server import StatusServer
from adapter.state.sqlite.lock import Holder

ARN = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"
HOSTILE = "<img src=x onerror=alert(1)>"


def settings(**more: str) -> Settings:
    return config.load({"ARN": ARN, "K_SINK": "https://user:secret@events.example.com/x?key=secret", **more})


class ServerWorld:
    """A report of an adapter that told two events, and its server."""

    def __init__(self, settings: Settings) -> None:
        self.health = Health()
        self.metrics = Metrics(source=ARN, name="users", traffic=lambda: (120, 3))
        self.report = Report(settings, self.health, self.metrics, RateLimiter(settings.polling.max_rps))
        for number, name in enumerate(["ada", HOSTILE]):
            attributes = {"id": f"id-{number}", "type": "t", "time": "2026-11-23T12:00:00Z", "changed": "status"}
            event = Event(attributes=attributes, data=b"", key=name)
            result = Result(event=event, status=Status.DELIVERED, code="202")
            self.metrics.finished([(result, Kind.UPDATED, 0.25)])
        self.metrics.users = 2
        self.metrics.swept("complete", 1.5, 7)


@pytest.fixture
def world() -> ServerWorld:
    """One that a test may change."""
    return ServerWorld(settings())


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The server of a world that stays as it is."""
    with StatusServer(ServerWorld(settings()).report, Address("127.0.0.1", 0)) as opened:
        yield opened.port


def ask(
    port: int, path: str = "/status", *, method: str = "GET", host: str | None = "localhost", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.putrequest(method, path, skip_host=True)
        for name, value in {**({"Host": host} if host is not None else {}), **headers}.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def told(port: int, path: str = "/status") -> dict[str, Any]:
    code, _, body = ask(port, path)
    assert code == 200
    found: dict[str, Any] = json.loads(body)
    return found


def test_the_json_holds_what_the_probes_and_the_metrics_say(world: ServerWorld) -> None:
    found = world.report.status("15m")
    assert {name: found[name] for name in world.metrics.status()} == world.metrics.status()
    assert (found["ready"], found["unready"]) == (False, ["no successful poll yet"])
    assert (found["events_by_kind"], found["last_sweep_pages"], found["pace_rps"]) == ({"updated": 2}, 7, 10)
    assert found["pool"] == {
        "arn": ARN,
        "id": "eu-central-1_AbCdEfGhI",
        "region": "eu-central-1",
        "account": "123456789012",
    }
    world.health.polled()
    assert world.report.status("15m")["ready"] is True


def test_the_json_says_who_holds_the_lease(world: ServerWorld) -> None:
    def lease() -> tuple[Any, Any]:
        found = world.report.status("15m")
        return found["lease_holder"], found["holds_lease"]

    assert lease() == (None, False)
    world.health.holder = Holder(host="elsewhere", pid=7, since="then")
    assert lease() == ("process 7 on elsewhere since then", False)
    world.health.holder = Holder.this_process()
    assert lease() == (str(world.health.holder), True)


def test_the_guide_names_every_field(port: int) -> None:
    guide = (Path(__file__).resolve().parents[3] / "docs" / "status-page.md").read_text()
    assert [name for name in told(port) if f"`{name}`" not in guide and f"`{name}." not in guide] == []


def test_no_secret_is_shown(port: int) -> None:
    _, _, body = ask(port)
    assert b"secret" not in body
    assert json.loads(body)["settings"]["sink"] == "https://********@events.example.com/x?********"


def test_the_last_events_come_newest_first_with_usernames_hashed(port: int) -> None:
    newest, oldest = told(port)["last_events"]
    assert (newest["id"], oldest["id"]) == ("id-1", "id-0")
    assert newest | {"user": "", "ended": 0} == {
        "id": "id-1",
        "kind": "updated",
        "changed": "status",
        "user": "",
        "time": "2026-11-23T12:00:00Z",
        "ended": 0,
        "lag_seconds": 0.25,
        "outcome": "delivered",
        "code": "202",
    }
    assert newest["user"] != oldest["user"]
    assert {len(newest["user"]), len(oldest["user"])} == {10}
    assert told(port)["last_events"][0]["user"] == newest["user"]
    another = ServerWorld(settings())
    assert another.report.status("15m")["last_events"][0]["user"] != newest["user"]


def test_usernames_are_shown_when_somebody_asks_for_them() -> None:
    found = ServerWorld(settings(STATUS_SHOW_USERS="true")).report.status("15m")
    assert [event["user"] for event in found["last_events"]] == [HOSTILE, "ada"]
    assert found["usernames_hashed"] is False


def test_only_the_last_events_are_kept(world: ServerWorld) -> None:
    event = Event(attributes={"id": "x", "type": "t"}, data=b"", key="bob")
    for _ in range(500):
        world.metrics.finished([(Result(event=event, status=Status.DELIVERED, code="200"), Kind.CREATED, 0.1)])
    assert len(world.report.status("15m")["last_events"]) == 50


@pytest.mark.parametrize(("span", "step_s"), [("15m", 10), ("3h", 120), ("24h", 960)])
def test_the_history_can_be_had_for_several_spans(port: int, span: str, step_s: float) -> None:
    past = told(port, f"/status?span={span}")["history"]
    assert (past["span"], past["step_seconds"], past["points"]) == (span, step_s, 90)
    assert {len(numbers) for numbers in past["series"].values()} == {90}
    assert past["series"]["updated"][-1] == 2
    assert past["summary"]["events"] == 2


def test_an_unknown_span_is_refused_with_those_that_there_are(port: int) -> None:
    code, _, body = ask(port, "/status?span=%3Cscript%3E")
    assert (code, body) == (400, b"span: expected one of 15m, 3h, 24h.\n")


def test_the_page_is_one_document_with_a_policy_for_its_own_style_and_script(port: int) -> None:
    code, headers, body = ask(port, "/")
    assert (code, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"{{" not in body
    assert b"https://" not in body
    assert body.count(b"http://") == body.count(b"http://www.w3.org/2000/svg")
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["form-action"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/", "/status", "/status?span=no", "/nothing", "/favicon.ico"])
def test_every_answer_keeps_other_pages_out(port: int, path: str) -> None:
    _, headers, _ = ask(port, path, Origin="https://evil.example")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "WHATEVER"])
def test_only_get_and_head_are_answered(port: int, method: str) -> None:
    code, headers, _ = ask(port, method=method)
    assert (code, headers["allow"]) == (405, "GET, HEAD")
    assert headers["content-security-policy"].startswith("default-src 'none'")


def test_head_has_the_headers_and_nothing_else(port: int) -> None:
    code, headers, body = ask(port, "/", method="HEAD")
    assert (code, body) == (200, b"")
    assert headers["content-length"] == str(len(ask(port, "/")[2]))


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:9000", "127.0.0.1", "127.0.0.1:8081", "[::1]:8081", "LOCALHOST:1", "127.9.9.9"]
)
def test_names_of_this_machine_are_answered(port: int, host: str) -> None:
    assert ask(port, host=host)[0] == 200


OTHER_NAMES = (
    *("evil.example", "evil.example:8081", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.9"),
    *("", "[", "[::1", "::1", "localhost@evil.example", "evil.example@localhost", "localhost/evil", "localhost,evil"),
)


@pytest.mark.parametrize("host", OTHER_NAMES)
def test_any_other_name_is_not(port: int, host: str) -> None:
    for path in ("/", "/status"):
        code, _, body = ask(port, path, host=host)
        assert (code, b"users" in body) == (421, False)


def test_a_request_without_a_host_or_with_two_is_not_answered(port: int) -> None:
    assert ask(port, host=None)[0] == 421
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 421 ")


def test_the_host_of_the_setting_is_answered(world: ServerWorld) -> None:
    with StatusServer(world.report, Address("localhost", 0)) as opened:
        assert ask(opened.port, host=f"localhost:{opened.port}")[0] == 200
        assert opened.url == f"http://localhost:{opened.port}/"


@pytest.mark.parametrize("text", [b"\r\n\r\n", b"GET\r\n\r\n", b"<script> / HTTP/1.1\r\n\r\n", b"\x00\xff\r\n\r\n"])
def test_nothing_of_a_bad_request_is_repeated(port: int, text: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert b"script" not in answer.replace(b"default-src", b"")
    assert b"200 OK" not in answer


def test_a_body_is_not_taken_for_the_next_request(port: int) -> None:
    smuggled = b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n"
    length = str(len(smuggled)).encode()
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + length + b"\r\n\r\n" + smuggled)
        answer = b""
        try:
            while part := connection.recv(65_536):
                answer += part
        except ConnectionResetError:
            pass
    assert answer.count(b"HTTP/1.1 200") == 1


def test_the_end_of_the_server_ends_the_connections_that_are_kept_open(world: ServerWorld) -> None:
    with StatusServer(world.report, Address("127.0.0.1", 0)) as opened:
        connection = http.client.HTTPConnection("127.0.0.1", opened.port, timeout=30)
        for _ in range(2):
            connection.request("GET", "/status", headers={"Host": "localhost"})
            assert connection.getresponse().read()
    assert connection.sock is not None
    assert connection.sock.recv(1) == b""
    connection.close()


def test_the_history_goes_on_while_nobody_looks(world: ServerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = threading.Semaphore(0)
    monkeypatch.setattr(world.report, "tick", ticks.release)
    with StatusServer(world.report, Address("127.0.0.1", 0)):
        assert all(ticks.acquire(timeout=20) for _ in range(2))
