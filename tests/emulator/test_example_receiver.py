"""examples/receiver, started as its README says, behind a real adapter; both are killed, and answers get lost."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from emulator.aws import EmulatedAws
from tests.emulator.process import ROOT, Users, adapter, settings
from tests.support import RecordingSink, SinkRequest, SinkResponse, wait_until

FOLDER = ROOT / "examples" / "receiver"


class Receiver:
    """A running receiver with its table in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "users.db"
        log = folder / "receiver.log"
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "waitress", *_arguments()],
                cwd=FOLDER,
                env={"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{self.database}"},
                stdin=subprocess.DEVNULL,
                stderr=errors,
            )
        ports = wait_until(lambda: re.findall(r"http://127\.0\.0\.1:(\d+)", log.read_text()), what="the receiver")
        self._port = int(ports[0])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def forward(self, request: SinkRequest) -> int:
        """Hand a request on as it came; 0: nobody answered."""
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)) as connection:
            try:
                connection.request("POST", request.path, request.body, dict(request.headers))
                return connection.getresponse().status
            except OSError:
                return 0

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(statement).fetchall()

    def seen(self) -> tuple[int, int]:
        """How many events came, and how often one of them came again."""
        ((events, duplicates),) = self.query("SELECT count(*), coalesce(sum(arrivals - 1), 0) FROM seen")
        return events, duplicates

    def users(self) -> dict[str, tuple[bool, str, dict[str, str]]]:
        rows = self.query("SELECT username, enabled, status, attributes FROM users WHERE deleted_ms IS NULL")
        return {name: (bool(enabled), status, json.loads(attributes)) for name, enabled, status, attributes in rows}


def _arguments() -> list[str]:
    """What README.md starts, on any free port."""
    (line,) = re.findall(r"waitress-serve (.*)", (FOLDER / "README.md").read_text())
    return shlex.split(str(line).replace(":8080", ":0"))


class Road:
    """What lies between adapter and receiver: every third answer gets lost on it."""

    def __init__(self) -> None:
        self.receiver: Receiver | None = None
        self.lost = 0
        self.refused = 0
        self._lock = threading.Lock()
        self._count = itertools.count(1)

    def __call__(self, request: SinkRequest) -> SinkResponse:
        receiver = self.receiver
        status = receiver.forward(request) if receiver is not None else 0
        with self._lock:
            self.refused += not 200 <= status < 300
            if status == 204 and next(self._count) % 3 == 0:
                self.lost += 1
                return SinkResponse(0)
        return SinkResponse(status)


@contextmanager
def receiving(road: Road, folder: Path) -> Iterator[Receiver]:
    road.receiver = receiver = Receiver(folder)
    try:
        yield receiver
    finally:
        receiver.kill()


def pool(aws: EmulatedAws, users: Users) -> dict[str, tuple[bool, str, dict[str, str]]]:
    pages = aws.client("cognito-idp").get_paginator("list_users").paginate(UserPoolId=users.pool_id)
    return {
        user["Username"]: (
            user["Enabled"],
            user["UserStatus"],
            {pair["Name"]: pair["Value"] for pair in user["Attributes"]},
        )
        for page in pages
        for user in page["Users"]
    }


def change(users: Users, life: int) -> None:
    """Some of everything that happens to users."""
    for number in range(8):
        users.create(f"life-{life}-{number}", email=f"{number}@example.com", name="<Ünï> & co")
    users.update(f"life-{life}-0", email="new@example.com")
    users.enable(f"life-{life}-1", on=False)
    users.delete(f"life-{life}-2")
    users.create(f"life-{life}-2", email="another@example.com")
    if life:
        users.delete(f"life-{life - 1}-{life + 2}")
        users.enable(f"life-{life - 1}-1", on=True)


def test_its_table_equals_the_pool_whoever_is_killed_and_whatever_gets_lost(aws: EmulatedAws, tmp_path: Path) -> None:
    users = Users(aws)
    change(users, 0)
    road = Road()
    with RecordingSink.start() as sink:
        sink.answer_with(road)
        environment = settings(aws, users.arn, f"{sink.url}/events", EVENTS_INITIAL="snapshot")
        with receiving(road, tmp_path) as receiver, adapter(environment, tmp_path):
            wait_until(lambda: road.lost >= 2, what="lost answers")
        # Both were killed: the adapter at any moment, the receiver after it.
        change(users, 1)
        environment["DELIVERY_FORMAT"] = "structured"
        with adapter(environment, tmp_path):
            wait_until(lambda: road.refused, what="events while the receiver is away")
            with receiving(road, tmp_path) as receiver:
                wait_until(lambda: road.lost >= 5 and receiver.seen()[1], what="lost answers and repetitions")
            change(users, 2)
        environment["DELIVERY_FORMAT"] = "batched"
        with receiving(road, tmp_path) as receiver, adapter(environment, tmp_path) as running:
            change(users, 3)
            wait_until(lambda: receiver.users() == pool(aws, users), what="the table to equal the pool")
            assert running.terminate() == 0
    assert {request.headers["content-type"] for request in sink.requests} == {
        "application/json",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
    }
    # Some answers were lost without a repetition: the user had changed meanwhile, and that was told instead.
    events, duplicates = receiver.seen()
    assert 0 < duplicates < events
