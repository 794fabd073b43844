"""`python -m adapter doctor` without AWS: what each check finds, and what it says to do."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.session
import click
import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.arn import parse_pool_arn
from adapter.cognito.base import Page
from adapter.commands.checks.check import Check, Mark, fail, limited, ok
from adapter.commands.checks.examine import examine, look_at_sinks
from adapter.commands.checks.pool import Asked, clock_checks, identity_checks, name_checks
from adapter.commands.checks.quota import quota_checks
from adapter.commands.checks.storage import Known, storage_checks
from adapter.commands.checks.surroundings import read
from adapter.commands.doctor import line_of
from adapter.config.variables import VARIABLES
from adapter.errors import AdapterError
from adapter.state.base import Meta
from adapter.state.sqlite.store import SqliteStore
from tests.support.rig import ARN
from tests.support.sink_server import ScriptedResponse, SinkServer, sink_server

LEAST = {"ARN": ARN, "K_SINK": "stdout:"}
POOL = parse_pool_arn(ARN)


def nobody(path: str, where: str) -> tuple[int, object]:
    raise AdapterError("nobody answers")


def checked(target: str, *, send: bool = False, **more: str) -> list[Check]:
    """The checks of a sink."""
    found = read({**LEAST, "K_SINK": target, **more})
    assert not found.problems
    return list(look_at_sinks(found, send=send, limit_s=5))


def marks(checks: Iterable[Check]) -> list[str]:
    return [str(check.mark) for check in checks]


# -- identity --------------------------------------------------------------------------------------------------------

PAGE = b"<html><head><title>Sign in to the Wi-Fi</title></head><body></body></html>"
CALLER = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::{account}:user/x</Arn><UserId>X</UserId><Account>{account}</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


def identity(monkeypatch: pytest.MonkeyPatch, answer: ScriptedResponse) -> Check:
    """What is said of the caller when STS answers this."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "AKIDEXAMPLE")
    with sink_server() as server:
        server.default = answer
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url.removesuffix("/events"))
        session = botocore.session.Session()
        (check,) = limited("identity", lambda: identity_checks(read(LEAST).settings, session, 20), 30)
    return check


@pytest.mark.parametrize("status", [200, 403, 500, 503])
@pytest.mark.parametrize("body", [PAGE, b"<html><p>not closed", b"", b"null", b"{}", b"<a/>", b"\xff\x00"])
def test_an_sts_that_does_not_answer_as_sts_is_not_known_and_no_bug(
    monkeypatch: pytest.MonkeyPatch, status: int, body: bytes
) -> None:
    check = identity(monkeypatch, ScriptedResponse(status=status, body=body, headers={"content-type": "text/html"}))
    assert check.mark is Mark.SKIP
    assert check.found.startswith("not known: ")


def test_an_sts_that_answers_says_who_this_is(monkeypatch: pytest.MonkeyPatch) -> None:
    own = CALLER.format(account=POOL.account).encode()
    assert identity(monkeypatch, ScriptedResponse(status=200, body=own)) == ok(
        "identity", f"arn:aws:iam::{POOL.account}:user/x"
    )
    other = CALLER.format(account="999999999999").encode()
    assert identity(monkeypatch, ScriptedResponse(status=200, body=other)).mark is Mark.WARN


# -- configuration --------------------------------------------------------------------------------------------------


def test_one_wrong_variable_does_not_keep_the_others_from_being_read() -> None:
    found = read({**LEAST, "MAX_RPS": "fast", "STATE_URL": "sqlite:///x.db", "AWS_ACCESS_KEY_ID": "AKIA"})
    assert found.wrong == {"MAX_RPS", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    assert found.settings.state.url == "sqlite:///x.db"
    assert marks(found.checks()) == ["fail", "fail"]
    assert [check.found for check in found.checks()] == [
        "MAX_RPS is 'fast'",
        "AWS_SECRET_ACCESS_KEY is not set although AWS_ACCESS_KEY_ID is",
    ]


def test_what_contradicts_each_other_is_left_out_together() -> None:
    found = read({**LEAST, "POLL_MIN_SECONDS": "5", "POLL_MAX_SECONDS": "0.5"})
    assert found.wrong == {"POLL_MIN_SECONDS", "POLL_MAX_SECONDS"}
    assert found.settings.pool == POOL


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from([each.name for each in VARIABLES]), st.text(max_size=20)))
def test_whatever_is_configured_something_can_be_checked(environment: dict[str, str]) -> None:
    found = read(environment)
    assert bool(found.problems) == bool(found.wrong)
    assert list(found.checks())


