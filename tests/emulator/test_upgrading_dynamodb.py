"""What docs/upgrading.md promises of a DynamoDB table: an older version's items are read as they were meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapter.state import export as transfer
from adapter.state.factory import open_store
from emulator.aws import EmulatedAws
from tests.docs.test_upgrading import RECORDED
from tests.support.dynalite import client, create_table, session
from tests.support.rig import ARN
from tests.support.state_contract import all_users


def with_bytes(item: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """An item as botocore takes it."""
    return {
        name: {kind: bytes.fromhex(value) if kind == "B" else value for kind, value in typed.items()}
        for name, typed in item.items()
    }


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.name)
def test_an_older_table_is_taken_over(aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch, recorded: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    create_table(aws.endpoint, "state")
    for item in json.loads((recorded / "dynamodb.json").read_text()):
        client(aws.endpoint).put_item(TableName="state", Item=with_bytes(item))
    store = open_store("dynamodb://state?region=eu-central-1", ARN, service_session=session)
    try:
        exported = [json.loads(line) for line in transfer.export_lines(store)]
        users = all_users(store)
        store.apply([users["anna"]])  # its fence is higher than that of any item
    finally:
        store.close()
    then = [json.loads(line) for line in (recorded / "export.jsonl").read_bytes().splitlines()]
    assert exported[0] == then[0]
    assert sorted(exported[1:], key=str) == sorted(then[1:], key=str)
