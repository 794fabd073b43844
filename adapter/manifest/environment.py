"""A source as the environment variables that configure the adapter (adapter/config/settings.py reads them)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from adapter.manifest.document import Path
from adapter.manifest.source import Source
from adapter.manifest.spec import Delivery, Sink, SourceSpec


@dataclass(frozen=True, slots=True)
class Placed:
    """The text of a variable, and the field of the source that it is from."""

    text: str = field(repr=False)
    path: Path


def environment(source: Source) -> dict[str, str]:
    """The adapter's environment for this source, defaults left out.

    A sink or a key that only Kubernetes can resolve (`sink.ref`, `valueFromSecret`) is left out too: `source.warnings`
    names it. Inline credentials are in it, so it may hold secrets.
    """
    return {name: each.text for name, each in placed(source.name, source.namespace, source.spec).items()}


def placed(name: str, namespace: str, spec: SourceSpec) -> dict[str, Placed]:
    """The variables of `environment`, each with its place in the manifest."""
    made = {
        each.name: Placed(each.value, ("spec", "adapterOverrides", "env", index, "value"))
        for index, each in enumerate(spec.adapter_overrides.env)
        if each.value_from is None
    }
    made["ARN"] = Placed(spec.arn, ("spec", "arn"))
    made["NAME"] = Placed(name, ("metadata", "name"))
    made["NAMESPACE"] = Placed(namespace, ("metadata", "namespace"))
    made["K_COMPONENT"] = Placed("awscognitouserpoolsource", ())
    made |= _sink("K_SINK", spec.sink, ("spec", "sink"))
    if spec.sink.ca_certs:
        made["K_CA_CERTS"] = Placed(spec.sink.ca_certs, ("spec", "sink", "CACerts"))
    if spec.sink.audience:
        made["K_AUDIENCE"] = Placed(spec.sink.audience, ("spec", "sink", "audience"))
    return made | _credentials(spec) | _tuning(spec) | _delivery(spec.delivery)


def _sink(variable: str, sink: Sink | None, path: Path) -> dict[str, Placed]:
    target = sink_target(sink)
    if sink is None or not target:
        return {}
    inner: Path = ("eventBridge", "eventBusArn") if sink.event_bridge else ("sqs", "queueArn") if sink.sqs else ("uri",)
    return {variable: Placed(target, (*path, *inner))}


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


def _credentials(spec: SourceSpec) -> dict[str, Placed]:
    made: dict[str, Placed] = {}
    if role := assumed_role(spec):
        own = spec.credentials.assume_role is not None
        path: Path = ("credentials", "assumeRole") if own else ("auth", "credentials", "assumeIamRole")
        made["AWS_ASSUME_ROLE_ARN"] = Placed(role, ("spec", *path))
    if spec.credentials.secret_arn:
        made["CREDENTIALS_SECRET_ARN"] = Placed(spec.credentials.secret_arn, ("spec", "credentials", "secretArn"))
    given = spec.auth.credentials if spec.auth else None
    if given is None:
        return made
    for name, field_name, value in (
        ("AWS_ACCESS_KEY_ID", "accessKeyID", given.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", "secretAccessKey", given.secret_access_key),
        ("AWS_SESSION_TOKEN", "sessionToken", given.session_token),
    ):
        if value is not None and value.value is not None and value.value_from_secret is None:
            made[name] = Placed(value.value, ("spec", "auth", "credentials", field_name, "value"))
    return made


def _tuning(spec: SourceSpec) -> dict[str, Placed]:
    polling, events, state = spec.polling, spec.events, spec.state
    url = state.url
    if url is None and state.dynamodb is not None and state.dynamodb.table_name:
        url = f"dynamodb://{state.dynamodb.table_name}"
    return _changed(
        {
            "MAX_RPS": (polling.max_rps, 10, "polling.maxRps"),
            "POLL_MIN_SECONDS": (polling.min_seconds, 1, "polling.minSeconds"),
            "POLL_MAX_SECONDS": (polling.max_seconds, 32, "polling.maxSeconds"),
            "EVENTS_INITIAL": (events.initial, "baseline", "events.initial"),
            "EVENTS_DELETED": (events.deleted, True, "events.deleted"),
            "EVENTS_DELETED_MAX_PERCENT": (events.deleted_max_percent, 20, "events.deletedMaxPercent"),
            "EVENTS_ATTRIBUTES": (",".join(events.attributes), "", "events.attributes"),
            "STATE_URL": (url, None, "state.url" if state.url else "state.dynamodb.tableName"),
        }
    )


def _delivery(delivery: Delivery) -> dict[str, Placed]:
    plain = Delivery()
    form = "structured" if delivery.format == "json" else delivery.format
    changed = _changed(
        {
            "DELIVERY_FORMAT": (form, plain.format, "delivery.format"),
            "DELIVERY_BATCH_SIZE": (delivery.batch.size, plain.batch.size, "delivery.batch.size"),
            "DELIVERY_BATCH_SECONDS": (delivery.batch.seconds, plain.batch.seconds, "delivery.batch.seconds"),
            "DELIVERY_CONCURRENCY": (delivery.concurrency, plain.concurrency, "delivery.concurrency"),
            "DELIVERY_RETRY": (delivery.retry, plain.retry, "delivery.retry"),
            "DELIVERY_BACKOFF_POLICY": (delivery.backoff_policy, plain.backoff_policy, "delivery.backoffPolicy"),
            "DELIVERY_BACKOFF_DELAY": (delivery.backoff_delay, plain.backoff_delay, "delivery.backoffDelay"),
            "DELIVERY_TIMEOUT": (delivery.timeout, None, "delivery.timeout"),
            "DELIVERY_RETRY_AFTER_MAX": (delivery.retry_after_max, None, "delivery.retryAfterMax"),
        }
    )
    return changed | _sink(
        "DELIVERY_DEAD_LETTER_SINK", delivery.dead_letter_sink, ("spec", "delivery", "deadLetterSink")
    )


def _changed(fields: Mapping[str, tuple[object, object, str]]) -> dict[str, Placed]:
    """The variables whose value differs from the default, as text."""
    return {
        name: Placed(_text(value), ("spec", *path.split(".")))
        for name, (value, default, path) in fields.items()
        if value != default
    }


def _text(value: object) -> str:
    if isinstance(value, bool | float):
        return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)
    return str(value)