def test_without_arn_and_sink_the_rest_is_still_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = list(examine({}, nobody, send=True, limit_s=5))
    assert [(check.name, str(check.mark)) for check in found] == [
        ("configuration", "fail"),
        ("configuration", "fail"),
        ("user pool", "skip"),
        ("sink", "skip"),
        ("state", "ok"),
        ("quota", "ok"),
        ("adapter", "skip"),
    ]


# -- how checks are made and shown ----------------------------------------------------------------------------------


def test_a_check_that_hangs_is_left_alone_after_its_time() -> None:
    over = threading.Event()

    def hang() -> Iterator[Check]:
        yield ok("sink", "it is there")
        over.wait(60)

    said, check = limited("sink", hang, 0.1)
    over.set()
    assert said.found == "it is there"
    assert (check.name, check.mark, check.found) == ("sink", Mark.FAIL, "no answer within 0.1 s")


def test_a_check_that_breaks_is_told_without_the_data_it_stumbled_over() -> None:
    def stumble() -> list[Check]:
        raise KeyError("canary@example.com")

    (check,) = limited("sink", stumble, 5)
    assert check.mark is Mark.FAIL
    assert "broken (KeyError)" in check.found
    assert "canary" not in line_of(check)


def test_a_profile_that_is_not_there_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "canary")
    found = checked(f"arn:aws:sqs:eu-central-1:{POOL.account}:users")
    assert marks(found) == ["fail"]
    assert "ProfileNotFound" in found[0].found
    assert "AWS_PROFILE" in found[0].mend


def test_a_line_says_what_was_found_and_below_how_to_mend_it() -> None:
    assert click.unstyle(line_of(ok("clock", "right"))) == "ok    clock             right"
    assert click.unstyle(line_of(fail("sink", "gone", "start it"))).split("\n") == [
        "fail  sink              gone",
        "                        -> start it",
    ]
    assert line_of(ok("state", "a\x1b[2Jb")).count("\x1b") == 2  # the two of its own colour


# -- the user pool's name, the clock, the quota ---------------------------------------------------------------------


def test_an_arn_of_two_regions_and_an_unknown_region_are_noticed() -> None:
    assert marks(name_checks(POOL)) == ["ok"]
    (mixed,) = name_checks(parse_pool_arn(ARN.replace("eu-central-1_", "us-east-1_")))  # right for a replica
    assert (mixed.mark, "begins with another region" in mixed.found) == (Mark.WARN, True)
    assert "replica" in mixed.mend
    (typo,) = name_checks(parse_pool_arn(ARN.replace("eu-central-1", "eu-centrall-1")))
    assert typo.mark is Mark.WARN


@pytest.mark.parametrize(
    ("ahead_s", "mark", "words"),
    [
        (0.0, "ok", "within 2 s"),
        (2.4, "ok", "within 2 s"),
        (-2.4, "ok", "within 2 s"),
        (30.5, "warn", "30 s ahead of"),
        (-200.5, "warn", "200 s behind"),
        (400.5, "fail", "400 s ahead of Cognito's; AWS refuses signatures"),
    ],
)
def test_the_clock_is_judged_by_whole_seconds(ahead_s: float, mark: str, words: str) -> None:
    asked = Asked(page=Page(users=(), date_s=1_000_000.0), middle_s=1_000_000.5 + ahead_s, seconds=0.0)
    (check,) = clock_checks(POOL, asked, None, 1)
    assert (str(check.mark), words in check.found) == (mark, True), check


def test_a_slow_answer_makes_no_wrong_clock() -> None:
    asked = Asked(page=Page(users=(), date_s=1_000_000.0), middle_s=1_000_008.0, seconds=12.0)
    assert marks(clock_checks(POOL, asked, None, 1)) == ["ok"]


@pytest.mark.parametrize(("max_rps", "mark"), [(10, "ok"), (24, "ok"), (25, "warn"), (31, "warn")])
def test_the_quota_is_shared_with_others(max_rps: float, mark: str) -> None:
    assert marks(quota_checks(max_rps, None, whole=False)) == [mark]


