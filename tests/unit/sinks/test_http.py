"""The HTTP sink against a server that does what it is told."""

from __future__ import annotations

import json
import os
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from adapter.errors import ConfigError
from adapter.model import Event
from adapter.sinks.base import Delivered, Failed, Outcome
from adapter.sinks.http import BATCH_BYTES, HttpSink
from adapter.sinks.options import ContentMode, HttpOptions
from tests.support.delivery import make_event
from tests.support.raw_server import Script, raw_servers
from tests.support.sink_server import ScriptedResponse, SinkServer, sink_server


@pytest.fixture
def server() -> Iterator[SinkServer]:
    with sink_server() as server:
        yield server


def post(url: str, count: int = 1, **options: Any) -> Outcome:
    """Send that many events in a row; the last outcome."""
    sink = HttpSink(url, HttpOptions(**{"timeout_s": 5.0, **options}))
    try:
        return [sink.send([make_event()])[0] for _ in range(count)][-1]
    finally:
        sink.close()


def failed(outcome: Outcome) -> Failed:
    assert isinstance(outcome, Failed)
    return outcome


def test_the_path_the_query_and_the_namespace_arrive(server: SinkServer) -> None:
    assert isinstance(post(server.url + "/ä b?key=v%20w&x=1", namespace="crm"), Delivered)
    (request,) = server.requests
    assert request.path == "/events/%C3%A4%20b?key=v%20w&x=1"
    assert request.headers["kn-namespace"] == "crm"
    assert request.headers["host"] == server.url.split("/")[2]
    assert request.headers["content-length"] == str(len(make_event().data))


def test_without_a_namespace_there_is_no_header_for_it(server: SinkServer) -> None:
    post(server.url)
    assert "kn-namespace" not in server.requests[0].headers


def test_extra_headers_go_onto_every_request(server: SinkServer) -> None:
    post(server.url, count=2, headers={"X-Api-Key": "k1"})
    assert [request.headers["x-api-key"] for request in server.requests] == ["k1", "k1"]


def test_credentials_of_the_address_become_basic_authentication(server: SinkServer) -> None:
    post(server.url.replace("://", "://ann:p%40ss@"))
    (request,) = server.requests
    assert request.headers["authorization"] == "Basic " + b64encode(b"ann:p@ss").decode()
    assert "@" not in request.headers["host"]


def test_the_token_is_read_again_when_its_file_changes(server: SinkServer, tmp_path: Path) -> None:
    link, first, second = tmp_path / "token", tmp_path / "first", tmp_path / "second"
    first.write_text("one\n")
    second.write_text("two\n")
    link.symlink_to(first)
    sink = HttpSink(server.url, HttpOptions(token_file=link))
    sink.send([make_event()])
    # The way Kubernetes renews a projected token: another file behind the link.
    (tmp_path / "new").symlink_to(second)
    (tmp_path / "new").replace(link)
    sink.send([make_event()])
    link.unlink()
    sink.send([make_event()])
    sink.close()
    assert [request.headers["authorization"] for request in server.requests] == [
        "Bearer one",
        "Bearer two",
        "Bearer two",
    ]


