"""Takes the events from an Amazon SQS queue instead: the same table by another door. Needs boto3.

python queue_worker.py https://sqs.eu-central-1.amazonaws.com/123456789012/cognito-users.fifo
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

import boto3
from change import UNREADABLE, from_json, read_change
from store import Store, Unavailable, from_environment

#: The longest that one call waits for messages, in seconds; SQS allows no more.
WAIT_S: Final = 20

logger = logging.getLogger(__name__)


def work(client: Any, url: str, store: Store, stop: threading.Event) -> None:
    """Take messages until `stop` is set. What was not stored stays in the queue, and SQS hands it out again."""
    while not stop.is_set():
        answer = client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=WAIT_S, AttributeNames=["MessageGroupId"]
        )
        stored = take(answer.get("Messages", ()), store)
        if stored:
            entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(stored)]
            # One that is not deleted comes again, and its id is known then.
            client.delete_message_batch(QueueUrl=url, Entries=entries)


def take(messages: Sequence[Mapping[str, Any]], store: Store) -> list[str]:
    """Store messages one by one; returns the receipt handles of those that were.

    On a FIFO queue, nothing of a user is taken after something of that user failed: it would come out of order.
    """
    stored: list[str] = []
    waiting: set[str] = set()
    for message in messages:
        group = message.get("Attributes", {}).get("MessageGroupId")
        if group in waiting:
            continue
        try:
            change = read_change(from_json(json.loads(message["Body"])))
            if change is not None:
                store.take([change])
        except (Unavailable, *UNREADABLE) as fault:
            logger.warning("Message %s stays in the queue: %s", message["MessageId"], type(fault).__name__)
            if group is not None:
                waiting.add(group)
        else:
            stored.append(message["ReceiptHandle"])
    return stored


def main(arguments: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT: at most WAIT_S longer."""
    if len(arguments) != 1:
        sys.stderr.write("queue_worker: expected the URL of the queue\n")
        return 2
    logging.basicConfig(level=logging.INFO)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    work(boto3.client("sqs"), arguments[0], from_environment(os.environ), stop)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
