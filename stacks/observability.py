"""What an operator looks at: a dashboard, alarms, and saved queries of the logs.

The adapter writes its metrics as CloudWatch Embedded Metric Format into its log (namespace `CognitoSource`, dimension
`Source`), so nothing here needs a permission or an agent.
Resource: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/cloudwatch_metric_alarm
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapter.observability.emf import NAMESPACE as EMF_NAMESPACE
from stacks.base import Home, output
from stacks.bindings import (
    CloudwatchDashboard,
    CloudwatchMetricAlarm,
    CloudwatchQueryDefinition,
    SnsTopic,
    TerraformStack,
)
from stacks.inputs import Inputs, SourceInputs

#: Where each partition has its console.
_CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}

#: What an alarm's description ends with: the section of the runbook that says what to do.
RUNBOOK = "What to do: docs/runbook.md#"

#: Saved queries: the log's fields are in adapter/log.py.
_QUERIES = {
    "errors": "fields @timestamp, severity, action, code, message\n"
    '| filter severity in ["ERROR", "WARNING"]\n| sort @timestamp desc\n| limit 200',
    "deliveries-that-failed": "fields @timestamp, action, event_id, reason\n"
    '| filter action in ["undelivered", "dead_lettered"]\n| sort @timestamp desc\n| limit 200',
    "sweeps": "fields @timestamp, SweepSeconds, Users, Requests, Throttled\n"
    "| filter ispresent(Users)\n| stats max(Users), sum(Requests), sum(Throttled) by bin(5m)",
    "starts-and-stops": "fields @timestamp, action, message\n"
    '| filter action in ["started", "stopping", "stopped", "fatal", "credentials_reloaded"]\n'
    "| sort @timestamp desc\n| limit 200",
}


@dataclass(frozen=True, kw_only=True)
class Watched:
    """One source's running parts, by name."""

    source: SourceInputs
    service: str
    log_group: str


def add_observability(
    stack: TerraformStack, inputs: Inputs, home: Home, cluster: str, watched: Sequence[Watched], kms_key_arn: str
) -> None:
    """Dashboard, alarms and queries for all sources."""
    board = CloudwatchDashboard(
        stack,
        "dashboard",
        dashboard_name=f"{inputs.name}-{inputs.region}",
        dashboard_body=json.dumps(dashboard(inputs.region, cluster, watched), sort_keys=True),
    )
    console = _CONSOLES.get(home.partition)
    output(
        stack,
        "dashboard-url",
        f"https://{home.region}.{console}/cloudwatch/home?region={home.region}#dashboards/dashboard/{board.dashboard_name}"
        if console
        else board.dashboard_name,
        "Dashboard of all sources.",
    )
    for name, query in _QUERIES.items():
        CloudwatchQueryDefinition(
            stack,
            f"query-{name}",
            name=f"{inputs.name}/{name}",
            log_group_names=[each.log_group for each in watched],
            query_string=query,
        )
    if not inputs.shared.alarms.enabled:
        return
    topic = _topic(stack, inputs, kms_key_arn)
    for each in watched:
        for alarm in alarms(inputs, cluster, each):
            name = alarm.pop("id")
            CloudwatchMetricAlarm(
                stack,
                f"{each.source.name}_{name}-alarm",
                alarm_name=f"{each.source.full_name}-{name}",
                alarm_actions=topic,
                ok_actions=topic,
                **alarm,
            )


