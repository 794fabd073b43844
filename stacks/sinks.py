"""The buses and queues that events go to: those that the manifest asks for are made here, once each.

Resources: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/sqs_queue and
https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/cloudwatch_event_bus
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stacks.base import output
from stacks.bindings import CloudwatchEventBus, SqsQueue, TerraformStack
from stacks.inputs import SinkInputs
from stacks.permissions import put_events, send_messages

#: The longest that SQS keeps a message: 14 days, in seconds.
_RETENTION_S = 1_209_600


class Sinks:
    """Makes what is asked for, and tells each sink's target and permissions."""

    def __init__(self, stack: TerraformStack, kms_key_arn: str) -> None:
        self._stack = stack
        self._kms_key_arn = kms_key_arn
        self._made: dict[tuple[str, str], str] = {}

    def target(self, sink: SinkInputs | None) -> str:
        """The one string by which the adapter knows the sink: an address or an ARN; "" for no sink."""
        if sink is None:
            return ""
        if not sink.create:
            return sink.url or sink.arn
        made = (sink.kind, sink.create)
        if made not in self._made:
            self._made[made] = self._bus(sink.create) if sink.kind == "bus" else self._queue(sink.create)
        return self._made[made]

    def statements(self, sinks: Sequence[SinkInputs | None]) -> list[dict[str, Any]]:
        """What the task role needs to send to these sinks, and nothing else."""
        buses = [self.target(each) for each in sinks if each is not None and each.kind == "bus"]
        queues = [self.target(each) for each in sinks if each is not None and each.kind == "queue"]
        return [*([put_events(buses)] if buses else []), *([send_messages(queues)] if queues else [])]

    def _bus(self, name: str) -> str:
        bus = CloudwatchEventBus(self._stack, f"sink_bus_{_plain(name)}", name=name)
        output(self._stack, f"sink_bus_{_plain(name)}_arn", bus.arn, "Event bus: make rules on it to receive events.")
        return str(bus.arn)

    def _queue(self, name: str) -> str:
        fifo = name.endswith(".fifo")
        queue = SqsQueue(
            self._stack,
            f"sink_queue_{_plain(name)}",
            name=name,
            fifo_queue=fifo or None,
            message_retention_seconds=_RETENTION_S,
            sqs_managed_sse_enabled=None if self._kms_key_arn else True,
            kms_master_key_id=self._kms_key_arn or None,
        )
        # Of a queue, the id is its URL.
        output(self._stack, f"sink_queue_{_plain(name)}_url", queue.id, "Queue: receive events from it.")
        return str(queue.arn)


def _plain(name: str) -> str:
    """A name for Terraform: no dots."""
    return name.replace(".", "_")