def test_half_written_tokens_are_not_sent(server: SinkServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    sink = HttpSink(server.url, HttpOptions(token_file=token))
    token.write_text("")
    sink.send([make_event()])
    token.write_text("evil\r\nx-injected: 1")
    sink.send([make_event()])
    sink.close()
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer one"] * 2


def test_connections_are_kept_open(server: SinkServer) -> None:
    server.script.extend(
        [
            ScriptedResponse(202),
            ScriptedResponse(204),
            ScriptedResponse(200, body=b"ok" * 2000),
            ScriptedResponse(503, body=b"busy"),
        ]
    )
    post(server.url, count=6)
    assert len(server.requests) == 6
    assert len({id(request.connection) for request in server.requests}) == 1


def test_a_connection_that_the_sink_closed_meanwhile_is_not_used_again(server: SinkServer) -> None:
    server.script.append(ScriptedResponse(202, close_silently=True))
    assert isinstance(post(server.url, count=2), Delivered)
    assert len(server.requests) == 2
    assert len({id(request.connection) for request in server.requests}) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_refused_not_followed(server: SinkServer, status: int) -> None:
    server.default = ScriptedResponse(status, {"location": server.url})
    outcome = failed(post(server.url))
    assert (outcome.code, outcome.retryable) == (str(status), False)
    assert "final address" in outcome.reason
    assert len(server.requests) == 1


def test_retry_after_is_handed_on(server: SinkServer) -> None:
    server.default = ScriptedResponse(429, {"Retry-After": "7"}, b"slow down")
    outcome = failed(post(server.url))
    assert (outcome.retry_after_s, outcome.body) == (7, b"slow down")


@pytest.mark.parametrize(
    ("fault", "code"),
    [("hang", "timeout"), ("drip", "timeout"), ("reset", "reset"), ("garbage", "reset")],
)
def test_a_faulty_answer_is_a_retryable_failure(server: SinkServer, fault: Any, code: str) -> None:
    server.default = ScriptedResponse(fault=fault)
    began = time.monotonic()
    outcome = failed(post(server.url, timeout_s=0.3))
    assert (outcome.code, outcome.retryable) == (code, True)
    assert time.monotonic() - began < 20  # the server would keep silent for 30


@pytest.mark.parametrize("status", [202, 500])
def test_a_truncated_body_does_not_change_what_the_status_said(server: SinkServer, status: int) -> None:
    server.default = ScriptedResponse(status, body=b"half", fault="truncate")
    outcome = post(server.url)
    assert (outcome.code, isinstance(outcome, Delivered)) == (str(status), status == 202)


def test_a_refused_connection_is_a_retryable_failure(server: SinkServer) -> None:
    server.close()
    outcome = failed(post(server.url))
    assert (outcome.code, outcome.retryable) == ("connect", True)


def test_an_unknown_host_is_a_retryable_failure() -> None:
    outcome = failed(post("http://sink.invalid/"))
    assert (outcome.code, outcome.retryable) == ("dns", True)


def test_a_batch_is_refused_as_a_whole_only_for_what_no_event_of_it_is_to_blame_for(server: SinkServer) -> None:
    sink = HttpSink(server.url, HttpOptions(mode=ContentMode.BATCHED, batch_size=3))
    events = [make_event(str(number)) for number in range(3)]
    for status, shared in ((400, True), (403, True), (409, True), (500, True), (401, False), (503, False)):
        server.script.append(ScriptedResponse(status))
        assert [failed(outcome).shared for outcome in sink.send(events)] == [shared] * 3
    sink.close()


def through(proxy: SinkServer, monkeypatch: pytest.MonkeyPatch, scheme: str = "http") -> None:
    monkeypatch.setenv(f"{scheme}_proxy", proxy.url.removesuffix("/events").replace("://", "://me:pw@"))


def test_a_proxy_of_the_environment_is_used(server: SinkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    through(server, monkeypatch)
    assert isinstance(post("http://user:pw@sink.example/path?x=1"), Delivered)
    (request,) = server.requests
    assert request.path == "http://sink.example/path?x=1"
    assert request.headers["host"] == "sink.example"
    assert request.headers["proxy-authorization"] == "Basic " + b64encode(b"me:pw").decode()


def test_no_proxy_is_honoured(server: SinkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.0/8")
    assert isinstance(post(server.url), Delivered)


def test_a_proxy_that_refuses_the_tunnel_is_a_retryable_failure(
    server: SinkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    through(server, monkeypatch, "https")
    outcome = failed(post("https://sink.example/"))
    assert (outcome.code, outcome.retryable) == ("proxy", True)


@pytest.mark.parametrize(("status", "code"), [(407, "proxy"), (403, "403")])
def test_a_proxy_that_asks_for_credentials_says_nothing_of_the_event(
    server: SinkServer, monkeypatch: pytest.MonkeyPatch, status: int, code: str
) -> None:
    through(server, monkeypatch)
    server.default = ScriptedResponse(status)
    outcome = failed(post("http://sink.example/"))
    assert (outcome.code, outcome.retryable) == (code, code == "proxy")


def test_a_407_without_a_proxy_is_the_sinks_answer(server: SinkServer) -> None:
    server.default = ScriptedResponse(407)
    outcome = failed(post(server.url))
    assert (outcome.code, outcome.retryable) == ("407", False)


@pytest.mark.parametrize("wire", [b"", b"HTTP/1.1 200 Connection established\r\nX: "])
def test_a_proxy_that_drips_its_answer_is_bounded(monkeypatch: pytest.MonkeyPatch, wire: bytes) -> None:
    with raw_servers() as serve:
        proxy = serve(Script((wire, *[b"x"] * 100_000), pause_s=0.01))
        monkeypatch.setenv("https_proxy", proxy.url)
        outcome = failed(post("https://sink.example/", timeout_s=0.3))
    assert (outcome.code, outcome.retryable) == ("timeout", True)


def test_a_proxy_of_another_kind_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1080")
    with pytest.raises(ConfigError, match="ALL_PROXY of the environment is not a proxy like"):
        post("http://sink.example/")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"headers": {"Content-Type": "x"}}, "'Content-Type' can't be set: the adapter sets it itself"),
        ({"headers": {"ce-id": "x"}}, "'ce-id' can't be set"),
        ({"headers": {"Traceparent": "x"}, "inject": dict.clear}, "'Traceparent' can't be set: the adapter sets it"),
        ({"headers": {"X Y": "x"}}, "'X Y' can't be set: expected letters"),
        ({"headers": {"X-Key": "topsecret\r\nx: y"}}, "'X-Key' can't be set: its value has line breaks"),
        ({"headers": {"X-Key": "topsecret€"}}, "'X-Key' can't be set"),
        ({"namespace": "日本"}, "NAMESPACE: the header Kn-Namespace can't be set"),
        ({"namespace": "a\r\nX-Key: b"}, "NAMESPACE: the header Kn-Namespace can't be set"),
        (
            {"token_file": Path("/nonexistent/token")},
            "DELIVERY_TOKEN_FILE: /nonexistent/token can't be read: No such file",
        ),
        ({"token_file": Path(os.devnull)}, "does not hold a token"),
        (
            {"token_file": Path(os.devnull), "headers": {"authorization": "x"}},
            "DELIVERY_HEADERS and DELIVERY_TOKEN_FILE give credentials",
        ),
    ],
)
def test_what_cannot_be_used_is_a_configuration_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        post("http://sink.example/", **options)
    assert message in str(caught.value)
    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize(
    ("user", "sent"),
    [
        ("TOKEN", b"TOKEN:"),
        ("TOKEN:", b"TOKEN:"),
        (":pw", b":pw"),
        ("ann:a:b%40c", b"ann:a:b@c"),
        ("J\u00fcrgen:\u6f22\u5b57", "J\u00fcrgen:\u6f22\u5b57".encode()),
        ("J%C3%BCrgen:p%25", "J\u00fcrgen:p%".encode()),
    ],
)
def test_user_information_of_every_form_is_sent_as_it_is_meant(server: SinkServer, user: str, sent: bytes) -> None:
    assert isinstance(post(server.url.replace("://", f"://{user}@")), Delivered)
    assert server.requests[0].headers["authorization"] == "Basic " + b64encode(sent).decode()


