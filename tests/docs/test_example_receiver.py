"""examples/receiver: its table in SQLite, and what it answers to what."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import queue_worker
from change import Change, from_json, read_change
from hypothesis import given
from receiver import create_app
from store import PATIENCE_S, Store, Verdict

from adapter.config.settings import load
from adapter.events.formats import BATCH_TYPE, STRUCTURED_TYPE, binary_headers, structured
from adapter.model import Event, Kind, User
from tests.support.receiver_contract import ARN, Desk, ReceiverContract, sqlite_url, told, user
from tests.unit.events.test_builder import BUILDER, USERS, change

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "receiver"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(sqlite_url(tmp_path), partial(sqlite3.connect, tmp_path / "users.db"))


class TestSqlite(ReceiverContract):
    pass


EVENT = told(user())
JSON = structured(EVENT)
BINARY = binary_headers(EVENT)
STRUCTURED = {"Content-Type": STRUCTURED_TYPE}
BATCH = {"Content-Type": BATCH_TYPE}


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (415, {}, b""),
        (415, {"Content-Type": "application/json"}, EVENT.data),
        (415, {**BINARY, "content-type": "text/plain"}, EVENT.data),
        (415, {"Content-Type": "application/cloudevents+xml"}, JSON),
        (400, BINARY, b""),
        (400, BINARY, b"no JSON"),
        (400, BINARY, b"[]"),
        (400, BINARY, EVENT.data.replace(b'"Username":"ann"', b'"Username":null')),
        (400, BINARY, EVENT.data.replace(b'"Username":"ann"', rb'"Username":"a\u0000"')),
        (400, BINARY, EVENT.data.replace(b'"Username":"ann"', rb'"Username":"\ud800"')),
        (400, BINARY, EVENT.data.replace(b'"UserCreateDate":"2025', b'"UserCreateDate":"25')),
        (400, BINARY, EVENT.data.replace(b'Z","UserLast', b'","UserLast')),
        (400, {name: value for name, value in BINARY.items() if name != "ce-id"}, EVENT.data),
        (400, {**BINARY, "ce-specversion": "0.3"}, EVENT.data),
        (400, STRUCTURED, b"null"),
        (400, STRUCTURED, JSON[:-1]),
        (400, STRUCTURED, JSON.replace(b'"id"', b'"no"')),
        (400, BATCH, JSON),
        (400, BATCH, b"[null]"),
        (413, BINARY, bytes(17 * 1024 * 1024)),
        (204, BATCH, b"[]"),
        (204, {**BINARY, "ce-type": "of.another.source"}, b"{}"),
        (204, {**STRUCTURED, "Content-Type": f"{STRUCTURED_TYPE}; charset=utf-8"}, JSON),
    ],
)
def test_what_it_can_never_accept_it_answers_with_4xx(
    desk: Desk, status: int, headers: dict[str, str], body: bytes
) -> None:
    assert desk.post(headers, body) == status
    assert len(desk.rows(table="seen", where="1 = 1")) == (body is JSON and status == 204)


@given(USERS)
def test_it_reads_every_event_that_is_made(who: User) -> None:
    event = BUILDER.build(change(who))
    if "\0" in who.username + (who.status or ""):
        with pytest.raises(ValueError, match="NUL"):
            _read(event)
        return
    read = _read(event)
    assert (read.source, read.id, read.username) == (event.attributes["source"], event.id, who.username)
    assert json.loads(read.attributes) == {name: value or "" for name, value in who.attributes}
    dates = [date for date in (who.created_ms, who.modified_ms) if date is not None] or [0]
    assert (read.created_ms, read.modified_ms) == (dates[0], dates[-1])
    assert (read.enabled, read.deleted_ms, read.comes_back) == (bool(who.enabled), None, True)


def test_while_the_database_is_locked_it_answers_503_and_the_event_can_come_again(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.PATIENCE_S", 0)
    with closing(sqlite3.connect(tmp_path / "users.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert desk.client.get("/health").status_code == desk.send(EVENT) == 503
    assert desk.client.get("/health").status_code == desk.send(EVENT) == 204
    assert (len(desk.rows()), desk.duplicates()) == (1, 0)


def test_it_gives_up_before_the_adapter_does() -> None:
    assert load({"ARN": ARN, "K_SINK": "http://127.0.0.1/"}).http.timeout_s > PATIENCE_S


def test_only_who_has_the_token_is_let_in(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    client = create_app({"DATABASE_URL": sqlite_url(tmp_path), "TOKEN_FILE": str(file)}).test_client()
    answers = [
        client.post("/events", headers={**BINARY, **more}, data=EVENT.data).status_code
        for more in ({}, {"Authorization": "Bearer s3cre"}, {"Authorization": "Bearer s3cret"})
    ]
    assert answers == [401, 401, 204]


def test_an_empty_token_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("\n")
    with pytest.raises(ValueError, match="TOKEN_FILE"):
        create_app({"DATABASE_URL": sqlite_url(tmp_path), "TOKEN_FILE": str(file)})


def test_ids_and_deletions_are_forgotten_after_a_while(tmp_path: Path) -> None:
    now = 1_000_000.0
    store = Store(sqlite_url(tmp_path), retention_s=100, clock=lambda: now)
    ann, bob = (told(user(name), kind) for name, kind in (("ann", Kind.DELETED), ("bob", Kind.UPDATED)))
    changes = [_read(event) for event in (ann, bob)]
    assert store.take(changes) == {Verdict.APPLIED: 2}
    now += 100
    assert store.take(changes) == {Verdict.DUPLICATE: 2}
    now += 1
    assert store.take([]) == {}
    with closing(sqlite3.connect(tmp_path / "users.db")) as connection:
        assert connection.execute("SELECT count(*) FROM seen").fetchone() == (0,)
        assert connection.execute("SELECT username FROM users").fetchall() == [("bob",)]


def test_on_a_fifo_queue_nothing_of_a_user_is_taken_after_something_that_failed(desk: Desk, tmp_path: Path) -> None:
    store = Store(desk.url, retention_s=100)
    bad = structured(told(user("ann"))).replace(b'"id"', b'"no"')
    bodies = [("ann", bad), ("bob", structured(told(user("bob")))), ("ann", structured(told(user("ann"))))]
    fifo = [_message(number, body, MessageGroupId=group) for number, (group, body) in enumerate(bodies)]
    assert queue_worker.take(fifo, store) == ["1"]
    standard = [_message(number, body) for number, (_, body) in enumerate(bodies)]
    assert queue_worker.take(standard, store) == ["1", "2"]
    assert [name for (name,) in desk.rows("username")] == ["ann", "bob"]
    assert desk.duplicates() == 1


def _message(number: int, body: bytes, **attributes: str) -> dict[str, Any]:
    known = {"Attributes": attributes} if attributes else {}
    return {"MessageId": str(number), "ReceiptHandle": str(number), "Body": body.decode(), **known}


def test_a_url_that_names_no_database_is_refused() -> None:
    with pytest.raises(ValueError, match="DATABASE_URL"):
        create_app({"DATABASE_URL": "mysql://here"})


def test_its_requirements_are_the_versions_that_are_tested() -> None:
    locked = (ROOT / "requirements" / "dev.txt").read_text()
    pins = (FOLDER / "requirements.txt").read_text().split()
    assert pins
    assert [pin for pin in pins if not re.search(rf"^{re.escape(pin)}( |$)", locked, re.MULTILINE)] == [], "make lock"


def _read(event: Event) -> Change:
    change = read_change(from_json(json.loads(structured(event))))
    assert change is not None
    return change
