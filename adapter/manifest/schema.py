"""The JSON Schema of a manifest's documents: `python -m adapter.manifest.schema` prints schemas/source.schema.json.

Made from the types that validate, so that an editor and the deployment agree.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec

from adapter.manifest.deployment import DeploymentDocument
from adapter.manifest.describe import FIELDS
from adapter.manifest.spec import SourceDocument

_ROOTS = (SourceDocument, DeploymentDocument)
#: What the types can't say: which fields go together (adapter/manifest/rules.py checks it).
_TOGETHER: dict[str, dict[str, Any]] = {
    "Sink": {"anyOf": [{"required": [name]} for name in ("uri", "ref", "eventBridge", "sqs")]},
    "Auth": {"oneOf": [{"required": [name]} for name in ("credentials", "iamRole", "iam")]},
    "SecretValue": {"anyOf": [{"required": [name]} for name in ("value", "valueFromSecret")]},
    "EventBridge": {"oneOf": [{"required": [name]} for name in ("eventBusArn", "create")]},
    "Queue": {"oneOf": [{"required": [name]} for name in ("queueArn", "create")]},
}


def schema() -> dict[str, Any]:
    """The schema of one document, either kind."""
    (source, deployment), parts = msgspec.json.schema_components(_ROOTS, ref_template="#/$defs/{name}")
    for name, part in parts.items():
        for field, value in part.get("properties", {}).items():
            value["description"] = FIELDS[f"{name}.{field}"]
        part.update(_TOGETHER.get(name, {}))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One document of a cognito-source manifest",
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": ["AWSCognitoUserPoolSource", "CognitoSourceDeployment"]}},
        "if": {"properties": {"kind": {"const": "CognitoSourceDeployment"}}},
        "then": deployment,
        "else": source,
        "$defs": parts,
    }


def text() -> str:
    """The schema as it is published."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
