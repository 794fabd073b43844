"""Makes a synthesized stack deployable to the emulated AWS with an older provider. Pure: JSON in, JSON and edits out.

The only real AWS provider that package indexes carry is 3.39.0 (2021), and the stacks are written for 6. What that
one doesn't know is translated or left out, and every such edit is told; tests hold the list to what is expected, and
assert what was left out on the unedited synth. Nothing here is part of what a user deploys.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: Terraform's own arguments, which no provider's schema lists.
_META = {"//", "count", "connection", "depends_on", "for_each", "lifecycle", "provider", "provisioner", "dynamic"}
#: What newer providers renamed: (type, new attribute) -> the old attribute with the same value.
_ALIASES = {("data.aws_iam_policy_document", "minified_json"): "json", ("aws_sqs_queue", "url"): "id"}
#: What the older provider knows but gets wrong: with a circuit breaker it creates the service without its percentages.
_BROKEN = {"aws_ecs_service.deployment_circuit_breaker"}
_REFERENCE = re.compile(r"(?<![\w.-])((?:data\.)?aws_[a-z0-9_]+)\.([A-Za-z][\w-]*)(\.[a-z_]+|\b)")


class DowngradeError(ValueError):
    """The stack uses something that the older provider lacks, and no rule here says what becomes of it."""


@dataclass(frozen=True, order=True)
class Edit:
    """One change: `what` names the type and attribute, `how` says what became of it."""

    what: str
    how: str


Document = dict[str, Any]


def rewrite(stack: Mapping[str, Any], schema: Mapping[str, Any], endpoint: str) -> tuple[Document, list[Edit]]:
    """Rewrite one cdk.tf.json.

    Args:
        stack: the synthesized document; left as it is.
        schema: the older provider's part of `terraform providers schema -json`.
        endpoint: the address of the emulated AWS.

    Raises:
        DowngradeError: a resource or reference that can neither be translated nor left out.
    """
    document: Document = copy.deepcopy(dict(stack))
    edits: list[Edit] = []
    _pin(document, edits)
    _point(document, schema, endpoint)
    for kind, prefix, schemas in (
        ("resource", "", schema["resource_schemas"]),
        ("data", "data.", schema["data_source_schemas"]),
    ):
        _translate(document, kind, prefix, schemas, edits)
        for type_, bodies in document.get(kind, {}).items():
            if type_ in schemas:
                for body in bodies.values():
                    _prune(body, schemas[type_]["block"], prefix + type_, edits)
    document = _references(document, schema, edits)
    return document, sorted(set(edits))


def _pin(document: Document, edits: list[Edit]) -> None:
    required = document["terraform"]["required_providers"]
    for name, wanted in required.items():
        if name != "aws":
            raise DowngradeError(f"the stack needs the provider {name}, which the mirror does not have")
        edits.append(Edit("terraform.required_providers.aws.version", f"{wanted.get('version')} -> 3.39.0"))
    document["terraform"]["required_providers"] = {"aws": {"source": "hashicorp/aws", "version": "3.39.0"}}


def _point(document: Document, schema: Mapping[str, Any], endpoint: str) -> None:
    """Send every service's calls to the emulator: none can reach AWS."""
    services = schema["provider"]["block"]["block_types"]["endpoints"]["block"]["attributes"]
    for block in document["provider"]["aws"]:
        unknown = set(block) - {"region", "alias", "default_tags", "allowed_account_ids"}
        if unknown:
            raise DowngradeError(
                f"the provider block has {sorted(unknown)}; decide in emulator/provider_downgrade.py what becomes of it"
            )
        block |= {
            "skip_credentials_validation": True,
            "skip_metadata_api_check": True,
            "skip_region_validation": True,
            "max_retries": 2,
            "endpoints": [dict.fromkeys(services, endpoint)],
        }


def _prune(body: Any, block: Mapping[str, Any], path: str, edits: list[Edit]) -> None:
    """Leave out what the schema does not know, at any depth."""
    if isinstance(body, list):
        for each in body:
            _prune(each, block, path, edits)
        return
    if not isinstance(body, dict):
        return
    attributes, blocks = block.get("attributes", {}), block.get("block_types", {})
    known = {*attributes, *blocks, *_META}
    for name in [name for name in body if name not in known or f"{path}.{name}" in _BROKEN]:
        del body[name]
        edits.append(Edit(f"{path}.{name}", "left out"))
    for name, value in body.items():
        if name in blocks:
            _prune(value, blocks[name]["block"], f"{path}.{name}", edits)


