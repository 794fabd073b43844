"""How results look: JSON for programs, text for people."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

from adapter.arn import PoolArn
from iam.plan import Plan, duration_text
from iam.status import UserRow
from iam.verify import Check


def as_json(value: Any) -> str:
    """Any of our values as JSON."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False)


def plan_text(plan: Plan) -> str:
    """A plan as a numbered list; steps that only look are marked."""
    lines = [*plan.remarks]
    lines += [
        f"{number:2}. {step.sentence}" + ("" if step.changes else "  (changes nothing)")
        for number, step in enumerate(plan.steps, start=1)
    ]
    if not plan.changes and not plan.remarks:
        lines.append("nothing to change")
    return "\n".join(lines)


def plan_value(plan: Plan) -> dict[str, Any]:
    """A plan for programs."""
    return {
        "remarks": list(plan.remarks),
        "steps": [
            {
                "do": step.sentence,
                "kind": type(step).__name__,
                "changes": step.changes,
                "needs": [{"action": need.action, "resource": need.resource} for need in step.needs],
            }
            for step in plan.steps
        ],
    }


def checks_text(checks: Sequence[Check]) -> str:
    """The result of `verify` as a table."""
    rows = [("", "what", "on", "expected", "found")]
    # The end of an ARN tells people enough; the JSON has all of it.
    rows += [(_mark(each), each.what, each.resource.rpartition(":")[2], each.expected, each.found) for each in checks]
    return table(rows)


def _mark(check: Check) -> str:
    if not check.known:
        return "?"
    return "ok" if check.ok else "WRONG"


def status_text(rows: Sequence[UserRow], now: dt.datetime) -> str:
    """The result of `status`: a block for each user."""
    blocks = []
    for row in rows:
        lines = [row.user, f"  managed by  {row.managed_by or 'not known'}"]
        lines += [f"  {'pool' if not number else '':<10}  {pool}" for number, pool in enumerate(row.pools)]
        none = "not known" if row.problems else "none"
        lines.append(f"  secret      {row.secret or none}")
        lines.append(f"  version     {row.version or none}")
        for key in row.keys:
            age = duration_text((now - key.created).total_seconds())
            state = "active" if key.active else "inactive"
            used = key.last_used or "never"
            lines.append(f"  key         {key.key_id} {state}, {key.place}, {age} old, last used {used}")
        unknown = "not known" if row.problems else "no key in the secret"
        lines.append(f"  rotate by   {f'{row.due:%Y-%m-%d}' if row.due else unknown}")
        lines += [f"  note        {remark}" for remark in row.remarks]
        lines += [f"  not read    {problem}" for problem in row.problems]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text in columns as wide as their widest cell; the last column is left as it is."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    widths[-1] = 0
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _plain(value: Any) -> Any:
    if isinstance(value, PoolArn):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def bootstrap_text(result: Mapping[str, Any]) -> str:
    """What `bootstrap` leaves, and what to paste into the manifest."""
    lines = [f"user    {result['user']}"]
    lines += [f"policy  {arn}" for arn in result["policies"]]
    lines += [f"secret  {result['secret']}", f"key     {result['key']} (its secret half is in the secret only)"]
    for pool in result["pools"]:
        lines += [
            "",
            "spec:",
            f"  arn: {pool}",
            "  credentials:",
            "    mode: existing",
            f"    secretArn: {result['secret']}",
        ]
    return "\n".join(lines)


def rotate_text(result: Mapping[str, Any]) -> str:
    """What `rotate` leaves."""
    lines = [f"user    {result['user']}", f"secret  {result['secret']}", f"key     {result['key']}"]
    return "\n".join([*lines, f"due     {result['due']:%Y-%m-%d}"] if result["due"] else lines)
