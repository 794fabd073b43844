"""What a laptop or Kubernetes can run, and Fargate can't, is refused before anything is synthesized."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.errors import ConfigError
from adapter.manifest import parse
from stacks.inputs import inputs_from
from tests.synth.support import ARN, ROLE, deployment, manifest, source

OTHER_ACCOUNT = ARN.replace("123456789012", "210987654321")
OTHER_REGION = ARN.replace("eu-central-1", "us-east-1")


def problems(*documents: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        inputs_from(parse(manifest(*documents), "source.yaml"))
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"sink": {"ref": {"kind": "Broker", "name": "default"}}}, "spec.sink.ref"),
        ({"sink": {"uri": "file:///tmp/events"}}, "spec.sink.uri"),
        ({"sink": {"uri": "stdout:"}}, "spec.sink.uri"),
        ({"delivery": {"deadLetterSink": {"uri": "stdout:"}}}, "spec.delivery.deadLetterSink.uri"),
        ({"state": {"url": "sqlite:///state.db"}}, "spec.state.url"),
        (
            {"adapterOverrides": {"env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": "x"}]}},
            "spec.adapterOverrides.env[0].name",
        ),
        (
            {"adapterOverrides": {"env": [{"name": "DELIVERY_HEADERS", "value": "{}"}]}},
            "spec.adapterOverrides.env[0].name",
        ),
        (
            {"adapterOverrides": {"env": [{"name": "OTEL_EXPORTER_OTLP_HEADERS", "value": "x"}]}},
            "spec.adapterOverrides.env[0].name",
        ),
        (
            {"adapterOverrides": {"env": [{"name": "STATE_URL", "value": "sqlite:///x"}]}},
            "spec.adapterOverrides.env[0].name",
        ),
        (
            {"adapterOverrides": {"env": [{"name": "DELIVERY_DEAD_LETTER_SINK", "value": "stdout:"}]}},
            "spec.adapterOverrides.env[0].name",
        ),
    ],
)
def test_what_fargate_cannot_run_is_refused(spec: dict[str, Any], path: str) -> None:
    (found,) = problems(source(**spec))
    assert found.split(": ")[2] == path
    assert found.startswith("source.yaml:")


def test_secrets_in_clear_are_refused_for_they_would_be_in_terraforms_state() -> None:
    auth = {"credentials": {"accessKeyID": {"value": "AKIA"}, "secretAccessKey": {"value": "s3cret"}}}
    found = problems(source(auth=auth))
    assert [line.split(": ")[2] for line in found] == [
        "spec.auth.credentials.accessKeyID.value",
        "spec.auth.credentials.secretAccessKey.value",
    ]
    assert "s3cret" not in "".join(found)
    assert "a key is minted" in found[0]


def test_pools_of_two_accounts_need_a_role() -> None:
    (found,) = problems(source(), source("staff", OTHER_ACCOUNT))
    assert "assumeRole" in found
    made = inputs_from(parse(manifest(source(), source("staff", OTHER_ACCOUNT, credentials={"assumeRole": ROLE}))))
    assert made.accounts == ("123456789012",)


def test_pools_of_two_regions_need_to_be_told_where_to_run() -> None:
    (found,) = problems(source(), source("staff", OTHER_REGION))
    assert "spec.region" in found
    both = (deployment(region="eu-west-1"), source(), source("staff", OTHER_REGION))
    assert inputs_from(parse(manifest(*both))).region == "eu-west-1"


def test_pools_of_two_partitions_are_two_deployments() -> None:
    other = "arn:aws-cn:cognito-idp:cn-north-1:123456789012:userpool/cn-north-1_A"
    assert any("partition" in line for line in problems(source(), source("staff", other)))


def test_two_sources_make_nothing_of_the_same_name() -> None:
    other = ARN.replace("AbCdEfGhI", "Other")
    user: dict[str, Any] = {"credentials": {"userName": "reader"}}
    table: dict[str, Any] = {"state": {"dynamodb": {"tableName": "users"}}}
    for first, second, path in (
        (source("a.b"), source("a-b", other), "metadata.name"),
        (source(**user), source("staff", other, **user), "spec.credentials.userName"),
        (source(**table), source("staff", other, **table), "spec.state.dynamodb.tableName"),
    ):
        (found,) = problems(first, second)
        assert found.split(": ")[1:3] == ["document 2", path]


def test_tags_that_aws_refuses_are_refused() -> None:
    (found,) = problems(deployment(tags={"aws:mine": "x"}), source())
    assert "spec.tags" in found


def test_what_is_asked_for_in_vain_is_told() -> None:
    overrides = {"labels": {"a": "what?"}, "nodeSelector": {"a": "b"}, "resources": {"limits": {"cpu": 99}}}
    told = inputs_from(parse(manifest(source(adapterOverrides=overrides)))).warnings
    assert [line.split(": ")[2] for line in told] == [
        "spec.adapterOverrides.nodeSelector",
        "spec.adapterOverrides.resources",
        "spec.adapterOverrides.labels.a",
    ]
