"""Large plans, for tests and benchmarks of how the review's work grows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.unit.plan_review.support import allow, load, plan, policy, resource

_TRUST = policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})


def write_repeated(path: Path, size: int) -> int:
    """Repeat what Terraform wrote, all four sections of it, until the file is large; returns how often."""
    item = load("change.json")
    sections: dict[str, list[str]] = {
        "planned": item["planned_values"]["root_module"]["resources"],
        "changes": item["resource_changes"],
        "prior": item["prior_state"]["values"]["root_module"]["resources"],
        "configured": item["configuration"]["root_module"]["resources"],
    }
    templates = {name: [json.dumps(entry) for entry in entries] for name, entries in sections.items()}
    parts: dict[str, list[str]] = {name: [] for name in sections}
    written = copies = 0
    while written < size:
        copies += 1
        for name, texts in templates.items():
            for text in texts:
                parts[name].append(text.replace('"address": "', f'"address": "module.m{copies}.', 1))
                written += len(parts[name][-1])
    joined = {name: ",".join(texts) for name, texts in parts.items()}
    path.write_text(
        f"""{{"format_version":"1.2","terraform_version":"1.11.4",
        "planned_values":{{"root_module":{{"resources":[{joined["planned"]}]}}}},
        "resource_changes":[{joined["changes"]}],
        "prior_state":{{"values":{{"root_module":{{"resources":[{joined["prior"]}]}}}}}},
        "configuration":{{"root_module":{{"resources":[{joined["configured"]}]}}}}}}"""
    )
    return copies


def roles(count: int) -> dict[str, Any]:
    """Roles of one `for_each`, each with a policy and an attachment that refer to it."""
    added = []
    for i in range(count):
        key, more = f'["tenant-{i}"]', {"id": True, "role": True}
        document = policy(allow("s3:GetObject", f"arn:aws:s3:::tenant-{i}/*"))
        readonly = {"policy_arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}
        role = {"name": f"tenant-{i}", "assume_role_policy": _TRUST}
        added += [
            resource(f"aws_iam_role.r{key}", after=role, unknown={"id": True, "arn": True}),
            resource(f"aws_iam_role_policy.p{key}", after={"policy": document}, unknown=more),
            resource(f"aws_iam_role_policy_attachment.a{key}", after=readonly, unknown=more),
        ]
    own = {"role": {"references": ["aws_iam_role.r", "each.key"]}}
    return plan(*added, expressions={"aws_iam_role_policy.p": own, "aws_iam_role_policy_attachment.a": own})


def statements(count: int) -> dict[str, Any]:
    """One role whose policy changes in each of its statements."""
    value = {"name": "p", "role": "r"}
    old, new = (
        policy(*(allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::b{count}-{i}/{part}*") for i in range(count)))
        for part in ("", "x/")
    )
    return plan(
        resource("aws_iam_role_policy.p", "update", before={**value, "policy": old}, after={**value, "policy": new})
    )


def conditions(count: int) -> dict[str, Any]:
    """One role whose policy changes in the condition of each of its statements, which are the same otherwise."""
    value = {"name": "p", "role": "r"}
    old, new = (
        policy(*(allow("s3:*", Condition={"StringEquals": {"s3:prefix": f"{part}{i}"}}) for i in range(count)))
        for part in ("a", "b")
    )
    return plan(
        resource("aws_iam_role_policy.p", "update", before={**value, "policy": old}, after={**value, "policy": new})
    )


def boxes(count: int) -> dict[str, Any]:
    """Queues that each refer to all before it."""
    queues = [resource(f"aws_sqs_queue.q{i}", after={"name": f"q{i}"}) for i in range(count)]
    return plan(
        *queues,
        expressions={
            f"aws_sqs_queue.q{i}": {"policy": {"references": [f"aws_sqs_queue.q{j}.arn" for j in range(i)]}}
            for i in range(count)
        },
    )


def groups(count: int) -> dict[str, Any]:
    """Security groups of one `for_each`, each with a rule that refers to it."""
    added = []
    for i in range(count):
        rule = {"type": "ingress", "cidr_blocks": ["10.0.0.0/8"], "protocol": "tcp", "from_port": 1, "to_port": 2}
        added += [
            resource(f'aws_security_group.g["{i}"]', after={"name": f"g{i}"}, unknown={"id": True}),
            resource(f'aws_security_group_rule.r["{i}"]', after=rule, unknown={"security_group_id": True}),
        ]
    own = {"security_group_id": {"references": ["aws_security_group.g", "each.key"]}}
    return plan(*added, expressions={"aws_security_group_rule.r": own})
