"""One writer per pool in DynamoDB: whole processes that wait, crash, are stopped and come back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapter.errors import StoreUnavailableError
from adapter.state.base import Store
from adapter.state.factory import open_store
from adapter.state.sqlite.lock import HeldError, Holder
from emulator.aws import EmulatedAws
from tests.support.dynalite import create_table, dynalite, find_dynalite, session
from tests.support.state_contract import POOL, all_users, known

LEASE_SECONDS = 2.0
DEADLINE_SECONDS = 60.0

_CHILD = """
import sys
from adapter.errors import LeaseLostError
from adapter.state.factory import open_store
from tests.support.dynalite import session
from tests.support.state_contract import POOL, known
store = open_store(sys.argv[1], POOL, service_session=session, lease_seconds=float(sys.argv[2]),
                   waiting=lambda holder: print("waiting for", holder.pid, flush=True))
print("open", store.count(), flush=True)
n = 0
for line in sys.stdin:
    try:
        if line == "held\\n":
            print(store.held(), flush=True)
        elif line == "put\\n":
            store.apply([known("anna", revision=1)])
            print("put", flush=True)
        elif line == "loop\\n":
            while True:
                n += 1
                store.apply([known(f"user-{k}", revision=n) for k in range(5)])
                print(n, flush=True)
    except LeaseLostError:
        print("lost", flush=True)
store.close()
"""


@pytest.fixture(scope="module")
def _dynalite() -> Iterator[str]:
    if find_dynalite() is None:
        pytest.skip("dynalite is not installed: run `make tools`")
    with dynalite() as endpoint:
        yield endpoint


# Leases take their seconds; what differs between the two is in the contract tests of test_state_dynamodb.py.
@pytest.fixture(params=["moto", pytest.param("dynalite", marks=pytest.mark.thorough)])
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty table."""
    if request.param == "moto":
        aws: EmulatedAws = request.getfixturevalue("aws")
        endpoint = aws.endpoint
    else:
        endpoint = request.getfixturevalue("_dynalite")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    table = f"state-{uuid.uuid4().hex}"
    create_table(endpoint, table)
    return f"dynamodb://{table}?region=eu-central-1"


class StoreProcess:
    """A process that opens the store and does what it is told."""

    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _CHILD, url, str(LEASE_SECONDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
            env={**os.environ},
        )

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, line: str) -> str:
        assert self.process.stdin is not None
        print(line, file=self.process.stdin, flush=True)
        return self.read()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start(url: str) -> Iterator[Callable[[], StoreProcess]]:
    children: list[StoreProcess] = []

    def start_() -> StoreProcess:
        children.append(StoreProcess(url))
        return children[-1]

    yield start_
    for child in children:
        child.kill()


def _open(url: str, waiting: Callable[[Holder], None] | None = None) -> Store:
    return open_store(url, POOL, service_session=session, lease_seconds=LEASE_SECONDS, waiting=waiting)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.02)


def test_a_killed_holder_is_replaced_after_its_lease_and_not_before(
    url: str, start: Callable[[], StoreProcess]
) -> None:
    child = start()
    assert child.read() == "open 0"
    child.kill()
    killed = time.monotonic()
    seen: list[Holder] = []
    store = _open(url, seen.append)
    # Its last sign of life may be a third of the lease (and a slow answer) older than its end.
    assert time.monotonic() - killed > LEASE_SECONDS / 2
    assert {holder.pid for holder in seen} == {child.process.pid}
    assert store.held()
    store.close()


def test_a_holder_that_ends_in_order_is_replaced_at_once(url: str, start: Callable[[], StoreProcess]) -> None:
    child = start()
    assert child.read() == "open 0"
    with pytest.raises(HeldError):
        _open(url)
    child.process.communicate("")
    store = _open(url)
    assert store.held()
    store.close()


def test_a_holder_keeps_its_lease_for_many_of_its_lengths(url: str) -> None:
    store = _open(url)
    end = time.monotonic() + 2.5 * LEASE_SECONDS
    while time.monotonic() < end:
        with pytest.raises(HeldError):
            _open(url)
    store.apply([known("anna")])
    store.close()