def alarms(inputs: Inputs, cluster: str, each: Watched) -> list[dict[str, Any]]:
    """The alarms of one source, as arguments of aws_cloudwatch_metric_alarm, with their `id`."""
    name = each.source.full_name
    own = {"namespace": EMF_NAMESPACE, "dimensions": {"Source": each.source.environment["NAME"]}, "period": 60}
    sweep, undelivered = inputs.shared.alarms.sweep_minutes, inputs.shared.alarms.undelivered_minutes
    return [
        own
        | {
            "id": "no-sweep",
            "alarm_description": f"{name}: no complete sweep for {sweep} minutes. {RUNBOOK}no-sweep",
            "metric_name": "SweepSucceeded",
            "statistic": "Sum",
            "comparison_operator": "LessThanThreshold",
            "threshold": 1,
            "evaluation_periods": sweep,
            "datapoints_to_alarm": sweep,
            "treat_missing_data": "breaching",
        },
        own
        | {
            "id": "undelivered",
            "alarm_description": f"{name}: events wait for the sink for {undelivered} minutes. {RUNBOOK}undelivered",
            "metric_name": "Undelivered",
            "statistic": "Minimum",
            "comparison_operator": "GreaterThanThreshold",
            "threshold": 0,
            "evaluation_periods": undelivered,
            "datapoints_to_alarm": undelivered,
            "treat_missing_data": "notBreaching",
        },
        own
        | {
            "id": "dead-letters",
            "alarm_description": f"{name}: events went to the dead-letter sink. {RUNBOOK}dead-letters",
            "metric_name": "DeadLetters",
            "statistic": "Sum",
            "period": 300,
            "comparison_operator": "GreaterThanThreshold",
            "threshold": 0,
            "evaluation_periods": 1,
            "treat_missing_data": "notBreaching",
        },
        {
            "id": "no-task",
            "alarm_description": f"{name}: no running task for 10 minutes. {RUNBOOK}no-task",
            # ECS reports this every minute for every task, without Container Insights: its count is that of tasks.
            "namespace": "AWS/ECS",
            "metric_name": "MemoryUtilization",
            "dimensions": {"ClusterName": cluster, "ServiceName": each.service},
            "statistic": "SampleCount",
            "period": 60,
            "comparison_operator": "LessThanThreshold",
            "threshold": 1,
            "evaluation_periods": 10,
            "datapoints_to_alarm": 10,
            "treat_missing_data": "breaching",
        },
    ]


def dashboard(region: str, cluster: str, watched: Sequence[Watched]) -> dict[str, Any]:
    """The dashboard's body: for every source a title and two rows of four graphs.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
    """
    widgets: list[dict[str, Any]] = []
    for number, each in enumerate(watched):
        top = number * 14
        source = each.source
        title = f"## {source.environment['NAME']}\nPool `{source.pool.pool_id}`, log group `{each.log_group}`"
        widgets.append(_widget(0, top, 24, 2, "text", {"markdown": title}))
        for place, (label, stat, metrics) in enumerate(_graphs(source.environment["NAME"], cluster, each.service)):
            properties = {
                "title": label,
                "view": "timeSeries",
                "region": region,
                "stat": stat,
                "period": 60,
                "metrics": metrics,
            }
            widgets.append(_widget(place % 4 * 6, top + 2 + place // 4 * 6, 6, 6, "metric", properties))
    return {"widgets": widgets}


def _graphs(source: str, cluster: str, service: str) -> list[tuple[str, str, list[list[Any]]]]:
    def own(*names: str) -> list[list[Any]]:
        return [[EMF_NAMESPACE, name, "Source", source] for name in names]

    def ecs(name: str) -> list[Any]:
        return ["AWS/ECS", name, "ClusterName", cluster, "ServiceName", service]

    lag = [[*own("LagSeconds")[0], {"stat": stat}] for stat in ("p50", "p99", "Maximum")]
    return [
        ("Events", "Sum", own("EventsCreated", "EventsUpdated", "EventsDeleted")),
        ("Seconds from change to event", "p99", lag),
        ("Undelivered and dead letters", "Maximum", own("Undelivered", "DeadLetters")),
        ("Users", "Maximum", own("Users")),
        ("Seconds of a sweep", "Maximum", own("SweepSeconds")),
        ("Requests and throttled", "Sum", own("Requests", "Throttled")),
        ("CPU, %", "Maximum", [ecs("CPUUtilization")]),
        ("Memory, %", "Maximum", [ecs("MemoryUtilization")]),
    ]


def _widget(x: int, y: int, width: int, height: int, kind: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "x": x, "y": y, "width": width, "height": height, "properties": properties}


def _topic(stack: TerraformStack, inputs: Inputs, kms_key_arn: str) -> list[str] | None:
    """Who is told: the topic of the manifest, one of our own, or nobody."""
    alarms_ = inputs.shared.alarms
    if alarms_.topic_arn:
        return [alarms_.topic_arn]
    if not alarms_.create_topic:
        return None
    # CloudWatch can't publish with the key that AWS keeps for SNS; without a customer key the topic has none.
    topic = SnsTopic(stack, "alarms", name=f"{inputs.name}-alarms", kms_master_key_id=kms_key_arn or None)
    output(stack, "alarm-topic-arn", topic.arn, "Topic of the alarms: subscribe to it.")
    return [topic.arn]
