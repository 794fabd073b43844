"""A manifest is accepted, or refused with every problem at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapter.errors import ConfigError
from adapter.manifest import load, parse, read

ARN = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"
HEAD = "apiVersion: sources.triggermesh.io/v1alpha1\nkind: AWSCognitoUserPoolSource\n"
SMALLEST = f"""{HEAD}metadata:
  name: customers
spec:
  arn: {ARN}
  sink:
    uri: https://example.com
"""
#: As TriggerMesh's documentation shapes it, with all that it can hold.
ORIGINAL = f"""{HEAD}metadata:
  name: sample
  namespace: triggermesh
  uid: 0c1b
spec:
  arn: {ARN}
  auth:
    credentials:
      accessKeyID:
        valueFromSecret:
          name: awscreds
          key: aws_access_key_id
      secretAccessKey:
        valueFromSecret:
          name: awscreds
          key: aws_secret_access_key
      assumeIamRole: arn:aws:iam::123456789012:role/reader
  sink:
    ref:
      apiVersion: eventing.knative.dev/v1
      kind: Broker
      name: default
  adapterOverrides:
    annotations: {{a.example.com/b: "yes"}}
    labels: {{team: identity}}
    env:
    - name: K_SINK_TIMEOUT
      value: "5"
    resources:
      limits: {{cpu: 250m, memory: 512Mi}}
      requests: {{cpu: 0.5, ephemeral-storage: 1Gi}}
    tolerations: [{{key: a, operator: Exists, effect: NoSchedule}}]
    nodeSelector: {{kubernetes.io/os: linux}}
    affinity: {{nodeAffinity: {{}}}}
"""


def with_spec(lines: str) -> str:
    return SMALLEST + "".join(f"  {line}\n" for line in lines.splitlines())


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, "source.yaml")
    return list(caught.value.problems)


def test_the_smallest_manifest_needs_a_name_an_arn_and_a_sink() -> None:
    (source,) = parse(SMALLEST).sources
    assert (source.name, source.namespace, source.pool.pool_id) == ("customers", "default", "eu-central-1_AbCdEfGhI")
    assert source.warnings == ()


def test_the_example_in_the_checkout_is_valid() -> None:
    assert load(Path(__file__).parents[3] / "source.yaml")


def test_an_original_manifest_works_unchanged_and_tells_what_only_kubernetes_can_give() -> None:
    (source,) = parse(ORIGINAL, "s.yaml").sources
    fields = [line.split(": ")[2] for line in source.warnings]
    assert fields == [
        "spec.sink.ref",
        "spec.auth.credentials.accessKeyID.valueFromSecret",
        "spec.auth.credentials.secretAccessKey.valueFromSecret",
        "spec.adapterOverrides.tolerations",
        "spec.adapterOverrides.nodeSelector",
        "spec.adapterOverrides.affinity",
        "spec.adapterOverrides.resources.requests.ephemeral-storage",
    ]
    assert source.warnings[0].startswith("s.yaml:21: document 1: spec.sink.ref: the Broker default")


@pytest.mark.parametrize("auth", ["{iamRole: 'ROLE'}", "{iam: {roleArn: 'ROLE'}}", "{iam: {serviceAccount: reader}}"])
def test_roles_of_service_accounts_are_accepted_and_reported(auth: str) -> None:
    (source,) = parse(with_spec(f"auth: {auth.replace('ROLE', 'arn:aws:iam::123456789012:role/r')}")).sources
    assert "Kubernetes" in source.warnings[0]


def test_every_problem_is_found_at_once_with_its_line() -> None:
    found = problems(
        f"""{HEAD}metadata: {{name: Customers}}
spec:
  arn: 5
  sinc: {{uri: "https://example.com"}}
  polling:
    maxRps: 0
    minSeconds: soon
  delivery: {{format: xml, retry: 1.5, backoffDelay: 1s}}
  credentials: {{recoveryWindowDays: 3}}
