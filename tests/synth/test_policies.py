"""Every policy document: exactly what is expected, and nothing that a reviewer would stop at."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.synth.support import Stack, as_list, policies, source
from tests.synth.test_stacks import FULL

Synthesize = Callable[..., Stack]
GOLDEN = Path(__file__).parent / "golden"

#: Where a resource may be `*`, and why.
ANY_RESOURCE = {
    "ecr:GetAuthorizationToken": "takes no resource",
}


def golden(name: str, made: Any) -> None:
    """Compare with the kept file; `UPDATE_GOLDEN=1 pytest` writes it."""
    file = GOLDEN / f"{name}.json"
    text = json.dumps(made, indent=2, sort_keys=True) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text(), f"{file.name} differs; look at it, then UPDATE_GOLDEN=1 pytest tests/synth"


@pytest.mark.parametrize(("name", "documents"), [("policies-smallest", (source(),)), ("policies-full", FULL)])
def test_the_policies_are_those_that_were_reviewed(
    adapter_stack: Synthesize, name: str, documents: tuple[dict[str, Any], ...]
) -> None:
    golden(name, dict(policies(adapter_stack(*documents))))


def test_every_statement_allows_named_actions_on_named_resources(adapter_stack: Synthesize) -> None:
    for address, document in policies(adapter_stack(*FULL)):
        assert document["Version"] == "2012-10-17"
        sids = [statement["Sid"] for statement in document["Statement"]]
        assert len(set(sids)) == len(sids)
        for statement in document["Statement"]:
            assert statement["Effect"] == "Allow"
            assert not {"NotAction", "NotResource", "NotPrincipal"} & set(statement)
            if "kms_key" in address:
                continue
            actions = as_list(statement["Action"])
            assert not [action for action in actions if "*" in action], address
            for resource in as_list(statement.get("Resource", [])):
                assert resource != "*" or set(actions) <= set(ANY_RESOURCE), (address, actions)


def test_the_customer_key_is_for_this_account_only(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(*FULL)
    root, logs, alarms = stack.policy("aws_kms_key", "key")
    account = "${data.aws_caller_identity.current.account_id}"
    assert root["Principal"] == {"AWS": f"arn:aws:iam::{account}:root"}
    assert logs["Condition"] == {
        "ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:eu-central-1:{account}:log-group:/identity/*"}
    }
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": account}}


def test_only_tasks_of_this_account_and_region_can_take_the_roles(adapter_stack: Synthesize) -> None:
    account = "${data.aws_caller_identity.current.account_id}"
    stack = adapter_stack(*FULL)
    for name in stack.all("aws_iam_role"):
        (statement,) = stack.policy("aws_iam_role", name, "assume_role_policy")
        assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
        assert statement["Action"] == "sts:AssumeRole"
        assert statement["Condition"] == {
            "StringEquals": {"aws:SourceAccount": account},
            "ArnLike": {"aws:SourceArn": f"arn:aws:ecs:eu-central-1:{account}:*"},
        }


def test_no_managed_policy_of_aws_is_attached(adapter_stack: Synthesize) -> None:
    assert not adapter_stack(*FULL).all("aws_iam_role_policy_attachment")
