"""`python -m adapter state` on SQLite."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapter.commands.state import state
from adapter.errors import ConfigError, StateError
from adapter.sinks.base import Delivered
from adapter.state.base import Meta
from adapter.state.sqlite.lock import HeldError
from adapter.state.sqlite.store import SqliteStore
from tests.support.rig import DOWN, MemoryPool, MemorySink, Rig
from tests.support.state_contract import OTHER_POOL, POOL, STRANGE_NAMES, all_users, known

#: The same pool in another region: multi-Region replication keeps the pool's id.
REPLICA = POOL.replace("cognito-idp:eu-central-1", "cognito-idp:eu-west-1")
META = Meta(pool_arn=POOL, initial="snapshot", baseline_started_ms=1_700_000_000_000, baseline_done=True, sweeps=3)
USERS = [known(name) for name in STRANGE_NAMES] + [known("doubt", attributes=b"", revision=-4, enabled=None)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    store = SqliteStore(path, POOL)
    store.apply(USERS, meta=META)
    store.close()
    return path


def _run(path: Path, *arguments: str, pool: str = POOL, answer: str | None = None) -> Result:
    environment = {"STATE_URL": f"sqlite:///{path}", "ARN": pool}
    return CliRunner().invoke(state, arguments, input=answer, env=environment)


def _problem(result: Result) -> str:
    assert isinstance(result.exception, ConfigError)
    assert result.stdout == ""
    return str(result.exception)


def test_show_counts_and_says_who_holds_the_state_even_while_it_is_held(path: Path) -> None:
    free = _run(path, "show")
    assert f"users        {len(USERS)}\n" in free.stdout
    assert "in use by    nobody" in free.stdout
    store = SqliteStore(path, POOL)
    store.apply([known("another")])
    shown = json.loads(_run(path, "show", "--json").stdout)
    store.close()
    assert shown["users"] == len(USERS) + 1
    assert shown["unconfirmed"] == 1
    assert shown["missing"] == len(USERS) + 1
    assert shown["meta"]["baseline_done"] is True
    assert shown["holder"]["pid"] > 0


def test_show_takes_any_date(path: Path) -> None:
    store = SqliteStore(path, POOL)
    store.apply([], meta=dataclasses.replace(META, last_sweep_ms=2**62))
    store.close()
    assert "last sweep   4611686018427387904 ms (no date) (3 complete)" in _run(path, "show").stdout


def test_show_names_nobody(path: Path) -> None:
    printed = _run(path, "show").stdout + _run(path, "show", "--json").stdout
    assert "O'Brien" not in printed
    assert "sub-of" not in printed


@pytest.mark.parametrize("command", ["show", "export", "reset"])
def test_a_state_that_is_not_there_is_not_made(tmp_path: Path, command: str) -> None:
    path = tmp_path / "nothing.db"
    arguments = [command, str(tmp_path / "out")] if command == "export" else [command]
    assert "does not exist" in _problem(_run(path, *arguments))
    assert list(tmp_path.iterdir()) == []


def test_what_is_exported_can_be_imported_elsewhere_without_a_difference(path: Path, tmp_path: Path) -> None:
    out, copy = tmp_path / "out.jsonl", tmp_path / "copy.db"
    assert _run(path, "export", str(out)).exit_code == 0
    assert out.stat().st_mode & 0o777 == 0o600
    assert _run(copy, "import", str(out)).exit_code == 0
    store = SqliteStore(copy, POOL)
    assert store.meta() == META
    assert all_users(store) == {user.username: user for user in USERS}
    store.close()
    assert _run(path, "export", "-").stdout_bytes == out.read_bytes()


def test_an_import_into_a_state_that_knows_somebody_needs_force(path: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out.jsonl", tmp_path / "other.db"
    _run(path, "export", str(out))
    store = SqliteStore(other, POOL)
    store.apply([known("old"), known("plain", revision=99)])
    store.close()
    assert "add --force" in _problem(_run(other, "import", str(out)))
    assert _run(other, "import", str(out), "--force").exit_code == 0
    store = SqliteStore(other, POOL)
    assert all_users(store) == {user.username: user for user in USERS}
    store.close()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[: len(data) // 2], "line"),
        (lambda data: b"".join(data.splitlines(keepends=True)[:-1]), "cut short"),
        (lambda data: b"", "line 1: not an exported state"),
        (lambda data: b'{"format":"something"}\n', "line 1: not an exported state"),
        (lambda data: b"\xff\xfe" + data, "line 1: not an exported state"),
        (lambda data: data.replace(b'"version":1', b'"version":2', 1), "use a newer adapter"),
        (lambda data: data.replace(b'"digest":"00', b'"digest":"zz', 1), "line 2: not a user"),
        (lambda data: data.replace(b'"digest":"00', b'"digest":"', 1), "line 2: not a user"),
        (lambda data: data.replace(b'"revision":3', b'"revision":9223372036854775808', 1), "line 2: not a user"),
        (lambda data: data.replace(b'"sweeps":', b'"sweeps":9223372036854775808', 1), "line 1: not an exported state"),
        (lambda data: data.replace(b"{", b'{"x":' + b"[" * 100_000, 1), "line 1: not an exported state"),
        (lambda data: data.replace(b"eu-central-1", "eu\u202e1".encode()), "line 1: not an exported state"),
    ],
)
def test_a_damaged_export_is_refused_before_anything_is_stored(
    path: Path, tmp_path: Path, damage: object, message: str
) -> None:
    out = tmp_path / "out.jsonl"
    _run(path, "export", str(out))
    assert callable(damage)
    out.write_bytes(damage(out.read_bytes()))
    copy = tmp_path / "copy.db"
    problem = _problem(_run(copy, "import", str(out)))
    assert message in problem
    assert "O'Brien" not in problem
    assert not copy.exists()


def _line(number: int, **changes: object) -> Callable[[bytes], bytes]:
    """Change members of one line of an export."""

    def changed(data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)
        lines[number - 1] = json.dumps(json.loads(lines[number - 1]) | changes).encode() + b"\n"
        return b"".join(lines)

    return changed


def _twice(data: bytes) -> bytes:
    first, second, third, *rest = data.splitlines(keepends=True)
    del rest[-1]
    return b"".join([first, second, third, second, *rest])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_twice, "line 4: not a user (a line before has the same username)"),
        (_line(3, revision=2**53), "line 3: not a user (revision: expected 9007199254740991 at most, or its negative)"),
        (_line(3, revision=-(2**63)), "line 3: not a user (revision: "),
        (_line(3, revision=0, attributes=""), "line 3: not a user (attributes: 0 bytes, expected 16)"),
        (_line(3, revision=1.5), "line 3: not a user (it is not the JSON of one)"),
        (_line(3, revision="1"), "line 3: not a user (it is not the JSON of one)"),
        (_line(3, enabled=1), "line 3: not a user (it is not the JSON of one)"),
        (_line(3, username=""), "line 3: not a user (username: 0 characters, expected 1 to 128)"),
        (_line(3, username="x" * 129), "line 3: not a user (username: 129 characters, expected 1 to 128)"),
        (_line(3, username=7), "line 3: not a user (it is not the JSON of one)"),
        (_line(3, sub="s" * 400_000), "line 3: not a user (sub: 400000 characters, expected 2048 at most)"),
        (_line(3, status="s" * 129), "line 3: not a user (status: 129 characters, expected 128 at most)"),
        (_line(3, digest="00" * 9), "line 3: not a user (digest: 9 bytes, expected 8)"),
        (_line(3, attributes="00" * 17), "line 3: not a user (attributes: 17 bytes, expected 16)"),
        (_line(3, modified_ms=2**62), "line 3: not a user (modified_ms: not in the years 1 to 9999)"),
        (_line(3, missing_since_ms=-(2**62)), "line 3: not a user (missing_since_ms: not in the years 1 to 9999)"),
        (_line(3, password="x"), "line 3: not a user (it is not the JSON of one)"),
        (_line(1, users=-1), "but its first line says -1"),
        (_line(1, meta={"pool_arn": POOL, "sweeps": -1}), "line 1: not an exported state"),
        (_line(1, meta={"pool_arn": POOL, "initial": "other"}), "line 1: not an exported state"),
        (_line(1, meta={"pool_arn": POOL, "last_sweep_ms": 2**62}), "line 1: not an exported state"),
    ],
)
def test_what_no_adapter_can_have_written_is_refused_in_one_line_and_nothing_is_stored(
    path: Path, tmp_path: Path, damage: Callable[[bytes], bytes], message: str
) -> None:
    out, other = tmp_path / "out.jsonl", tmp_path / "other.db"
    _run(path, "export", str(out))
    out.write_bytes(damage(out.read_bytes()))
    store = SqliteStore(other, POOL)
    store.apply([known("old")])
    store.close()
    problem = _problem(_run(other, "import", str(out), "--force"))
    assert message in problem
    assert "\n" not in problem
    store = SqliteStore(other, POOL)
    assert set(all_users(store)) == {"old"}
    store.close()


def test_an_import_from_a_pipe_is_refused_before_the_store_is_emptied(path: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "is not an ordinary file" in _problem(_run(path, "import", str(pipe), "--force"))
    store = SqliteStore(path, POOL)
    assert store.count() == len(USERS)
    store.close()


# -- the same pool in another region --------------------------------------------------------------------------------


def test_a_state_goes_on_in_the_pool_s_other_region_once_it_is_adopted(path: Path) -> None:
    with pytest.raises(StateError, match="the same pool in another region: to go on with its state here use `state ad"):
        SqliteStore(path, REPLICA)
    assert _run(path, "adopt", pool=REPLICA, answer="n\n").exit_code == 1
    with pytest.raises(StateError):
        SqliteStore(path, REPLICA)
    result = _run(path, "adopt", "--yes", pool=REPLICA)
    assert (result.exit_code, result.stderr) == (0, f"the state of {len(USERS)} users is now that of {REPLICA}\n")
    store = SqliteStore(path, REPLICA)
    assert store.meta() == dataclasses.replace(META, pool_arn=REPLICA)
    assert all_users(store) == {user.username: user for user in USERS}
    store.close()
    assert "already" in _run(path, "adopt", pool=REPLICA).stderr
    assert _run(path, "adopt", "--yes").exit_code == 0  # and back


def test_after_the_state_is_adopted_only_what_was_not_confirmed_is_sent_and_with_the_new_source(tmp_path: Path) -> None:
    path, pool, sink = tmp_path / "state.db", MemoryPool(), MemorySink()
    pool.create("anna", at=time.time() - 60)
    with Rig.start(pool, sink, path, arn=POOL) as rig:
        assert rig.sweep()
        pool.create("ben")
        assert rig.sweep()
        sink.answer = lambda _: DOWN
        pool.create("carl")
        rig.sweep()
    assert _run(path, "adopt", "--yes", pool=REPLICA).exit_code == 0
    sink.answer = lambda _: Delivered()
    with Rig.start(pool, sink, path, arn=REPLICA) as rig:
        pool.create("dora")
        assert rig.sweep()
    sources = [(event.attributes["source"], event.key) for event in sink.events]
    assert sorted(sources) == sorted([(POOL, "ben"), (REPLICA, "carl"), (REPLICA, "dora")])


@pytest.mark.parametrize(
    "pool",
    [
        OTHER_POOL,
        REPLICA.replace("123456789012", "210987654321"),
        REPLICA.replace("arn:aws:", "arn:aws-cn:"),
    ],
)
def test_only_the_region_may_differ(path: Path, pool: str) -> None:
    assert "expected the same pool in another region" in _problem(_run(path, "adopt", "--yes", pool=pool))
    SqliteStore(path, POOL).close()


def test_a_state_that_is_in_use_or_not_there_is_not_adopted(path: Path, tmp_path: Path) -> None:
    store = SqliteStore(path, POOL)
    assert isinstance(_run(path, "adopt", "--yes", pool=REPLICA).exception, HeldError)
    store.close()
    assert "does not exist" in _problem(_run(tmp_path / "nothing.db", "adopt", "--yes", pool=REPLICA))


def test_an_export_of_the_pool_s_other_region_is_imported_on_request(path: Path, tmp_path: Path) -> None:
    out, copy = tmp_path / "out.jsonl", tmp_path / "copy.db"
    _run(path, "export", str(out))
    assert "to go on with it here add --adopt" in _problem(_run(copy, "import", str(out), pool=REPLICA))
    assert not copy.exists()
    assert _run(copy, "import", str(out), "--adopt", pool=REPLICA).exit_code == 0
    store = SqliteStore(copy, REPLICA)
    assert store.meta() == dataclasses.replace(META, pool_arn=REPLICA)
    assert store.count() == len(USERS)
    store.close()


def test_the_export_of_another_pool_is_refused(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    _run(path, "export", str(out))
    assert "name that pool" in _problem(_run(tmp_path / "copy.db", "import", str(out), pool=OTHER_POOL))


def test_reset_asks_first_and_then_forgets(path: Path) -> None:
    assert _run(path, "reset", answer="n\n").exit_code == 1
    store = SqliteStore(path, POOL)
    assert store.count() == len(USERS)
    store.close()
    assert _run(path, "reset", "--yes").exit_code == 0
    store = SqliteStore(path, POOL)
    assert store.count() == 0
    assert store.meta() == Meta(pool_arn=POOL)
    store.close()


@pytest.mark.parametrize("arguments", [["export", "-"], ["import", "{out}", "--force"], ["reset", "--yes"]])
def test_nothing_touches_a_state_that_an_adapter_holds(path: Path, tmp_path: Path, arguments: list[str]) -> None:
    out = tmp_path / "out.jsonl"
    _run(path, "export", str(out))
    store = SqliteStore(path, POOL)
    result = _run(path, *[argument.format(out=out) for argument in arguments])
    assert isinstance(result.exception, HeldError)
    assert store.count() == len(USERS)
    store.close()


def test_a_failed_export_leaves_no_file_and_keeps_the_one_before(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "out").write_text("before")
    assert "can't be written" in _problem(_run(path, "export", str(folder / "missing" / "out")))
    assert [file.name for file in folder.iterdir()] == ["out"]


def test_without_a_pool_the_variable_is_named(path: Path) -> None:
    result = CliRunner().invoke(state, ["export", "-"], env={"STATE_URL": f"sqlite:///{path}"})
    assert _problem(result).startswith("ARN: missing")
