"""examples/receiver/queue_worker.py: the adapter's sink fills a FIFO queue, and the worker dies after a commit."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
import queue_worker
from store import Store

from adapter.arn import parse_arn
from adapter.model import Kind
from adapter.sinks.base import Delivered
from adapter.sinks.sqs import SqsSink
from emulator.aws import EmulatedAws
from tests.support.receiver_contract import Desk, sqlite_url, told, user


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


def test_its_table_holds_the_newest_forms_though_it_died_after_a_commit(
    aws: EmulatedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_worker, "WAIT_S", 0)
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    queue = aws.client("sqs")
    url = queue.create_queue(QueueName="users.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    arn = parse_arn(f"arn:aws:sqs:eu-central-1:{aws.account}:users.fifo")
    sink = SqsSink(arn, boto3.Session(), timeout_s=10, connections=1)
    events = [told(user(f"user-{number}", form="old"), Kind.SNAPSHOT) for number in range(12)]
    events += [told(user("user-1", at=9), Kind.DELETED), told(user("user-2", at=9, form="new"))]
    assert all(isinstance(outcome, Delivered) for outcome in sink.send(events))
    sink.close()

    store = Store(sqlite_url(tmp_path), retention_s=1000)
    run = partial(queue_worker.work, url=url, store=store)
    stop = threading.Event()
    with pytest.raises(KeyboardInterrupt):
        run(Client(queue, stop, dies=True), stop=stop)
    run(Client(queue, stop, dies=False), stop=stop)
    desk = Desk(sqlite_url(tmp_path), partial(sqlite3.connect, tmp_path / "users.db"))
    forms = {f"user-{number}": {"form": "old"} for number in range(12) if number != 1}
    assert desk.attributes() == forms | {"user-2": {"form": "new"}}
    assert desk.duplicates() == 10
