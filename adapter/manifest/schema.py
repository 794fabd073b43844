"""The JSON Schema of a manifest's documents, and the tables of docs/manifest.md, made from the types that validate.

`python -m adapter.manifest.schema` prints schemas/source.schema.json; with `--markdown`, the tables.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from adapter.manifest.deployment import DeploymentDocument
from adapter.manifest.describe import FIELDS
from adapter.manifest.spec import DEPLOYMENT_KIND, KIND, SourceDocument

_ROOTS = (SourceDocument, DeploymentDocument)
_KINDS = {"SourceDocument": KIND, "DeploymentDocument": DEPLOYMENT_KIND}
#: A sink within a sink's table would only repeat it.
_SAID_ONCE = {"spec.delivery.deadLetterSink": ("Sink",), "spec.network": ()}
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
            value["description"] = FIELDS.get(f"{name}.{field}") or value["description"]
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


def markdown() -> str:
    """The tables of docs/manifest.md: every field of each kind of document by its path."""
    parts = schema()["$defs"]
    tables = []
    for root in _ROOTS:
        lines = [f"### {_KINDS[root.__name__]}", "", "| field | type | default | meaning |"]
        lines += ["|---|---|---|---|", *_rows(parts, root.__name__, "")]
        tables.append("\n".join(lines))
    return "\n\n".join(tables) + "\n"


def _rows(parts: dict[str, Any], name: str, prefix: str) -> Iterator[str]:
    part = parts[name]
    for field, value in part["properties"].items():
        path = f"{prefix}{field}"
        inner = _inner(value)
        kind = _in_words(value)
        default = "required" if field in part.get("required", ()) else _default(value)
        yield f"| `{path}` | {kind} | {default} | {value['description']} |".replace("|  |", "| |")
        if inner is not None and inner not in _SAID_ONCE.get(path, ()):
            yield from _rows(parts, inner, f"{path}[]." if value.get("type") == "array" else f"{path}.")


def _inner(value: dict[str, Any]) -> str | None:
    """The name of the type that a field refers to, alone, beside null, or as the items of a list."""
    for each in (value, *value.get("anyOf", ()), value.get("items", {})):
        if isinstance(each, dict) and "$ref" in each:
            return str(each["$ref"]).rpartition("/")[2]
    return None


def _in_words(value: dict[str, Any]) -> str:
    if "enum" in value:
        return ", ".join(f"`{each}`" for each in value["enum"] if each is not None)
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_in_words(each) for each in value["anyOf"] if each != {"type": "null"}))
    if "$ref" in value:
        return "mapping"
    names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true`, `false`"}
    names |= {"array": "list", "object": "mapping"}
    limits = [
        f"{word} {value[key]:g}"
        for key, word in (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"))
        if key in value
    ]
    return " ".join([names.get(value.get("type", ""), "any"), *limits])


def _default(value: dict[str, Any]) -> str:
    default = value.get("default")
    if default in (None, "", []) or isinstance(default, dict):
        return ""
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


if __name__ == "__main__":
    sys.stdout.write(markdown() if "--markdown" in sys.argv[1:] else text())
