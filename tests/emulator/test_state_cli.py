"""`python -m adapter state` between SQLite and DynamoDB."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapter.commands.state import state
from adapter.errors import StateError
from adapter.state.base import Meta
from adapter.state.factory import open_store
from adapter.state.sqlite.lock import HeldError
from adapter.state.sqlite.store import SqliteStore
from emulator.aws import EmulatedAws
from tests.support.dynalite import create_table, session
from tests.support.state_contract import POOL, STRANGE_NAMES, all_users, known

META = Meta(pool_arn=POOL, initial="baseline", baseline_started_ms=1_700_000_000_000, baseline_done=True, sweeps=3)
USERS = {name: known(name) for name in STRANGE_NAMES}
URL = "dynamodb://state?region=eu-central-1"


@pytest.fixture
def environment(aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    create_table(aws.endpoint, "state")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    return {**aws.environment(), "STATE_URL": URL, "ARN": POOL}


def _run(environment: Mapping[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(state, arguments, env=environment)


def test_a_state_moves_to_dynamodb_and_back_without_a_difference(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    store = SqliteStore(tmp_path / "state.db", POOL)
    store.apply(list(USERS.values()), meta=META)
    store.close()
    sqlite = {**environment, "STATE_URL": f"sqlite:///{tmp_path / 'state.db'}"}
    there, back = str(tmp_path / "there"), str(tmp_path / "back")
    assert _run(sqlite, "export", there).exit_code == 0
    assert _run(environment, "import", there).exit_code == 0
    shown = json.loads(_run(environment, "show", "--json").stdout)
    assert (shown["users"], shown["holder"], shown["meta"]["sweeps"]) == (len(USERS), None, 3)
    assert _run(environment, "export", back).exit_code == 0
    assert sorted(Path(back).read_bytes().splitlines()) == sorted(Path(there).read_bytes().splitlines())


def test_a_state_in_use_is_shown_with_its_holder_and_otherwise_left_alone(environment: Mapping[str, str]) -> None:
    store = open_store(URL, POOL, service_session=session)
    store.apply([known("anna")])
    shown = _run(environment, "show").stdout
    assert "users        1\n" in shown
    assert "in use by    process " in shown
    assert "anna" not in shown
    assert isinstance(_run(environment, "reset", "--yes").exception, HeldError)
    assert isinstance(_run(environment, "export", "-").exception, HeldError)
    store.close()


def test_a_reset_keeps_the_fence_growing(environment: Mapping[str, str]) -> None:
    store = open_store(URL, POOL, service_session=session)
    store.apply(list(USERS.values()), meta=META)
    store.close()
    assert _run(environment, "reset", "--yes").exit_code == 0
    store = open_store(URL, POOL, service_session=session)
    assert (store.count(), store.meta()) == (0, Meta(pool_arn=POOL))
    assert store._lease.fence == 3  # type: ignore[attr-defined]  # the DynamoDB store's
    store.apply([known("anna")])
    store.close()
    store = open_store(URL, POOL, service_session=session)
    assert all_users(store) == {"anna": known("anna")}
    store.close()


def test_a_table_without_a_state_of_this_pool_says_so(environment: Mapping[str, str]) -> None:
    result = _run(environment, "show")
    assert isinstance(result.exception, StateError)
    assert "no adapter ever used it" in str(result.exception)


def test_a_state_in_dynamodb_goes_on_in_the_pool_s_other_region(environment: Mapping[str, str]) -> None:
    replica = POOL.replace("cognito-idp:eu-central-1", "cognito-idp:eu-west-1")
    store = open_store(URL, POOL, service_session=session)
    store.apply(list(USERS.values()), meta=META)
    assert isinstance(_run({**environment, "ARN": replica}, "adopt", "--yes").exception, HeldError)
    store.close()
    with pytest.raises(StateError, match="to go on with its state here use `state adopt`"):
        open_store(URL, replica, service_session=session)
    assert _run({**environment, "ARN": replica}, "adopt", "--yes").exit_code == 0
    store = open_store(URL, replica, service_session=session)
    assert store.meta() == dataclasses.replace(META, pool_arn=replica)
    assert all_users(store) == USERS
    store.close()
    with pytest.raises(StateError):
        open_store(URL, POOL, service_session=session)
