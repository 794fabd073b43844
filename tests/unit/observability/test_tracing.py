"""Spans as a collector gets them, from a real service between a pool and a sink in memory."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapter.cognito.base import Page
from adapter.config import settings as config
from adapter.config.opentelemetry import TraceSettings
from adapter.errors import UnavailableError
from adapter.model import Event
from adapter.observability.tracing.base import NO_TRACES
from adapter.observability.tracing.otel import OtelTraces
from adapter.observability.tracing.start import start_traces
from adapter.sinks.base import Delivered, Failed, Outcome
from tests.support import wait_until
from tests.support.collector import ReceivedSpan, TraceCollector
from tests.support.rig import ARN, DOWN, REFUSED, MemoryPool, MemorySink, Rig
from tests.unit.config.test_knative import LEAST


@pytest.fixture(scope="module")
def _collector() -> Iterator[TraceCollector]:
    with TraceCollector.start() as running:
        yield running


@pytest.fixture
def collector(_collector: TraceCollector) -> TraceCollector:
    _collector.requests.clear()
    _collector.status = 200
    return _collector


Start = Callable[..., OtelTraces]


@pytest.fixture
def start(collector: TraceCollector) -> Start:
    def made(**more: object) -> OtelTraces:
        options: dict[str, object] = {
            "exporters": ("otlp",),
            "wanted_by": "a test",
            "endpoint": f"{collector.url}/v1/traces",
        }
        return OtelTraces(TraceSettings(**(options | more)), pool=ARN, namespace="crm", name="users")  # type: ignore[arg-type]  # a test's shorthand

    return made


class BatchSink(MemorySink):
    """Takes several events a request, and keeps the headers that a request would have."""

    max_batch = 10

    def __init__(self, target: str = "https://sink.example/in") -> None:
        super().__init__()
        self.target = target


def ended(traces: OtelTraces, collector: TraceCollector) -> list[ReceivedSpan]:
    """Every span, once the tracer is closed."""
    traces.close()
    return collector.spans


def actions(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the adapter logged; what libraries log goes nowhere."""
    return [record.__dict__["action"] for record in caplog.records if record.name.startswith("adapter")]


def event(number: int, **attributes: str) -> Event:
    given = {"id": f"id-{number}", "source": ARN, "type": "t", "specversion": "1.0", "partitionkey": "canary"}
    return Event(attributes=given | attributes, data=b'{"email":"canary@example.com"}', key="canary")


def test_a_cycle_is_a_trace_and_its_deliveries_are_linked_to_it(
    start: Start, collector: TraceCollector, tmp_path: Path
) -> None:
    traces = start()
    pool, sink = MemoryPool(page_size=2), MemorySink()
    for name in ("a", "b", "c"):
        pool.create(name, at=time.time() - 60)
    with Rig.start(pool, sink, tmp_path / "s.db", traces=traces) as rig:
        rig.sweep()
        pool.create("canary", email="canary@example.com")
        with traces.poll():
            rig.sweep()
    spans = ended(traces, collector)
    polls = {span.span: span for span in spans if span.name == "poll"}
    sweeps = [span for span in spans if span.name == "sweep"]
    (found,) = [span for span in sweeps if span.attributes.get("cognito_source.changes") == 1]
    assert found.attributes == {
        "cognito_source.pool": ARN,
        "cognito_source.pages": 2,
        "cognito_source.users": 4,
        "cognito_source.changes": 1,
        "cognito_source.complete": True,
    }
    assert polls[found.parent].trace == found.trace
    assert polls[found.parent].parent == ""
    (deliver,) = [span for span in spans if span.name == "cloudevents.client"]
    assert (deliver.kind, deliver.parent, deliver.failed) == (3, "", False)
    assert deliver.trace != found.trace
    assert deliver.links == ((found.trace, found.span),)
    (told,) = sink.events
    assert deliver.attributes == {
        "cognito_source.dead_letters": False,
        "messaging.destination.name": "memory:",
        "cloudevents.event_id": told.id,
        "cloudevents.event_source": ARN,
        "cloudevents.event_spec_version": "1.0",
        "cloudevents.event_subject": "eu-central-1_AbCdEfGhI",
        "cloudevents.event_type": "com.amazon.cognito-idp.sync_trigger",
        "cognito_source.changetype": "created",
    }
    assert not any(b"canary" in body for _, _, body in collector.requests)