def _translate(document: Document, kind: str, prefix: str, schemas: Mapping[str, Any], edits: list[Edit]) -> None:
    for type_ in [name for name in document.get(kind, {}) if name.startswith("aws_")]:
        translation = _TRANSLATIONS.get(prefix + type_)
        if translation is None and type_ in schemas:
            continue
        bodies = document[kind].pop(type_)
        if translation is None:
            raise DowngradeError(
                f"the older provider has no {prefix}{type_}; "
                "decide in emulator/provider_downgrade.py what becomes of it"
            )
        new_type, change = translation
        if not new_type:
            edits.append(Edit(prefix + type_, "left out"))
            continue
        edits.append(Edit(prefix + type_, f"-> {prefix}{new_type}"))
        document[kind].setdefault(new_type, {}).update({name: change(body) for name, body in bodies.items()})


def _egress(body: Document) -> Document:
    return _rule(body, "egress")


def _ingress(body: Document) -> Document:
    return _rule(body, "ingress")


def _rule(body: Document, direction: str) -> Document:
    lists = {"cidr_ipv4": "cidr_blocks", "cidr_ipv6": "ipv6_cidr_blocks", "prefix_list_id": "prefix_list_ids"}
    renamed = {"ip_protocol": "protocol", "referenced_security_group_id": "source_security_group_id"}
    rule: Document = {"type": direction, "from_port": 0, "to_port": 0}
    for name, value in body.items():
        if name in lists:
            rule[lists[name]] = [value]
        elif name != "tags":
            rule[renamed.get(name, name)] = value
    return rule


def _subnet_ids(body: Document) -> Document:
    ids: Document = {name: value for name, value in body.items() if name != "filter"}
    for each in body.get("filter", []):
        if each["name"] == "vpc-id":
            (ids["vpc_id"],) = each["values"]
        else:
            ids.setdefault("filter", []).append(each)
    return ids


#: Type -> (the older type, how a body changes). An empty type: left out, nothing may refer to it.
_TRANSLATIONS: dict[str, tuple[str, Callable[[Document], Document]]] = {
    "aws_vpc_security_group_egress_rule": ("aws_security_group_rule", _egress),
    "aws_vpc_security_group_ingress_rule": ("aws_security_group_rule", _ingress),
    "data.aws_subnets": ("aws_subnet_ids", _subnet_ids),
    "aws_sqs_queue_redrive_allow_policy": ("", dict),
    # The provider has it, the emulated CloudWatch does not.
    "aws_cloudwatch_query_definition": ("", dict),
}


def _references(document: Document, schema: Mapping[str, Any], edits: list[Edit]) -> Document:
    """Follow renamed types and attributes in every expression, and find references to what is gone."""

    def follow(match: re.Match[str]) -> str:
        type_, name, rest = match[1], match[2], match[3]
        if type_ in _TRANSLATIONS:
            new = _TRANSLATIONS[type_][0]
            if not new:
                raise DowngradeError(f"something refers to {type_}.{name}, which was left out")
            type_ = f"data.{new}" if type_.startswith("data.") else new
        schemas = schema["data_source_schemas"] if type_.startswith("data.") else schema["resource_schemas"]
        known = schemas.get(type_.removeprefix("data."), {}).get("block", {})
        attribute = rest.removeprefix(".")
        if attribute and attribute not in known.get("attributes", {}) and attribute not in known.get("block_types", {}):
            alias = _ALIASES.get((type_, attribute))
            if alias is None:
                raise DowngradeError(f"something refers to {type_}.{name}.{attribute}, which the older provider lacks")
            edits.append(Edit(f"{type_}.{attribute}", f"-> {alias}"))
            rest = f".{alias}"
        return f"{type_}.{name}{rest}"

    def walk(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: child if name == "//" else walk(child, name) for name, child in value.items()}
        if isinstance(value, list):
            return [walk(child, key) for child in value]
        if isinstance(value, str) and key == "depends_on":
            return _REFERENCE.sub(follow, value)
        if isinstance(value, str) and "${" in value:
            return "".join(_REFERENCE.sub(follow, part) if part.startswith("${") else part for part in _parts(value))
        return value

    result: Document = walk(document)
    return result


def _parts(text: str) -> Iterator[str]:
    """The text cut into what is outside and inside of ${...}."""
    position = 0
    for match in re.finditer(r"\$\{[^}]*\}", text):
        yield text[position : match.start()]
        yield match[0]
        position = match.end()
    yield text[position:]
