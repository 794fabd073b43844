"""The environment: single values, K_CE_OVERRIDES, and the whole of it."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

from adapter.config import values
from adapter.config.settings import effective, load, remarks
from adapter.config.variables import VARIABLES
from adapter.errors import ConfigError
from tests.fuzz.engine import FuzzTarget, promise
from tests.fuzz.mutate import Kit, texts
from tests.fuzz.structure import mutated, written
from tests.fuzz.targets.texts import CANARY, POOL

_SAMPLES: dict[str, list[str]] = {
    "ARN": [POOL],
    "K_SINK": ["http://events.example.com/users", "stdout:", "file:///tmp/x"],
    "K_CE_OVERRIDES": ['{"extensions":{"team":"crm","stage":"prod"}}'],
    "K_CA_CERTS": ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
    "AWS_ASSUME_ROLE_ARN": ["arn:aws:iam::123456789012:role/reader"],
    "CREDENTIALS_SECRET_ARN": ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:name-AbCdEf"],
    "STATE_URL": ["sqlite:///x.db", "dynamodb://table?region=eu-central-1"],
    "EVENTS_ATTRIBUTES": ["sub,email, custom:a"],
    "DELIVERY_TIMEOUT": ["PT30S"],
    "DELIVERY_RETRY_AFTER_MAX": ["PT0S", "PT5M"],
    "DELIVERY_DEAD_LETTER_SINK": ["arn:aws:sqs:eu-central-1:123456789012:queue"],
    "DELIVERY_HEADERS": [f'{{"X-Api-Key":"{CANARY}"}}', "{}"],
    "HEALTH_ADDRESS": ["0.0.0.0:8080", "[::]:0", ":80"],
    "LOG_LEVEL": ["info", "DEBUG"],
}
_WORDS = ("true", "off", "0.1", "86400", "1", "99999999999", "nan", "structured", "linear", "snapshot", "warning")
_KITS: dict[str, Kit[str]] = {
    variable.name: texts(_SAMPLES.get(variable.name) or [variable.default or "text"], _WORDS, 3_000)
    for variable in VARIABLES
}
_LEVELS = texts(
    ['{"zap-logger-config":"{\\"level\\":\\"warn\\"}"}', "{}"], ["zap-logger-config", "level", '\\"'], 30_000
)
_PARSERS = {variable.name: variable.parse for variable in VARIABLES}
#: Nothing of these may ever be shown; what the fuzzer puts into them stays in them.
_SECRETS = {"AWS_SECRET_ACCESS_KEY": CANARY, "AWS_SESSION_TOKEN": CANARY, "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE"}


def _make_value(rng: Random) -> tuple[str, str]:
    name = rng.choice(list(_KITS))
    return name, _KITS[name].make(rng)


def _read(name: str, text: str) -> Any:
    """One value as adapter.config.settings reads it. A UnicodeError is a ValueError too, but nobody's message."""
    try:
        return _PARSERS[name](text)
    except UnicodeError:
        raise
    except ValueError as error:
        raise ConfigError(f"{name} {error}") from None


def _value(given: tuple[str, str]) -> None:
    name, text = given
    found = _read(name, text)
    if isinstance(found, float):
        promise(0 <= found < 10**18, "a number is in its range")
    values.shown(text)


_NAMES = ("extensions", "team", "Team", "id", "data", "a1", "é", "x-y", "", "T", "time", "stage")


def _make_overrides(rng: Random) -> str:
    if rng.random() < 0.4:
        return _KITS["K_CE_OVERRIDES"].make(rng)
    sample = {"extensions": {"team": "crm", "stage": "prod"}}
    return written(rng, mutated(rng, sample, _NAMES)).decode("utf-8", "surrogatepass")


def _overrides(text: str) -> None:
    for name, value in _read("K_CE_OVERRIDES", text).items():
        promise(
            re.fullmatch(r"[a-z0-9]+", name) and name not in values.CORE_ATTRIBUTES, "a name is that of an extension"
        )
        promise(not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in value), "a value has no control characters")
        json.dumps(value, ensure_ascii=False).encode()


