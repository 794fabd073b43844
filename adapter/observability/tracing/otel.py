"""Traces with OpenTelemetry's SDK, which is imported here and in otel_sink.py only, when traces are wanted.

Every cycle of the adapter is a trace: `poll`, and in it `sweep`. Every request to a sink is a trace of its own:
otel_sink.py. No span holds anything of a user: no username, no attribute, no body, no text of an exception.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider, sampling
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from adapter.cognito.base import Page
from adapter.config.opentelemetry import SERVICE_NAME, TraceSettings
from adapter.config.values import shown
from adapter.line_writer import LineWriter, line_writer
from adapter.log import Action
from adapter.observability.tracing.otel_sink import Origins, TracedCourier, TracedSink
from adapter.pipeline.outbox import Courier
from adapter.sinks.base import Sink
from adapter.version import VERSION

logger = logging.getLogger(__name__)

#: How long the last spans may take to be sent when the adapter stops, in seconds.
CLOSE_S: Final = 1.0
_ROOT: Final = Context()


class OtelTraces:
    """Traces of one source.

    Args:
        settings: where to send them, and which.
        pool: the user pool's ARN.
        namespace: NAMESPACE.
        name: NAME.

    Raises:
        ValueError: one of OpenTelemetry's variables has a value that its SDK refuses.
    """

    def __init__(self, settings: TraceSettings, *, pool: str, namespace: str, name: str) -> None:
        self._provider = TracerProvider(
            sampler=_sampler(settings), resource=_resource(namespace, name), shutdown_on_exit=False
        )
        for kind in settings.exporters:
            self._provider.add_span_processor(BatchSpanProcessor(_exporter(kind, settings.endpoint)))
        self._tracer = self._provider.get_tracer(SERVICE_NAME, VERSION)
        self._propagator = TraceContextTextMapPropagator()
        self._origins: Origins = {}
        self._pool = pool
        self._pages = self._users = 0
        self._ids = SpanIds()
        for handler in logging.getLogger("adapter").handlers:
            handler.addFilter(self._ids)

    def inject(self, headers: dict[str, str]) -> None:
        """Add `traceparent` for the request that is about to be sent."""
        self._propagator.inject(headers)

    def poll(self) -> AbstractContextManager[None]:
        """One cycle: a sweep, and the wait for the next one."""
        return self._span("poll", _ROOT)

    def sweep(self) -> AbstractContextManager[None]:
        """One sweep, within a cycle."""
        self._pages = self._users = 0
        return self._span("sweep", None)

    def page(self, page: Page) -> None:
        """A page of the sweep that goes on."""
        self._pages += 1
        self._users += len(page.users)

    def swept(self, *, complete: bool, changes: int) -> None:
        """The sweep that goes on has come to its end."""
        self._describe_sweep(complete=complete).set_attribute("cognito_source.changes", changes)

    def sweep_failed(self, code: str) -> None:
        """A fault with this code ended the sweep that goes on."""
        span = self._describe_sweep(complete=False)
        span.set_attribute("error.type", code)
        span.set_status(Status(StatusCode.ERROR))

    def courier(self, courier: Courier) -> Courier:
        """The same courier, remembering which cycle an event is from."""
        return TracedCourier(courier, self._origins)

    def sink(self, sink: Sink, *, dead_letters: bool = False) -> Sink:
        """The same sink, telling of every request."""
        return TracedSink(sink, self._tracer, self._origins, dead_letters=dead_letters)

    def close(self) -> None:
        """Send what is left, in CLOSE_S at most: a collector that is down must not keep the adapter from stopping."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces-close", daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        for handler in logging.getLogger("adapter").handlers:
            handler.removeFilter(self._ids)

    def _describe_sweep(self, *, complete: bool) -> Span:
        span = trace.get_current_span()
        span.set_attribute("cognito_source.pages", self._pages)
        span.set_attribute("cognito_source.users", self._users)
        span.set_attribute("cognito_source.complete", complete)
        return span

    @contextmanager
    def _span(self, name: str, context: Context | None) -> Iterator[None]:
        with self._tracer.start_as_current_span(
            name,
            context=context,
            attributes={"cognito_source.pool": self._pool},
            record_exception=False,  # its text may quote what must not be told
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise


class SpanIds(logging.Filter):
    """Gives log records the ids of the span that they are from, by the names that OpenTelemetry has for them.

    https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through."""
        context = trace.get_current_span().get_span_context()
        if context.is_valid and context.trace_flags.sampled:
            record.trace_id = trace.format_trace_id(context.trace_id)
            record.span_id = trace.format_span_id(context.span_id)
        return True


class WatchedExporter(SpanExporter):
    """Says once that spans can't be sent, and once that they can be again. What is lost is lost: only spans.

    Args:
        exporter: sends the spans.
        target: where to, for people.
    """

    def __init__(self, exporter: SpanExporter, target: str) -> None:
        self._exporter = exporter
        self._target = target
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch."""
        result = self._exporter.export(spans)
        failing = result is not SpanExportResult.SUCCESS
        if failing and not self._failing:
            logger.warning(
                "Traces can't be sent to %s; they are dropped meanwhile, events are not",
                self._target,
                extra={"action": Action.TRACES_LOST},
            )
        elif self._failing and not failing:
            logger.info("Traces are sent again", extra={"action": Action.TRACES_SENT})
        self._failing = failing
        return result

    def shutdown(self) -> None:
        """Close connections."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is kept here."""
        return self._exporter.force_flush(timeout_millis)


class LineExporter(SpanExporter):
    """Writes every span as a line of JSON, between the lines of the logs.

    Args:
        writer: of stderr; None: that is closed.
    """

    def __init__(self, writer: LineWriter | None) -> None:
        self._writer = writer

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write a batch."""
        lines = [f"{span.to_json(indent=None)}\n".encode() for span in spans]
        if self._writer is None or self._writer.write(lines, CLOSE_S).fault is not None:
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS


def _exporter(kind: str, endpoint: str) -> SpanExporter:
    if kind == "console":
        return WatchedExporter(LineExporter(line_writer(sys.stderr)), "stderr")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return WatchedExporter(OTLPSpanExporter(endpoint=endpoint), shown(endpoint))


def _resource(namespace: str, name: str) -> Resource:
    """What sends these traces: as OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say, and our names for the rest."""
    ours = {
        "service.name": SERVICE_NAME,
        "service.namespace": namespace,
        "service.instance.id": name,
        "service.version": VERSION,
    }
    said = OTELResourceDetector().detect().attributes
    return Resource.create({key: value for key, value in ours.items() if key not in said})


def _sampler(settings: TraceSettings) -> sampling.Sampler:
    kind = settings.sampler.removeprefix("parentbased_")
    root: sampling.Sampler = {"always_on": sampling.ALWAYS_ON, "always_off": sampling.ALWAYS_OFF}.get(
        kind
    ) or sampling.TraceIdRatioBased(settings.ratio)
    return sampling.ParentBased(root) if kind != settings.sampler else root
