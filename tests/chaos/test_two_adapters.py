"""Two adapters on one state, as whole processes: one works, and the consumer notices nothing of what happens to it."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chaos.consumer import Consumer
from tests.chaos.driver import LEASE_SECONDS, AdapterProcess, settings, state_url
from tests.chaos.world import Changes, pool_shapes
from tests.fake_cognito import Behaviour, FakeCognito
from tests.support import RecordingSink, SinkRequest, SinkResponse, wait_until
from tests.support.dynalite import find_dynalite

WAIT_SECONDS = 60.0


class TwoAdapters:
    """A pool, a sink that works, one state, and adapters that are started on it."""

    def __init__(self, stack: ExitStack, store: str, folder: Path) -> None:
        self.cognito = stack.enter_context(FakeCognito(40, behaviour=Behaviour(page_users=10)))
        self.changes = Changes(self.cognito, random.Random(1))
        self.consumer = Consumer({})
        server = stack.enter_context(RecordingSink.start())
        server.answer_with(self._take)
        self._folder = folder
        self._environment = {
            **settings(self.cognito, server.url),
            **stack.enter_context(state_url(store, folder)),
            "EVENTS_INITIAL": "snapshot",
        }
        self._stack = stack
        self._number = 0

    def start(self) -> AdapterProcess:
        self._number += 1
        adapter = AdapterProcess(self._environment, self._folder, self._number)
        self._stack.callback(adapter.end, signal.SIGKILL)
        return adapter

    def in_step(self) -> None:
        """Wait until the consumer has what the pool has."""
        wait_until(
            lambda: not any(self.consumer.differences(pool_shapes(self.cognito))), WAIT_SECONDS, "the consumer in step"
        )

    def _take(self, request: SinkRequest) -> SinkResponse:
        self.consumer.take(request.events)
        return SinkResponse()


@pytest.fixture(params=["sqlite", "dynamodb"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TwoAdapters]:
    if request.param == "dynamodb" and find_dynalite() is None:
        pytest.skip("dynalite is not installed: run `make tools`")
    with ExitStack() as stack:
        yield TwoAdapters(stack, request.param, tmp_path)


def _started(adapter: AdapterProcess) -> Callable[[], bool]:
    return lambda: adapter.said("started")


def test_the_second_adapter_waits_and_takes_over_when_the_first_is_killed(stage: TwoAdapters) -> None:
    first = stage.start()
    wait_until(_started(first), WAIT_SECONDS)
    second = stage.start()
    stage.changes.make(50)
    stage.in_step()
    assert not second.said("started")
    first.end(signal.SIGKILL)
    stage.changes.make(50)
    wait_until(_started(second), WAIT_SECONDS)
    stage.in_step()
    assert second.end(signal.SIGTERM) == 0
    assert stage.consumer.contradictions == []


def test_a_deployment_hands_over_in_order_without_a_repeated_event(stage: TwoAdapters) -> None:
    first = stage.start()
    wait_until(_started(first), WAIT_SECONDS)
    second = stage.start()
    stage.in_step()
    assert first.end(signal.SIGTERM) == 0
    stage.changes.make(50)
    wait_until(_started(second), WAIT_SECONDS)
    stage.in_step()
    assert second.end(signal.SIGTERM) == 0
    assert stage.consumer.repeated == 0
    assert stage.consumer.contradictions == []


@pytest.mark.parametrize("stage", ["dynamodb"], indirect=True)
def test_an_adapter_stopped_beyond_its_lease_sends_nothing_that_contradicts_its_successor(stage: TwoAdapters) -> None:
    first = stage.start()
    wait_until(_started(first), WAIT_SECONDS)
    stage.in_step()
    for _ in range(20):  # into the middle of its work
        stage.changes.make(3)
        time.sleep(0.01)
    first.send(signal.SIGSTOP)
    second = stage.start()
    wait_until(_started(second), WAIT_SECONDS + LEASE_SECONDS)
    stage.changes.make(100)
    stage.in_step()
    arrived = stage.consumer.arrived
    first.send(signal.SIGCONT)
    # It notices by itself: a fatal end, so that whoever runs it starts a new one, which waits.
    assert first.process.wait(WAIT_SECONDS) == 1
    assert stage.consumer.arrived == arrived
    stage.changes.make(50)
    stage.in_step()
    assert second.end(signal.SIGTERM) == 0
    assert stage.consumer.contradictions == []
