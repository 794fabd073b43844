"""Metrics: the original's name and tags, ours, CloudWatch's format, and the status for people."""

from __future__ import annotations

import io
import json
import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapter.delivery import Result, Status
from adapter.log import Action
from adapter.metrics import Metrics, serve, write_emf
from adapter.model import Event, Kind
from adapter.page import render

ARN = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"
TYPE = "com.amazon.cognito-idp.sync_trigger"
EVENT = Event(attributes={"type": TYPE, "id": "1"}, data=b"", key="bob")


@pytest.fixture
def clock() -> list[float]:
    return [1_700_000_000.0]


@pytest.fixture
def metrics(clock: list[float]) -> Metrics:
    traffic = iter(range(10, 1000, 10))
    made = Metrics(
        source=ARN, namespace="crm", name="users", traffic=lambda: (next(traffic), 2), wall_s=lambda: clock[0]
    )
    made.finished(Result(event=EVENT, status=Status.DELIVERED, code="202"), Kind.CREATED, 0.7)
    made.finished(Result(event=EVENT, status=Status.DELIVERED, code="202"), Kind.DELETED, 99.0)
    made.finished(Result(event=EVENT, status=Status.DEAD_LETTERED, code="400"), Kind.UPDATED, 1.0)
    made.finished(Result(event=EVENT, status=Status.UNDELIVERED, code="timeout"), Kind.UPDATED, 1.0)
    made.swept("complete", 2.5)
    made.swept("InternalError", 0.1)
    made.retried("InternalErrorException")
    made.users, made.undelivered = 7, 1
    return made


def samples(metrics: Metrics) -> dict[str, Any]:
    """What Prometheus reads: name and labels to value."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    stop = serve(metrics, "127.0.0.1", port)
    try:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    finally:
        stop()
    return {
        sample.name + str(sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_prometheus_sees_the_original_counter_with_its_tags(metrics: Metrics) -> None:
    group = "awscognitouserpoolsources.sources.triggermesh.io"
    found = {name: value for name, value in samples(metrics).items() if "event_count" in name}
    common = [ARN, TYPE, "crm", "users", group]
    assert found == {
        "awscognitouserpoolsource_event_count" + str(sorted([*common, "202", "2xx", "", ""])): 2,
        "awscognitouserpoolsource_event_count" + str(sorted([*common, "400", "4xx", "", ""])): 1,
        "awscognitouserpoolsource_event_count" + str(sorted([*common, "", "", "timeout", "true"])): 1,
    }


def test_prometheus_sees_our_numbers(metrics: Metrics) -> None:
    found = samples(metrics)
    assert found["cognito_source_users[]"] == 7
    assert found["cognito_source_undelivered[]"] == 1
    assert found["cognito_source_dead_letters_total[]"] == 1
    assert found["cognito_source_events_total['delivered']"] == 2
    assert found["cognito_source_sweeps_total['complete']"] == 1
    assert found["cognito_source_sweep_seconds[]"] == 2.5
    assert found["cognito_source_requests_total[]"] >= 10
    assert found["cognito_source_throttled_total[]"] == 2
    assert found["cognito_source_retries_total['InternalErrorException']"] == 1
    assert found["cognito_source_last_successful_sweep_timestamp_seconds[]"] == 1_700_000_000
    assert found["cognito_source_lag_seconds_bucket['1.0']"] == 1
    assert found["cognito_source_lag_seconds_count[]"] == 2


def test_a_line_for_cloudwatch_comes_once_a_minute_and_holds_what_happened_since(
    metrics: Metrics, clock: list[float]
) -> None:
    stream = io.StringIO()
    write_emf(metrics, stream)
    assert stream.getvalue() == ""
    clock[0] += 61
    write_emf(metrics, stream)
    write_emf(metrics, stream)
    (text,) = stream.getvalue().splitlines()
    line = json.loads(text)
    directive = line["_aws"]["CloudWatchMetrics"][0]
    assert (directive["Namespace"], directive["Dimensions"], line["Source"]) == ("CognitoSource", [["Source"]], "users")
    assert line["_aws"]["Timestamp"] == 1_700_000_061_000
    assert {metric["Name"] for metric in directive["Metrics"]} == set(line) - {"_aws", "Source"}
    assert {name: line[name] for name in set(line) - {"_aws", "Source"}} == {
        "EventsCreated": 1,
        "EventsUpdated": 0,
        "EventsDeleted": 1,
        "EventsOther": 0,
        "DeadLetters": 1,
        "SweepSucceeded": 1,
        "Requests": 10,
        "Throttled": 2,
        "Users": 7,
        "Undelivered": 1,
        "SweepSeconds": [2.5],
        "LagSeconds": [0.7, 99.0],
    }
    write_emf(metrics, stream, now=True)
    last = json.loads(stream.getvalue().splitlines()[-1])
    assert (last["EventsCreated"], last["Requests"], "SweepSeconds" in last) == (0, 10, False)


def test_a_line_for_cloudwatch_never_has_more_values_than_the_format_allows(
    metrics: Metrics, clock: list[float]
) -> None:
    for _ in range(300):
        metrics.swept("complete", 0.1)
        metrics.finished(Result(event=EVENT, status=Status.DELIVERED), Kind.CREATED, 0.1)
    line = json.loads(metrics.emf(now=True) or "")
    assert (len(line["SweepSeconds"]), len(line["LagSeconds"])) == (100, 100)


def test_the_status_is_readable(metrics: Metrics) -> None:
    text = render({"dead": [], "unready": ["sink: it is down"], **metrics.status()})
    assert "state                  not ready" in text
    assert "because                sink: it is down" in text
    assert "last complete sweep    2023-11-14T22:13:20Z, took 2.5 s" in text
    assert "events                 dead_lettered 1, delivered 2, undelivered 1" in text


def test_the_status_of_an_adapter_that_just_began_is_readable() -> None:
    assert "last complete sweep    never" in render(Metrics(source=ARN).status())


def test_the_documentation_names_every_metric_and_every_action(metrics: Metrics) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
    families = list(metrics.collect())
    names = [family.name + ("_total" if family.type == "counter" else "") for family in families]
    assert [name for name in names if f"`{name}`" not in text] == []
    assert [action for action in Action if f"`{action}`" not in text] == []
    line = json.loads(metrics.emf(now=True) or "")
    assert [name for name in line if name[0] != "_" and name not in text] == []
