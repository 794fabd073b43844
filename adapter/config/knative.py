"""The variables that Knative's controllers set beside the adapter's own: K_LOGGING_CONFIG and the like.

They come from config maps of the cluster, which apply to every component. Settings that apply here are honoured, unless
a variable of the adapter overrides them; the others are reported. As in the original, a wrong value never stops the
adapter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from adapter.config.values import Address, address

#: Levels of zap, the logger of Knative, as ours.
_LEVELS: Final = {
    "debug": "debug",
    "info": "info",
    "warn": "warning",
    "warning": "warning",
    **dict.fromkeys(("error", "dpanic", "panic", "fatal"), "error"),
}
#: Settings of zap that decide whether a line is seen, and the values with which ours are seen as they say.
_ZAP: Final[Mapping[str, tuple[object, ...]]] = {
    "encoding": ("json",),
    "outputPaths": (["stdout"], ["stderr"]),
    "sampling": (),
}
_ONLY_PROMETHEUS: Final = "metrics are for Prometheus, on METRICS_PROMETHEUS_PORT"
#: Settings of the config map for metrics that have no effect, and why.
_WHY: Final = {
    "profiling.enable": "there is no profiler",
    "sink-event-error-reporting.enable": "failed deliveries are in the log and in the metrics",
    "metrics.reporting-period-seconds": "Prometheus asks when it wants to",
}
_FIXED: Final = "the form of the log is fixed: JSON lines on stderr"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedTraces:
    """Traces as K_OBSERVABILITY_CONFIG asks for them. `exporter` as in OTEL_TRACES_EXPORTER: `otlp` or `console`."""

    exporter: str
    endpoint: str = ""
    sampling_rate: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Knative:
    """What Knative's variables set.

    `component` is the prefix of the original's metric. `prometheus` says whether metrics are served, `metrics_host` and
    `metrics_port` where, if that is said, with `metrics_from`, the variable that says it. `ignored` has one line for
    everything that has no effect.
    """

    log_level: str | None = None
    prometheus: bool = True
    metrics_host: str = ""
    metrics_port: int | None = None
    metrics_from: str = ""
    component: str = ""
    traces: RequestedTraces | None = None
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KnativeVariable:
    """A variable of Knative's, for the documentation."""

    name: str
    honoured: str
    ignored: str


VARIABLES: Final = (
    KnativeVariable(
        "K_LOGGING_CONFIG",
        "the `level` of `zap-logger-config`, and `loglevel.COMPONENT` for our `K_COMPONENT`, which wins over it; "
        "`LOG_LEVEL` wins over both",
        "all other settings of zap: the form of the log is fixed",
    ),
    KnativeVariable(
        "K_METRICS_CONFIG",
        "`metrics.backend-destination`: `prometheus` or `none`; `Component`, `PrometheusHost` and `PrometheusPort`, "
        "unless `K_COMPONENT`, `METRICS_PROMETHEUS_HOST` and `METRICS_PROMETHEUS_PORT` are set",
        "other backends (Prometheus is served), reporting periods, `profiling.enable`, "
        "`sink-event-error-reporting.enable`",
    ),
    KnativeVariable(
        "K_TRACING_CONFIG",
        "`backend`: `none`",
        "the backend `zipkin`: OpenTelemetry has given up Zipkin's format. Set `OTEL_EXPORTER_OTLP_ENDPOINT` to a "
        "collector, or to a Zipkin that takes OTLP",
    ),
    KnativeVariable(
        "K_OBSERVABILITY_CONFIG",
        "`tracing`: the protocols `http/protobuf`, `stdout` and `none`, endpoint, sampling rate, unless `OTEL_*` "
        "variables ask for traces; `metrics`: the protocols `none` and `prometheus` (endpoint: `:PORT`, or an IP "
        "address and a port)",
        "the protocol `grpc` of both, `http/protobuf` for metrics (Prometheus is served), export intervals, profiling",
    ),
    KnativeVariable(
        "DEFAULT_METRICS_BACKEND", "`prometheus` or `none`, where K_METRICS_CONFIG names no backend", "other backends"
    ),
    KnativeVariable("K_OIDC_SERVICE_ACCOUNT", "", "mount a token instead: `DELIVERY_TOKEN_FILE`"),
    KnativeVariable("K_LEADER_ELECTION_CONFIG", "", "the state has one writer at a time: `STATE_LEASE_SECONDS`"),
    KnativeVariable("K_KLOG_VERBOSITY", "", "nothing here logs with klog"),
    KnativeVariable("PROFILING_PORT", "", "there is no profiler"),
)


