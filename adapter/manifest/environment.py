"""A source as the environment variables that configure the adapter (adapter/config/settings.py reads them)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from adapter.manifest.source import Source
from adapter.manifest.spec import Delivery, Sink, SourceSpec

#: Variables that the adapter itself is told by the source; an override of one is refused (the original lets the
#: source win silently: contract of TriggerMesh's reconciler).
RESERVED = frozenset({"ARN", "K_SINK", "NAME", "NAMESPACE", "K_COMPONENT"})


def environment(source: Source) -> dict[str, str]:
    """The adapter's environment for this source, defaults left out.

    A sink or a key that only Kubernetes can resolve (`sink.ref`, `valueFromSecret`) is left out too: `source.warnings`
    names it. Inline credentials are in it, so it may hold secrets.
    """
    spec = source.spec
    made = {each.name: each.value for each in spec.adapter_overrides.env if each.value_from is None}
    made |= {"ARN": spec.arn, "NAME": source.name, "NAMESPACE": source.namespace}
    made |= {"K_COMPONENT": "awscognitouserpoolsource"}
    if target := sink_target(spec.sink):
        made["K_SINK"] = target
    if spec.sink.ca_certs:
        made["K_CA_CERTS"] = spec.sink.ca_certs
    if spec.sink.audience:
        made["K_AUDIENCE"] = spec.sink.audience
    return made | _credentials(spec) | _tuning(spec) | _delivery(spec.delivery)


def sink_target(sink: Sink | None) -> str:
    """The one string that names a sink for the adapter; "" if only Kubernetes or the deployment knows it."""
    if sink is None or sink.ref is not None:
        return ""
    if sink.event_bridge is not None:
        return sink.event_bridge.event_bus_arn or ""
    if sink.sqs is not None:
        return sink.sqs.queue_arn or ""
    return sink.uri or ""


def assumed_role(spec: SourceSpec) -> str:
    """The ARN of the role that is taken to call Cognito; "" for none. Ours wins over the original's field."""
    own = spec.credentials.assume_role
    if own is not None:
        return own if isinstance(own, str) else own.role_arn
    if spec.auth and spec.auth.credentials:
        return spec.auth.credentials.assume_iam_role or ""
    return ""


def _credentials(spec: SourceSpec) -> dict[str, str]:
    made: dict[str, str] = {}
    if role := assumed_role(spec):
        made["AWS_ASSUME_ROLE_ARN"] = role
    if spec.credentials.secret_arn:
        made["CREDENTIALS_SECRET_ARN"] = spec.credentials.secret_arn
    given = spec.auth.credentials if spec.auth else None
    if given is None:
        return made
    for name, value in (
        ("AWS_ACCESS_KEY_ID", given.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", given.secret_access_key),
        ("AWS_SESSION_TOKEN", given.session_token),
    ):
        if value is not None and value.value is not None and value.value_from_secret is None:
            made[name] = value.value
    return made


def _tuning(spec: SourceSpec) -> dict[str, str]:
    polling, events, state = spec.polling, spec.events, spec.state
    url = state.url
    if url is None and state.dynamodb is not None and state.dynamodb.table_name:
        url = f"dynamodb://{state.dynamodb.table_name}"
    pairs = {
        "MAX_RPS": (polling.max_rps, 10),
        "POLL_MIN_SECONDS": (polling.min_seconds, 1),
        "POLL_MAX_SECONDS": (polling.max_seconds, 32),
        "EVENTS_INITIAL": (events.initial, "baseline"),
        "EVENTS_DELETED": (events.deleted, True),
        "EVENTS_DELETED_MAX_PERCENT": (events.deleted_max_percent, 20),
        "EVENTS_ATTRIBUTES": (",".join(events.attributes), ""),
        "STATE_URL": (url, None),
    }
    return _told(pairs)


def _delivery(delivery: Delivery) -> dict[str, str]:
    plain = Delivery()
    pairs = {
        "DELIVERY_FORMAT": ("structured" if delivery.format == "json" else delivery.format, plain.format),
        "DELIVERY_BATCH_SIZE": (delivery.batch.size, plain.batch.size),
        "DELIVERY_BATCH_SECONDS": (delivery.batch.seconds, plain.batch.seconds),
        "DELIVERY_CONCURRENCY": (delivery.concurrency, plain.concurrency),
        "DELIVERY_RETRY": (delivery.retry, plain.retry),
        "DELIVERY_BACKOFF_POLICY": (delivery.backoff_policy, plain.backoff_policy),
        "DELIVERY_BACKOFF_DELAY": (delivery.backoff_delay, plain.backoff_delay),
        "DELIVERY_TIMEOUT": (delivery.timeout, None),
        "DELIVERY_RETRY_AFTER_MAX": (delivery.retry_after_max, None),
        "DELIVERY_DEAD_LETTER_SINK": (sink_target(delivery.dead_letter_sink), ""),
    }
    return _told(pairs)


def _told(pairs: Mapping[str, tuple[object, object]]) -> dict[str, str]:
    """The variables whose value differs from the default, as text."""
    return {name: _text(value) for name, (value, default) in pairs.items() if value != default}


def _text(value: object) -> str:
    if isinstance(value, bool | float):
        return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)
    return str(value)
