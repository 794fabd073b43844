"""What holds for every stack, whatever the manifest."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.synth.conftest import Synth
from tests.synth.support import ARN, ROLE, SECRET, Stack, deployment, source

#: One manifest for every mode of credentials, sink, network and key.
FULL = (
    deployment(
        "identity",
        tags={"team": "identity"},
        encryption={"createKey": True},
        alarms={"createTopic": True},
        containerInsights="enabled",
    ),
    source(
        sink={"eventBridge": {"create": "users"}},
        delivery={"deadLetterSink": {"sqs": {"create": "dead"}}, "headersSecretArn": SECRET},
        credentials={"mode": "terraform", "permissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundary"},
        network={
            "vpcId": "vpc-0123",
            "subnetIds": ["subnet-01", "subnet-02"],
            "vpcEndpoints": True,
            "routeTableIds": ["rtb-01"],
        },
    ),
    source(
        "staff",
        ARN.replace("123456789012", "210987654321").replace("AbCdEfGhI", "Staff"),
        sink={"sqs": {"create": "users.fifo"}},
        credentials={"mode": "role", "assumeRole": ROLE},
        adapterOverrides={
            "labels": {"a.example.com/b": "c"},
            "resources": {"limits": {"cpu": 1, "memory": "3Gi"}},
            "architecture": "ARM64",
        },
    ),
    source(
        "partners",
        ARN.replace("AbCdEfGhI", "Partners"),
        sink={"uri": "http://sink.example.com:8080/x"},
        credentials={"mode": "existing", "secretArn": SECRET},
    ),
    source("guests", ARN.replace("AbCdEfGhI", "Guests")),
)
MANIFESTS = [pytest.param((source(),), id="smallest"), pytest.param(FULL, id="full")]


@pytest.mark.parametrize("documents", MANIFESTS)
def test_every_output_is_described(synth: Synth, documents: tuple[dict[str, Any], ...]) -> None:
    for stack in synth(*documents).values():
        outputs = stack.document["output"]
        assert outputs
        assert all(each.get("description") for each in outputs.values())


@pytest.mark.parametrize("documents", MANIFESTS)
def test_versions_have_a_lower_and_an_upper_bound(synth: Synth, documents: tuple[dict[str, Any], ...]) -> None:
    for stack in synth(*documents).values():
        terraform = stack.document["terraform"]
        assert terraform["required_version"] == ">= 1.5.0, < 2.0.0"
        assert terraform["required_providers"] == {"aws": {"source": "aws", "version": ">= 6.25.0, < 7.0.0"}}


@pytest.mark.parametrize("documents", MANIFESTS)
def test_no_argument_got_lost(synth: Synth, documents: tuple[dict[str, Any], ...]) -> None:
    """The bindings drop the names that they don't know from a mapping in a list, without a word."""

    def empty(value: Any, path: str) -> list[str]:
        if isinstance(value, dict | list):
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            return [found for key, each in pairs for found in empty(each, f"{path}.{key}")] or ([] if value else [path])
        return []

    for stack in synth(*documents).values():
        for block in ("resource", "data", "provider"):
            assert not empty(stack.document.get(block, "nothing"), block)


@pytest.mark.parametrize("documents", MANIFESTS)
def test_the_synth_names_no_path_of_this_machine(synth: Synth, documents: tuple[dict[str, Any], ...]) -> None:
    for stack in synth(*documents).values():
        assert not re.findall(rf'["\\s=:]({re.escape(str(Path(__file__).parents[2]))}[^"]*)', stack.text)
        assert sys.executable not in stack.text


def test_a_deployment_goes_to_the_account_and_region_of_its_pool(synth: Synth) -> None:
    for stack in synth(source()).values():
        (provider,) = stack.document["provider"]["aws"]
        assert provider["region"] == "eu-central-1"
        assert provider["allowed_account_ids"] == ["123456789012"]


def test_a_pool_that_is_read_through_a_role_may_be_of_another_account(adapter_stack: Callable[..., Stack]) -> None:
    stack = adapter_stack(source(credentials={"assumeRole": ROLE}))
    (provider,) = stack.document["provider"]["aws"]
    assert "allowed_account_ids" not in provider


