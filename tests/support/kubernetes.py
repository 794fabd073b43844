"""What Kubernetes, Knative and EKS do to a pod before its container starts, as far as our manifests depend on it.

The schemas are ours, made from the facts of the published ones: Knative's
(https://knative.dev/docs/eventing/custom-event-source/sinkbinding/reference/,
https://knative.dev/docs/eventing/custom-event-source/containersource/reference/, and the CRDs in knative/eventing
config/core/resources) and that of the Prometheus operator's PodMonitor
(https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.PodMonitor).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

Resource = dict[str, Any]

_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


def _closed(required: Iterable[str] = (), **properties: Any) -> Resource:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


_METADATA = _closed(["name"], name=_TEXT, namespace=_TEXT, labels=_TEXTS, annotations=_TEXTS)
_SINK = _closed(
    ref=_closed(["apiVersion", "kind", "name"], apiVersion=_TEXT, kind=_TEXT, name=_TEXT, namespace=_TEXT),
    uri=_TEXT,
    CACerts=_TEXT,
    audience=_TEXT,
) | {"minProperties": 1}
_OVERRIDES = _closed(
    extensions={
        "type": "object",
        "additionalProperties": {"type": "string"},
        "propertyNames": {"pattern": "^[a-z0-9]+$"},
    }
)
_LABEL_SELECTOR = _closed(matchLabels=_TEXTS, matchExpressions={"type": "array"})
_SUBJECT = _closed(
    ["apiVersion", "kind"], apiVersion=_TEXT, kind=_TEXT, namespace=_TEXT, name=_TEXT, selector=_LABEL_SELECTOR
) | {"oneOf": [{"required": ["name"]}, {"required": ["selector"]}]}


def _custom(api_version: str, kind: str, spec: Resource) -> Resource:
    return _closed(
        ["apiVersion", "kind", "metadata", "spec"],
        apiVersion={"const": api_version},
        kind={"const": kind},
        metadata=_METADATA,
        spec=spec,
    )


#: Schemas of custom resources by apiVersion and kind.
SCHEMAS: Mapping[tuple[str, str], Resource] = {
    ("sources.knative.dev/v1", "SinkBinding"): _custom(
        "sources.knative.dev/v1",
        "SinkBinding",
        _closed(["subject", "sink"], subject=_SUBJECT, sink=_SINK, ceOverrides=_OVERRIDES),
    ),
    # The template is checked as that of a Deployment.
    ("sources.knative.dev/v1", "ContainerSource"): _custom(
        "sources.knative.dev/v1",
        "ContainerSource",
        _closed(["template", "sink"], template={"type": "object"}, sink=_SINK, ceOverrides=_OVERRIDES),
    ),
    ("monitoring.coreos.com/v1", "PodMonitor"): _custom(
        "monitoring.coreos.com/v1",
        "PodMonitor",
        _closed(
            ["selector", "podMetricsEndpoints"],
            selector=_LABEL_SELECTOR,
            podMetricsEndpoints={
                "type": "array",
                "items": _closed(
                    port=_TEXT, path={"pattern": "^/"}, interval={"pattern": "^[0-9]+(ms|s|m|h)$"}, scheme=_TEXT
                ),
            },
        ),
    ),
}


def made_of(source: Resource) -> Resource:
    """The Deployment that Knative makes of a ContainerSource (its reconciler's resources/deployment.go)."""
    name = source["metadata"]["name"]
    labels = {"sources.knative.dev/source": "container-source-controller", "sources.knative.dev/containerSource": name}
    template = deepcopy(source["spec"]["template"])
    template["metadata"]["labels"] |= labels
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{name}-deployment", "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def bound(deployment: Resource, *, sink: str, overrides: Mapping[str, Any] | None, ca_certs: str = "") -> Resource:
    """A Deployment after Knative's SinkBinding (sinkbinding_lifecycle.go): taken out, then put last."""
    changed = deepcopy(deployment)
    put = [{"name": "K_SINK", "value": sink}]
    if ca_certs:
        put.append({"name": "K_CA_CERTS", "value": ca_certs})
    put.append({"name": "K_CE_OVERRIDES", "value": json.dumps(overrides, separators=(",", ":")) if overrides else ""})
    for container in changed["spec"]["template"]["spec"]["containers"]:
        kept = [
            each for each in container.get("env", []) if each["name"] not in {"K_SINK", "K_CE_OVERRIDES", "K_CA_CERTS"}
        ]
        container["env"] = kept + put
    return changed


def environment(
    deployment: Resource, secrets: Mapping[str, Mapping[str, str]], namespace: str = "crm"
) -> dict[str, str]:
    """The variables of the one container of a Deployment: of several with one name the last one counts.

    Args:
        deployment: the resource.
        secrets: the Secrets of the namespace, by name and key.
        namespace: where it is deployed.

    Raises:
        KeyError: kubelet would not start the container: a Secret or a key of it is missing.
    """
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    result: dict[str, str] = {}
    for each in container["env"]:
        source = each.get("valueFrom", {})
        if "secretKeyRef" in source:
            result[each["name"]] = secrets[source["secretKeyRef"]["name"]][source["secretKeyRef"]["key"]]
        elif "fieldRef" in source:
            result[each["name"]] = {"metadata.namespace": namespace}[source["fieldRef"]["fieldPath"]]
        else:
            result[each["name"]] = each["value"]
    return result
