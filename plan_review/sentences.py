"""How findings are put into words: the same in all formats."""

from __future__ import annotations

from plan_review.findings.found import Kind
from plan_review.findings.grants import Grant, Standing
from plan_review.findings.network import Flow
from plan_review.findings.policies import Statement
from plan_review.plan.diff import field_changes
from plan_review.plan.model import Action, Change

SIGNS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.REPLACE: "±",
    Action.DELETE: "-",
    Action.FORGET: "x",
    Action.READ: "?",
    Action.NOOP: "=",
    Action.OTHER: "!",
}
VERBS = {
    Action.CREATE: "create",
    Action.UPDATE: "change",
    Action.REPLACE: "replace",
    Action.DELETE: "destroy",
    Action.FORGET: "forget (it stays in AWS)",
    Action.READ: "read",
    Action.NOOP: "keep",
    Action.OTHER: "unknown action",
}
STANDINGS = {Standing.ADDED: "+", Standing.REMOVED: "-", Standing.KEPT: "="}


def actions_text(statement: Statement) -> str:
    """For example `s3:GetObject, s3:PutObject`, or `everything except iam:*`."""
    listed = ", ".join(statement.actions) or "(nothing)"
    return f"everything except {listed}" if statement.not_actions else listed


def resources_text(statement: Statement) -> str:
    """The resources of a statement."""
    listed = ", ".join(statement.resources)
    return f"everything except {listed}" if statement.not_resources else listed


def on_resources(statement: Statement) -> str:
    """` on RESOURCES`, or nothing where the statement doesn't say."""
    return f" on {resources_text(statement)}" if statement.resources else ""


def principals(statement: Statement) -> tuple[str, ...]:
    """The principals of a resource's policy, one by one."""
    return tuple("anyone" if p in ("*", "AWS *") else p for p in statement.principals) or ("nobody",)


def principals_text(statement: Statement) -> str:
    """The principals of a resource's policy."""
    listed = ", ".join("anyone" if p in ("*", "AWS *") else p for p in statement.principals) or "(nobody)"
    return f"everybody except {listed}" if statement.not_principals else listed


def conditions_text(statement: Statement) -> str:
    """For example `StringEquals aws:SourceAccount 123456789012`; several are joined with "and"."""
    return " and ".join(f"{op} {key} {' or '.join(values)}".strip() for op, key, values in statement.conditions)


def grant_sentence(grant: Grant) -> str:
    """The whole statement in one line."""
    statement = grant.statement
    may = "may" if statement.allows else "may NOT"
    if grant.kind is Kind.IDENTITY:
        text = f"{grant.holder} {may} {actions_text(statement)}{on_resources(statement)}"
    else:
        who = principals_text(statement)
        text = f"{who} {may} {actions_text(statement)} on {grant.holder}"
    conditions = conditions_text(statement)
    return f"{text} if {conditions}" if conditions else text


def flow_sentence(flow: Flow) -> str:
    """For example `cognito-source-adapter -> anywhere: tcp 443`."""
    if flow.direction == "in":
        return f"{flow.peer} -> {flow.group}: {flow.ports}"
    return f"{flow.group} -> {flow.peer}: {flow.ports}"


def change_notes(change: Change) -> list[str]:
    """What is to be said about a change beside its fields."""
    notes = []
    if change.action is Action.REPLACE:
        order = "the new one first" if change.create_first else "the old one is destroyed first"
        forced = f"forced by {', '.join(change.replace_paths)}" if change.replace_paths else change.reason
        notes.append(f"{forced or 'replaced'}; {order}")
    elif change.reason:
        notes.append(change.reason)
    if change.action is Action.OTHER:
        notes.append(f"Terraform calls it {'/'.join(change.raw_actions)}")
    if change.previous_address:
        notes.append(f"moved from {change.previous_address}")
    if change.importing:
        notes.append(f"imported from {change.importing}")
    if change.action is Action.UPDATE:
        notes += _why_nothing_shows(change)
    if change.deposed:
        notes.append("an old object that an earlier run left behind")
    if change.deferred:
        notes.append(f"left to a later run: {change.deferred}")
    if change.sides.written:
        written = ", ".join(change.sides.written)
        notes.append(f"{written}: known after apply, shown as written in the file beside the plan")
    return notes


def _why_nothing_shows(change: Change) -> list[str]:
    """Why an object is changed in which nothing that somebody wrote differs."""
    fields = field_changes(change)
    if not fields:
        return ["no value differs; what is marked as sensitive may"]
    only_tags = all(f.path == "tags_all" or f.path.startswith("tags_all.") for f in fields)
    return ["only tags_all (the provider's default_tags)"] if only_tags else []


def money(usd: float) -> str:
    """Dollars a month with cents; whole estimates are rounded elsewhere."""
    return f"${usd:,.2f}"