"""
    )
    assert [line.split(": ", 3)[:3] for line in found] == [
        ["source.yaml:3", "document 1", "metadata.name"],
        ["source.yaml:6", "document 1", "spec.sinc"],
        ["source.yaml:5", "document 1", "spec.arn"],
        ["source.yaml:4", "document 1", "spec.sink"],
        ["source.yaml:8", "document 1", "spec.polling.maxRps"],
        ["source.yaml:9", "document 1", "spec.polling.minSeconds"],
        ["source.yaml:10", "document 1", "spec.delivery.format"],
        ["source.yaml:10", "document 1", "spec.delivery.retry"],
        ["source.yaml:10", "document 1", "spec.delivery.backoffDelay"],
        ["source.yaml:11", "document 1", "spec.credentials.recoveryWindowDays"],
    ]
    assert found[1].endswith("(did you mean sink?)")
    assert found[4].endswith("found 0; expected a number at least 0.1 and at most 1000")
    assert found[8].endswith("found '1s'; expected an ISO 8601 duration, for example PT0.2S")


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ("auth: {}", "spec.auth"),
        ("auth: {credentials: {accessKeyID: {}, secretAccessKey: {value: x}}}", "spec.auth.credentials.accessKeyID"),
        (
            "auth: {iamRole: 'arn:aws:iam::123456789012:role/r', iam: {serviceAccount: s}}",
            "spec.auth",
        ),
        ("delivery: {format: batched}", "spec.delivery.format"),
        (
            "adapterOverrides: {env: [{name: DELIVERY_FORMAT, value: batched}]}",
            "spec.adapterOverrides.env[0].value",
        ),
        ("polling: {minSeconds: 9, maxSeconds: 3}", "spec.polling.minSeconds"),
        ("state: {url: 'sqlite:///x.db', dynamodb: {}}", "spec.state"),
        ("credentials: {mode: existing}", "spec.credentials.secretArn"),
        ("network: {vpcId: vpc-0123}", "spec.network"),
        ("network: {subnetIds: [subnet-01]}", "spec.network"),
        ("network: {vpcEndpoints: true}", "spec.network.vpcEndpoints"),
        ("adapterOverrides: {env: [{name: K_SINK, value: x}]}", "spec.adapterOverrides.env[0].name"),
        ("adapterOverrides: {env: [{name: A, value: x}, {name: A}]}", "spec.adapterOverrides.env[1].name"),
        ("adapterOverrides: {env: [{name: A, value: 5}]}", "spec.adapterOverrides.env[0].value"),
        ("adapterOverrides: {resources: {limits: {cpu: lots}}}", "spec.adapterOverrides.resources.limits.cpu"),
        ("delivery: {deadLetterSink: {}}", "spec.delivery.deadLetterSink"),
        ("delivery: {deadLetterSink: {sqs: {}}}", "spec.delivery.deadLetterSink.sqs"),
        ("delivery: {deadLetterSink: {uri: 'ftp://example.com'}}", "spec.delivery.deadLetterSink.uri"),
        ("events: {attributes: ['a,b']}", "spec.events.attributes[0]"),
    ],
)
def test_contradictions_are_named_by_their_field(spec: str, path: str) -> None:
    text = with_spec(spec)
    if "batched" in spec:
        text = text.replace("uri: https://example.com", "sqs: {create: users}")
    (found,) = problems(text)
    assert found.split(": ")[2] == path


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:cognito-idp:invalid::",
        "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/a/b",
        "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/*",
        "arn:aws:cognito-idp:eu-central-1:12345:userpool/eu-central-1_A",
        "arn:aws:s3:::bucket",
    ],
)
def test_a_bad_arn_is_refused(arn: str) -> None:
    (found,) = problems(SMALLEST.replace(ARN, f'"{arn}"'))
    assert found.startswith("source.yaml:6: document 1: spec.arn: ")
    assert arn in found


@pytest.mark.parametrize(
    "uri", ["example.com", "ftp://example.com", "http://", "https://u:p@example.com", "http://[", "http://a:99999"]
)
def test_a_bad_sink_address_is_refused(uri: str) -> None:
    (found,) = problems(SMALLEST.replace("https://example.com", f'"{uri}"'))
    assert found.startswith("source.yaml:8: document 1: spec.sink.uri: ")


@pytest.mark.parametrize(
    "sink", ["{}", "{uri: 'http://a', sqs: {create: b}}", "{eventBridge: {create: a}, sqs: {create: b}}"]
)
def test_a_source_has_exactly_one_sink(sink: str) -> None:
    (found,) = problems(f"{HEAD}metadata: {{name: a}}\nspec:\n  arn: {ARN}\n  sink: {sink}\n")
    assert "expected one of uri, ref, eventBridge, sqs" in found


def test_a_secret_of_the_wrong_type_is_not_shown() -> None:
    found = problems(with_spec("auth: {credentials: {accessKeyID: {value: a}, secretAccessKey: {value: 31415926}}}"))
    assert "31415926" not in "".join(found)
    assert found[0].split(": ")[2] == "spec.auth.credentials.secretAccessKey.value"


@pytest.mark.parametrize(
    "spec",
    [
        "adapterOverrides: {env: [{name: A, value: !!int s3cret}]}",
        "adapterOverrides: {env: [{name: A, value: [s3cret]}]}",
        "delivery: {deadLetterSink: {uri: 'https://user:s3cret@example.com'}}",
        "delivery: {deadLetterSink: {uri: 'https://user:s3cret@exam ple.com'}}",
    ],
)
def test_no_message_shows_a_secret(spec: str) -> None:
    assert "s3cret" not in "".join(problems(with_spec(spec)))


def test_several_documents_make_several_sources() -> None:
    second = SMALLEST.replace("customers", "staff").replace("AbCdEfGhI", "Staff")
    assert [each.name for each in parse(f"{SMALLEST}---\n---\n{second}").sources] == ["customers", "staff"]


def test_two_sources_share_neither_name_nor_pool() -> None:
    found = problems(f"{SMALLEST}---\n{SMALLEST}")
    assert [line.split(": ")[1:3] for line in found] == [["document 2", "metadata.name"], ["document 2", "spec.arn"]]
    assert "which document 1 has too" in found[0]


def test_problems_of_several_documents_come_together() -> None:
    bad = SMALLEST.replace("uri: https", "url: https")
    found = problems(f"{bad}---\n{bad.replace('customers', 'Staff')}")
    assert {line.split(": ")[1] for line in found} == {"document 1", "document 2"}


def test_the_deployment_document_is_optional_and_unique() -> None:
    deployment = "apiVersion: cognito-source/v1alpha1\nkind: CognitoSourceDeployment\nmetadata: {name: users}\n---\n"
    assert parse(SMALLEST).deployment.metadata.name == "cognito-source"
    assert parse(deployment + SMALLEST).deployment.metadata.name == "users"
    assert "expected at most one" in problems(deployment + deployment + SMALLEST)[0]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ("{backend: {s3: {bucket: abc}, hcp: {organization: o}}}", "spec.backend"),
        ("{encryption: {createKey: true, keyArn: 'arn:aws:kms:eu-central-1:123456789012:key/a'}}", "spec.encryption"),
        ("{alarms: {createTopic: true, topicArn: 'arn:aws:sns:eu-central-1:123456789012:a'}}", "spec.alarms"),
        ("{logRetentionDays: 2}", "spec.logRetentionDays"),
        ("{region: Frankfurt}", "spec.region"),
    ],
)
def test_contradictions_of_the_deployment_are_named(spec: str, path: str) -> None:
    found = problems(
        f"apiVersion: cognito-source/v1alpha1\nkind: CognitoSourceDeployment\nspec: {spec}\n---\n{SMALLEST}"
    )
    assert [line.split(": ")[2] for line in found] == [path]


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n", "---\n---\n"])
def test_a_manifest_without_a_source_says_so(text: str) -> None:
    assert problems(text) == [
        "source.yaml:1: found no source; expected at least one document of kind AWSCognitoUserPoolSource"
    ]


@pytest.mark.parametrize("text", ["5", "[a]", "text", "kind: Deployment", "kind: [a]", "apiVersion: v1"])
def test_a_foreign_document_is_refused_with_what_is_expected(text: str) -> None:
    (found,) = problems(text)
    assert "expected" in found


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.yaml", tmp_path, "a\0b"):
        with pytest.raises(ConfigError) as caught:
            read(path)
        assert len(caught.value.problems) == 1
        assert "\n" not in caught.value.problems[0]


def test_the_suggestions_in_the_example_are_valid_too() -> None:
    text = (Path(__file__).parents[3] / "source.yaml").read_text()
    head, fields = text.split("  # How often", 1)
    lines = [
        line for line in f"  # How often{fields}".splitlines() if re.match(r" *# +([a-z][a-zA-Z]*:|---|  )|# ---", line)
    ]
    made = parse(head + "".join(re.sub(r"# ?", "", line, count=1) + "\n" for line in lines))
    assert made.deployment.spec.alarms.create_topic
    assert made.sources[0].spec.delivery.dead_letter_sink is not None
    assert made.sources[0].spec.adapter_overrides.architecture == "ARM64"


def test_a_key_given_without_its_mapping_is_not_shown() -> None:
    found = problems(
        with_spec("auth: {credentials: {accessKeyID: topsecret, secretAccessKey: topsecret, sessionToken: topsecret}}")
    )
    assert len(found) == 3
    assert "topsecret" not in "\n".join(found)
