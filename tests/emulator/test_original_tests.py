"""The cases of the original's own tests, as far as the behaviour is the same: each name says whose it was.

Those of TriggerMesh at its last commit: the adapter's and its helpers' unit tests, and the source's end-to-end test.
Reconciler tests are not here: the controller stays theirs, or is replaced by plain manifests.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter import manifest
from adapter.arn import ArnError, parse_arn, parse_pool_arn
from adapter.config.settings import load
from adapter.config.values import Address
from adapter.errors import ConfigError
from adapter.observability.health import Health, HealthServer
from adapter.pipeline.backoff import PollBackoff
from emulator.aws import EmulatedAws
from tests.emulator.pod import ask
from tests.emulator.process import Users, adapter, settings
from tests.support import RecordingSink, wait_until
from tests.support.rig import ARN, MemoryPool, MemorySink, Rig


@pytest.fixture
def sink() -> Iterator[RecordingSink]:
    with RecordingSink.start() as running:
        yield running


def test_list_users_gives_the_users_of_the_api_unchanged(tmp_path: Path) -> None:
    pool, sink = MemoryPool(), MemorySink()
    with Rig.start(pool, sink, tmp_path / "state.db", initial="snapshot") as rig:
        pool.create("alice", email="alice@example.com")
        assert rig.sweep()
    shown = pool.users["alice"]
    data = json.loads(sink.events[0].data)
    assert {name: data[name] for name in ("Username", "Attributes", "Enabled", "UserStatus")} == {
        name: shown[name] for name in ("Username", "Attributes", "Enabled", "UserStatus")
    }


def test_filter_by_timestamp_only_what_is_new_is_sent_and_only_once(tmp_path: Path) -> None:
    """The original compares dates with a watermark; here each user is compared with what was told of it."""
    pool, sink = MemoryPool(), MemorySink()
    pool.create("first", at=0.0)
    with Rig.start(pool, sink, tmp_path / "state.db") as rig:
        rig.sweep()
        assert sink.told() == []
        pool.create("second", at=0.001)
        rig.sweep()
        assert sink.told() == [("created", "second")]
        rig.sweep()
        assert sink.told() == [("created", "second")]


def test_start_ends_when_it_is_told_to(tmp_path: Path) -> None:
    with Rig.start(MemoryPool(), MemorySink(), tmp_path / "state.db") as rig:
        runner = threading.Thread(target=rig.service.run)
        runner.start()
        wait_until(lambda: rig.health.started)
        rig.stop.set()
        runner.join(60)
        assert not runner.is_alive()


def test_health_is_503_until_ready_then_204_and_gone_after_the_end() -> None:
    health = Health()
    with HealthServer(health, Address("127.0.0.1", 0)) as server:
        assert ask(server.port, "/health")[0] == 503
        health.polled()
        assert ask(server.port, "/health")[0] == 204
    assert ask(server.port, "/health")[0] == 0


def test_backoff_grows_as_the_originals_and_returns_to_its_minimum() -> None:
    backoff = PollBackoff()
    assert [backoff.next() for _ in range(8)] == [1, 1, 3, 7, 15, 31, 32, 32]
    backoff.reset()
    assert backoff.next() == 1
    longer = PollBackoff(max_s=60)
    assert [longer.next() for _ in range(10)][-1] == 60


def test_backoff_with_a_minimum_above_its_maximum_is_refused() -> None:
    """The original takes its defaults then, without a word."""
    with pytest.raises(ConfigError, match="POLL_MIN_SECONDS is greater than POLL_MAX_SECONDS"):
        load({"ARN": ARN, "K_SINK": "http://sink.example/", "POLL_MIN_SECONDS": "9", "POLL_MAX_SECONDS": "3"})


def test_arn_of_a_user_pool_is_read_and_written_unchanged() -> None:
    assert str(parse_pool_arn(ARN)) == ARN
    assert str(parse_arn(ARN)) == ARN
    assert parse_pool_arn(ARN).pool_id == ARN.rpartition("/")[2]


@pytest.mark.parametrize("text", ["", "arn:", "arn:aws:cognito-idp:eu-central-1:123456789012"])
def test_arn_with_too_few_parts_is_refused(text: str) -> None:
    with pytest.raises(ArnError, match="expected six parts"):
        parse_pool_arn(text)


@pytest.mark.parametrize("resource", ["not-userpool/x", "userpool", "userpool/", "userpool/a/b", "userpool:x_1"])
def test_arn_of_another_resource_is_refused(resource: str) -> None:
    with pytest.raises(ArnError):
        parse_pool_arn(f"arn:aws:cognito-idp:eu-central-1:123456789012:{resource}")


def test_e2e_a_user_created_in_a_pool_with_one_user_is_exactly_one_event(
    aws: EmulatedAws, sink: RecordingSink, tmp_path: Path
) -> None:
    users = Users(aws)
    users.create("alice")
    users.grow_old()
    with adapter(settings(aws, users.arn, sink.url), tmp_path) as running:
        running.wait_for("baseline_done")
        users.create("bob")
        wait_until(lambda: sink.events, 100)
        running.wait_for("sweep_done", running.actions().count("sweep_done") + 2)
        assert running.terminate() == 0
    (event,) = sink.events
    assert event["type"] == "com.amazon.cognito-idp.sync_trigger"
    assert (event["source"], event["subject"]) == (users.arn, users.pool_id)
    assert json.loads(sink.requests[0].body)["Username"] == "bob"


GOOD = "{accessKeyID: {value: AKIAEXAMPLE}, secretAccessKey: {value: example}}"
BAD = """\
apiVersion: sources.triggermesh.io/v1alpha1
kind: AWSCognitoUserPoolSource
metadata:
  name: test
spec:
  arn: {arn}
  auth:
    credentials: {credentials}
  sink:
    uri: https://sink.example.com
"""


def test_e2e_an_invalid_arn_is_refused_by_its_field() -> None:
    with pytest.raises(ConfigError, match=r"spec\.arn: "):
        manifest.parse(BAD.format(arn="'arn:aws:cognito-idp:invalid::'", credentials=GOOD))


def test_e2e_empty_credentials_are_refused_by_their_field() -> None:
    with pytest.raises(ConfigError, match=r"spec\.auth\.credentials\.?"):
        manifest.parse(BAD.format(arn=ARN, credentials="{accessKeyID: {}, secretAccessKey: {}}"))
