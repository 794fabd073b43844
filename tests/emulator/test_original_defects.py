"""Each provable defect of the adapter that this one replaces, shown not to be ours: one test a defect.

The original is TriggerMesh's AWSCognitoUserPoolSource at its last commit; each name says what holds here instead.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.cognito.base import Page
from adapter.config.settings import load
from adapter.delivery import Result, Status
from adapter.errors import ConfigError, UnavailableError
from adapter.model import Event, Kind
from adapter.observability.metrics import Metrics
from adapter.observability.prometheus import Collector
from adapter.sinks.base import Delivered, Outcome
from emulator.aws import EmulatedAws
from tests.emulator.process import Users, adapter, settings
from tests.support import RecordingSink, SinkResponse, wait_until
from tests.support.rig import ARN, DOWN, REFUSED, MemoryPool, MemorySink, Rig

LEAST = {"ARN": ARN, "K_SINK": "http://sink.example/"}


@pytest.fixture
def pool() -> MemoryPool:
    return MemoryPool()


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def http() -> Iterator[RecordingSink]:
    with RecordingSink.start() as running:
        yield running


def test_01_every_page_is_read(aws: EmulatedAws, http: RecordingSink, tmp_path: Path) -> None:
    users = Users(aws)
    for number in range(130):
        users.create(f"user-{number}")
    made = settings(aws, users.arn, http.url, EVENTS_INITIAL="snapshot")
    with adapter(made, tmp_path, "run", "--once") as running:
        assert running.wait() == 0
    assert len({event["partitionkey"] for event in http.events}) == 130


def test_02_an_event_that_failed_is_sent_again(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        sink.answer = lambda _: DOWN
        pool.create("bob")
        rig.sweep()
        sink.answer = lambda _: Delivered()
        wait_until(lambda: rig.sweep() and sink.events)
    assert sink.told() == [("created", "bob")]


def test_03_the_first_user_of_an_empty_pool_is_reported(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        pool.create("first")
        rig.sweep()
    assert sink.told() == [("created", "first")]


def test_04_equal_timestamps_lose_nobody(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    now = time.time()
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        for name in ("alice", "bob"):
            pool.create(name, at=now)
            rig.sweep()
    assert sink.names() == ["alice", "bob"]


def test_05_a_user_who_becomes_visible_late_is_reported(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        pool.create("new", at=time.time())
        rig.sweep()
        pool.create("late", at=time.time() - 3600)
        rig.sweep()
    assert sink.names() == ["late", "new"]


def test_06_a_restart_loses_nothing(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
    pool.create("meanwhile")
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
    assert sink.told() == [("created", "meanwhile")]


def test_07_a_failed_poll_does_not_end_the_process(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        pool.list_users = _broken  # type: ignore[method-assign]  # the fault
        runner = threading.Thread(target=rig.service.run)
        runner.start()
        wait_until(lambda: rig.metrics.status()["sweeps"].get("InternalErrorException", 0) >= 2)
        assert runner.is_alive()
        rig.stop.set()
        runner.join()


def _broken(**_: object) -> Page:
    raise UnavailableError("Cognito failed", code="InternalErrorException")


def test_08_deletions_are_reported(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    for name in ("alice", "bob"):
        pool.create(name, at=time.time() - 60)
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        del pool.users["bob"]
        rig.sweep()
    assert sink.told() == [("deleted", "bob")]


def test_09_created_updated_and_disabled_are_told_apart(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        pool.create("bob")
        rig.sweep()
        pool.set("bob", Enabled=False)
        rig.sweep()
    kinds = [(event.attributes["changetype"], event.attributes.get("changed")) for event in sink.events]
    assert kinds == [("created", None), ("updated", "enabled")]


def test_10_an_event_that_is_sent_again_keeps_its_id(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    with Rig.start(pool, sink, state, retry=2) as rig:
        rig.sweep()
        answers: list[Outcome] = [DOWN, DOWN, Delivered()]
        sink.answer = lambda _: answers.pop(0)
        pool.create("bob")
        rig.sweep()
    assert len({event.id for event in [*sink.refused, *sink.events]}) == 1


def test_11_time_is_when_the_user_changed(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        pool.create("bob", at=1_700_000_000.5)
        rig.sweep()
    assert sink.events[0].attributes["time"] == "2023-11-14T22:13:20.5Z"


def test_12_metrics_keep_their_names() -> None:
    metrics = Metrics(source=ARN, namespace="crm", name="users")
    event = Event(attributes={"type": "com.amazon.cognito-idp.sync_trigger", "id": "1"}, data=b"", key="bob")
    metrics.finished([(Result(event=event, status=Status.DELIVERED, code="202"), Kind.CREATED, None)])
    (original, *_) = Collector(metrics).collect()
    (sample,) = original.samples
    assert sample.name == "awscognitouserpoolsource_event_count"
    assert (sample.labels["namespace_name"], sample.labels["name"]) == ("crm", "users")
    assert sample.labels["resource_group"] == "awscognitouserpoolsources.sources.triggermesh.io"
    assert (sample.labels["response_code"], sample.labels["response_code_class"]) == ("202", "2xx")


def test_13_a_stop_does_not_wait_for_slow_deliveries(aws: EmulatedAws, http: RecordingSink, tmp_path: Path) -> None:
    users = Users(aws)
    with adapter(settings(aws, users.arn, http.url), tmp_path) as running:
        running.wait_for("baseline_done")
        http.answer_with(SinkResponse(204, delay_s=120))
        for number in range(20):
            users.create(f"user-{number}")
        wait_until(lambda: http.requests)
        assert running.terminate() == 0  # long before the sink answers


def test_14_users_without_dates_do_not_crash_it(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        pool.users["bare"] = {"Username": "bare"}
        pool.users["null"] = {"Username": "null", "UserCreateDate": None, "UserLastModifiedDate": None}
        assert rig.sweep()
    assert sink.names() == ["bare", "null"]


def test_15_list_users_is_the_only_permission_it_needs(aws: EmulatedAws, http: RecordingSink, tmp_path: Path) -> None:
    users = Users(aws)
    iam = aws.client("iam")
    iam.create_user(UserName="reader")
    allow = {"Effect": "Allow", "Action": "cognito-idp:ListUsers", "Resource": users.arn}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName="reader", PolicyName="list", PolicyDocument=document)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    made = settings(aws, users.arn, http.url)
    made |= {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    aws.enforce_iam(on=True)
    try:
        with adapter(made, tmp_path, "run", "--once") as running:
            assert running.wait() == 0, running.err
    finally:
        aws.enforce_iam(on=False)


def test_16_it_is_not_ready_before_the_baseline_began(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    with Rig.start(pool, sink, state) as rig:
        before = rig.health.started
        # A user created while the very first page is on its way: after the baseline began, so it is reported.
        list_users = pool.list_users

        def slow(**arguments: object) -> object:
            pool.create("early-bird")
            return list_users(**arguments)  # type: ignore[arg-type]  # passed through

        pool.list_users = slow  # type: ignore[assignment, method-assign]  # for the first page only
        rig.sweep()
        assert (before, rig.health.started) == (False, True)
    assert sink.told() == [("created", "early-bird")]


def test_17_readiness_is_lost_when_polls_stall_and_a_hang_is_noticed() -> None:
    from adapter.observability.health import Health

    now = [0.0]
    health = Health(stale_s=120, hung_s=300, clock=lambda: now[0])
    health.polled()
    said = []
    for seconds in (120.0, 121.0, 301.0):
        now[0] = seconds
        said.append((health.unready(), health.dead()))
    assert said == [
        ([], []),
        (["no successful poll for 121 s"], []),
        (["no successful poll for 301 s"], ["the service thread has been silent for 301 s"]),
    ]
    assert load(LEAST).cognito.read_timeout_s == 20


def test_18_the_type_is_the_one_that_consumers_filter_by(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        pool.create("bob")
        rig.sweep()
    assert sink.events[0].attributes["type"] == "com.amazon.cognito-idp.sync_trigger"


def test_19_no_member_of_the_data_is_null(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        pool.users["bare"] = {"Username": "bare", "Attributes": [{"Name": "email"}]}
        rig.sweep()
    assert b"null" not in sink.events[0].data


def test_20_a_pool_id_with_a_slash_is_refused_with_a_sentence() -> None:
    with pytest.raises(ConfigError, match=r"ARN .* pool id 'a/b'"):
        load({**LEAST, "ARN": "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/a/b"})


def test_21_an_empty_sink_is_refused() -> None:
    with pytest.raises(ConfigError, match="K_SINK is not set"):
        load({**LEAST, "K_SINK": ""})


def test_22_a_second_adapter_waits_for_the_first(aws: EmulatedAws, http: RecordingSink, tmp_path: Path) -> None:
    users = Users(aws)
    made = settings(aws, users.arn, http.url)
    with adapter(made, tmp_path) as first, adapter(made, tmp_path) as second:
        wait_until(lambda: {"baseline_done"} & {*first.actions(), *second.actions()})
        users.create("bob")
        wait_until(lambda: http.events)
        leader = first if "started" in first.actions() else second
        leader.wait_for("sweep_done", leader.actions().count("sweep_done") + 3)
        assert ("started" in first.actions()) != ("started" in second.actions())
    assert len(http.events) == 1


def test_23_one_slow_event_does_not_hold_up_the_others(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    release = threading.Event()

    def answer(event: Event) -> Outcome:
        if event.key == "slow":
            release.wait(20)
        return Delivered()

    sink.answer = answer
    with Rig.start(pool, sink, state) as rig:
        rig.sweep()
        pool.create("slow")
        runner = threading.Thread(target=rig.service.run)
        runner.start()
        for number in range(5):
            pool.create(f"quick-{number}")
        wait_until(lambda: len(sink.events) == 5)
        release.set()
        wait_until(lambda: len(sink.events) == 6)
        rig.stop.set()
        runner.join()


def test_24_an_answer_without_a_status_is_counted_all_the_same() -> None:
    metrics = Metrics(source=ARN)
    event = Event(attributes={"type": "t", "id": "1"}, data=b"", key="bob")
    for status, code in ((Status.DELIVERED, ""), (Status.UNDELIVERED, "timeout"), (Status.UNDELIVERED, "")):
        metrics.finished([(Result(event=event, status=status, code=code), Kind.CREATED, 1.0)])
    assert metrics.status()["events"] == {"delivered": 1, "undelivered": 2}


@pytest.mark.parametrize("status", [301, 302, 303, 307])
def test_25_a_redirect_is_no_success(aws: EmulatedAws, http: RecordingSink, tmp_path: Path, status: int) -> None:
    users = Users(aws)
    users.create("bob")
    http.answer_with(SinkResponse(status, headers={"Location": f"{http.url}/elsewhere"}))
    made = settings(aws, users.arn, http.url, EVENTS_INITIAL="snapshot", DELIVERY_RETRY="0")
    with adapter(made, tmp_path, "run", "--once") as running:
        assert running.wait() == 1
    assert {request.path for request in http.requests} == {"/"}


def test_a_refused_event_is_not_retried_in_vain(pool: MemoryPool, sink: MemorySink, state: Path) -> None:
    """The original never retries; we do, but not what the sink refuses for good."""
    with Rig.start(pool, sink, state, retry=5) as rig:
        rig.sweep()
        sink.answer = lambda _: REFUSED
        pool.create("bob")
        rig.sweep()
    assert len(sink.refused) == 1
