"""checkov, and AWS's own list of actions and resources, on the synth that would be deployed.

Both live in an environment of their own (`python tools/setup/bootstrap.py checkov`): checkov pins an old boto3.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.synth.conftest import Synth
from tests.synth.support import Stack, as_list, deployment, policies, source
from tests.synth.test_stacks import FULL

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".tools" / "checkov" / "bin"
pytestmark = pytest.mark.skipif(
    not (ENVIRONMENT / "checkov").exists(),
    reason="checkov is not installed; run: python tools/setup/bootstrap.py checkov",
)

PRIVATE = {"vpcId": "vpc-0123", "subnetIds": ["subnet-01"]}
HARDENED = (deployment(encryption={"createKey": True}, containerInsights="enabled", network=PRIVATE), source())
#: Inherent to an access key (.checkov.yaml has the reasons).
INHERENT = {"CKV_AWS_273", "CKV_AWS_40", "CKV2_AWS_57"}


MANIFESTS = {"smallest": (source(),), "full": FULL, "hardened": HARDENED}


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory, synthesize: Synth) -> dict[str, set[str]]:
    """The ids of the checks that fail, for each manifest; one run, for checkov takes its time to start."""
    folder = tmp_path_factory.mktemp("checkov")
    for manifest, documents in MANIFESTS.items():
        for name, stack in synthesize(*documents).items():
            file = folder / manifest / name / "cdk.tf.json"
            file.parent.mkdir(parents=True)
            # checkov's reader of JSON stops at any plain value of this block, where nothing is checked.
            file.write_text(json.dumps({**stack.document, "terraform": {}}, indent=2))
    command = [str(ENVIRONMENT / "checkov"), "--directory", str(folder), "--framework", "terraform_json"]
    command += ["--skip-download", "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=280)
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 200, "checkov looked at nothing"
    found: dict[str, set[str]] = {manifest: set() for manifest in MANIFESTS}
    for check in report["results"]["failed_checks"]:
        found[check["file_path"].split("/")[1]].add(check["check_id"])
    return found


def decided() -> set[str]:
    """The findings that .checkov.yaml gives reasons for."""
    return set(yaml.safe_load((ROOT / ".checkov.yaml").read_text())["skip-check"])


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_every_finding_has_a_reason(failures: dict[str, set[str]], manifest: str) -> None:
    assert failures[manifest] <= decided()


def test_a_hardened_manifest_has_only_the_findings_of_an_access_key(failures: dict[str, set[str]]) -> None:
    assert failures["hardened"] == INHERENT


def test_every_reason_is_still_needed(failures: dict[str, set[str]]) -> None:
    assert failures["smallest"] == decided()


#: What the references of the synth become when they are applied.
_APPLIED = {
    "aws_cloudwatch_log_group": "arn:aws:logs:eu-central-1:123456789012:log-group:name",
    "aws_secretsmanager_secret": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:name-AbCdEf",
    "aws_dynamodb_table": "arn:aws:dynamodb:eu-central-1:123456789012:table/name",
    "aws_cloudwatch_event_bus": "arn:aws:events:eu-central-1:123456789012:event-bus/name",
    "aws_sqs_queue": "arn:aws:sqs:eu-central-1:123456789012:name",
    "aws_kms_key": "arn:aws:kms:eu-central-1:123456789012:key/name",
}
_LOOK_UP = """
import json, sys
from policy_sentry.querying.actions import get_action_data
found = {}
for action in json.load(sys.stdin):
    try:
        data = get_action_data(*action.split(":")) or {}
    except KeyError:
        data = {}
    found[action] = [each["resource_arn_format"] for each in data.get(action.split(":")[0], [])]
json.dump(found, sys.stdout)
"""


def applied(resource: str) -> str:
    resource = re.sub(r"\$\{(aws_\w+)\.[\w-]+\.arn\}", lambda match: _APPLIED[match[1]], resource)
    return re.sub(r"\$\{data\.aws_caller_identity\.current\.account_id\}", "123456789012", resource)


def matches(resource: str, form: str) -> bool:
    pattern = "".join(".+" if part.startswith("${") else re.escape(part) for part in re.split(r"(\$\{\w+\})", form))
    return resource == form or re.fullmatch(pattern, resource) is not None


def test_every_action_exists_and_takes_the_resource_that_it_is_allowed_on(
    adapter_stack: Callable[..., Stack],
) -> None:
    statements = [
        statement
        for documents in ((source(),), FULL)
        for address, document in policies(adapter_stack(*documents))
        if "assume_role" not in address and "kms_key" not in address
        for statement in document["Statement"]
    ]
    actions = sorted({action for statement in statements for action in as_list(statement["Action"])})
    found = subprocess.run(
        [ENVIRONMENT / "python", "-c", _LOOK_UP],
        input=json.dumps(actions),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    forms: dict[str, list[str]] = json.loads(found.stdout)
    assert all(forms.values()), f"AWS has no such action: {[action for action, known in forms.items() if not known]}"
    for statement in statements:
        for action in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                assert any(matches(applied(resource), form) for form in forms[action]), (action, resource)
