"""The review in SARIF 2.1.0 for code scanning.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; of what GitHub makes of it:
https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from plan_review.gates import RULE_TEXTS, Breach, GateResult, fingerprint
from plan_review.render.escape import plain, prose
from plan_review.report import Review
from plan_review.verdict import Finding, findings
from plan_review.version import version

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
#: GitHub shows the first 5,000 results of a file.
RESULTS_MAX = 5_000
#: Findings that no gate asks for, by their labels: the rule's id, and what it means.
_OTHERS: Mapping[str, tuple[str, str]] = {
    "check": ("failed-check", "A check or condition doesn't hold"),
    "action": ("invoked-action", "Terraform invokes an action whose effect is not in the plan"),
    "networks": ("joined-networks", "Networks are joined"),
    "command": ("runs-command", "A command runs where the plan is applied"),
    "state": ("secret-in-state", "Terraform's state will hold a secret in plaintext"),
    "later": ("left-for-later", "A change is left to a later run"),
}


def render(found: Review, breaches: Sequence[Breach], gates: Sequence[GateResult], files: Mapping[str, str]) -> str:
    """The log of one run, as JSON in ASCII.

    Args:
        found: the review.
        breaches: what breaks any rule, whether it was asked for or not.
        gates: the gates that were asked for: what breaks them is an error, the rest warnings.
        files: the files of the plans, by the plans' labels.
    """
    asked = {gate.rule.partition("=")[0] for gate in gates}
    listed = [*_from_breaches(breaches, asked, files), *_from_findings(findings(found), files)]
    names = {**RULE_TEXTS, **dict(_OTHERS.values())}
    used = [rule for rule in names if any(r["ruleId"] == rule for r in listed)]
    for result in listed:
        result["ruleIndex"] = used.index(result["ruleId"])
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "plan-review",
                "version": version(),
                "rules": [{"id": rule, "shortDescription": {"text": names[rule]}} for rule in used],
            }
        },
        "results": listed[:RESULTS_MAX],
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": list(_notes(found, len(listed)))}],
        "columnKind": "unicodeCodePoints",
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _notes(found: Review, number: int) -> Iterator[dict[str, Any]]:
    if number > RESULTS_MAX:
        text = f"{number - RESULTS_MAX} more results are left out of this file."
        yield {"level": "warning", "message": {"text": text}}
    if any(plan.errored for plan in found.plans):
        yield {"level": "error", "message": {"text": "The plan failed half way: it doesn't show everything."}}
    if any(plan.incomplete for plan in found.plans):
        yield {"level": "warning", "message": {"text": "The plan is not complete: another one is needed after it."}}


def _from_breaches(breaches: Sequence[Breach], asked: set[str], files: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for breach in breaches:
        failing = breach.rule in asked and breach.accepted is None
        level = "error" if failing else "warning"
        known_by = breach.id or fingerprint(breach.rule, breach.text)
        made = _result(breach.rule, level, breach.where, breach.text, _file(breach, files), known_by)
        if breach.accepted:
            why = f"{breach.accepted.reason} (until {breach.accepted.expires.isoformat()})"
            made["suppressions"] = [{"kind": "external", "status": "accepted", "justification": why}]
        yield made


def _from_findings(listed: Sequence[Finding], files: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for finding in listed:
        if finding.label in _OTHERS:
            rule, _ = _OTHERS[finding.label]
            level = "error" if finding.tone == "bad" else "warning"
            label = finding.where.partition(": ")[0]
            file = files.get(label) or next(iter(files.values()))
            text = f"{finding.where}: {finding.what}"
            yield _result(rule, level, finding.where, text, file, fingerprint(rule, text))


def _file(breach: Breach, files: Mapping[str, str]) -> str:
    return files.get(breach.plan) or next(iter(files.values()))


def _result(rule: str, level: str, where: str, text: str, file: str, known_by: str) -> dict[str, Any]:
    # Brackets make links in a message's text; a backslash takes that from them.
    escaped = plain(text).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": escaped, "markdown": prose(text)},
        # The first name is the one that GitHub compares.
        "partialFingerprints": {"primaryLocationLineHash": known_by, "planReview/v1": known_by},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": file_uri(file)}, "region": {"startLine": 1}},
                "logicalLocations": [{"fullyQualifiedName": plain(where), "kind": "resource"}],
            }
        ],
    }


def file_uri(name: str) -> str:
    """The relative URI of a plan's file; only its name where the file is elsewhere, or stdin."""
    if name == "-":
        return "plan.json"
    path = PurePath(name)
    inside = not path.is_absolute() and ".." not in path.parts
    return quote((path if inside else PurePath(path.name)).as_posix())
