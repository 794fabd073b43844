"""A source as the environment variables that configure the adapter (adapter/config/settings.py reads them)."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapter.config.fields import as_text, walk
from adapter.manifest.document import Path
from adapter.manifest.source import Source
from adapter.manifest.spec import Sink, SourceSpec


@dataclass(frozen=True, slots=True)
class PlacedText:
    """The text of a variable, and the field of the source that it is from."""

    text: str = field(repr=False)
    path: Path


def environment(source: Source) -> dict[str, str]:
    """The adapter's environment for this source, defaults left out.

    A sink or a key that only Kubernetes can resolve (`sink.ref`, `valueFromSecret`) is left out too: `source.warnings`
    names it. Inline credentials are in it, so it may hold secrets.
    """
    return {name: each.text for name, each in placed(source.name, source.namespace, source.spec).items()}


def placed(name: str, namespace: str, spec: SourceSpec) -> dict[str, PlacedText]:
    """The variables of `environment`, each with its place in the manifest."""
    made = {
        each.name: PlacedText(each.value, ("spec", "adapterOverrides", "env", index, "value"))
        for index, each in enumerate(spec.adapter_overrides.env)
        if each.value_from is None
    }
    made["NAME"] = PlacedText(name, ("metadata", "name"))
    made["NAMESPACE"] = PlacedText(namespace, ("metadata", "namespace"))
    made["K_COMPONENT"] = PlacedText("awscognitouserpoolsource", ())
    made |= _sink("K_SINK", spec.sink, ("spec", "sink"))
    made |= _sink("DELIVERY_DEAD_LETTER_SINK", spec.delivery.dead_letter_sink, ("spec", "delivery", "deadLetterSink"))
    table = spec.state.dynamodb
    if table is not None and table.table_name and spec.state.url is None:
        made["STATE_URL"] = PlacedText(f"dynamodb://{table.table_name}", ("spec", "state", "dynamodb", "tableName"))
    made |= _credentials(spec) | _declared(spec)
    if spec.delivery.format == "json":
        made["DELIVERY_FORMAT"] = PlacedText("structured", ("spec", "delivery", "format"))
    return made


def _declared(spec: SourceSpec) -> dict[str, PlacedText]:
    """The variables that fields themselves name, where their value differs from the default."""
    made = {}
    for fields, env in walk(SourceSpec):
        value: object = spec
        for each in fields:
            value = getattr(value, each.name)
        if value != fields[-1].default:
            made[env.name] = PlacedText(as_text(value), ("spec", *(each.encoded for each in fields)))
    return made


def _sink(variable: str, sink: Sink | None, path: Path) -> dict[str, PlacedText]:
    target = sink_target(sink)
    if sink is None or not target:
        return {}
    inner: Path = ("eventBridge", "eventBusArn") if sink.event_bridge else ("sqs", "queueArn") if sink.sqs else ("uri",)
    return {variable: PlacedText(target, (*path, *inner))}


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


def _credentials(spec: SourceSpec) -> dict[str, PlacedText]:
    made: dict[str, PlacedText] = {}
    if role := assumed_role(spec):
        own = spec.credentials.assume_role is not None
        path: Path = ("credentials", "assumeRole") if own else ("auth", "credentials", "assumeIamRole")
        made["AWS_ASSUME_ROLE_ARN"] = PlacedText(role, ("spec", *path))
    given = spec.auth.credentials if spec.auth else None
    if given is None:
        return made
    for name, field_name, value in (
        ("AWS_ACCESS_KEY_ID", "accessKeyID", given.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", "secretAccessKey", given.secret_access_key),
        ("AWS_SESSION_TOKEN", "sessionToken", given.session_token),
    ):
        if value is not None and value.value is not None and value.value_from_secret is None:
            made[name] = PlacedText(value.value, ("spec", "auth", "credentials", field_name, "value"))
    return made