def test_a_holder_stopped_beyond_its_lease_can_neither_send_nor_write_when_it_wakes_up(
    url: str, start: Callable[[], StoreProcess]
) -> None:
    child = start()
    assert child.read() == "open 0"
    assert child.tell("held") == "True"
    child.process.send_signal(signal.SIGSTOP)
    store = _open(url, lambda _holder: None)
    store.apply([known("anna", revision=2)])
    child.process.send_signal(signal.SIGCONT)
    assert child.tell("held") == "False"
    assert child.tell("put") == "lost"
    assert child.tell("held") == "False"
    assert store.held()
    store.close()
    again = _open(url)
    assert all_users(again) == {"anna": known("anna", revision=2)}
    again.close()


def test_a_holder_stopped_beyond_its_lease_goes_on_when_nobody_took_over(
    url: str, start: Callable[[], StoreProcess]
) -> None:
    child = start()
    assert child.read() == "open 0"
    child.process.send_signal(signal.SIGSTOP)
    # Not for luck: the lease must run out.
    time.sleep(LEASE_SECONDS * 1.1)
    child.process.send_signal(signal.SIGCONT)
    assert child.tell("put") == "put"
    assert child.tell("held") == "True"


def test_of_two_that_wait_one_gets_the_lease_and_the_other_waits_on(
    url: str, start: Callable[[], StoreProcess]
) -> None:
    store = _open(url)
    children = [start(), start()]
    for child in children:
        assert child.read() == f"waiting for {os.getpid()}"
    store.close()
    answers: dict[StoreProcess, list[str]] = {child: [] for child in children}

    def listen(child: StoreProcess) -> None:
        while (line := child.read()) and not line.startswith("open"):
            answers[child].append(line)
        answers[child].append(line)

    threads = [threading.Thread(target=listen, args=(child,)) for child in children]
    for thread in threads:
        thread.start()
    _until(lambda: any(found and found[-1] == "open 0" for found in answers.values()))
    winner, loser = sorted(children, key=lambda child: "open 0" not in answers[child])
    _until(lambda: f"waiting for {winner.process.pid}" in answers[loser])
    winner.process.kill()
    _until(lambda: answers[loser][-1] == "open 0")
    for thread in threads:
        thread.join()


def test_waiting_ends_when_asked_to(url: str) -> None:
    store = _open(url)
    looks: list[float] = []

    def pause(seconds: float) -> bool:
        looks.append(seconds)
        return len(looks) == 3

    with pytest.raises(HeldError):
        open_store(url, POOL, service_session=session, waiting=lambda _holder: None, pause=pause)
    assert len(looks) == 3
    assert store.held()
    store.close()


def test_what_was_acknowledged_is_there_after_a_kill(url: str, start: Callable[[], StoreProcess]) -> None:
    child = start()
    assert child.read() == "open 0"
    acknowledged = int(child.tell("loop"))
    while acknowledged < 4:
        acknowledged = int(child.read())
    child.process.kill()
    rest, _ = child.process.communicate()
    acknowledged = max([acknowledged, *map(int, rest.split())])
    store = _open(url, lambda _holder: None)
    # The call that was cut off may be there in part: each user for himself.
    assert {user.revision for user in all_users(store).values()} <= {acknowledged, acknowledged + 1}
    assert store.count() == 5
    store.close()


def test_without_dynamodb_the_lease_ends_by_the_holders_own_clock(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    store = open_store(url, POOL, service_session=session, lease_seconds=30.0, clock=lambda: now[0])
    lease = store._lease  # type: ignore[attr-defined]  # the DynamoDB store's

    def unreachable(**_request: object) -> None:
        raise StoreUnavailableError("down")

    with monkeypatch.context() as patch:
        patch.setattr(lease._client, "update_item", unreachable)
        now[0] = 26.0
        assert store.held()
        now[0] = 27.5  # 30 less the margin
        assert not store.held()
        with pytest.raises(StoreUnavailableError):
            store.apply([known("anna")])
    store.apply([known("anna")])  # it is back, and nobody took over
    assert store.held()
    store.close()
