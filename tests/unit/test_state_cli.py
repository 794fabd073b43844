"""`python -m adapter state` on SQLite."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapter.errors import ConfigError
from adapter.state.base import Meta
from adapter.state.cli import state
from adapter.state.lock import HeldError
from adapter.state.sqlite import SqliteStore
from tests.state_contract import OTHER_POOL, POOL, STRANGE_NAMES, all_users, known

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
