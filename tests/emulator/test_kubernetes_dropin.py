"""The image in the place of the original's: its environment, ports, probes and exit codes, as contract of both.

What TriggerMesh's controller does to the pod is in tests/emulator/pod.py.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from emulator.sink import ReceivedEvent
from tests.emulator.pod import Entry, Pod, PodNetwork, ask, in_own_network, pod, reconciled, startup_probe, volume
from tests.fake_cognito import ARN, FakeCognito
from tests.support import RecordingSink, SinkResponse, wait_until

EVERY_METHOD = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")


@contextmanager
def world() -> Iterator[tuple[FakeCognito, RecordingSink, tuple[Entry, ...]]]:
    """Cognito and a sink in this network, and the way to them as adapterOverrides.env can give it."""
    with FakeCognito(users=3) as cognito, RecordingSink.start() as sink:
        quick = {"POLL_MIN_SECONDS": "0.05", "POLL_MAX_SECONDS": "0.2", "MAX_RPS": "100"}
        there = {"AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": cognito.endpoint, **quick}
        yield cognito, sink, tuple(there.items())


def of_user(sink: RecordingSink, username: str) -> list[ReceivedEvent]:
    return [event for event in sink.events if event["partitionkey"] == username]


def test_it_starts_reports_and_stops_as_the_reconciler_the_probes_and_kubelet_expect() -> None:
    def body(network: PodNetwork) -> None:
        with world() as (cognito, sink, there), volume() as workdir:
            asked = threading.Event()

            def first(_: int) -> None:
                asked.wait(20)

            cognito.on_request(first)
            with pod(reconciled(ARN, sink.url, (*there, *network.moved)), workdir) as running:
                wait_until(lambda: ask(network.health, "/health")[0], 30, "the port of the startup probe")
                for method in EVERY_METHOD:
                    assert ask(network.health, "/health", method)[::2] == (503, b"")
                asked.set()
                assert startup_probe(network.health, running)[-1] == 204
                for method in EVERY_METHOD:
                    assert ask(network.health, "/health", method)[::2] == (204, b"")
                assert [ask(network.health, path)[0] for path in ("/", "/healthz", "/health/")] == [404, 404, 404]
                cognito.create("bob", email="bob@example.org")
                wait_until(lambda: of_user(sink, "bob"))
                _is_the_event_of_the_original(sink)
                _has_the_metrics_of_the_original(network)
                assert running.stop() == 0
            assert {path.name.split("-")[0] for path in workdir.iterdir()} <= {"cognito"}

    in_own_network(body)


def _is_the_event_of_the_original(sink: RecordingSink) -> None:
    (request,) = sink.requests
    (event,) = sink.events
    headers = {name.lower(): value for name, value in request.headers.items()}
    pool_id = ARN.rpartition("/")[2]
    assert (headers["ce-specversion"], headers["ce-type"]) == ("1.0", "com.amazon.cognito-idp.sync_trigger")
    assert (headers["ce-source"], headers["ce-subject"]) == (ARN, pool_id)
    assert headers["content-type"] == "application/json"
    assert {"ce-id", "ce-time"} <= set(headers)
    assert list(json.loads(request.body)) == [
        *("Attributes", "Enabled", "MFAOptions", "UserCreateDate", "UserLastModifiedDate", "UserStatus", "Username")
    ]
    assert event["partitionkey"] == "bob"


def _has_the_metrics_of_the_original(network: PodNetwork) -> None:
    def counted() -> list[str]:
        status, _, body = ask(network.metrics, "/metrics")
        assert status == 200
        lines = body.decode().splitlines()
        return [line for line in lines if line.startswith("awscognitouserpoolsource_event_count")]

    (line, *_) = wait_until(lambda: [line for line in counted() if 'response_code_class="2xx"' in line])
    for label in (f'event_source="{ARN}"', 'namespace_name="crm"', 'name="customers"', "resource_group="):
        assert label in line


def test_configurations_of_knative_that_are_there_but_empty_are_none() -> None:
    def body(network: PodNetwork) -> None:
        with world() as (_, sink, there), volume() as workdir:
            names = ("K_LOGGING_CONFIG", "K_METRICS_CONFIG", "K_TRACING_CONFIG")
            empty: dict[str, str | None] = dict.fromkeys(names, "")
            entries = reconciled(ARN, sink.url, (*there, *network.moved), empty)
            with pod(entries, workdir) as running:
                startup_probe(network.health, running)
                assert running.stop() == 0

    in_own_network(body)


def test_a_second_signal_ends_it_at_once_with_1() -> None:
    def body(network: PodNetwork) -> None:
        with world() as (cognito, sink, there), volume() as workdir:
            entries = reconciled(ARN, sink.url, (*there, *network.moved))
            with pod(entries, workdir) as running:
                running.wait_for("baseline_done")
                sink.answer_with(SinkResponse(204, delay_s=20))
                cognito.create("bob")
                wait_until(lambda: sink.requests)
                running.process.send_signal(signal.SIGTERM)
                running.wait_for("stopping")
                running.process.send_signal(signal.SIGTERM)
                assert running.process.wait(3) == 1

    in_own_network(body)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"ARN": None}, "ARN is not set"),
        ({"ARN": "arn:aws:cognito-idp:invalid::"}, "ARN is wrong"),
        ({"ARN": "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/a/b"}, "ARN is wrong"),
        ({"K_SINK": ""}, "K_SINK is not set"),
    ],
)
def test_what_cannot_work_ends_at_once_with_one_line(wrong: dict[str, str | None], named: str) -> None:
    """The reconciler sets terminationMessagePolicy FallbackToLogsOnError: `kubectl describe` shows this line."""
    with volume() as workdir, pod(reconciled(ARN, "http://sink.example/", replaced=wrong), workdir) as running:
        assert running.process.wait(20) == 2
        (line,) = running.said.splitlines()
    assert line.startswith(f"error: {named}")


def test_a_rolling_update_with_a_shared_state_comes_to_its_end_and_loses_nothing() -> None:
    """The Deployment of the reconciler has the default strategy: the old pod stays until the new one is healthy."""

    def body(network: PodNetwork) -> None:
        with world() as (cognito, sink, there), volume() as workdir:
            old_ports = (("HEALTH_ADDRESS", "127.0.0.1:0"), ("METRICS_PROMETHEUS_PORT", "0"))
            state = (("STATE_URL", f"sqlite:///{workdir}/state.db"),)
            old_entries = reconciled(ARN, sink.url, (*there, *state, *old_ports))
            new_entries = reconciled(ARN, sink.url, (*there, *state, *network.moved))
            with pod(old_entries, workdir) as old:
                old.wait_for("baseline_done")
                with pod(new_entries, workdir) as new:
                    _take_turns(cognito, sink, network, old, new)

    in_own_network(body)


def _take_turns(cognito: FakeCognito, sink: RecordingSink, network: PodNetwork, old: Pod, new: Pod) -> None:
    startup_probe(network.health, new)
    assert "started" not in new.actions()
    status, _, why = ask(network.health, "/ready")
    assert (status, b"another adapter" in why) == (503, True)
    cognito.create("before")
    wait_until(lambda: of_user(sink, "before"))
    assert old.stop() == 0
    cognito.create("after")
    wait_until(lambda: of_user(sink, "after"))
    assert ask(network.health, "/ready")[0] == 204
    assert len(sink.events) == 2
    assert new.stop() == 0


def test_a_new_pod_with_a_key_that_does_not_work_never_gets_healthy() -> None:
    def body(network: PodNetwork) -> None:
        with world() as (cognito, sink, there), volume() as workdir:
            cognito.set_behaviour(keys=["AKIANOTTHISONE000000"])
            with pod(reconciled(ARN, sink.url, (*there, *network.moved)), workdir) as running:
                running.wait_for("sweep_failed")
                assert ask(network.health, "/health")[0] == 503
                assert running.stop() == 0

    in_own_network(body)
