"""Terraform plans: from bytes to the three forms of the report."""

from __future__ import annotations

import json
from functools import cache
from random import Random
from typing import Any

from plan_review.plan.source import PlanError
from plan_review.run import Loaded, run
from tests.fuzz.engine import FuzzTarget, promise
from tests.fuzz.mutate import binary
from tests.fuzz.structure import mutated, written
from tests.fuzz.targets.texts import CANARY
from tests.unit.plan_review.support import load, resource

_WORDS = (
    *(
        "actions",
        "create",
        "delete",
        "update",
        "no-op",
        "read",
        "forget",
        "before",
        "after",
        "after_unknown",
        "address",
    ),
    *(
        "before_sensitive",
        "after_sensitive",
        "replace_paths",
        "importing",
        "id",
        "type",
        "name",
        "mode",
        "managed",
        "data",
    ),
    *(
        "Statement",
        "Action",
        "Resource",
        "Effect",
        "Allow",
        "Deny",
        "Principal",
        "Condition",
        "*",
        "arn:aws:iam::1:root",
    ),
    *("cidr_blocks", "0.0.0.0/0", "::/0", "ingress", "from_port", "to_port", "protocol", "security_groups", "policy"),
    *("aws_iam_role_policy", "aws_iam_policy", "aws_security_group", "aws_iam_user", "aws_ecs_service", "expressions"),
    *(
        "references",
        "resources",
        "root_module",
        "child_modules",
        "module_calls",
        "constant_value",
        "count",
        "tags",
        "__x",
    ),
)
#: Its value is marked as sensitive, and nothing touches it.
_SECRET = resource(
    "aws_secretsmanager_secret_version.fuzz",
    after={"secret_string": f"{CANARY} and so on", "secret_id": "x"},
    sensitive={"secret_string": True},
)


@cache
def _real() -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """What happens to resources in the plans that Terraform wrote, how they are configured, and the rest of a plan."""
    changes: list[dict[str, Any]] = []
    configured: list[dict[str, Any]] = []
    for name in ("create.json", "change.json"):
        plan = load(name)
        changes += plan["resource_changes"]
        configured += plan["configuration"]["root_module"]["resources"]
    rest = {"format_version": "1.2", "terraform_version": "1.11.4", "planned_values": {}, "errored": False}
    return changes, configured, rest


def _plan(rng: Random) -> dict[str, Any]:
    """A small plan of real parts."""
    changes, configured, rest = _real()
    chosen = rng.sample(changes, rng.choice((1, 2, 2, 4)))
    addresses = {change["address"] for change in chosen}
    config = [each for each in configured if each["address"] in addresses][:4]
    made = rest | {"resource_changes": chosen, "configuration": {"root_module": {"resources": config}}}
    if rng.random() < 0.2:
        made["resource_drift"] = rng.sample(changes, 1)
    if rng.random() < 0.1:
        made["output_changes"] = {"x": {"actions": ["create"], "before": None, "after": 1, "after_unknown": False}}
    return made


def _make(rng: Random) -> tuple[bytes, str]:
    style = rng.choice(("text", "text", "text", "markdown", "html", "title", "json", "sarif"))
    if rng.random() < 0.2:
        sample = json.dumps(_plan(rng)).encode()
        kit = binary([sample], [word.encode() for word in _WORDS[:20]])
        return kit.mutated(rng, sample), style
    made = mutated(rng, _plan(rng), _WORDS)
    if rng.random() < 0.3 and isinstance(made, dict) and isinstance(made.get("resource_changes"), list):
        made["resource_changes"] = [*made["resource_changes"], _SECRET]
    return written(rng, made), style


def _review(given: tuple[bytes, str]) -> None:
    data, style = given
    shown = run([Loaded("plan.json", data)]).render(style)
    promise(CANARY not in shown, "a report holds no sensitive value")
    shown.encode()
    if style != "html":
        bad = [c for line in shown.split("\n") for c in line if not c.isprintable() and c != "\xa0"]
        promise(
            not any(ord(c) < 32 or "\x7f" <= c < "\xa0" or "\u202a" <= c <= "\u202e" for c in bad),
            "a report is plain text",
        )


TARGETS = (FuzzTarget(name="plan", make=_make, parse=_review, refusals=(PlanError,), secret=lambda _: CANARY),)
