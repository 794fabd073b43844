"""`python -m tests.golden`: records what this version writes and promises into tests/golden/VERSION.

A folder of a version that was released is never written again.
"""

from __future__ import annotations

import copy
import json
import os
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from msgspec import structs

from adapter import manifest as manifests
from adapter.state import export as transfer
from adapter.state.dynamodb import items as dynamo_items
from adapter.state.factory import open_store
from adapter.version import VERSION
from emulator.aws import EmulatedAws
from tests.golden import interface, story
from tests.support.dynalite import client, create_table, session
from tests.support.rig import ARN, MemoryPool, MemorySink, Rig
from tests.support.state_contract import all_users

FOLDER = Path(__file__).parent
#: What dump() adds to SQLite's own dump, which leaves them out.
_PRAGMAS = ("application_id", "user_version")


def dump(path: Path) -> str:
    """A database as SQL, with the numbers that say whose it is and which layout it has."""
    connection = sqlite3.connect(path)
    try:
        numbers = [f"PRAGMA {name} = {connection.execute(f'PRAGMA {name}').fetchone()[0]};" for name in _PRAGMAS]
        return "\n".join([*numbers, *connection.iterdump(), ""])
    finally:
        connection.close()


def restore(text: str, path: Path) -> None:
    """Make the database that a dump describes."""
    connection = sqlite3.connect(path)
    try:
        connection.executescript(text)
    finally:
        connection.close()


def _written(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _dynamo(lines: Sequence[bytes]) -> list[dict[str, Any]]:
    """The items that an exported state is in DynamoDB once its writer has gone; binary values in hexadecimal."""
    with EmulatedAws.start() as aws:
        os.environ |= {"AWS_ENDPOINT_URL": aws.endpoint}
        create_table(aws.endpoint, "state")
        store = open_store("dynamodb://state?region=eu-central-1", ARN, service_session=session)
        transfer.import_lines(lines, "export", store)
        store.apply([structs.replace(all_users(store)["eve"], username="gone")])
        store.apply([], ["gone"])
        store.close()
        items = client(aws.endpoint).scan(TableName="state")["Items"]
    found = json.loads(json.dumps(items, default=lambda raw: raw.hex()))
    for item in found:
        if item["sk"]["S"] == dynamo_items.LEASE:
            item |= {"host": {"S": "host"}, "pid": {"N": "1"}}  # who recorded it is nobody's business
    return sorted(found, key=lambda item: (str(item["pk"]), str(item["sk"])))


def record(folder: Path) -> None:
    """Play the story, and write what it leaves behind."""
    pool, sink = MemoryPool(), MemorySink()
    state = folder / "state.db"
    story.first_users(pool)
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        story.changes(pool)
        sink.answer = story.answer
        rig.sweep()
        lines = list(transfer.export_lines(rig.store))
    (folder / "export.jsonl").write_bytes(b"".join(lines))
    (folder / "dynamodb.json").write_text(_written(_dynamo(lines)))
    (folder / "state.sql").write_text(dump(state))
    (folder / "pool.json").write_text(_written(list(pool.users.values())))
    events = {"before": story.told(sink), "in doubt": [event.id for event in sink.refused]}
    (folder / "events.json").write_text(_written(events | play_on(copy.deepcopy(pool), state)))
    (folder / "interface.json").write_text(_written(interface.of_the_code()))
    (folder / "source.yaml").write_text(story.MANIFEST)
    (folder / "environment.json").write_text(_written(environments(folder / "source.yaml")))
    for left in folder.glob("state.db*"):
        left.unlink()


def play_on(pool: MemoryPool, state: Path) -> dict[str, Any]:
    """The next version's life on a state: what it tells at its start, and of what happens later."""
    sink = MemorySink()
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        at_start = story.told(sink)
        sink.events.clear()
        story.later_changes(pool)
        for _ in range(3):  # a deletion is looked at twice
            rig.sweep()
    return {"at start": at_start, "after": story.told(sink)}


def environments(path: Path) -> dict[str, dict[str, str]]:
    """What each source of a manifest sets for the adapter."""
    sources: Sequence[manifests.Source] = manifests.load(path)
    return {source.name: dict(manifests.environment(source)) for source in sources}


@click.command()
def main() -> None:
    """Record this version."""
    target = FOLDER / VERSION
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        record(Path(folder))
        for file in Path(folder).iterdir():
            (target / file.name).write_bytes(file.read_bytes())
            click.echo(f"wrote {target.relative_to(interface.ROOT) / file.name}")


if __name__ == "__main__":
    main()
