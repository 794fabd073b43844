"""Manifests to synthesize, and a way to look into what comes out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import yaml

ACCOUNT = "123456789012"
ARN = f"arn:aws:cognito-idp:eu-central-1:{ACCOUNT}:userpool/eu-central-1_AbCdEfGhI"
SECRET = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:key-AbCdEf"
ROLE = "arn:aws:iam::210987654321:role/reader"


def source(name: str = "customers", arn: str = ARN, **spec: Any) -> dict[str, Any]:
    """One source; `spec` is merged into its spec."""
    return {
        "apiVersion": "sources.triggermesh.io/v1alpha1",
        "kind": "AWSCognitoUserPoolSource",
        "metadata": {"name": name},
        "spec": {"arn": arn, "sink": {"uri": "https://events.example.com/users"}, **spec},
    }


def deployment(name: str = "cognito-source", **spec: Any) -> dict[str, Any]:
    """The deployment document."""
    return {
        "apiVersion": "cognito-source/v1alpha1",
        "kind": "CognitoSourceDeployment",
        "metadata": {"name": name},
        "spec": spec,
    }


def manifest(*documents: dict[str, Any]) -> str:
    """A manifest's text."""
    return yaml.safe_dump_all(documents)


class Stack:
    """One synthesized stack."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def all(self, kind: str) -> dict[str, dict[str, Any]]:
        """The resources of a type, by name, without CDKTF's notes; `data.` looks at data sources."""
        block = self.document.get("data" if kind.startswith("data.") else "resource", {})
        found = block.get(kind.removeprefix("data."), {})
        return {name: {key: value for key, value in body.items() if key != "//"} for name, body in found.items()}

    def one(self, kind: str, name: str = "") -> dict[str, Any]:
        """The only resource of a type, or the one of that name."""
        found = self.all(kind)
        if name:
            return found[name]
        (body,) = found.values()
        return body

    def policy(self, kind: str, name: str, field: str = "policy") -> list[dict[str, Any]]:
        """The statements of a policy."""
        statements: list[dict[str, Any]] = json.loads(self.one(kind, name)[field])["Statement"]
        return statements

    def container(self, name: str = "customers_task") -> dict[str, Any]:
        """The container of a task definition."""
        (container,) = json.loads(self.one("aws_ecs_task_definition", name)["container_definitions"])
        assert isinstance(container, dict)
        return container

    def variables(self, name: str = "customers_task") -> dict[str, str]:
        """The environment of a task definition's container."""
        return {each["name"]: each["value"] for each in self.container(name)["environment"]}

    @property
    def text(self) -> str:
        """All of it as text."""
        return json.dumps(self.document)

    def addresses(self) -> set[str]:
        """The addresses of all resources."""
        return {f"{kind}.{name}" for kind, bodies in self.document["resource"].items() for name in bodies}


def policies(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy document of a stack, of whatever kind, with its address."""
    for kind, bodies in stack.document.get("resource", {}).items():
        for name, body in bodies.items():
            for field in ("policy", "assume_role_policy"):
                if field in body and kind != "aws_ecr_lifecycle_policy":
                    yield f"{kind}.{name}.{field}", json.loads(body[field])


def as_list(value: Any) -> list[Any]:
    """A value, or a list of them, as a list."""
    return value if isinstance(value, list) else [value]