def _make_environment(rng: Random) -> dict[str, str]:
    made = {name: rng.choice(kit.samples) for name, kit in _KITS.items() if rng.random() < 0.3}
    made |= {"ARN": POOL, "K_SINK": "http://events.example.com/users"} | _SECRETS
    made["DELIVERY_HEADERS"] = f'{{"X-Api-Key":"{CANARY}"}}'
    if rng.random() < 0.05:
        made["K_LOGGING_CONFIG"] = _LEVELS.make(rng)
    for name in rng.sample(sorted(_KITS), rng.randrange(4)):
        if name not in _SECRETS and name != "DELIVERY_HEADERS":
            made[name] = _KITS[name].make(rng)
    if rng.random() < 0.1:  # a secret that its reader refuses
        made["DELIVERY_HEADERS"] = _around_canary(rng)
    return made


def _around_canary(rng: Random) -> str:
    before, after = '{"X-Api-Key":"', '"}'
    change = texts([before, after], limit=500)
    return change.mutated(rng, before) + CANARY + change.mutated(rng, after)


def _environment(given: dict[str, str]) -> None:
    secret = _headers_secret(given)
    promise(not secret or secret not in repr(effective(given)), "the effective configuration shows no secret")
    settings = load(given)
    promise(not secret or secret not in repr(settings), "the settings show no secret")
    promise(settings.polling.min_seconds <= settings.polling.max_seconds, "the shorter wait is the smaller one")


def _headers_secret(given: dict[str, str]) -> str:
    """The canary, unless it became a part of a header's name, which may be shown."""
    return CANARY if f':"{CANARY}' in given["DELIVERY_HEADERS"].replace(" ", "") else ""


_KNATIVE: dict[str, Any] = {
    "K_LOGGING_CONFIG": {
        "zap-logger-config": '{"level":"warn","encoderConfig":{"timeKey":"ts"}}',
        "loglevel.awscognitouserpoolsource": "debug",
    },
    "K_METRICS_CONFIG": {
        "PrometheusPort": 9092,
        "PrometheusHost": "0.0.0.0",
        "ConfigMap": {"metrics.backend-destination": "opencensus", "profiling.enable": "true"},
    },
    "K_TRACING_CONFIG": {"backend": "zipkin", "zipkin-endpoint": "http://zipkin/", "sample-rate": "0.1"},
    "K_OBSERVABILITY_CONFIG": {
        "tracing": {"protocol": "http/protobuf", "endpoint": "http://collector:4318", "samplingRate": 0.1},
        "metrics": {"protocol": "prometheus", "endpoint": "0.0.0.0:9100", "exportInterval": 15},
        "runtime": {"profiling": "enabled"},
    },
}
_KNATIVE_WORDS = (
    *(name for sample in _KNATIVE.values() for name in sample),
    *("level", "encoding", "protocol", "endpoint", "samplingRate", "none", "grpc", "stdout", "http://[", "info", "-1"),
)


def _make_knative(rng: Random) -> dict[str, str]:
    return {
        name: written(rng, mutated(rng, sample, _KNATIVE_WORDS)).decode("utf-8", "replace")
        for name, sample in _KNATIVE.items()
        if rng.random() < 0.5
    }


def _knative(given: dict[str, str]) -> None:
    least = {"ARN": POOL, "K_SINK": "http://events.example.com/users"}
    settings = load({**least, **given})
    promise(all("\n" not in line for line in settings.ignored), "what is ignored is named in one line")
    promise(0 <= settings.metrics.port < 65_536, "the port is one")
    effective({**least, **given})
    remarks({**least, **given})


TARGETS = (
    FuzzTarget(name="value", make=_make_value, parse=_value, refusals=(ConfigError,)),
    # No refusals: nothing of Knative's stops the adapter.
    FuzzTarget(name="knative", make=_make_knative, parse=_knative, refusals=()),
    FuzzTarget(name="overrides", make=_make_overrides, parse=_overrides, refusals=(ConfigError,)),
    FuzzTarget(
        name="environment",
        make=_make_environment,
        parse=_environment,
        refusals=(ConfigError,),
        secret=_headers_secret,
    ),
)
