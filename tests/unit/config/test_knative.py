"""What Knative's controllers set: honoured, or named in one line, and never fatal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.config import knative
from adapter.config import settings as config
from adapter.config.knative import RequestedTraces

LEAST = {
    "ARN": "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI",
    "K_SINK": "http://sink.example/events",
}
#: As TriggerMesh's and Knative's own config maps have it.
ZAP = {
    "level": "info",
    "development": False,
    "outputPaths": ["stdout"],
    "errorOutputPaths": ["stderr"],
    "encoding": "json",
    "encoderConfig": {
        "timeKey": "timestamp",
        "levelKey": "severity",
        "nameKey": "logger",
        "callerKey": "caller",
        "messageKey": "message",
        "stacktraceKey": "stacktrace",
        "lineEnding": "",
        "levelEncoder": "",
        "timeEncoder": "iso8601",
        "durationEncoder": "",
        "callerEncoder": "",
    },
}
#: What TriggerMesh's reconciler passes on by default.
DEFAULTS = {
    "K_LOGGING_CONFIG": json.dumps({"zap-logger-config": json.dumps(ZAP), "loglevel.controller": "debug"}),
    "K_METRICS_CONFIG": json.dumps(
        {
            "Domain": "triggermesh.io",
            "Component": "awscognitouserpoolsource",
            "PrometheusPort": 0,
            "PrometheusHost": "",
            "ConfigMap": {"metrics.backend-destination": "prometheus", "_example": "..."},
        }
    ),
    "K_TRACING_CONFIG": json.dumps({"backend": "none", "debug": "false", "sample-rate": "0.1"}),
}


def logging(zap: Any = None, **others: Any) -> dict[str, str]:
    settings = {} if zap is None else {"zap-logger-config": zap if isinstance(zap, str) else json.dumps(zap)}
    return {"K_LOGGING_CONFIG": json.dumps(settings | others)}


def metrics(config_map: dict[str, Any] | None = None, **options: Any) -> dict[str, str]:
    return {"K_METRICS_CONFIG": json.dumps({"ConfigMap": config_map or {}, **options})}


def observability(**sections: Any) -> dict[str, str]:
    return {"K_OBSERVABILITY_CONFIG": json.dumps(sections)}


def test_the_defaults_of_a_cluster_are_worth_no_line() -> None:
    told = knative.read(DEFAULTS)
    assert told.ignored == ()
    assert (told.log_level, told.prometheus, told.traces) == ("info", True, None)
    assert told.component == "awscognitouserpoolsource"
    assert config.load({**LEAST, **DEFAULTS, "METRICS_PROMETHEUS_PORT": "9092"}).metrics.port == 9092


def test_nothing_set_is_nothing_told() -> None:
    assert knative.read({}) == knative.Knative()
    assert knative.read(dict.fromkeys(["K_LOGGING_CONFIG", "K_METRICS_CONFIG", "K_TRACING_CONFIG"], "")) == (
        knative.Knative()
    )
    assert knative.read(dict.fromkeys(["K_LOGGING_CONFIG", "K_METRICS_CONFIG", "K_TRACING_CONFIG"], "{}")) == (
        knative.Knative()
    )


# -- logs --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zap", "level"),
    [("debug", "debug"), ("INFO", "info"), ("warn", "warning"), ("error", "error"), ("dpanic", "error")],
)
def test_the_level_of_zap_is_ours(zap: str, level: str) -> None:
    told = knative.read(logging({"level": zap}))
    assert (told.log_level, told.ignored) == (level, ())


def test_the_level_of_our_component_wins_over_that_of_all() -> None:
    both = logging({"level": "info"}, **{"loglevel.mine": "debug", "loglevel.other": "error"})
    assert knative.read({**both, "K_COMPONENT": "mine"}).log_level == "debug"
    assert config.load({**LEAST, **both, "K_COMPONENT": "mine", "LOG_LEVEL": "warning"}).log_level == "warning"


@pytest.mark.parametrize(
    ("zap", "named"),
    [
        ({"level": "loud"}, 'K_LOGGING_CONFIG: level "loud" is ignored: expected a level'),
        ({"level": 3}, "K_LOGGING_CONFIG: level 3 is ignored: expected a level"),
        ({"encoding": "console"}, "K_LOGGING_CONFIG: encoding of zap-logger-config is ignored: the form of the log"),
        (
            {"sampling": {"initial": 1}, "outputPaths": ["/var/log/x"], "encoderConfig": {"timeKey": "ts"}},
            "K_LOGGING_CONFIG: outputPaths, sampling of zap-logger-config is ignored: the form of the log",
        ),
        ("nonsense", "K_LOGGING_CONFIG: zap-logger-config is ignored: expected a JSON object"),
    ],
)
def test_what_zap_sets_in_vain_is_named(zap: Any, named: str) -> None:
    (line,) = knative.read(logging(zap)).ignored
    assert line.startswith(named)


# -- metrics -----------------------------------------------------------------------------------------------------------


def test_a_cluster_without_metrics_gets_none() -> None:
    off = {**LEAST, **metrics({"metrics.backend-destination": "None"}), "METRICS_PROMETHEUS_PORT": "9092"}
    assert config.load(off).metrics.port == 0
    assert config.load({**LEAST, "DEFAULT_METRICS_BACKEND": "none"}).metrics.port == 0
    on = {**LEAST, **metrics({"metrics.backend-destination": "prometheus"}), "DEFAULT_METRICS_BACKEND": "none"}
    assert config.load(on).metrics.port == 9090
    assert "K_METRICS_CONFIG: metrics are not served to Prometheus" in config.remarks(off)


def test_where_prometheus_scrapes_may_be_told_by_either_unless_we_say_it() -> None:
    told = {**LEAST, **metrics(PrometheusPort=9095, PrometheusHost="127.0.0.1")}
    settings = config.load(told)
    assert (settings.metrics.host, settings.metrics.port) == ("127.0.0.1", 9095)
    assert config.load({**LEAST, **metrics(Component="mine")}).identity.component == "mine"
    assert config.load({**LEAST, **metrics(Component="mine"), "K_COMPONENT": "ours"}).identity.component == "ours"
    ours = config.load({**told, "METRICS_PROMETHEUS_PORT": "9092", "METRICS_PROMETHEUS_HOST": "::"})
    assert (ours.metrics.host, ours.metrics.port) == ("::", 9092)
    rows = {name: (value, origin) for name, value, origin in config.effective(told)}
    assert rows["METRICS_PROMETHEUS_PORT"] == ("9095", "K_METRICS_CONFIG")


@pytest.mark.parametrize(
    ("config_map", "named"),
    [
        ({"metrics.backend-destination": "opencensus"}, 'K_METRICS_CONFIG: metrics.backend-destination "opencensus"'),
        ({"metrics.opencensus-address": "x:1"}, 'K_METRICS_CONFIG: metrics.opencensus-address "x:1" is ignored'),
        ({"profiling.enable": "true"}, 'K_METRICS_CONFIG: profiling.enable "true" is ignored: there is no profiler'),
        ({"sink-event-error-reporting.enable": "true"}, "K_METRICS_CONFIG: sink-event-error-reporting.enable"),
        ({"metrics.reporting-period-seconds": "5"}, 'K_METRICS_CONFIG: metrics.reporting-period-seconds "5" is'),
    ],
)
def test_what_the_metrics_set_in_vain_is_named(config_map: dict[str, Any], named: str) -> None:
    told = knative.read(metrics(config_map))
    assert told.prometheus
    (line,) = told.ignored
    assert line.startswith(named)


def test_the_newer_variable_says_it_in_its_own_way() -> None:
    told = knative.read(observability(metrics={"protocol": "prometheus", "endpoint": "127.0.0.1:9100"}))
    assert (told.metrics_host, told.metrics_port, told.ignored) == ("127.0.0.1", 9100, ())
    assert not knative.read(observability(Metrics={"protocol": "none"})).prometheus
    grpc = knative.read(observability(metrics={"protocol": "grpc", "endpoint": "c:4317", "exportInterval": 30}))
    assert grpc.prometheus
    assert [line.split(" is ignored")[0] for line in grpc.ignored] == [
        "K_OBSERVABILITY_CONFIG: metrics.exportInterval 30",
        'K_OBSERVABILITY_CONFIG: metrics.protocol "grpc"',
    ]


# -- traces ------------------------------------------------------------------------------------------------------------


def test_zipkin_is_named_with_what_to_use_instead() -> None:
    tracing = {"backend": "zipkin", "zipkin-endpoint": "http://me:secret@zipkin/", "sample-rate": "0.1"}
    told = knative.read({"K_TRACING_CONFIG": json.dumps(tracing)})
    (line,) = told.ignored
    assert line.startswith('K_TRACING_CONFIG: backend "zipkin" is ignored')
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in line
    assert 'OTEL_TRACES_SAMPLER_ARG to "0.1"' in line
    assert "secret" not in line


@pytest.mark.parametrize("spelling", ["samplingRate", "sampling_rate", "SamplingRate", "sampling-rate"])
def test_traces_of_the_newer_variable_are_wanted(spelling: str) -> None:
    asked = observability(Tracing={"protocol": "http/protobuf", "endpoint": "http://c:4318/v1/traces", spelling: 0.25})
    assert knative.read(asked).traces == RequestedTraces(
        exporter="otlp", endpoint="http://c:4318/v1/traces", sampling_rate=0.25
    )


@pytest.mark.parametrize(
    ("tracing", "named"),
    [
        ({"protocol": "grpc", "endpoint": "c:4317"}, 'tracing.protocol "grpc" is ignored: traces are sent as http/'),
        ({"protocol": "http/protobuf"}, "tracing.endpoint null is ignored: expected the URL"),
        ({"protocol": "stdout", "samplingRate": 7}, "tracing.samplingRate 7 is ignored: expected a number"),
        ("on", "tracing is ignored: expected a JSON object"),
    ],
)
def test_traces_that_can_not_be_are_named(tracing: Any, named: str) -> None:
    (line,) = knative.read(observability(tracing=tracing)).ignored
    assert line.startswith(f"K_OBSERVABILITY_CONFIG: {named}")


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (metrics(PrometheusPort=70_000), "K_METRICS_CONFIG: PrometheusPort 70000 is ignored"),
        (metrics(PrometheusPort=True), "K_METRICS_CONFIG: PrometheusPort true is ignored"),
        (metrics(PrometheusHost="no\nhost"), 'K_METRICS_CONFIG: PrometheusHost "no\\nhost" is ignored'),
        (
            observability(metrics={"protocol": "prometheus", "endpoint": "9100"}),
            "K_OBSERVABILITY_CONFIG: metrics.endpoint",
        ),
        (
            observability(metrics={"protocol": "prometheus", "endpoint": "x:1"}),
            "K_OBSERVABILITY_CONFIG: metrics.endpoint",
        ),
    ],
)
def test_an_address_that_nobody_could_listen_on_is_named(asked: dict[str, str], named: str) -> None:
    told = knative.read(asked)
    (line,) = told.ignored
    assert line.startswith(named)
    assert (told.metrics_host, told.metrics_port) == ("", None)


def test_what_is_ignored_is_told_in_one_line_whatever_it_is() -> None:
    (line,) = knative.read({"K_TRACING_CONFIG": '{"backend":"zipkin","sample-rate":"1\\n"}'}).ignored
    assert "\n" not in line
    (line,) = knative.read(logging({"level": "\x1b[31m\n"})).ignored
    assert line.startswith('K_LOGGING_CONFIG: level "\\u001b[31m\\n" is ignored')


def test_a_profiler_and_the_rest_are_named() -> None:
    asked = {
        **observability(runtime={"profiling": "enabled", "exportInterval": 15_000_000_000}),
        "K_LEADER_ELECTION_CONFIG": "{}",
        "PROFILING_PORT": "8008",
        "K_OIDC_SERVICE_ACCOUNT": "x",
        "K_KLOG_VERBOSITY": "3",
    }
    assert [line.split(" is ignored")[0] for line in knative.read(asked).ignored] == [
        "K_OBSERVABILITY_CONFIG: runtime.exportInterval 15000000000",
        'K_OBSERVABILITY_CONFIG: runtime.profiling "enabled"',
        "K_OIDC_SERVICE_ACCOUNT",
        "K_LEADER_ELECTION_CONFIG",
        "K_KLOG_VERBOSITY",
        "PROFILING_PORT",
    ]


# -- whatever it is ----------------------------------------------------------------------------------------------------

NAMES = ("K_LOGGING_CONFIG", "K_METRICS_CONFIG", "K_TRACING_CONFIG", "K_OBSERVABILITY_CONFIG")
KEYS = st.sampled_from(
    [
        *("zap-logger-config", "level", "loglevel.awscognitouserpoolsource", "encoderConfig", "ConfigMap", "backend"),
        *("metrics.backend-destination", "PrometheusPort", "PrometheusHost", "tracing", "metrics", "runtime"),
        *("protocol", "endpoint", "samplingRate", "exportInterval", "profiling", "sample-rate"),
    ]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["none", "http/protobuf"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(NAMES), JSON.map(json.dumps) | st.text(max_size=20)))
def test_whatever_they_hold_the_adapter_starts(environment: dict[str, str]) -> None:
    told = knative.read(environment)
    assert all("\n" not in line for line in told.ignored)
    config.load({**LEAST, **{name: text for name, text in environment.items() if "\0" not in text}})
    config.effective({**LEAST, **environment})
    config.remarks({**LEAST, **environment})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["[" * 100_000, "{", "[]", "7", '{"x":' * 300 + "1" + "}" * 300])
def test_json_that_is_none_is_named_once_at_most(name: str, text: str) -> None:
    told = knative.read({name: text})
    assert len(told.ignored) <= 1
    assert told.log_level is None


def test_nesting_that_can_just_be_read_does_not_stop_the_adapter() -> None:
    for depth in range(200, 1100, 7):
        knative.read(
            {"K_LOGGING_CONFIG": logging('{"sampling":' + "[" * depth + "]" * depth + "}")["K_LOGGING_CONFIG"]}
        )
