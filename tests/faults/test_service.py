"""The whole adapter, in this process, against a Cognito that misbehaves: nothing lost, nothing invented, all told.

The outcomes are the rows of the table in docs/reliability.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from adapter.arn import parse_pool_arn
from adapter.cognito.client import CognitoUserPool
from adapter.cognito.rate_limiter import RateLimiter
from tests.fake_cognito import ARN, FakeCognito
from tests.support import wait_until
from tests.support.rig import MemorySink, Rig

USERS = 200
LOADER = botocore.session.Session().get_component("data_loader")


def session() -> botocore.session.Session:
    made = botocore.session.Session()
    made.register_component("data_loader", LOADER)
    made.set_credentials("AKIAFAKECOGNITO00001", "synthetic-secret-key")
    return made


@pytest.fixture
def cognito(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCognito]:
    with FakeCognito(users=USERS) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def start(sink: MemorySink, cognito: FakeCognito, tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Starts an adapter whose baseline is complete."""
    started: list[Any] = []

    def make(**options: Any) -> Rig:
        limiter = RateLimiter(10_000)
        pool = CognitoUserPool(session, parse_pool_arn(ARN), limiter, attempts=1, read_timeout_s=0.5)
        context = Rig.start(pool, sink, tmp_path / "state.db", arn=ARN, **options)
        started.append((context, pool))
        rig: Rig = context.__enter__()
        assert rig.sweep()
        sink.events.clear()
        return rig

    yield make
    for context, pool in started:
        context.__exit__(None, None, None)
        pool.close()


def change_some(cognito: FakeCognito) -> dict[str, str]:
    """Change three users; returns what a consumer must be told, by username."""
    names = sorted(cognito.usernames())
    cognito.create("newcomer", email="n@example.org")
    cognito.disable(names[3])
    cognito.delete(names[150])
    return {"newcomer": "created", names[3]: "updated", names[150]: "deleted"}


def put(cognito: FakeCognito, shown: dict[str, Any]) -> None:
    """Replace a user by exactly this."""
    if shown["Username"] in cognito.usernames():
        cognito.delete(shown["Username"])
    cognito.pool.put_raw(shown)


def settle(rig: Rig, sink: MemorySink, expected: dict[str, str]) -> None:
    """Sweep until all is told, then twice more: nothing else may come."""

    def told() -> bool:
        rig.sweep()
        return len(sink.events) >= len(expected)

    wait_until(told)
    for _ in range(2):
        assert rig.sweep()
    assert {key: kind for kind, key in sink.told()} == expected
    assert len(sink.events) == len(expected)


FAULTS: dict[str, dict[str, Any]] = {
    "throttled": {"kind": "throttle", "times": 3},
    "throttled with Retry-After": {"kind": "throttle", "seconds": 0.2},
    "internal errors": {"kind": "error", "times": 3},
    "errors without a body": {"kind": "status", "status": 500, "times": 2},
    "a proxy's error page": {"kind": "html", "times": 2},
    "connections reset": {"kind": "reset", "times": 3},
    "connections closed": {"kind": "close", "times": 3},
    "a truncated answer": {"kind": "truncate", "times": 2},
    "half of the JSON": {"kind": "cut", "times": 2},
    "no JSON at all": {"kind": "malformed", "times": 2},
    "another shape of JSON": {"kind": "malformed", "body": '{"Users":{}}', "times": 2},
    "an answer without users": {"kind": "no_users", "times": 2},
    "an answer that never comes": {"kind": "hang", "seconds": 1.0},
    "a slow answer": {"kind": "slow", "seconds": 0.2, "times": 2},
    "a repeated token": {"kind": "repeat_token"},
    "an expired token": {"kind": "expire_token"},
    "an empty page with a token": {"kind": "empty_page", "times": 3},
    "a short page with a token": {"kind": "short_page", "times": 3},
    "so many errors that the sweep fails": {"kind": "error", "times": 12},
    "so many resets that the sweep fails": {"kind": "reset", "times": 12},
    "tokens that expire again and again": {"kind": "expire_token", "times": 6},
}


