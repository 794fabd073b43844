"""Small plans for the tests of the review, in the format of `terraform show -json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from plan_review.gates import GateResult, judge, parse_rules
from plan_review.plan.build import build
from plan_review.plan.source import read
from plan_review.report import Review
from plan_review.report import review as review_plans

PLANS = Path(__file__).parents[2] / "plans"
PROVIDER = "registry.terraform.io/hashicorp/aws"
POOL = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"


def resource(
    address: str,
    actions: str | list[str] = "create",
    *,
    before: Any = None,
    after: Any = None,
    unknown: Any = None,
    sensitive: Any = False,
    was_sensitive: Any = False,
    replace: list[list[str | int]] | None = None,
    importing: Any = None,
    mode: str = "managed",
    **more: Any,
) -> dict[str, Any]:
    """One entry of `resource_changes`; the type and name come from the address."""
    bare = (
        address.partition("[")[0] if not address.startswith("module.") else address.split(".", 2)[2].partition("[")[0]
    )
    kind, _, name = bare.removeprefix("data.").partition(".")
    change: dict[str, Any] = {
        "actions": [actions] if isinstance(actions, str) else actions,
        "before": before,
        "after": after,
        "after_unknown": unknown if unknown is not None else {},
        "before_sensitive": was_sensitive,
        "after_sensitive": sensitive,
    }
    if replace is not None:
        change["replace_paths"] = replace
    if importing is not None:
        change["importing"] = importing
    return {
        "address": address,
        "mode": mode,
        "type": kind,
        "name": name,
        "provider_name": PROVIDER,
        **more,
        "change": change,
    }


def kept(address: str, value: Any, **more: Any) -> dict[str, Any]:
    """A resource that doesn't change."""
    return resource(address, "no-op", before=value, after=value, **more)


def plan(*resources: dict[str, Any], expressions: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A whole plan; `expressions` are those of root resources by address."""
    configured = [{"address": address, "expressions": value} for address, value in (expressions or {}).items()]
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "planned_values": {},
        "resource_changes": list(resources),
        "configuration": {"root_module": {"resources": configured}},
        **more,
    }


def policy(*statements: dict[str, Any]) -> str:
    """A policy document as a resource holds it."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, on: Any = "*", **more: Any) -> dict[str, Any]:
    """An Allow statement."""
    return {"Effect": "Allow", "Action": action, **({"Resource": on} if on else {}), **more}


def review(*plans: dict[str, Any], sources: dict[tuple[str, str], str] | None = None) -> Review:
    """Review plans as the command does."""
    made = [
        build(read(json.dumps(item).encode()), f"plan{index}" if len(plans) > 1 else "", sources)
        for index, item in enumerate(plans)
    ]
    return review_plans(made)


def load(name: str) -> dict[str, Any]:
    """A plan that Terraform wrote."""
    loaded: dict[str, Any] = json.loads((PLANS / name).read_text())
    return loaded


def gate(found: Review, rule: str) -> GateResult:
    """The answer of one gate."""
    (result,) = judge(found, parse_rules([rule]))
    return result