def read(environment: Mapping[str, str]) -> Knative:
    """What these variables set. Never raises: what can't be read is named in `ignored`."""
    reader = _KnativeReader(environment)
    level = reader.logging(environment.get("K_COMPONENT") or "awscognitouserpoolsource")
    metrics = reader.metrics(environment.get("DEFAULT_METRICS_BACKEND", ""))
    reader.tracing()
    observability, traces = reader.observability()
    reader.without_meaning()
    return Knative(log_level=level, traces=traces, ignored=tuple(reader.ignored), **(metrics | observability))


class _KnativeReader:
    """Reads one variable after the other, and collects what has no effect."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.ignored: list[str] = []

    def logging(self, component: str) -> str | None:
        """The log level."""
        config = self._object("K_LOGGING_CONFIG")
        zap = self._nested("K_LOGGING_CONFIG", config, "zap-logger-config")
        found = None
        own = f"loglevel.{component}"
        for setting, level in (("level", zap.pop("level", None)), (own, config.get(own))):
            if level in (None, ""):
                continue
            known = _LEVELS.get(str(level).lower())
            if known is None:
                self._ignore("K_LOGGING_CONFIG", setting, level, "expected a level such as info or debug")
            found = known or found
        if vain := [setting for setting, fine in _ZAP.items() if setting in zap and zap[setting] not in fine]:
            self.ignored.append(f"K_LOGGING_CONFIG: {', '.join(vain)} of zap-logger-config is ignored: {_FIXED}")
        return found

    def metrics(self, default: str) -> dict[str, Any]:
        """Whether and where to serve metrics, by the older variables."""
        name = "K_METRICS_CONFIG"
        options = self._object(name)
        config = options.get("ConfigMap") or {}
        if not isinstance(config, dict):
            self._ignore(name, "ConfigMap", config, "expected a JSON object")
            config = {}
        made = self._backend(name, config.get("metrics.backend-destination"), default)
        if isinstance(component := options.get("Component"), str):
            made["component"] = component
        host, port = options.get("PrometheusHost"), options.get("PrometheusPort")
        if isinstance(port, int) and port is not True and 0 < port < 65_536:
            made |= {"metrics_port": port, "metrics_from": name}
        elif port:
            self._ignore(name, "PrometheusPort", port, "expected a port")
        if isinstance(host, str) and _is_ip(host):
            made |= {"metrics_host": host, "metrics_from": name}
        elif host:
            self._ignore(name, "PrometheusHost", host, "expected an IP address")
        for key, value in config.items():
            if value in ("", "false", False, None):
                continue
            if key in _WHY or key.startswith("metrics.opencensus"):
                self._ignore(name, key, value, _WHY.get(key, "there is no OpenCensus here"))
        return made

    def _backend(self, name: str, given: object, default: str) -> dict[str, Any]:
        """Whether to serve metrics at all: what the config map says, else DEFAULT_METRICS_BACKEND."""
        variable, setting = (name, "metrics.backend-destination") if given else ("DEFAULT_METRICS_BACKEND", "")
        backend = str(given or default).lower()
        if backend == "none":
            return {"prometheus": False, "metrics_from": variable}
        if backend not in {"", "prometheus"}:
            self._ignore(variable, setting, backend, _ONLY_PROMETHEUS)
        return {}

    def tracing(self) -> None:
        """K_TRACING_CONFIG: nothing of it can be honoured but `none`."""
        config = self._object("K_TRACING_CONFIG")
        backend = str(config.get("backend") or "none").lower()
        if backend != "none":
            rate = _shown(config.get("sample-rate"))
            sampler = f"; for the same share of traces OTEL_TRACES_SAMPLER_ARG to {rate}" if rate != "null" else ""
            why = f"traces are sent as OTLP only; set OTEL_EXPORTER_OTLP_ENDPOINT to a collector{sampler}"
            self._ignore("K_TRACING_CONFIG", "backend", backend, why)

    def observability(self) -> tuple[dict[str, Any], RequestedTraces | None]:
        """K_OBSERVABILITY_CONFIG: what it says of metrics, and the traces that it asks for."""
        name = "K_OBSERVABILITY_CONFIG"
        sections = {key.lower(): value for key, value in self._object(name).items()}
        tracing, metrics, runtime = (self._section(name, sections, key) for key in ("tracing", "metrics", "runtime"))
        for section, values in (("metrics", metrics), ("runtime", runtime)):
            if interval := values.get("exportinterval"):
                self._ignore(name, f"{section}.exportInterval", interval, _WHY["metrics.reporting-period-seconds"])
        if runtime.get("profiling") not in (None, "", "disabled"):
            self._ignore(name, "runtime.profiling", runtime["profiling"], "there is no profiler")
        return self._metrics_of(name, metrics), self._traces_of(name, tracing)

    def without_meaning(self) -> None:
        """Variables that have no effect here, if they are set."""
        for variable in VARIABLES:
            if not variable.honoured and self._environment.get(variable.name):
                self.ignored.append(f"{variable.name} is ignored: {variable.ignored.replace('`', '')}")

    def _metrics_of(self, name: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
        protocol, endpoint = str(metrics.get("protocol") or ""), metrics.get("endpoint")
        if protocol == "none":
            return {"prometheus": False, "metrics_from": name}
        if protocol not in {"", "prometheus"}:
            self._ignore(name, "metrics.protocol", protocol, _ONLY_PROMETHEUS)
        elif isinstance(endpoint, str) and endpoint:
            try:
                there: Address = address(endpoint)
            except ValueError:
                there = Address("", 0)
            if _is_ip(there.host) and there.port:
                return {"metrics_host": there.host, "metrics_port": there.port, "metrics_from": name}
            self._ignore(name, "metrics.endpoint", endpoint, "expected an IP address and a port, or :PORT")
        return {}

    def _traces_of(self, name: str, tracing: Mapping[str, Any]) -> RequestedTraces | None:
        protocol, endpoint, rate = (tracing.get(key) for key in ("protocol", "endpoint", "samplingrate"))
        if protocol in (None, "", "none"):
            return None
        if protocol == "stdout":
            exporter, endpoint = "console", ""
        elif protocol == "http/protobuf" and isinstance(endpoint, str) and endpoint:
            exporter = "otlp"
        elif protocol == "http/protobuf":
            self._ignore(name, "tracing.endpoint", endpoint, "expected the URL of a collector")
            return None
        else:
            why = "traces are sent as http/protobuf only; collectors take that on port 4318, under /v1/traces"
            self._ignore(name, "tracing.protocol", protocol, why)
            return None
        if not isinstance(rate, int | float) or isinstance(rate, bool) or not 0 <= rate <= 1:
            if rate is not None:
                self._ignore(name, "tracing.samplingRate", rate, "expected a number from 0 to 1; using 0")
            rate = 0.0
        return RequestedTraces(exporter=exporter, endpoint=endpoint, sampling_rate=float(rate))

    # -- reading JSON that may be anything -------------------------------------------------------------------------

    def _object(self, name: str) -> dict[str, Any]:
        return self._parsed(name, self._environment.get(name, ""), name)

    def _nested(self, name: str, config: Mapping[str, Any], key: str) -> dict[str, Any]:
        return self._parsed(name, config.get(key) or "", f"{name}: {key}")

    def _parsed(self, name: str, text: object, what: str) -> dict[str, Any]:
        """The JSON object in `text`; empty when there is none, which is named unless `text` is empty."""
        if text == "":
            return {}
        try:
            value = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            return value
        self.ignored.append(f"{what} is ignored: expected a JSON object")
        return {}

    def _section(self, name: str, sections: Mapping[str, Any], key: str) -> dict[str, Any]:
        """A section with its names in one spelling: Knative writes samplingRate, sampling_rate or SamplingRate."""
        value = sections.get(key) or {}
        if not isinstance(value, dict):
            self.ignored.append(f"{name}: {key} is ignored: expected a JSON object")
            return {}
        return {name.lower().replace("_", "").replace("-", ""): each for name, each in value.items()}

    def _ignore(self, name: str, setting: str, value: object, why: str) -> None:
        shown = _shown(setting).strip('"')
        what = f"{name}: {shown}" if setting else name
        self.ignored.append(f"{what} {_shown(value)} is ignored: {why}")


def _shown(value: object) -> str:
    """A value that may be anything, as the beginning of one line of ASCII."""
    try:
        return json.dumps(value)[:60]
    except RecursionError:  # read with a few more levels to spare
        return "{...}"


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def markdown() -> str:
    """The table of docs/configuration.md."""
    rows = [f"| `{each.name}` | {each.honoured or 'nothing'} | {each.ignored} |" for each in VARIABLES]
    return "\n".join(["| variable | honoured | ignored |", "|---|---|---|", *rows]) + "\n"
