"""What the client of ListUsers puts on the wire, and to whom: signatures, endpoints, proxies, CAs, clocks."""

from __future__ import annotations

import json
import logging
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import trustme
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from adapter.arn import parse_pool_arn
from adapter.cognito.client import CognitoUserPool
from adapter.cognito.endpoint import find_origin
from adapter.cognito.rate_limiter import RateLimiter
from adapter.errors import ConfigError, CredentialsError, UnavailableError
from tests.support.raw_server import RawServer, Script, Serve, raw_servers
from tests.unit.sinks.test_tls import tls

ARN = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"
POOL = parse_pool_arn(ARN)
KEY, SECRET = "AKIASYNTHETIC00001", "synthetic/secret+key"
LOADER = botocore.session.Session().get_component("data_loader")
Connect = Callable[..., CognitoUserPool]


def answer(status: int = 200, body: bytes = b'{"Users":[]}', *, ahead_s: float = 0, headers: str = "") -> bytes:
    date = formatdate(time.time() + ahead_s, usegmt=True)
    head = f"HTTP/1.1 {status} X\r\nDate: {date}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def refusal(code: str, status: int = 400, **how: Any) -> bytes:
    return answer(status, json.dumps({"__type": code, "message": "canary"}).encode(), **how)


def session(token: str | None = None) -> botocore.session.Session:
    made = botocore.session.Session()
    made.register_component("data_loader", LOADER)
    made.set_credentials(KEY, SECRET, token)
    return made


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    with raw_servers() as start:

        def started(*answers: bytes | Script, **how: Any) -> RawServer:
            server = start(*answers, **how)
            monkeypatch.setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", server.url)
            return server

        yield started


@pytest.fixture
def connect() -> Iterator[Connect]:
    made: list[CognitoUserPool] = []

    def make(token: str | None = None, **how: Any) -> CognitoUserPool:
        how = {"attempts": 1, "read_timeout_s": 5.0} | how
        made.append(CognitoUserPool(lambda: session(token), POOL, how.pop("limiter", RateLimiter(1e6)), **how))
        return made[-1]

    yield make
    for pool in made:
        pool.close()