def test_the_time_of_a_sweep_is_told_only_when_all_users_are_known() -> None:
    (check,) = quota_checks(10, 1_000_001, whole=True)
    assert check.found.endswith("1,000,001 users take 16,667 requests, 28 min a sweep at least")
    (partly,) = quota_checks(10, 1_000_001, whole=False)
    assert "a sweep" not in partly.found


# -- the sink -------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[SinkServer]:
    with sink_server() as running:
        yield running


def test_a_sink_that_knows_no_options_is_well_and_gets_no_event(server: SinkServer) -> None:
    found = checked(server.url)
    assert marks(found) == ["ok", "ok"]
    assert "without TLS" in found[0].found
    assert "501 Not Implemented to OPTIONS, which says nothing of POST; --send tries an event" in found[1].found
    assert server.requests == []


def test_a_probe_is_sent_on_request_as_the_adapter_would_send_it(server: SinkServer) -> None:
    headers = '{"X-Api-Key":"canary"}'
    found = checked(server.url, send=True, DELIVERY_HEADERS=headers, DELIVERY_FORMAT="structured")
    assert marks(found) == ["ok"] * 3
    (request,) = server.requests
    assert request.headers["x-api-key"] == "canary"
    event = json.loads(request.body)
    assert event["type"] == "com.amazon.cognito-idp.probe"
    assert event["source"] == ARN
    assert event["id"] in found[2].found
    assert "canary" not in str(found)


@pytest.mark.parametrize(
    ("status", "words"), [(401, "check DELIVERY_HEADERS"), (500, "sink's own logs"), (422, "format")]
)
def test_a_refused_probe_says_where_to_look(server: SinkServer, status: int, words: str) -> None:
    server.default = ScriptedResponse(status=status, body=b"canary of the sink")
    refused = checked(server.url, send=True)[-1]
    assert refused.mark is Mark.FAIL
    assert words in refused.mend
    assert "canary" not in str(refused)


def test_a_sink_that_is_down_is_named_with_its_port() -> None:
    with sink_server() as gone:
        url = gone.url
    (found,) = checked(url, send=True)
    assert found.mark is Mark.FAIL
    assert found.found.startswith("nothing listens at 127.0.0.1:")


def test_a_name_that_nobody_knows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    (found, *_) = checked("https://sink.invalid/")
    assert (found.mark, found.found) == (Mark.FAIL, "the name sink.invalid is not known to the DNS here")


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def tls_server(ca: trustme.CA, name: str, **more: Any) -> AbstractContextManager[SinkServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name, **more).configure_cert(context)
    return sink_server(context)


def test_a_trusted_certificate_is_told_with_its_days(ca: trustme.CA) -> None:
    ends = datetime.now(UTC) + timedelta(days=40, minutes=5)
    with tls_server(ca, "localhost", not_after=ends) as server:
        found = checked(server.url, K_CA_CERTS=ca.cert_pem.bytes().decode())
    assert marks(found) == ["ok"] * 3
    assert "with TLSv1" in found[1].found
    assert "good for 40 days" in found[1].found


def test_a_certificate_that_ends_soon_is_a_warning(ca: trustme.CA) -> None:
    ends = datetime.now(UTC) + timedelta(days=3, minutes=5)
    with tls_server(ca, "localhost", not_after=ends) as server:
        found = checked(server.url, K_CA_CERTS=ca.cert_pem.bytes().decode())
    assert marks(found) == ["ok", "warn", "ok"]
    assert "ends in 3 days" in found[1].found


@pytest.mark.parametrize("trusted", [False, True])
def test_a_certificate_that_is_refused_says_why(ca: trustme.CA, *, trusted: bool) -> None:
    with tls_server(ca, "another.example" if trusted else "localhost") as server:
        found = checked(server.url, K_CA_CERTS=ca.cert_pem.bytes().decode() if trusted else "")
    assert marks(found) == ["ok", "fail"]
    assert ("Hostname mismatch" if trusted else "unable to get local issuer certificate") in found[1].found
    assert "K_CA_CERTS" in found[1].mend


