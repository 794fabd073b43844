"""examples/receiver with its table in PostgreSQL: the suite that SQLite passes, on a server of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from tests.support.receiver_contract import Desk, ReceiverContract, told, user

#: Debian keeps the server's programs out of PATH.
DEBIAN = Path("/usr/lib/postgresql")
#: It refuses to run as root.
OTHER_USER = "nobody"


def _program(name: str) -> str:
    newest_first = sorted(DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]), reverse=True)
    found = next(iter(newest_first), None) or shutil.which(name)
    if found is None:
        pytest.skip(f"needs PostgreSQL's {name}: install your system's package postgresql")
    return str(found)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A cluster that listens on a socket in a folder of its own, and on no port; gives its URL."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    other = OTHER_USER if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as name:  # the path of a socket is short
        folder = Path(name)
        folder.chmod(0o700)
        if other:
            shutil.chown(folder, other)
        data = str(folder / "data")

        def run(*command: str) -> None:
            done = subprocess.run(
                command, user=other, cwd="/", env={"LC_ALL": "C"}, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr

        run(initdb, "-D", data, "-U", "receiver", "--auth=trust", "--encoding=UTF8", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        run(pg_ctl, "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
        try:
            yield f"postgresql://receiver@/postgres?host={folder}"
        finally:
            run(pg_ctl, "-D", data, "-m", "immediate", "stop")


@pytest.fixture
def desk(server: str) -> Iterator[Desk]:
    yield Desk(server, partial(psycopg.connect, server))
    with psycopg.connect(server) as connection:
        connection.execute("DROP TABLE users, seen")


class TestPostgresql(ReceiverContract):
    def test_while_a_row_is_locked_it_answers_503_and_the_event_can_come_again(
        self, desk: Desk, server: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("store.PATIENCE_S", 1)
        impatient = Desk(server, desk.connect)
        desk.send(told(user(at=1)))
        event = told(user(at=2, n="2"))
        with psycopg.connect(server) as other:
            other.execute("SELECT * FROM users FOR UPDATE")
            assert impatient.send(event) == 503
        assert impatient.send(event) == 204
        assert (desk.attributes(), desk.duplicates()) == ({"ann": {"n": "2"}}, 0)

    def test_while_the_server_is_away_it_answers_503(self, desk: Desk) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(psycopg, "connect", _refuse)
            assert desk.send(told(user())) == 503


def _refuse(*_: object, **__: object) -> None:
    raise psycopg.OperationalError("connection refused")
