"""Spans of deliveries: every request to a sink is a trace of its own, which the consumer's spans go on from.

As in the original the span is called `cloudevents.client` and has no parent. It is linked to the cycle that found its
events: a sweep with a million changes is no trace of a million spans, and a sampler decides about each delivery.
Names of attributes are OpenTelemetry's for CloudEvents, HTTP and messaging, where there are such:
https://opentelemetry.io/docs/specs/semconv/cloudevents/cloudevents-spans/
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue

from adapter.delivery import Result
from adapter.model import Event
from adapter.pipeline.outbox import Courier
from adapter.sinks.base import Failed, Outcome, Sink

#: The name of the span, by the original.
DELIVER: Final = "cloudevents.client"
#: Links of one span: a batch is from few cycles, as a rule.
_LINKS_MAX: Final = 32
_ROOT: Final = Context()
#: Attributes of an event that may be told, by the name of the span's attribute; `partitionkey` is the username.
_TOLD: Final = {
    "cloudevents.event_id": "id",
    "cloudevents.event_source": "source",
    "cloudevents.event_spec_version": "specversion",
    "cloudevents.event_subject": "subject",
    "cloudevents.event_type": "type",
    "cognito_source.changetype": "changetype",
}


@dataclass(slots=True)
class Origin:
    """Which cycle an event is from, and how often it was sent already."""

    context: SpanContext
    sent: int = 0


#: By the event's id, from `submit` to `collect`: as many as the delivery takes at once.
Origins = MutableMapping[str, Origin]


class TracedCourier:
    """A courier that notes in which cycle it got each event.

    Args:
        courier: does the work.
        origins: where to note it.
    """

    def __init__(self, courier: Courier, origins: Origins) -> None:
        self._courier = courier
        self._origins = origins

    def submit(self, event: Event, timeout_s: float | None = None) -> bool:
        """Accept an event; False: no room within the time, or closed."""
        return self.submit_all((event,), timeout_s) == 1

    def submit_all(self, events: Sequence[Event], timeout_s: float | None = None) -> int:
        """Accept events; returns how many, from the first on: 0: no room within the time, or closed."""
        context = trace.get_current_span().get_span_context()
        for event in events:  # before they are accepted: they may be sent at once
            self._origins[event.id] = Origin(context)
        accepted = self._courier.submit_all(events, timeout_s)
        for event in events[accepted:]:
            self._origins.pop(event.id, None)
        return accepted

    def collect(self, timeout_s: float = 0.0) -> list[Result]:
        """Results since the last call."""
        results = self._courier.collect(timeout_s)
        for result in results:
            self._origins.pop(result.event.id, None)
        return results

    def close(self, timeout_s: float) -> None:
        """Resolve every event, then stop."""
        self._courier.close(timeout_s)

    @property
    def in_flight(self) -> int:
        """Events without a collected result."""
        return self._courier.in_flight

    @property
    def paused(self) -> bool:
        """Whether the sink is down."""
        return self._courier.paused


class TracedSink:
    """A sink with a span for every request.

    Args:
        sink: does the work.
        tracer: makes the spans.
        origins: which cycles the events are from.
        dead_letters: whether this is the dead-letter sink.
    """

    def __init__(self, sink: Sink, tracer: Tracer, origins: Origins, *, dead_letters: bool) -> None:
        self._sink = sink
        self._tracer = tracer
        self._origins = origins
        self._fixed: dict[str, AttributeValue] = {"cognito_source.dead_letters": dead_letters}
        address = urlsplit(sink.target)
        self._http = address.scheme in {"http", "https"}
        if self._http:
            port = address.port or {"http": 80, "https": 443}[address.scheme]
            self._fixed |= {
                "http.request.method": "POST",
                "server.address": address.hostname or "",
                "server.port": port,
            }
        else:
            self._fixed |= {"messaging.destination.name": sink.target}

    @property
    def target(self) -> str:
        """Where this sink sends to, for people."""
        return self._sink.target

    @property
    def max_batch(self) -> int:
        """The most events that one `send` takes."""
        return self._sink.max_batch

    def send(self, events: Sequence[Event]) -> Sequence[Outcome]:
        """Try once to deliver; one outcome per event, in order."""
        origins = [origin for event in events if (origin := self._origins.get(event.id)) is not None]
        cycles = {origin.context.span_id: origin.context for origin in origins if origin.context.is_valid}
        with self._tracer.start_as_current_span(
            DELIVER,
            context=_ROOT,
            kind=SpanKind.CLIENT,
            links=[Link(context) for context in [*cycles.values()][:_LINKS_MAX]],
            record_exception=False,  # its text may quote the event
            set_status_on_exception=False,
        ) as span:
            if span.is_recording():
                self._describe(span, events, origins)
            for origin in origins:
                origin.sent += 1
            try:
                outcomes = self._sink.send(events)
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise
            if span.is_recording():
                self._tell(span, outcomes)
        return outcomes

    def close(self) -> None:
        """Give back connections and files."""
        self._sink.close()

    def _describe(self, span: Span, events: Sequence[Event], origins: Sequence[Origin]) -> None:
        span.set_attributes(self._fixed)
        if len(events) > 1 or self.max_batch > 1:
            span.set_attribute("messaging.batch.message_count", len(events))
        for name, attribute in _TOLD.items():
            values = {event.attributes.get(attribute) for event in events}
            if len(values) == 1 and (value := values.pop()) is not None:
                span.set_attribute(name, value)
        if resent := max((origin.sent for origin in origins), default=0):
            span.set_attribute("http.request.resend_count" if self._http else "cognito_source.resend_count", resent)

    def _tell(self, span: Span, outcomes: Sequence[Outcome]) -> None:
        """What came of it: the first failure, if there is one."""
        failures = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
        code = (failures or outcomes)[0].code
        if code.isdigit():
            span.set_attribute("http.response.status_code", int(code))
        if failures:
            span.set_attribute("error.type", code)
            span.set_status(Status(StatusCode.ERROR, failures[0].reason))
