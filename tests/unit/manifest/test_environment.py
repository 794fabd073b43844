"""What a manifest says reaches the adapter through its environment."""

from __future__ import annotations

import pytest

from adapter.config import settings as config
from adapter.config.variables import VARIABLES
from adapter.manifest import Source, environment, parse
from tests.unit.manifest.test_manifest import ARN, ORIGINAL, SMALLEST

EVERYTHING = f"""
apiVersion: sources.triggermesh.io/v1alpha1
kind: AWSCognitoUserPoolSource
metadata: {{name: customers, namespace: prod}}
spec:
  arn: {ARN}
  sink: {{uri: "https://example.com/users?a=b", audience: users}}
  polling: {{maxRps: 12.5, minSeconds: 0.5, maxSeconds: 60}}
  delivery:
    format: batched
    batch: {{size: 10, seconds: 1}}
    concurrency: 2
    retry: 0
    backoffPolicy: linear
    backoffDelay: PT1S
    timeout: PT5S
    retryAfterMax: PT0S
    deadLetterSink: {{sqs: {{queueArn: "arn:aws:sqs:eu-central-1:123456789012:dead"}}}}
  state: {{url: "sqlite:////var/state.db"}}
  events: {{initial: snapshot, deleted: false, deletedMaxPercent: 50, attributes: [sub, email]}}
  auth:
    credentials: {{accessKeyID: {{value: AKIA}}, secretAccessKey: {{value: s3cret}}, sessionToken: {{value: t}}}}
  credentials: {{assumeRole: "arn:aws:iam::123456789012:role/reader"}}
  adapterOverrides: {{env: [{{name: LOG_LEVEL, value: debug}}, {{name: K_SINK_TIMEOUT, value: "7"}}]}}
"""


def only(text: str) -> Source:
    (source,) = parse(text).sources
    return source


def test_the_smallest_manifest_sets_only_what_has_no_default() -> None:
    assert environment(only(SMALLEST)) == {
        "ARN": ARN,
        "K_SINK": "https://example.com",
        "K_COMPONENT": "awscognitouserpoolsource",
        "NAME": "customers",
        "NAMESPACE": "default",
    }


def test_every_field_becomes_its_variable() -> None:
    assert environment(only(EVERYTHING)) == {
        "ARN": ARN,
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_ASSUME_ROLE_ARN": "arn:aws:iam::123456789012:role/reader",
        "AWS_SECRET_ACCESS_KEY": "s3cret",
        "AWS_SESSION_TOKEN": "t",
        "DELIVERY_BACKOFF_DELAY": "PT1S",
        "DELIVERY_BACKOFF_POLICY": "linear",
        "DELIVERY_BATCH_SECONDS": "1",
        "DELIVERY_BATCH_SIZE": "10",
        "DELIVERY_CONCURRENCY": "2",
        "DELIVERY_DEAD_LETTER_SINK": "arn:aws:sqs:eu-central-1:123456789012:dead",
        "DELIVERY_FORMAT": "batched",
        "DELIVERY_RETRY": "0",
        "DELIVERY_RETRY_AFTER_MAX": "PT0S",
        "DELIVERY_TIMEOUT": "PT5S",
        "EVENTS_ATTRIBUTES": "sub,email",
        "EVENTS_DELETED": "false",
        "EVENTS_DELETED_MAX_PERCENT": "50",
        "EVENTS_INITIAL": "snapshot",
        "K_AUDIENCE": "users",
        "K_COMPONENT": "awscognitouserpoolsource",
        "K_SINK": "https://example.com/users?a=b",
        "K_SINK_TIMEOUT": "7",
        "LOG_LEVEL": "debug",
        "MAX_RPS": "12.5",
        "NAME": "customers",
        "NAMESPACE": "prod",
        "POLL_MAX_SECONDS": "60",
        "POLL_MIN_SECONDS": "0.5",
        "STATE_URL": "sqlite:////var/state.db",
    }


@pytest.mark.parametrize("text", [SMALLEST, EVERYTHING])
def test_the_adapter_accepts_the_environment_of_a_manifest(text: str) -> None:
    made = environment(only(text))
    assert set(made) <= {each.name for each in VARIABLES}
    settings = config.load(made)
    assert str(settings.pool) == ARN


@pytest.mark.parametrize(
    ("sink", "target"),
    [
        (
            '{eventBridge: {eventBusArn: "arn:aws:events:eu-central-1:123456789012:event-bus/users"}}',
            "arn:aws:events:eu-central-1:123456789012:event-bus/users",
        ),
        (
            '{sqs: {queueArn: "arn:aws:sqs:eu-central-1:123456789012:users.fifo"}}',
            "arn:aws:sqs:eu-central-1:123456789012:users.fifo",
        ),
        ("{uri: 'file:///var/events.jsonl'}", "file:///var/events.jsonl"),
        ("{uri: 'stdout:'}", "stdout:"),
    ],
)
def test_a_sink_is_one_string_that_the_adapter_accepts(sink: str, target: str) -> None:
    made = environment(only(SMALLEST.split("  sink:")[0] + f"  sink: {sink}\n"))
    assert made["K_SINK"] == target
    assert config.load(made).sink


def test_what_only_kubernetes_can_resolve_is_left_out() -> None:
    made = environment(only(ORIGINAL))
    assert {"K_SINK", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}.isdisjoint(made)
    assert made["AWS_ASSUME_ROLE_ARN"] == "arn:aws:iam::123456789012:role/reader"
    assert made["K_SINK_TIMEOUT"] == "5"


def test_json_is_knatives_word_for_structured() -> None:
    assert environment(only(SMALLEST + "  delivery: {format: json}\n"))["DELIVERY_FORMAT"] == "structured"


def test_a_repr_of_a_source_shows_no_secret() -> None:
    assert "s3cret" not in repr(only(EVERYTHING))
