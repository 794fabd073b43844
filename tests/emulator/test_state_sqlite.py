"""Whole adapters on a SQLite state whose file meets with something."""

from __future__ import annotations

from pathlib import Path

from emulator.aws import EmulatedAws
from tests.emulator.process import Users, adapter, settings
from tests.support import RecordingSink, wait_until


def test_a_state_that_is_deleted_under_a_running_adapter_loses_nothing(aws: EmulatedAws, tmp_path: Path) -> None:
    users, state = Users(aws), tmp_path / "state.db"
    with RecordingSink.start() as sink:
        made = settings(aws, users.arn, sink.url, STATE_URL=f"sqlite:///{state}")
        users.create("anna")
        users.grow_old()
        with adapter(made, tmp_path / "run") as running:
            running.wait_for("baseline_done")
            users.create("ben")
            wait_until(lambda: sink.events)
            state.unlink()  # the first to go: without its log alone it would end with another message
            for beside in ("-wal", "-shm", ".lock"):
                state.with_name(state.name + beside).unlink(missing_ok=True)
            users.create("carl")
            assert running.wait() == 1
            assert f"error: STATE_URL: the state file {state} was deleted" in running.err
            assert "Traceback" not in running.err
        users.create("dora")
        with adapter(made, tmp_path / "run") as running:
            wait_until(lambda: len({event["partitionkey"] for event in sink.events}) == 3)
            assert running.terminate() == 0
    assert {event["partitionkey"] for event in sink.events} == {"ben", "carl", "dora"}
    assert len({event["id"] for event in sink.events}) == 3