@pytest.mark.parametrize(
    ("host", "message"),
    [
        (f"{'a' * 64}.example", "it has a label of 64 characters; expected at most 63"),
        ("a..b", "valid host|an empty label"),
        (".a.b", "valid host|an empty label"),
        ("sink.example..", "valid host|an empty label"),
        (".".join(["a" * 60] * 5), "it has 304 characters; expected at most 254"),
        ("sink.example:0", "expected a port from 1 to 65535, found 0"),
        ("sink.example:65536", "valid host"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_host_that_nobody_can_have_is_a_configuration_error(scheme: str, host: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^K_SINK.*({message})"):
        HttpSink(f"{scheme}://{host}/", HttpOptions())


@pytest.mark.parametrize(
    "host", [f"{'a' * 63}.example", "sink.example.", "under_score", "b\u00fccher.example", "[::1]"]
)
def test_a_host_that_may_exist_is_taken(host: str) -> None:
    HttpSink(f"http://{host}/", HttpOptions()).close()


@pytest.mark.parametrize(
    "attributes",
    [{"datacontenttype": "a\r\nb"}, {"datacontenttype": "\u20ac"}, {"datacontenttype": "\ud800"}, {"note": "\ud800"}],
)
@pytest.mark.parametrize("mode", list(ContentMode))
def test_whatever_an_event_holds_send_does_not_raise(
    server: SinkServer, attributes: dict[str, str], mode: ContentMode
) -> None:
    sink = HttpSink(server.url, HttpOptions(mode=mode))
    (outcome,) = sink.send([make_event(**attributes)])
    sink.close()
    assert isinstance(outcome, Delivered) or (outcome.code, outcome.retryable) == ("unsendable", False)


def test_a_batch_is_bounded_by_bytes_too(server: SinkServer) -> None:
    sink = HttpSink(server.url, HttpOptions(mode=ContentMode.BATCHED, batch_size=150))
    events = [structs.replace(make_event(id=str(n)), data=b'"%b"' % (b"x" * 30_000)) for n in range(150)]
    server.script.extend([ScriptedResponse(202), ScriptedResponse(413)])
    outcomes = sink.send(events)
    sink.close()
    sizes = [len(json.loads(request.body)) for request in server.requests]
    assert sum(sizes) == len(outcomes) == 150
    assert max(len(request.body) for request in server.requests) <= BATCH_BYTES
    assert len(sizes) == 5
    assert [isinstance(outcome, Delivered) for outcome in outcomes] == (
        [True] * sizes[0] + [False] * sizes[1] + [True] * sum(sizes[2:])
    )
    assert [event["id"] for request in server.requests for event in json.loads(request.body)] == [e.id for e in events]


def test_one_event_goes_out_however_large_it_is(server: SinkServer) -> None:
    sink = HttpSink(server.url, HttpOptions(mode=ContentMode.BATCHED, batch_size=3))
    large = structs.replace(make_event(), data=b'"%b"' % (b"x" * 2 * BATCH_BYTES))
    assert all(isinstance(outcome, Delivered) for outcome in sink.send([make_event(), large, make_event()]))
    sink.close()
    assert len(server.requests) == 3


def test_the_parts_of_a_batch_share_one_time_out(server: SinkServer) -> None:
    sink = HttpSink(server.url, HttpOptions(mode=ContentMode.BATCHED, batch_size=9, timeout_s=0.3))
    server.default = ScriptedResponse(fault="hang")
    large = structs.replace(make_event(), data=b'"%b"' % (b"x" * BATCH_BYTES))
    outcomes = sink.send([large] * 9)
    sink.close()
    assert {(failed(outcome).code, failed(outcome).retryable) for outcome in outcomes} == {("timeout", True)}
    assert len(server.requests) <= 1


def test_an_address_that_requests_cannot_send_to_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"^K_SINK"):
        post("http://*.example:99999999/")


def test_the_options_do_not_show_secrets() -> None:
    assert "topsecret" not in repr(HttpOptions(headers={"X-Key": "topsecret"}))


def test_two_events_do_not_share_headers(server: SinkServer) -> None:
    sink = HttpSink(server.url, HttpOptions())
    first: Event = make_event(changed="status")
    sink.send([first])
    sink.send([make_event()])
    sink.close()
    assert "ce-changed" in server.requests[0].headers
    assert "ce-changed" not in server.requests[1].headers