@pytest.mark.parametrize("after", [0, 2], ids=["at the first page", "in the middle"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_no_fault_loses_or_invents_a_change(
    cognito: FakeCognito, sink: MemorySink, start: Callable[..., Rig], fault: dict[str, Any], after: int
) -> None:
    rig = start()
    expected = change_some(cognito)
    cognito.inject(**{"after": after, **fault})
    settle(rig, sink, expected)
    assert rig.health.unready() == []


QUIET = {"a slow answer", "an empty page with a token", "a short page with a token"}


@pytest.mark.parametrize("name", sorted(set(FAULTS) - QUIET))
def test_every_fault_is_counted_by_its_code_and_logged(
    cognito: FakeCognito, start: Callable[..., Rig], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    rig = start()
    cognito.inject(**{"after": 1, **FAULTS[name]})
    caplog.set_level("INFO")
    rig.sweep()
    status = rig.metrics.status()
    codes = {*status["retries"], *status["sweeps"]} - {"complete"}
    logged = {record.__dict__.get("code") for record in caplog.records}
    assert codes
    assert codes <= logged


def test_users_deleted_while_pages_are_read_are_told_as_deleted_and_nobody_else(
    cognito: FakeCognito, sink: MemorySink, start: Callable[..., Rig]
) -> None:
    rig = start()
    names = sorted(cognito.usernames())
    gone = iter(names[::10])
    cognito.on_request(lambda _: cognito.delete(name) if (name := next(gone, "")) else None)
    expected = dict.fromkeys(names[::10], "deleted")
    settle(rig, sink, expected)


def test_users_created_while_pages_are_read_are_told_once(
    cognito: FakeCognito, sink: MemorySink, start: Callable[..., Rig]
) -> None:
    rig = start()
    new = [f"new-{number}" for number in range(20)]
    coming = iter(new)
    cognito.on_request(lambda _: cognito.create(name) if (name := next(coming, "")) else None)
    settle(rig, sink, dict.fromkeys(new, "created"))


def test_a_lookup_that_fails_deletes_nobody_until_it_works(
    cognito: FakeCognito, sink: MemorySink, start: Callable[..., Rig]
) -> None:
    rig = start()
    name = sorted(cognito.usernames())[7]
    cognito.delete(name)
    cognito.inject("error", times=6, with_filter=True)
    assert not rig.sweep()
    assert sink.events == []
    settle(rig, sink, {name: "deleted"})


def test_a_lookup_that_answers_in_empty_pages_is_followed_to_its_end(
    cognito: FakeCognito, sink: MemorySink, start: Callable[..., Rig]
) -> None:
    rig = start()
    name = sorted(cognito.usernames())[7]
    cognito.delete(name)
    cognito.inject("empty_page", times=3, with_filter=True)
    settle(rig, sink, {name: "deleted"})


STRANGE = ["ünïcödé", "日本語", "a\u0308", "with space", 'quo"te\\', "O'Brien", "😀" * 40, "<&>", "\u2028", "x" * 128]


def test_any_username_and_long_attributes_survive_the_whole_way(
    cognito: FakeCognito, sink: MemorySink, start: Callable[..., Rig]
) -> None:
    rig = start()
    for name in STRANGE:
        cognito.create(name, nickname="é" * 2048)
    settle(rig, sink, dict.fromkeys(STRANGE, "created"))
    sink.events.clear()
    for name in STRANGE:
        cognito.delete(name)
    settle(rig, sink, dict.fromkeys(STRANGE, "deleted"))


def test_users_without_attributes_or_dates_are_told_like_others(
    cognito: FakeCognito, sink: MemorySink, start: Callable[..., Rig]
) -> None:
    rig = start()
    put(cognito, {"Username": "bare"})
    put(cognito, {"Username": "nulls", "Attributes": None, "UserCreateDate": None, "Enabled": None})
    settle(rig, sink, {"bare": "created", "nulls": "created"})
    sink.events.clear()
    put(cognito, {"Username": "bare", "Enabled": False})
    settle(rig, sink, {"bare": "updated"})


def test_a_clock_that_steps_back_or_forth_changes_nothing(
    cognito: FakeCognito, sink: MemorySink, start: Callable[..., Rig]
) -> None:
    """Of this machine; Cognito's own dates are only compared for equality once the baseline is complete."""
    rig = start()
    for step_ms in (-86_400_000, 86_400_000, -3_600_000, 3_600_000):
        sink.events.clear()
        wall_ms = int(time.time() * 1000) + step_ms
        rig.clock.wall_ms_now = lambda wall_ms=wall_ms: wall_ms  # type: ignore[misc]  # bound at once
        name = f"at {step_ms}"
        cognito.create(name)
        settle(rig, sink, {name: "created"})


def test_dates_that_go_back_or_tie_to_the_millisecond_are_changes_like_others(
    cognito: FakeCognito, sink: MemorySink, start: Callable[..., Rig]
) -> None:
    rig = start()
    user = {"Username": "tie", "Enabled": True, "UserCreateDate": 1e9, "UserLastModifiedDate": 1e9}
    for change in ({}, {"Enabled": False}, {"UserLastModifiedDate": 1e9 - 1}, {"UserStatus": "CONFIRMED"}):
        sink.events.clear()
        user |= change
        put(cognito, user)
        settle(rig, sink, {"tie": "updated" if change else "created"})
