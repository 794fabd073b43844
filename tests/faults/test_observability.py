"""The adapter as a process, seen from outside: the original's metric, traces at a collector, and one that is down."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from emulator.task import free_port
from tests.emulator.pod import effective, reconciled
from tests.emulator.process import adapter
from tests.fake_cognito import FakeCognito
from tests.support import RecordingSink, wait_until
from tests.support.collector import TraceCollector

CANARY = "canary-7f3a"


@pytest.fixture
def cognito() -> Iterator[FakeCognito]:
    with FakeCognito(users=130) as server:
        yield server


@pytest.fixture
def sink() -> Iterator[RecordingSink]:
    with RecordingSink.start() as running:
        yield running


def environment(cognito: FakeCognito, sink: RecordingSink, metrics: int, **more: str) -> dict[str, str]:
    """What TriggerMesh's reconciler sets, on ports that are free here, and quick enough for a test."""
    moved = {
        **cognito.environment(),
        "METRICS_PROMETHEUS_PORT": str(metrics),
        "METRICS_PROMETHEUS_HOST": "127.0.0.1",
        "HEALTH_ADDRESS": "127.0.0.1:0",
        "STATUS_ADDRESS": "off",
        "POLL_MAX_SECONDS": "0.2",
        "POLL_MIN_SECONDS": "0.05",
        "MAX_RPS": "100",
        "DELIVERY_BACKOFF_DELAY": "PT0.02S",
    }
    return effective(reconciled(cognito.arn, sink.url)) | moved | more


def scraped(port: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return {family.name: family for family in text_string_to_metric_families(answer.read().decode())}


def test_metrics_and_traces_tell_of_the_same_event(cognito: FakeCognito, sink: RecordingSink, tmp_path: Path) -> None:
    port = free_port()
    with TraceCollector.start() as collector:
        otel = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=crm",
            "OTEL_SERVICE_NAME": "customers",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        with adapter(environment(cognito, sink, port, **otel), tmp_path) as running:
            running.wait_for("baseline_done")
            sink.fail(503, times=1)
            cognito.create(CANARY, email=f"{CANARY}@example.com")
            wait_until(lambda: sink.events)
            families = wait_until(lambda: (found := scraped(port))["cognito_source_events"].samples and found)
            assert running.terminate() == 0
            assert CANARY not in running.err + running.out
            assert "setting_ignored" not in running.actions()
        (event,) = sink.events
        (count,) = families["awscognitouserpoolsource_event_count"].samples
        assert count.labels == {
            "namespace_name": "crm",
            "event_source": cognito.arn,
            "event_type": "com.amazon.cognito-idp.sync_trigger",
            "name": "customers",
            "resource_group": "awscognitouserpoolsources.sources.triggermesh.io",
            "response_code": "204",
            "response_code_class": "2xx",
            "response_error": "",
            "response_timeout": "",
        }
        refused, delivered = collector.named("cloudevents.client")
        assert (refused.failed, refused.attributes["http.response.status_code"]) == (True, 503)
        assert (delivered.failed, delivered.attributes["http.response.status_code"]) == (False, 204)
        assert delivered.attributes["cloudevents.event_id"] == event["id"]
        assert delivered.attributes["http.request.resend_count"] == 1
        carried = [request.headers["traceparent"].split("-")[1:3] for request in sink.requests]
        assert carried == [[span.trace, span.span] for span in (refused, delivered)]
        assert "traceparent" not in event.attributes
        ((trace, span),) = delivered.links
        sweep = next(each for each in collector.named("sweep") if each.span == span)
        assert (sweep.trace, sweep.attributes["cognito_source.changes"]) == (trace, 1)
        assert sweep.attributes["cognito_source.users"] == 131
        assert (trace, span) in {
            (line["trace_id"], line["span_id"]) for line in running.logs if line["action"] == "sweep_done"
        }
        assert sweep.parent in {poll.span for poll in collector.named("poll") if poll.trace == trace}
        assert {each.resource["service.name"] for each in collector.spans} == {"customers"}
        assert {headers["x-tenant"] for _, headers, _ in collector.requests} == {"crm"}
        assert not any(CANARY.encode() in body for _, _, body in collector.requests)


def test_a_collector_that_is_down_delays_and_loses_nothing(
    cognito: FakeCognito, sink: RecordingSink, tmp_path: Path
) -> None:
    told = {
        "K_TRACING_CONFIG": json.dumps({"backend": "zipkin", "zipkin-endpoint": "http://zipkin/", "sample-rate": "1"}),
        "K_METRICS_CONFIG": "{this is no JSON",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{free_port()}/v1/traces",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_BSP_MAX_QUEUE_SIZE": "4",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "2",
    }
    with adapter(environment(cognito, sink, free_port(), **told), tmp_path) as running:
        running.wait_for("baseline_done")
        running.wait_for("traces_lost")
        for number in range(20):
            cognito.create(f"user-{number}")
        wait_until(lambda: len({event["id"] for event in sink.events}) == 20)
        assert running.terminate() == 0
    assert running.actions().count("traces_lost") == 1
    assert len(sink.events) == 20
    ignored = [line["message"].split(" is ignored")[0] for line in running.logs if line["action"] == "setting_ignored"]
    assert ignored == ["K_METRICS_CONFIG", 'K_TRACING_CONFIG: backend "zipkin"']
    assert all(request.headers["traceparent"] for request in sink.requests)
