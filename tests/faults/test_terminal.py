"""At a terminal: how far a long first sweep is; what the doctor says of a Cognito that misbehaves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from adapter.commands.cli import cli
from tests.fake_cognito import FakeCognito
from tests.support.terminal import on_a_terminal

USERS = 3_600
#: A sweep of 60 pages then takes 2.5 seconds; progress is shown from 2 on.
RPS = "24"


@pytest.fixture
def cognito(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeCognito]:
    monkeypatch.chdir(tmp_path)
    with FakeCognito(users=USERS) as server:
        for name, value in environment(server).items():
            monkeypatch.setenv(name, value)
        yield server


def environment(cognito: FakeCognito) -> dict[str, str]:
    # Nobody else is to be asked: whatever is not Cognito is refused at once.
    return {**cognito.environment(), "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "HEALTH_ADDRESS": "127.0.0.1:9"}


def test_a_long_first_sweep_shows_how_far_it_is_and_a_restart_what_is_left(
    cognito: FakeCognito, tmp_path: Path
) -> None:
    settings = {**environment(cognito), "K_SINK": f"file://{tmp_path}/events.jsonl", "MAX_RPS": RPS}
    with on_a_terminal(["run", "--once"], settings, folder=tmp_path) as terminal:
        terminal.expect("pages/s, 2.")
        terminal.expect("the pool's size is not known yet")
        assert terminal.end() == 0
    assert b"\r\x1b[K" in terminal.written.rpartition(b"Reading the pool")[2], "the line was left on the screen"
    assert b"The first sweep is complete" in terminal.written
    with on_a_terminal(["run", "--once"], settings, folder=tmp_path, columns=60) as terminal:
        terminal.expect(f"of about {USERS:,} users")
        assert terminal.end() == 0
    lines = re.findall(r"\r\x1b\[K(Reading[^\r]*)", terminal.text)
    assert lines
    assert all(len(line) <= 59 for line in lines)


def doctor(*arguments: str, **variables: str) -> tuple[int, dict[str, dict[str, Any]]]:
    result = CliRunner().invoke(cli, ["doctor", "--json", *arguments], env={"K_SINK": "stdout:", **variables})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    told = json.loads(result.stdout)
    assert told["ok"] is (result.exit_code == 0)
    return result.exit_code, {check["name"]: check for check in told["checks"]}


def test_the_doctor_finds_nothing_wrong_where_nothing_is(cognito: FakeCognito) -> None:
    code, found = doctor()
    assert code == 0
    marks = {name: check["mark"] for name, check in found.items()}
    assert marks.pop("state") in {"ok", "warn"}  # where the tests run may be a container's own layer
    assert marks == {
        "configuration": "ok",
        "user pool": "ok",
        "credentials": "ok",
        "identity": "skip",
        "permission": "ok",
        "clock": "ok",
        "sink": "ok",
        "quota": "ok",
        "adapter": "skip",
    }
    assert cognito.stats()["requests"] == 1
    assert cognito.stats()["users"] == 1
    assert "synthetic-secret-key" not in str(found)
    assert cognito.environment()["AWS_ACCESS_KEY_ID"] not in str(found)


@pytest.mark.parametrize(("ahead_s", "mark"), [(-40.0, "warn"), (400.0, "fail")])
def test_a_wrong_clock_is_found_by_the_date_of_the_answer(cognito: FakeCognito, ahead_s: float, mark: str) -> None:
    cognito.set_behaviour(clock_ahead_s=ahead_s)
    code, found = doctor()
    assert found["clock"]["mark"] == mark
    assert ("ahead of" if ahead_s < 0 else "behind") in found["clock"]["found"]
    assert "NTP" in found["clock"]["mend"]
    assert code == (mark == "fail")


def test_a_key_that_is_refused_does_not_hide_that_the_clock_is_why(cognito: FakeCognito) -> None:
    cognito.set_behaviour(keys=[], clock_ahead_s=400.0)
    code, found = doctor()
    assert code == 1
    assert found["permission"]["mark"] == "fail"
    assert "UnrecognizedClientException" in found["permission"]["found"]
    assert found["clock"]["mark"] == "fail"


def test_a_missing_permission_is_told_as_the_statement_that_grants_it(cognito: FakeCognito) -> None:
    cognito.set_behaviour(allowed_keys=[])
    code, found = doctor()
    assert code == 1
    statement = json.loads(found["permission"]["mend"].removeprefix("add to a policy: "))
    assert statement == {"Effect": "Allow", "Action": "cognito-idp:ListUsers", "Resource": cognito.arn}
    assert found["clock"]["mark"] == "ok"


def test_a_cognito_that_hangs_keeps_nobody_waiting(cognito: FakeCognito) -> None:
    cognito.inject("hang", seconds=30.0)
    code, found = doctor("--timeout", "1")
    assert code == 1
    assert found["permission"]["mark"] == "fail"
    assert found["quota"]["mark"] == "ok"


def test_without_credentials_the_rest_is_still_checked(cognito: FakeCognito) -> None:
    code, found = doctor(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert code == 1
    assert found["credentials"]["found"] == "there are none"
    assert (found["permission"]["mark"], found["clock"]["mark"]) == ("skip", "ok")


def test_everything_that_is_throttled_is_no_failure(cognito: FakeCognito) -> None:
    cognito.inject("throttle")
    code, found = doctor()
    assert (code, found["permission"]["mark"]) == (0, "warn")
