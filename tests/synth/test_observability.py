"""What an operator sees, and when somebody is told."""

from __future__ import annotations

import json
from collections.abc import Callable

from adapter.observability.emf import METRICS, Emf
from adapter.observability.metrics import Metrics
from tests.synth.support import ARN, Stack, deployment, source

Synthesize = Callable[..., Stack]


def adapter_metrics() -> set[str]:
    """The names of the metrics that the adapter really writes."""
    line = Emf(Metrics(source=ARN, name="customers"), None).line()
    told = json.loads(line)["_aws"]["CloudWatchMetrics"][0]
    assert (told["Namespace"], told["Dimensions"]) == ("CognitoSource", [["Source"]])
    return {each.name for each in METRICS}


def test_alarms_and_graphs_show_metrics_that_the_adapter_writes(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(source())
    watched = {
        alarm["metric_name"]
        for alarm in stack.all("aws_cloudwatch_metric_alarm").values()
        if alarm["namespace"] == "CognitoSource"
    }
    shown = {
        metric[1]
        for widget in json.loads(stack.one("aws_cloudwatch_dashboard")["dashboard_body"])["widgets"]
        for metric in widget["properties"].get("metrics", [])
        if metric[0] == "CognitoSource"
    }
    assert watched == {"SweepSucceeded", "Undelivered", "DeadLetters"}
    assert shown | {"SweepSucceeded"} == {
        *("EventsCreated", "EventsUpdated", "EventsDeleted", "LagSeconds", "Undelivered", "DeadLetters"),
        *("Users", "SweepSeconds", "Requests", "Throttled", "SweepSucceeded"),
    }
    assert watched | shown <= adapter_metrics()
    assert stack.variables()["NAME"] == "customers"


def test_silence_is_an_alarm_where_it_means_that_nothing_works(adapter_stack: Synthesize) -> None:
    alarms = adapter_stack(source()).all("aws_cloudwatch_metric_alarm")
    missing = {name: alarm["treat_missing_data"] for name, alarm in alarms.items()}
    assert missing == {
        "customers_no-sweep-alarm": "breaching",
        "customers_no-task-alarm": "breaching",
        "customers_undelivered-alarm": "notBreaching",
        "customers_dead-letters-alarm": "notBreaching",
    }
    assert all(alarm["alarm_description"] for alarm in alarms.values())


def test_minutes_of_the_manifest_become_evaluation_periods(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(deployment(alarms={"sweepMinutes": 60, "undeliveredMinutes": 5}), source())
    alarms = stack.all("aws_cloudwatch_metric_alarm")
    assert alarms["customers_no-sweep-alarm"]["evaluation_periods"] == 60
    assert alarms["customers_undelivered-alarm"]["evaluation_periods"] == 5


def test_alarms_tell_the_topic_of_the_manifest_or_one_of_ours_or_nobody(adapter_stack: Synthesize) -> None:
    topic = "arn:aws:sns:eu-central-1:123456789012:alarms"
    given = adapter_stack(deployment(alarms={"topicArn": topic}), source())
    assert {str(each["alarm_actions"]) for each in given.all("aws_cloudwatch_metric_alarm").values()} == {str([topic])}
    assert not given.all("aws_sns_topic")
    made = adapter_stack(deployment(alarms={"createTopic": True}), source())
    assert made.one("aws_cloudwatch_metric_alarm", "customers_no-sweep-alarm")["ok_actions"] == [
        "${aws_sns_topic.alarms.arn}"
    ]
    plain = adapter_stack(source()).all("aws_cloudwatch_metric_alarm").values()
    assert not [each for each in plain if "alarm_actions" in each]


def test_alarms_can_be_left_out(adapter_stack: Synthesize) -> None:
    assert not adapter_stack(deployment(alarms={"enabled": False}), source()).all("aws_cloudwatch_metric_alarm")


def test_queries_look_at_the_logs_of_all_sources(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(source(), source("staff", ARN.replace("AbCdEfGhI", "Staff")))
    for query in stack.all("aws_cloudwatch_query_definition").values():
        assert query["log_group_names"] == [
            "${aws_cloudwatch_log_group.customers_logs.name}",
            "${aws_cloudwatch_log_group.staff_logs.name}",
        ]


def test_the_widgets_of_the_dashboard_do_not_overlap(adapter_stack: Synthesize) -> None:
    stack = adapter_stack(source(), source("staff", ARN.replace("AbCdEfGhI", "Staff")))
    taken: set[tuple[int, int]] = set()
    for widget in json.loads(stack.one("aws_cloudwatch_dashboard")["dashboard_body"])["widgets"]:
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