def parsed(request: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return first, {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, body


@pytest.mark.parametrize("token", [None, "session/token+with=signs=="])
@pytest.mark.parametrize("filter_", [None, 'username = "Zoë \U0001f600 \\"x\\""'])
def test_requests_are_signed_as_botocore_signs_them(
    serve: Serve, connect: Connect, token: str | None, filter_: str | None
) -> None:
    server = serve(answer())
    connect(token).list_users(filter_=filter_, token="a/b+c==", limit=7)
    first, headers, body = parsed(server.requests[0])
    assert first == "POST / HTTP/1.1"
    assert headers["x-amz-target"] == "AWSCognitoIdentityProviderService.ListUsers"
    assert headers["content-type"] == "application/x-amz-json-1.1"
    assert headers.get("x-amz-security-token") == token
    assert re.fullmatch(r"cognito-source/\S+ libcurl/\S+", headers["user-agent"])
    expected = {"UserPoolId": POOL.pool_id, "Limit": 7, "PaginationToken": "a/b+c=="}
    assert json.loads(body) == expected | ({} if filter_ is None else {"Filter": filter_})
    (names,) = re.findall(r"SignedHeaders=([a-z0-9;-]+),", headers["authorization"])
    assert {"host", "x-amz-date", "x-amz-target"} <= set(names.split(";"))
    assert ("x-amz-security-token" in names.split(";")) == (token is not None)
    assert headers["authorization"] == signed_by_botocore(server.url, headers, names.split(";"), body)


def signed_by_botocore(url: str, headers: dict[str, str], names: list[str], body: bytes) -> str:
    """The Authorization header that botocore makes of the same request at the same time."""
    signed = {name: headers[name] for name in names if name != "x-amz-security-token"}
    request = AWSRequest("POST", url, data=body, headers=signed)
    request.context["timestamp"] = headers["x-amz-date"]
    credentials = Credentials(KEY, SECRET, headers.get("x-amz-security-token"))
    signer = SigV4Auth(credentials, "cognito-idp", "eu-central-1")
    if credentials.token:
        request.headers["X-Amz-Security-Token"] = credentials.token
    text = signer.string_to_sign(request, signer.canonical_request(request))
    scope = f"{KEY}/{headers['x-amz-date'][:8]}/eu-central-1/cognito-idp/aws4_request"
    signature = signer.signature(text, request)
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={';'.join(names)}, Signature={signature}"


@pytest.mark.parametrize(
    ("variables", "region", "url", "signing"),
    [
        ({}, "eu-central-1", "https://cognito-idp.eu-central-1.amazonaws.com/", "aws:amz:eu-central-1:cognito-idp"),
        ({}, "cn-north-1", "https://cognito-idp.cn-north-1.amazonaws.com.cn/", "aws:amz:cn-north-1:cognito-idp"),
        (
            {"AWS_USE_FIPS_ENDPOINT": "true"},
            "us-east-1",
            "https://cognito-idp-fips.us-east-1.amazonaws.com/",
            "aws:amz:us-east-1:cognito-idp",
        ),
        (
            {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
            "us-east-1",
            "",
            "aws:amz:us-east-1:cognito-idp",
        ),
        (
            {"AWS_ENDPOINT_URL": "http://localhost:4566"},
            "eu-central-1",
            "http://localhost:4566/",
            "aws:amz:eu-central-1:cognito-idp",
        ),
        (
            {
                "AWS_ENDPOINT_URL": "http://localhost:4566",
                "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": "http://localhost:1/path",
            },
            "eu-central-1",
            "http://localhost:1/path",
            "aws:amz:eu-central-1:cognito-idp",
        ),
    ],
)
def test_the_endpoint_is_the_one_that_botocore_finds(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], region: str, url: str, signing: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    origin = find_origin(session(), region, user_agent="tests")
    assert origin.url == url_of_botocore(region)
    assert url in {"", origin.url}
    assert origin.signing == signing
    assert origin.proxy is None


class SeenError(Exception):
    """Stops botocore before it sends something."""


def url_of_botocore(region: str) -> str:
    """Where botocore itself would send the request."""
    client: Any = session().create_client("cognito-idp", region_name=region)

    def stop(request: Any, **_: Any) -> None:
        raise SeenError(request.url)

    client.meta.events.register("before-send", stop)
    with pytest.raises(SeenError) as caught:
        client.list_users(UserPoolId=POOL.pool_id)
    return str(caught.value)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://cognito.example", "cognito.example"])
def test_an_endpoint_that_is_no_url_of_a_server_is_a_configuration_error(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    with pytest.raises(ConfigError, match="AWS_ENDPOINT_URL: expected the http:// or https:// URL"):
        find_origin(session(), "eu-central-1", user_agent="")


@pytest.mark.parametrize("code", ["InvalidSignatureException", "RequestExpired", "SignatureDoesNotMatch"])
@pytest.mark.parametrize("ahead_s", [3_600, -86_400])
def test_a_wrong_clock_is_told_and_made_up_for(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture, code: str, ahead_s: int
) -> None:
    server = serve(refusal(code, ahead_s=ahead_s), *[answer(ahead_s=ahead_s)] * 2)
    pool = connect()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            pool.list_users()
    skews = [round(time.time() - signed_at(request), -2) for request in server.requests]
    assert skews == [0, -ahead_s, -ahead_s]
    (record,) = caplog.records
    assert (record.__dict__["action"], round(record.__dict__["seconds_behind"], -2)) == ("clock_wrong", ahead_s)
    assert "set the clock" in record.message


def signed_at(request: bytes) -> float:
    """When a request was signed, as it says itself; its signature is right for that."""
    _, headers, body = parsed(request)
    (names,) = re.findall(r"SignedHeaders=([a-z0-9;-]+),", headers["authorization"])
    url = f"http://{headers['host']}/"
    assert headers["authorization"] == signed_by_botocore(url, headers, names.split(";"), body)
    return time.mktime(time.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")) - time.timezone


def test_a_clock_that_was_set_is_noticed_again(serve: Serve, connect: Connect) -> None:
    expired = "RequestExpired"
    server = serve(refusal(expired, ahead_s=9_000), answer(), refusal(expired), answer())
    pool = connect()
    for _ in range(2):
        pool.list_users()
    skews = [round(time.time() - signed_at(request), -2) for request in server.requests]
    assert skews == [0, -9_000, -9_000, 0]


def test_a_signature_that_is_refused_at_the_right_time_is_a_matter_of_the_key(serve: Serve, connect: Connect) -> None:
    server = serve(refusal("InvalidSignatureException"))
    with pytest.raises(CredentialsError, match="InvalidSignatureException") as caught:
        connect().list_users()
    assert SECRET not in str(caught.value)
    assert len(server.requests) == 2  # with the key, and with the same one from a fresh session


def test_every_attempt_waits_for_the_limiter_and_retries_are_those_of_standard_mode(
    serve: Serve, connect: Connect
) -> None:
    slept: list[float] = []
    limiter = RateLimiter(1e6, sleep=slept.append)
    server = serve(refusal("InternalErrorException", 500), refusal("TooManyRequestsException"), answer())
    connect(limiter=limiter, attempts=3).list_users()
    assert limiter.requests == len(server.requests) == 3
    assert limiter.throttled == 1
    assert len([seconds for seconds in slept if seconds > 1e-4]) >= 1


def test_a_kept_connection_that_breaks_costs_an_attempt_under_the_limiter(serve: Serve, connect: Connect) -> None:
    limiter = RateLimiter(1e6)
    server = serve(answer(), Script((), then="reset"), answer())
    pool = connect(limiter=limiter, attempts=2)
    for _ in range(2):
        pool.list_users()
    assert limiter.requests == len(server.requests) == 3


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_a_proxy_of_the_environment_is_used_with_its_credentials(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    proxy = serve(answer())
    monkeypatch.setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "http://cognito.example/")
    monkeypatch.setenv(name, proxy.url.replace("://", "://me:p%40w@"))
    connect().list_users()
    first, headers, _ = parsed(proxy.requests[0])
    assert first == "POST http://cognito.example/ HTTP/1.1"
    assert headers["proxy-authorization"] == "Basic " + b64encode(b"me:p@w").decode()
    assert "proxy-authorization" not in re.findall(r"SignedHeaders=([^,]+)", headers["authorization"])[0]


@pytest.mark.parametrize("exempt", ["127.0.0.1", "*"])
def test_no_proxy_is_honoured(serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, exempt: str) -> None:
    server = serve(answer())
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", exempt)
    connect().list_users()
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [403, 407])
def test_a_proxy_that_refuses_is_a_passing_fault_of_the_proxy(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    proxy = serve(answer(status))
    monkeypatch.setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "https://cognito.example/")
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", "://me:canary@"))
    with pytest.raises(UnavailableError, match=rf"the proxy .*\({status}\)") as caught:
        connect().list_users()
    assert caught.value.code == "ProxyConnectionError"
    assert "canary" not in str(caught.value)
    assert proxy.requests[0].startswith(b"CONNECT cognito.example:443 ")


def test_the_ca_bundle_of_the_environment_is_trusted_and_read_again(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("adapter.net.trust.LOOK_EVERY_S", 0.0)
    ca, newer = trustme.CA(), trustme.CA()
    context, bundle = tls(ca, "localhost"), tmp_path / "ca.pem"
    bundle.write_bytes(ca.cert_pem.bytes())
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    server = serve(answer(), tls=context)
    pool = connect()
    for _ in range(2):
        pool.list_users()
    assert server.connections == 1
    newer.issue_cert("localhost").configure_cert(context)
    bundle.write_bytes(newer.cert_pem.bytes() + b"\n")
    pool.list_users()
    assert server.connections == 2


def test_a_server_that_is_not_trusted_is_not_asked(serve: Serve, connect: Connect) -> None:
    server = serve(answer(), tls=tls(trustme.CA(), "localhost"))
    with pytest.raises(UnavailableError, match=r"CA of .* is not known; .*AWS_CA_BUNDLE") as caught:
        connect().list_users()
    assert caught.value.code == "SSLError"
    assert server.requests == []


def test_a_ca_bundle_that_is_not_there_is_a_configuration_error(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(answer(), tls=tls(trustme.CA(), "localhost"))
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nonexistent.pem")
    with pytest.raises(ConfigError, match=r"AWS_CA_BUNDLE: /nonexistent\.pem can't be read: No such file"):
        connect().list_users()


def test_credentials_that_are_refreshed_are_used_at_once(serve: Serve, connect: Connect) -> None:
    server = serve(answer())
    made = session("first")
    pool = CognitoUserPool(lambda: made, POOL, RateLimiter(1e6), attempts=1)
    pool.list_users()
    found: Any = made.get_credentials()
    found.token = "second"
    pool.list_users()
    pool.close()
    assert [parsed(request)[1]["x-amz-security-token"] for request in server.requests] == ["first", "second"]
    assert server.connections == 1
