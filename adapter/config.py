"""The adapter's configuration: the one reader of its environment.

`VARIABLES` is the table that everything is made of: parsing, the help text, docs/configuration.md and the output of
`python -m adapter config`. A variable that is set but empty counts as not set, as Kubernetes writes unset values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapter.arn import PoolArn
from adapter.errors import ConfigError
from adapter.values import MASK, Address, Secret, shown, shown_sink, sink
from adapter.variables import LOG_LEVELS, VARIABLES


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole configuration, read and checked. Durations are in seconds, whatever the variable's notation."""

    pool: PoolArn
    sink: str = field(repr=False)
    extensions: Mapping[str, str]
    sink_timeout_s: float
    ca_certs: str = field(repr=False)
    audience: str
    namespace: str
    name: str
    component: str
    access_key_id: str
    secret_access_key: Secret
    session_token: Secret
    assume_role_arn: str
    credentials_secret_arn: str
    state_url: str
    state_lease_s: float
    initial: str
    deleted: bool
    deleted_max_percent: float
    attributes: frozenset[str] | None
    poll_min_s: float
    poll_max_s: float
    max_rps: float
    health_address: Address
    status_address: Address | None
    status_required: bool
    status_show_users: bool
    metrics_port: int
    metrics_emf: bool
    log_level: str
    delivery_format: str
    batch_size: int
    batch_s: float
    concurrency: int
    retry: int
    backoff_policy: str
    backoff_delay_s: float
    delivery_timeout_s: float | None
    retry_after_max_s: float | None
    dead_letter_sink: str = field(repr=False)
    headers: Mapping[str, Secret]
    token_file: str
    connect_timeout_s: float
    read_timeout_s: float

    @property
    def attempt_timeout_s(self) -> float:
        """How long one delivery attempt may take: DELIVERY_TIMEOUT, else K_SINK_TIMEOUT."""
        return self.sink_timeout_s if self.delivery_timeout_s is None else self.delivery_timeout_s


def load(environment: Mapping[str, str]) -> Settings:
    """Read and check the whole configuration.

    Args:
        environment: the process environment, or that of a manifest laid over it.

    Raises:
        ConfigError: something is wrong; one line for every problem there is.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for variable in VARIABLES:
        text = environment.get(variable.name, "")
        if not text and variable.required:
            problems.append(f"{variable.name} is not set; expected {variable.type}: {variable.meaning}")
            continue
        try:
            values[variable.field] = variable.parse(text or variable.default)
        except ValueError as error:
            problems.append(f"{variable.name} {error}")
    values["log_level"] = values.get("log_level") or _knative_level(environment.get("K_LOGGING_CONFIG", "")) or "info"
    # Two adapters on one machine: the second one goes without a page, unless somebody named its address.
    values["status_required"] = bool(environment.get("STATUS_ADDRESS"))
    problems += _contradictions(values)
    if problems:
        raise ConfigError(problems)
    return Settings(**values)


def effective(environment: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Every variable with its effective text and where that is from (`environment` or `default`); secrets masked."""
    rows = []
    for variable in VARIABLES:
        given = environment.get(variable.name, "")
        text = given or variable.default
        if variable.secret and text:
            text = MASK
        show = shown_sink if variable.parse is sink else shown
        rows.append((variable.name, show(text), "environment" if given else "default"))
    return rows


def _contradictions(values: Mapping[str, Any]) -> Iterable[str]:
    """Problems that only show when several variables are looked at together."""
    if values.get("poll_min_s", 0) > values.get("poll_max_s", math.inf):
        yield "POLL_MIN_SECONDS is greater than POLL_MAX_SECONDS; expected the shorter wait to be the smaller one"
    key, secret = values.get("access_key_id", ""), values.get("secret_access_key", "")
    if bool(key) != bool(secret):
        there, missing = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")[:: 1 if key else -1]
        yield f"{missing} is not set although {there} is; set both, or neither to use the default credentials"
    sink = values.get("sink", "")
    if sink and not sink.startswith(("http://", "https://")) and values.get("delivery_format") == "batched":
        yield "DELIVERY_FORMAT is 'batched', but K_SINK is no http(s) URL; other sinks batch by themselves, so unset it"


def _knative_level(text: str) -> str | None:
    """The level of a Knative logging configuration: `zap-logger-config` is a JSON text with a `level`.

    As in the original, one that can't be read does not stop the adapter.
    """
    try:
        level = json.loads(json.loads(text)["zap-logger-config"])["level"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    level = {"warn": "warning"}.get(level, level) if isinstance(level, str) else None
    return level if level in LOG_LEVELS else None
