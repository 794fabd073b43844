"""Whether and how to trace, by OpenTelemetry's variables: what they mean, and what is named as in vain."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.config import settings as config
from adapter.config.knative import RequestedTraces
from adapter.config.opentelemetry import TraceSettings, markdown, read
from tests.unit.config.test_knative import LEAST
from tools.docs.tables import DOCS

COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
KNATIVE = RequestedTraces(exporter="otlp", endpoint="http://knative:4318", sampling_rate=0.25)


def traces(knative: RequestedTraces | None = None, **environment: str) -> TraceSettings:
    made, ignored = read(environment, knative)
    assert ignored == ()
    assert made is not None
    return made


def ignored(knative: RequestedTraces | None = None, **environment: str) -> list[str]:
    return list(read(environment, knative)[1])


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_SERVICE_NAME": "x", "OTEL_TRACES_SAMPLER": "always_on"},
        {**COLLECTOR, "OTEL_SDK_DISABLED": "TRUE"},
        {**COLLECTOR, "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
    ],
)
def test_without_being_asked_nothing_is_traced(environment: dict[str, str]) -> None:
    assert read(environment, None) == (None, ())


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        (COLLECTOR, "http://collector:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://x/otlp/"}, "https://x/otlp/v1/traces"),
        ({**COLLECTOR, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/in"}, "http://t/in"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "http://localhost:4318/v1/traces"),
        ({**COLLECTOR, "OTEL_TRACES_EXPORTER": " otlp "}, "http://collector:4318/v1/traces"),
    ],
)
def test_the_endpoint_is_made_as_opentelemetry_wants_it(environment: dict[str, str], endpoint: str) -> None:
    made = traces(None, **environment)
    assert (made.exporters, made.endpoint) == (("otlp",), endpoint)
    assert (made.sampler, made.ratio) == ("parentbased_always_on", 1.0)


def test_several_exporters_may_be_named() -> None:
    assert traces(OTEL_TRACES_EXPORTER="console,otlp").exporters == ("otlp", "console")
    assert traces(OTEL_TRACES_EXPORTER="console").exporters == ("console",)


def test_a_sampler_is_taken_with_its_argument() -> None:
    made = traces(None, **COLLECTOR, OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="0.5")
    assert (made.sampler, made.ratio) == ("traceidratio", 0.5)


def test_what_knative_asks_for_is_taken_unless_opentelemetrys_variables_say_otherwise() -> None:
    made = traces(KNATIVE)
    assert (made.endpoint, made.sampler, made.ratio) == (
        "http://knative:4318/v1/traces",
        "parentbased_traceidratio",
        0.25,
    )
    assert traces(KNATIVE, OTEL_TRACES_SAMPLER="always_on").sampler == "always_on"
    ours = traces(KNATIVE, **COLLECTOR)
    assert (ours.endpoint, ours.sampler) == ("http://collector:4318/v1/traces", "parentbased_always_on")
    assert read({"OTEL_TRACES_EXPORTER": "none"}, KNATIVE)[0] is None
    assert read({"OTEL_SDK_DISABLED": "true"}, KNATIVE)[0] is None
    # OpenTelemetry's protocol is about its own endpoint.
    assert traces(KNATIVE, OTEL_EXPORTER_OTLP_PROTOCOL="grpc").endpoint == "http://knative:4318/v1/traces"


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        (
            {**COLLECTOR, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'; expected http/prot",
        ),
        ({**COLLECTOR, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL is"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, "OTEL_EXPORTER_OTLP_ENDPOINT is no http(s) URL"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://u:secret@["}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is no"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:99999"}, "OTEL_EXPORTER_OTLP_ENDPOINT is no http(s) URL"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER: 'zipkin' is ignored: expected otlp, console, none"),
    ],
)
def test_traces_that_can_not_be_sent_are_named_and_off(environment: dict[str, str], named: str) -> None:
    made, (line,) = read(environment, None)
    assert made is None
    assert line.startswith(named)
    assert "secret" not in line


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"OTEL_TRACES_SAMPLER": "jaeger_remote"}, "OTEL_TRACES_SAMPLER is ignored: expected one of always_on"),
        (
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "10%"},
            "OTEL_TRACES_SAMPLER_ARG is ignored",
        ),
        (
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "nan"},
            "OTEL_TRACES_SAMPLER_ARG is ignored",
        ),
        ({"OTEL_PROPAGATORS": "b3"}, "OTEL_PROPAGATORS is ignored: the sink is sent W3C's traceparent"),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, "OTEL_METRICS_EXPORTER is ignored: OpenTelemetry gets traces only"),
        ({"OTEL_LOGS_EXPORTER": "otlp"}, "OTEL_LOGS_EXPORTER is ignored: OpenTelemetry gets traces only"),
        ({"OTEL_SDK_DISABLED": "yes"}, "OTEL_SDK_DISABLED is ignored: expected true or false"),
    ],
)
def test_what_is_not_known_is_named_and_the_rest_counts(environment: dict[str, str], named: str) -> None:
    made, (line,) = read({**COLLECTOR, **environment}, None)
    assert line.startswith(named)
    assert made is not None
    assert made.ratio == 1.0


def test_the_effective_configuration_shows_where_traces_go_and_no_secret() -> None:
    environment = {
        **LEAST,
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://me:canary-1@collector:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=canary-2",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "authorization=canary-3",
        "K_TRACING_CONFIG": '{"backend":"none","zipkin-endpoint":"http://me:canary-4@zipkin/"}',
    }
    shown = f"{config.effective(environment)} {config.remarks(environment)} {config.load(environment)!r}"
    assert "canary" not in shown
    (remark,) = config.remarks(environment)
    assert remark.startswith("OTEL_EXPORTER_OTLP_ENDPOINT: traces go to https://********@collector:4318/v1/traces")


def test_the_documentation_is_the_table_of_the_code() -> None:
    assert markdown() in (DOCS / "tracing.md").read_text(), "run: python -m tools.docs.tables"


OTEL: Any = st.sampled_from(
    [
        *("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        *("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_SDK_DISABLED"),
    ]
)
TEXTS: Any = st.text(max_size=12) | st.sampled_from(
    ["otlp", "http://x", "http://[", "traceidratio", "http/protobuf", "2"]
)


@given(st.dictionaries(OTEL, TEXTS))
def test_whatever_they_hold_they_are_read(environment: dict[str, str]) -> None:
    made, lines = read(environment, None)
    assert made is None or 0 <= made.ratio <= 1
    assert all("\n" not in line for line in lines)
