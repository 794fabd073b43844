"""The adapter's configuration: the one reader of its environment.

groups.py has every setting. A variable that is set but empty counts as not set, as Kubernetes writes unset values.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from adapter.config import knative
from adapter.config import opentelemetry as tracing
from adapter.config.fields import Group, fields
from adapter.config.groups import Polling, Settings
from adapter.config.knative import Knative
from adapter.config.values import MASK, shown, shown_sink
from adapter.config.variables import VARIABLES
from adapter.errors import ConfigError

__all__ = ["Problem", "Settings", "effective", "load", "problems_of", "remarks", "unknown"]

_G = TypeVar("_G", bound=Group)
#: The user information of a URL within a text.
_USER_INFORMATION: Final = re.compile(r"(://)[^/\s\"]*@")


#: How names of our variables begin: another one that begins so is named in a warning.
_PREFIXES: Final = (
    *("POLL_", "EVENTS_", "DELIVERY_", "STATE_", "HEALTH_", "STATUS_", "METRICS_", "COGNITO_", "CREDENTIALS_"),
)
#: What Kubernetes sets for a service of the namespace, which may be called `events` or `metrics`:
#: https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
_SERVICE_LINK: Final = re.compile(r"_SERVICE_(HOST|PORT)(_|$)|_PORT_\d+_(TCP|UDP|SCTP)(_|$)")
_LINK_URL: Final = re.compile(r"(tcp|udp|sctp)://")


def load(environment: Mapping[str, str]) -> Settings:
    """Read and check the whole configuration.

    Args:
        environment: the process environment, or that of a manifest laid over it.

    Raises:
        ConfigError: something is wrong; one line for every problem there is.
    """
    values, problems = _read(environment)
    cluster = knative.read(environment)
    values |= {field: value for field, value, _ in _from_knative(cluster, environment)}
    values.setdefault("log_level", "info")
    values["traces"], ignored = tracing.read(environment, cluster.traces)
    values["ignored"] = (*cluster.ignored, *ignored, *unknown(environment))
    # A second adapter on one machine runs without a status page, unless its address was set.
    values["status_required"] = bool(environment.get("STATUS_ADDRESS"))
    if problems:
        raise ConfigError([problem.text for problem in problems])
    return _build(Settings, values)


def _build(group: type[_G], values: Mapping[str, Any], prefix: str = "") -> _G:
    """A group from the values of its fields, by their places with dots; what is not given has its default."""
    made: dict[str, Any] = {}
    for field in fields(group):
        place = f"{prefix}{field.name}"
        if place in values:
            made[field.name] = values[place]
        elif isinstance(field.type, type) and issubclass(field.type, Group):
            made[field.name] = _build(field.type, values, f"{place}.")
    return group(**made)


@dataclass(frozen=True, slots=True)
class Problem:
    """One line about settings that are wrong, and the variables that it is about, the wrong one first."""

    variables: tuple[str, ...]
    text: str


def problems_of(environment: Mapping[str, str]) -> list[Problem]:
    """Everything for which `load` would refuse this environment."""
    return _read(environment)[1]


def _read(environment: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    """The fields of Settings that variables of ours set, by their places, and what is wrong with the others."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for variable in VARIABLES:
        text = environment.get(variable.name, "")
        if not text:
            if variable.required:
                line = f"{variable.name} is not set; expected {variable.type}: {variable.meaning}"
                problems.append(Problem((variable.name,), line))
            continue
        try:
            values[variable.field] = variable.parse(text)
        except ValueError as error:
            problems.append(Problem((variable.name,), f"{variable.name} {error}"))
    return values, [*problems, *_contradictions(values)]


def unknown(environment: Mapping[str, str]) -> list[str]:
    """A line for every variable with a prefix of ours that does not exist: most often a typing error."""
    known = {each.name for each in VARIABLES}
    lines = []
    for name, text in sorted(environment.items()):
        if name in known or not name.startswith(_PREFIXES) or _SERVICE_LINK.search(name) or _LINK_URL.match(text):
            continue
        near = difflib.get_close_matches(name, known, 1, 0.75)
        hint = f"; did you mean {near[0]}?" if near else "; see docs/configuration.md for the variables there are"
        lines.append(f"{name} is ignored: there is no such variable{hint}")
    return lines


