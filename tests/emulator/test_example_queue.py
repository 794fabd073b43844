"""examples/receiver/queue_worker.py: the adapter fills a FIFO queue, and the worker dies after a commit."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import queue_worker
from store import Store

from demo.aws import EmulatedAws
from tests.emulator.process import Users, adapter, settings
from tests.receiver_contract import sqlite_url


class Client:
    """SQS for a worker that stops when the queue is empty, and can die before it deletes what it stored."""

    def __init__(self, client: Any, stop: threading.Event, *, dies: bool) -> None:
        self._client, self._stop, self._dies = client, stop, dies

    def receive_message(self, **arguments: Any) -> Mapping[str, Any]:
        answer: dict[str, Any] = self._client.receive_message(**arguments)
        if not answer.get("Messages"):
            self._stop.set()
        return answer

    def delete_message_batch(self, **arguments: Any) -> None:
        if self._dies:
            for entry in arguments["Entries"]:  # as when the visibility timeout is over
                self._client.change_message_visibility(
                    QueueUrl=arguments["QueueUrl"], ReceiptHandle=entry["ReceiptHandle"], VisibilityTimeout=0
                )
            raise KeyboardInterrupt
        self._client.delete_message_batch(**arguments)


def test_its_table_equals_the_pool_though_it_died_after_a_commit(
    aws: EmulatedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_worker, "WAIT_S", 0)
    queue, name = aws.client("sqs"), "users.fifo"
    url = queue.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})["QueueUrl"]
    users = Users(aws)
    sink = f"arn:aws:sqs:eu-central-1:{aws.account}:{name}"
    environment = settings(aws, users.arn, sink, EVENTS_INITIAL="snapshot", DELIVERY_CONCURRENCY="1")
    for number in range(14):
        users.create(f"user-{number}", email=f"{number}@example.com")
    with adapter(environment, tmp_path, "run", "--once") as running:
        assert running.wait() == 0, running.err
    users.delete("user-1")
    users.update("user-2", email="new@example.com")
    users.create("user-14")
    with adapter(environment, tmp_path, "run", "--once") as running:
        assert running.wait() == 0, running.err

    store = Store(sqlite_url(tmp_path), retention_s=1000)
    run = partial(queue_worker.work, url=url, store=store)
    stop = threading.Event()
    with pytest.raises(KeyboardInterrupt):
        run(Client(queue, stop, dies=True), stop=stop)
    run(Client(queue, stop, dies=False), stop=stop)
    with closing(sqlite3.connect(tmp_path / "users.db")) as connection:
        rows = connection.execute("SELECT username FROM users WHERE deleted_ms IS NULL").fetchall()
        repeated = connection.execute("SELECT count(*) FROM seen WHERE arrivals > 1").fetchone()
    assert {name for (name,) in rows} == {f"user-{number}" for number in range(15) if number != 1}
    assert repeated == (10,)
