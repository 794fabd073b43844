"""Whether traces are wanted, by OpenTelemetry's own variables or Knative's, and what of them can't be honoured.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
https://opentelemetry.io/docs/specs/otel/protocol/exporter/: a value that is not known is named and otherwise ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from adapter.config.knative import RequestedTraces

KNATIVE: Final = "K_OBSERVABILITY_CONFIG"
PROTOCOL: Final = "http/protobuf"
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_EXPORTERS: Final = ("otlp", "console", "none")
SAMPLERS: Final = (
    *("always_on", "always_off", "traceidratio"),
    *("parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"),
)
#: `service.name` where OTEL_SERVICE_NAME does not say another.
SERVICE_NAME: Final = "cognito-source"


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSettings:
    """How to trace.

    `exporters` are `otlp` and `console`; `endpoint` is the whole URL that `otlp` sends to. `sampler` is one of SAMPLERS
    and `ratio` its argument. `wanted_by` is the variable that asked for traces.
    """

    exporters: tuple[str, ...]
    wanted_by: str
    endpoint: str = field(default="", repr=False)
    sampler: str = "parentbased_always_on"
    ratio: float = 1.0


@dataclass(frozen=True, slots=True)
class OtelVariable:
    """A variable of OpenTelemetry's, for the documentation."""

    name: str
    meaning: str


VARIABLES: Final = (
    OtelVariable(
        "OTEL_TRACES_EXPORTER",
        "`otlp` (the default when there is an endpoint), `console` (lines on stderr), several with commas, or `none`",
    ),
    OtelVariable("OTEL_EXPORTER_OTLP_ENDPOINT", "the collector: `http://collector:4318`; `/v1/traces` is added"),
    OtelVariable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "the whole URL instead, taken as it is"),
    OtelVariable("OTEL_EXPORTER_OTLP_PROTOCOL, .._TRACES_PROTOCOL", "`http/protobuf`, the only one that is spoken"),
    OtelVariable(
        "OTEL_EXPORTER_OTLP_HEADERS, .._TRACES_HEADERS",
        "headers for the collector: `name=value,..`. Secret: never shown",
    ),
    OtelVariable(
        "OTEL_EXPORTER_OTLP_TIMEOUT, _COMPRESSION, _CERTIFICATE, _CLIENT_KEY, _CLIENT_CERTIFICATE",
        "as OpenTelemetry's SDK for Python reads them; their `OTEL_EXPORTER_OTLP_TRACES_` forms too",
    ),
    OtelVariable("OTEL_SERVICE_NAME", "`service.name`; otherwise `cognito-source`"),
    OtelVariable(
        "OTEL_RESOURCE_ATTRIBUTES",
        "more about this process. `service.namespace` is `NAMESPACE`, `service.instance.id` is `NAME`, "
        "unless they are set here",
    ),
    OtelVariable(
        "OTEL_TRACES_SAMPLER",
        "`always_on`, `always_off`, `traceidratio`, or one of these after `parentbased_`; by default all are kept",
    ),
    OtelVariable("OTEL_TRACES_SAMPLER_ARG", "the share of traces to keep with `traceidratio`: 0 to 1"),
    OtelVariable("OTEL_BSP_*, OTEL_SPAN_*, OTEL_ATTRIBUTE_*", "batches, queue and limits, as the SDK reads them"),
    OtelVariable("OTEL_SDK_DISABLED", "`true`: no traces, whatever else is set"),
)


def read(
    environment: Mapping[str, str], knative: RequestedTraces | None
) -> tuple[TraceSettings | None, tuple[str, ...]]:
    """How to trace (None: not at all), and a line for everything that is asked for in vain.

    Args:
        environment: the process environment, or that of a manifest laid over it.
        knative: what K_OBSERVABILITY_CONFIG asks for; OpenTelemetry's variables win.
    """
    ignored: list[str] = []
    disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower()
    if disabled not in {"", "true", "false"}:
        ignored.append("OTEL_SDK_DISABLED is ignored: expected true or false")
    if disabled == "true":
        return None, tuple(ignored)
    for name, signal in (("OTEL_METRICS_EXPORTER", "metrics"), ("OTEL_LOGS_EXPORTER", "logs")):
        if environment.get(name, "").strip().lower() not in {"", "none", "prometheus"}:
            ignored.append(f"{name} is ignored: OpenTelemetry gets traces only, no {signal}")
    exporters, wanted_by = _exporters(environment, knative, ignored)
    endpoint = ""
    if "otlp" in exporters:
        try:
            endpoint = _endpoint(environment, knative if wanted_by == KNATIVE else None)
        except ValueError as error:
            ignored.append(f"{error}; no traces are sent to a collector")
            exporters.remove("otlp")
    if not exporters:
        return None, tuple(ignored)
    sampler, ratio = _sampler(environment, knative if wanted_by == KNATIVE else None, ignored)
    propagators = environment.get("OTEL_PROPAGATORS", "")
    if propagators and "tracecontext" not in propagators:
        ignored.append("OTEL_PROPAGATORS is ignored: the sink is sent W3C's traceparent, and nothing else")
    made = TraceSettings(
        exporters=tuple(exporters), wanted_by=wanted_by, endpoint=endpoint, sampler=sampler, ratio=ratio
    )
    return made, tuple(ignored)