def test_https_to_a_server_without_tls_is_recognised(server: SinkServer) -> None:
    (found,) = checked(server.url.replace("http:", "https:"))
    assert found.mark is Mark.FAIL
    assert "http://" in found.mend


def test_what_can_not_even_be_opened_is_told() -> None:
    (found,) = checked("https://sink.example/", K_CA_CERTS="no certificate")
    assert found.mark is Mark.FAIL
    assert "K_CA_CERTS" in found.found


def test_a_file_is_looked_at_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    (new,) = checked(f"file://{file}", send=True)
    assert (new.mark, "will be made" in new.found, file.exists()) == (Mark.OK, True, False)
    file.write_bytes(b'{"half')
    (there,) = checked(f"file://{file}", send=True)
    assert (there.mark, file.read_bytes()) == (Mark.OK, b'{"half')
    (lost,) = checked(f"file://{tmp_path}/no/where.jsonl")
    assert (lost.mark, "is not there" in lost.found) == (Mark.FAIL, True)
    (folder,) = checked(f"file://{tmp_path}")
    assert folder.mark is Mark.FAIL


def test_the_dead_letter_sink_is_looked_at_too_without_the_secrets_of_the_sink(server: SinkServer) -> None:
    headers = '{"X-Api-Key":"canary"}'
    found = checked("stdout:", send=True, DELIVERY_DEAD_LETTER_SINK=server.url, DELIVERY_HEADERS=headers)
    assert {check.name for check in found} == {"sink", "dead-letter sink"}
    (request,) = server.requests
    assert "x-api-key" not in request.headers


# -- the state ------------------------------------------------------------------------------------------------------


def stored(path: Path, *, running: bool = False) -> tuple[list[Check], Known]:
    known = Known()
    found = storage_checks(f"sqlite:///{path}", POOL, no_session, 5, known, running=running)
    return [each for each in found if "lost when" not in each.found], known  # where the tests run is no matter


def no_session() -> Any:
    raise AssertionError("SQLite needs no AWS")


def test_a_state_that_is_not_there_yet_is_a_first_start(tmp_path: Path) -> None:
    (check,), known = stored(tmp_path / "state.db")
    assert (check.mark, known.users) == (Mark.OK, None)
    assert list(tmp_path.iterdir()) == []


def test_a_state_is_read_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = SqliteStore(path, ARN)
    store.apply((), (), Meta(pool_arn=ARN, initial="baseline", baseline_started_ms=1, baseline_done=True))
    found, known = stored(path)
    assert marks(found) == ["ok", "warn"]
    assert f"process {os.getpid()}" in found[1].found
    assert marks(stored(path, running=True)[0]) == ["ok"]
    store.close()
    before = path.read_bytes()
    found, known = stored(path)
    assert (marks(found), known.users, known.whole) == (["ok"], 0, True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"not a database" * 100])
def test_a_file_that_is_no_state_is_a_failure(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.db").write_bytes(content)
    (check,), _ = stored(tmp_path / "state.db")
    assert check.mark is Mark.FAIL
    assert "move it away" in check.mend


def test_the_state_of_another_pool_is_a_failure(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "state.db", ARN.replace("AbCd", "Other")).close()
    (check,), known = stored(tmp_path / "state.db")
    assert (check.mark, known.users is None or not known.whole) == (Mark.FAIL, True)
    assert "belongs to the pool" in check.found


def test_a_folder_that_is_missing_is_a_failure(tmp_path: Path) -> None:
    (check,), _ = stored(tmp_path / "no" / "state.db")
    assert (check.mark, check.mend) == (Mark.FAIL, "create it, or name another place")


def test_the_state_of_the_pool_s_other_region_is_told_with_the_way_to_adopt_it(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "state.db", ARN.replace("idp:eu-central-1", "idp:eu-west-1")).close()
    (check,), _ = stored(tmp_path / "state.db")
    assert check.mark is Mark.FAIL
    assert "the same pool in another region" in check.mend
    assert "state adopt" in check.mend


def test_a_link_to_a_volume_that_is_not_mounted_is_no_first_start(tmp_path: Path) -> None:
    (tmp_path / "state.db").symlink_to(tmp_path / "volume" / "state.db")
    (check,), _ = stored(tmp_path / "state.db")
    assert check.mark is Mark.FAIL
    assert "symbolic link" in check.found
    assert "mount the volume" in check.mend