def effective(environment: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Every variable with its effective text and where that is from; secrets masked.

    That is `environment`, `default`, or the variable of Knative's that says it. Those of Knative and OpenTelemetry
    follow, if they are set.
    """
    said = {
        field: (str(value), origin) for field, value, origin in _from_knative(knative.read(environment), environment)
    }
    rows = []
    for variable in VARIABLES:
        given = environment.get(variable.name, "")
        text, origin = (given, "environment") if given else (variable.default, "default")
        text, origin = said.get(variable.field, (text, origin))
        if variable.secret and text:
            text = MASK
        show = shown_sink if variable.type == "sink" else shown
        rows.append((variable.name, show(text), origin))
    others = [each.name for each in knative.VARIABLES] + sorted(
        name for name in environment if name.startswith("OTEL_")
    )
    rows += [
        (name, _shown_setting(name, text), "environment") for name in others if (text := environment.get(name, ""))
    ]
    return rows


def remarks(environment: Mapping[str, str]) -> list[str]:
    """Whether there are traces, and a line for every setting of Knative's or OpenTelemetry's that has no effect."""
    cluster = knative.read(environment)
    traces, ignored = tracing.read(environment, cluster.traces)
    lines = [] if cluster.prometheus else [f"{cluster.metrics_from}: metrics are not served to Prometheus"]
    if traces is not None:
        targets = " and ".join(shown(traces.endpoint) if name == "otlp" else "stderr" for name in traces.exporters)
        lines.append(f"{traces.wanted_by}: traces go to {targets} ({traces.sampler}, {traces.ratio:g})")
    return [*lines, *cluster.ignored, *ignored, *unknown(environment)]


def _from_knative(cluster: Knative, environment: Mapping[str, str]) -> Iterator[tuple[str, Any, str]]:
    """Fields that Knative's variables set, with the variable. Ours win, but for metrics that are turned off."""
    if cluster.log_level and not environment.get("LOG_LEVEL"):
        yield "log_level", cluster.log_level, "K_LOGGING_CONFIG"
    if cluster.component and not environment.get("K_COMPONENT"):
        yield "identity.component", cluster.component, "K_METRICS_CONFIG"
    if cluster.metrics_host and not environment.get("METRICS_PROMETHEUS_HOST"):
        yield "metrics.host", cluster.metrics_host, cluster.metrics_from
    if not cluster.prometheus:
        yield "metrics.port", 0, cluster.metrics_from
    elif cluster.metrics_port is not None and not environment.get("METRICS_PROMETHEUS_PORT"):
        yield "metrics.port", cluster.metrics_port, cluster.metrics_from


def _shown_setting(name: str, text: str) -> str:
    """A setting of Knative's or OpenTelemetry's fit for people: no headers, no credentials in URLs."""
    if name.endswith("_HEADERS"):
        return MASK
    return _USER_INFORMATION.sub(rf"\1{MASK}@", text) if text.lstrip().startswith("{") else shown(text)


def _contradictions(values: Mapping[str, Any]) -> Iterable[Problem]:
    """Problems that only show when several variables are looked at together."""
    plain = Polling()
    low = values.get("polling.min_seconds", plain.min_seconds)
    high = values.get("polling.max_seconds", plain.max_seconds)
    if low > high:
        names: tuple[str, ...] = ("POLL_MIN_SECONDS", "POLL_MAX_SECONDS")
        text = f"POLL_MIN_SECONDS is greater than POLL_MAX_SECONDS ({low:g} > {high:g}); expected the smaller one"
        yield Problem(names, text)
    key, secret = values.get("access.access_key_id"), values.get("access.secret_access_key")
    if bool(key) != bool(secret):
        names = ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")[:: 1 if key else -1]
        missing, there = names
        text = f"{missing} is not set although {there} is; set both, or neither to use the default credentials"
        yield Problem(names, text)
    sink = values.get("sink", "")
    if sink and not sink.startswith(("http://", "https://")) and values.get("delivery.format") == "batched":
        names = ("DELIVERY_FORMAT", "K_SINK")
        text = "DELIVERY_FORMAT is 'batched', but K_SINK is no http(s) URL; other sinks batch by themselves: unset it"
        yield Problem(names, text)