def test_who_sends_is_named_as_opentelemetry_wants_it(
    start: Start, collector: TraceCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (traces := start()).poll():
        pass
    (span,) = ended(traces, collector)
    wanted = {"service.name": "cognito-source", "service.namespace": "crm", "service.instance.id": "users"}
    assert wanted.items() <= span.resource.items()
    collector.requests.clear()
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=theirs,deployment.environment.name=test")
    with (traces := start()).poll():
        pass
    (span,) = ended(traces, collector)
    assert span.resource["service.name"] == "mine"
    assert span.resource["service.namespace"] == "theirs"
    assert span.resource["deployment.environment.name"] == "test"
    assert span.resource["service.instance.id"] == "users"


def test_a_sweep_that_fails_says_why(start: Start, collector: TraceCollector, tmp_path: Path) -> None:
    traces, pool = start(), MemoryPool()
    with Rig.start(pool, MemorySink(), tmp_path / "s.db", traces=traces) as rig:
        pool.faults = [UnavailableError("canary", code="InternalErrorException")] * 9
        rig.sweep()
        pool.faults.clear()
    failed = [span for span in ended(traces, collector) if span.failed]
    assert [span.attributes["error.type"] for span in failed] == ["InternalErrorException"]
    assert failed[0].attributes["cognito_source.complete"] is False
    assert not any(b"canary" in body for _, _, body in collector.requests)


def test_retries_and_dead_letters_can_be_told_apart(start: Start, collector: TraceCollector, tmp_path: Path) -> None:
    traces, pool = start(), MemoryPool()
    sink, dead = MemorySink(), MemorySink()
    sink.target = "https://sink.example:8443/in"
    answers: list[Outcome] = [DOWN, REFUSED]
    sink.answer = lambda _: answers.pop(0)
    options = {"traces": traces, "retry": 3, "dead_letter": dead}
    with Rig.start(pool, sink, tmp_path / "s.db", **options) as rig:
        rig.sweep()
        pool.create("bob")
        rig.sweep()
    spans = [span for span in ended(traces, collector) if span.name == "cloudevents.client"]
    shown = ("http.response.status_code", "error.type", "http.request.resend_count", "cognito_source.dead_letters")
    assert [tuple(span.attributes.get(name) for name in shown) for span in spans] == [
        (503, "503", None, False),
        (400, "400", 1, False),
        (None, None, None, True),
    ]
    assert [span.failed for span in spans] == [True, True, False]
    assert {span.attributes.get("server.address") for span in spans[:2]} == {"sink.example"}
    assert {span.attributes.get("server.port") for span in spans[:2]} == {8443}
    assert len({span.trace for span in spans}) == 3


def test_a_batch_is_one_span_with_what_its_events_have_in_common(start: Start, collector: TraceCollector) -> None:
    traces, sink = start(), BatchSink()
    traced = traces.sink(sink)
    sink.answer = lambda told: REFUSED if told.id == "id-2" else Delivered("200")
    outcomes = traced.send([event(1), event(2), event(3)])
    assert [isinstance(outcome, Failed) for outcome in outcomes] == [False, True, False]
    (span,) = ended(traces, collector)
    assert span.attributes["messaging.batch.message_count"] == 3
    assert span.attributes["cloudevents.event_type"] == "t"
    assert "cloudevents.event_id" not in span.attributes
    assert (span.attributes["error.type"], span.failed) == ("400", True)
    assert (traced.target, traced.max_batch) == (sink.target, 10)


def test_a_request_carries_the_traceparent_of_its_span(start: Start, collector: TraceCollector) -> None:
    traces = start()
    carried: list[dict[str, str]] = []

    def answer(_: Event) -> Outcome:
        carried.append({})
        traces.inject(carried[-1])
        return Delivered("202")

    sink = BatchSink()
    sink.answer = answer
    traces.sink(sink).send([event(1)])
    (span,) = ended(traces, collector)
    ((name, value),) = carried[0].items()
    version, trace, parent, flags = value.split("-")
    assert (name, version, trace, parent) == ("traceparent", "00", span.trace, span.span)
    assert int(flags, 16) & 1  # sampled


def test_a_span_that_is_not_sampled_is_not_sent_but_the_consumer_is_told(
    start: Start, collector: TraceCollector
) -> None:
    traces = start(sampler="traceidratio", ratio=0.0)
    carried: dict[str, str] = {}
    sink = BatchSink()

    def answer(_: Event) -> Outcome:
        traces.inject(carried)
        return Delivered("202")

    sink.answer = answer
    traces.sink(sink).send([event(1)])
    assert ended(traces, collector) == []
    assert int(carried["traceparent"].rpartition("-")[2], 16) & 1 == 0


def test_the_bug_of_a_sink_is_no_text_in_a_span(start: Start, collector: TraceCollector) -> None:
    traces, sink = start(), BatchSink()

    def broken(_: Event) -> Outcome:
        raise ValueError("canary@example.com")

    sink.answer = broken
    with pytest.raises(ValueError, match="canary"):
        traces.sink(sink).send([event(1)])
    (span,) = ended(traces, collector)
    assert (span.attributes["error.type"], span.failed) == ("ValueError", True)
    assert not any(b"canary" in body for _, _, body in collector.requests)


def test_a_collector_that_is_down_is_told_once_and_once_that_it_is_back(
    start: Start, collector: TraceCollector, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    collector.status = 400
    traces = start()
    with caplog.at_level("INFO", "adapter.observability.tracing"):
        for _ in range(3):
            with traces.poll():
                pass
            wait_until(lambda: "traces_lost" in actions(caplog))
        collector.status = 200

        def again() -> bool:
            with traces.poll():
                pass
            return "traces_sent" in actions(caplog)

        wait_until(again)
        traces.close()
    assert actions(caplog) == ["traces_lost", "traces_sent"]


def test_what_ends_the_adapter_is_an_error_by_its_kind_alone(start: Start, collector: TraceCollector) -> None:
    traces = start()
    with pytest.raises(ValueError, match="canary"), traces.poll(), traces.sweep():
        raise ValueError("canary@example.com")
    spans = ended(traces, collector)
    assert [(span.name, span.attributes["error.type"], span.failed) for span in spans] == [
        ("sweep", "ValueError", True),
        ("poll", "ValueError", True),
    ]
    assert not any(b"canary" in body for _, _, body in collector.requests)


def test_the_console_gets_one_line_a_span(capfd: pytest.CaptureFixture[str], start: Start) -> None:
    traces = start(exporters=("console",))
    with traces.poll():
        pass
    traces.close()
    (line,) = capfd.readouterr().err.splitlines()
    assert '"name": "poll"' in line


# -- what it costs, and what is wrong with it --------------------------------------------------------------------------


def test_nothing_of_opentelemetry_is_imported_unless_it_is_asked_for() -> None:
    code = "import sys, adapter.runtime.app; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_traces_everything_stays_what_it_is() -> None:
    sink = MemorySink()
    assert NO_TRACES.sink(sink) is sink
    assert NO_TRACES.inject is None
    assert start_traces(config.load(LEAST)) is NO_TRACES


def test_a_missing_package_is_one_line_that_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in [
        name for name in sys.modules if name.startswith(("opentelemetry", "adapter.observability.tracing.otel"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    settings = config.load({**LEAST, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})
    with caplog.at_level("INFO", "adapter.observability.tracing"):
        assert start_traces(settings) is NO_TRACES
    (line,) = caplog.messages
    assert line == (
        "OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, but the package opentelemetry is not installed: "
        "pip install -e '.[tracing]'"
    )


@pytest.mark.parametrize(
    "variable", ["OTEL_EXPORTER_OTLP_COMPRESSION", "OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_BSP_MAX_QUEUE_SIZE"]
)
def test_a_value_that_the_sdk_refuses_does_not_stop_the_adapter(
    variable: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(variable, "-canary")
    settings = config.load({**LEAST, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    with caplog.at_level("INFO", "adapter"):
        start_traces(settings).close()
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("adapter")]
    assert all("canary" not in line for line in ours)


def test_only_pages_that_are_looked_at_are_counted(start: Start, collector: TraceCollector) -> None:
    traces = start()
    with traces.poll(), traces.sweep():
        traces.page(Page(users=[b"{}", b"{}"], token=None))
        traces.swept(complete=True, changes=0)
    spans = {span.name: span for span in ended(traces, collector)}
    assert spans["sweep"].attributes["cognito_source.users"] == 2