def test_everything_is_tagged_by_default(synth: Synth) -> None:
    for stack in synth(*FULL).values():
        (provider,) = stack.document["provider"]["aws"]
        assert provider["default_tags"] == [{"tags": {"Project": "identity", "ManagedBy": "cdktf", "team": "identity"}}]


def test_other_partitions_need_no_change_but_the_arn(synth: Synth) -> None:
    arn = "arn:aws-cn:cognito-idp:cn-north-1:123456789012:userpool/cn-north-1_AbCdEfGhI"
    stacks = synth(source(arn=arn))
    for stack in stacks.values():
        assert "arn:aws:" not in stack.text
        assert "amazonaws.com/" not in stack.text
        assert "eu-central-1" not in stack.text


def test_the_source_code_names_no_partition() -> None:
    root = Path(__file__).parents[2]
    for file in [*root.glob("stacks/*.py"), *root.glob("iam/*.py")]:
        tree = ast.parse(file.read_text())
        texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        shown = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        assert not [node for node in texts if "arn:aws:" in str(node.value) and id(node) not in shown], file


def test_state_is_kept_beside_main_py_unless_the_manifest_says_where(synth: Synth) -> None:
    for name, stack in synth(source()).items():
        assert stack.document["terraform"]["backend"] == {"local": {"path": f"../../../terraform.{name}.tfstate"}}


def test_state_in_s3_is_encrypted_and_locked(synth: Synth) -> None:
    for name, stack in synth(deployment(backend={"s3": {"bucket": "my-state"}}), source()).items():
        assert stack.document["terraform"]["backend"]["s3"] == {
            "bucket": "my-state",
            "encrypt": True,
            "key": f"cognito-source/{name}.tfstate",
            "region": "eu-central-1",
            "use_lockfile": True,
        }


def test_state_in_hcp_terraform_has_a_workspace_for_each_stack(synth: Synth) -> None:
    for name, stack in synth(deployment(backend={"hcp": {"organization": "example"}}), source()).items():
        cloud = stack.document["terraform"]["cloud"]
        assert (cloud["organization"], cloud["workspaces"]) == ("example", {"name": name})


def test_no_secret_material_is_in_a_synth(synth: Synth) -> None:
    for documents in (source(),), FULL:
        for stack in synth(*documents).values():
            for kind in ("aws_iam_user_login_profile", "random_password", "tls_private_key"):
                assert not stack.all(kind)
    stack = synth(source())["cognito-source"]
    assert not stack.all("aws_iam_access_key")
    assert not stack.all("aws_secretsmanager_secret_version")


def test_free_text_of_a_manifest_is_no_template_of_terraform(adapter_stack: Callable[..., Stack]) -> None:
    text = '${file("/etc/passwd")} %{ if true }'
    stack = adapter_stack(
        source(
            sink={"uri": "https://example.com/${path}"},
            adapterOverrides={"env": [{"name": "A", "value": text}], "annotations": {"a": text}},
        )
    )
    assert stack.variables()["A"] == '$${file("/etc/passwd")} %%{ if true }'
    assert stack.variables()["K_SINK"] == "https://example.com/$${path}"
    assert "a" not in stack.one("aws_ecs_service")["tags"]


def test_cdktf_json_sends_nothing_home() -> None:
    settings = json.loads((Path(__file__).parents[2] / "cdktf.json").read_text())
    assert settings["sendCrashReports"] == "false"
    assert settings["terraformProviders"] == []


def test_images_are_scanned_encrypted_and_never_replaced(synth: Synth) -> None:
    stack = synth(source())["cognito-source-registry"]
    repository = stack.one("aws_ecr_repository")
    assert repository["image_tag_mutability"] == "IMMUTABLE"
    assert repository["image_scanning_configuration"] == {"scan_on_push": True}
    assert repository["encryption_configuration"] == [{"encryption_type": "KMS"}]
    (rule,) = json.loads(stack.one("aws_ecr_lifecycle_policy")["policy"])["rules"]
    assert rule["selection"]["countNumber"] == 10


def test_there_is_no_registry_for_an_image_of_the_manifest(synth: Synth) -> None:
    assert set(synth(deployment(image={"uri": "example.com/adapter:1"}), source())) == {"cognito-source"}