def _exporters(
    environment: Mapping[str, str], knative: RequestedTraces | None, ignored: list[str]
) -> tuple[list[str], str]:
    """Where traces go, and the variable that says so; OpenTelemetry's win."""
    given = [name for text in environment.get("OTEL_TRACES_EXPORTER", "").split(",") if (name := text.strip().lower())]
    if not given:
        if collector := _set(environment, *_ENDPOINTS):
            return ["otlp"], collector
        return ([knative.exporter], KNATIVE) if knative is not None else ([], "")
    ignored += [
        f"OTEL_TRACES_EXPORTER: {name!r} is ignored: expected {', '.join(_EXPORTERS)}"
        for name in given
        if name not in _EXPORTERS
    ]
    return [name for name in ("otlp", "console") if name in given], "OTEL_TRACES_EXPORTER"


def _endpoint(environment: Mapping[str, str], knative: RequestedTraces | None) -> str:
    """The whole URL that spans are sent to.

    Raises:
        ValueError: there is none that could be used; one line.
    """
    if knative is not None:
        return _url(f"{KNATIVE}: tracing.endpoint", knative.endpoint, add_path=False)
    name = _set(environment, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = environment[name].strip().lower() if name else PROTOCOL
    if protocol != PROTOCOL:
        raise ValueError(f"{name} is {protocol!r}; expected {PROTOCOL}, which collectors take on port 4318")
    name = _set(environment, *_ENDPOINTS)
    url = environment[name].strip() if name else "http://localhost:4318"
    return _url(name, url, add_path=name != _ENDPOINTS[0])


def _url(name: str, text: str, *, add_path: bool) -> str:
    """The URL with the path for traces: always added, or only where there is none (as Knative takes its endpoint).

    Raises:
        ValueError: it is no URL that could be used. Nothing of it is quoted: it may hold credentials.
    """
    wrong = f"{name} is no http(s) URL; expected one such as http://collector:4318"
    try:
        parts = urlsplit(text)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(wrong) from None
    if not fine:
        raise ValueError(wrong)
    bare = name.startswith(KNATIVE) and parts.path in {"", "/"}
    return f"{text.rstrip('/')}/v1/traces" if add_path or bare else text


def _set(environment: Mapping[str, str], *names: str) -> str:
    """The first of these variables that is set; "": none is."""
    return next((name for name in names if environment.get(name, "").strip()), "")


def _sampler(environment: Mapping[str, str], knative: RequestedTraces | None, ignored: list[str]) -> tuple[str, float]:
    """Which traces are kept, and what share of them."""
    sampler = environment.get("OTEL_TRACES_SAMPLER", "").strip().lower()
    if sampler and sampler not in SAMPLERS:
        ignored.append(f"OTEL_TRACES_SAMPLER is ignored: expected one of {', '.join(SAMPLERS)}")
        sampler = ""
    if not sampler and knative is not None:
        return "parentbased_traceidratio", knative.sampling_rate
    ratio, text = 1.0, environment.get("OTEL_TRACES_SAMPLER_ARG", "").strip()
    if text and sampler.endswith("traceidratio"):
        try:
            ratio = float(text)
        except ValueError:
            ratio = -1.0
        if not 0 <= ratio <= 1:
            ignored.append("OTEL_TRACES_SAMPLER_ARG is ignored: expected a number from 0 to 1; every trace is kept")
            ratio = 1.0
    return sampler or "parentbased_always_on", ratio


def markdown() -> str:
    """The table of docs/tracing.md."""
    rows = [f"| {', '.join(f'`{name}`' for name in each.name.split(', '))} | {each.meaning} |" for each in VARIABLES]
    return "\n".join(["| variable | meaning |", "|---|---|", *rows]) + "\n"
