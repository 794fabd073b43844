"""What AWS charges, as dated constants. US dollars before tax, free tier and discounts.

List prices of us-east-1 (N. Virginia) as published in the first half of 2026. Other regions differ: Frankfurt and
Ireland are up to about 20 % dearer, so an estimate is an order of magnitude and a comparison, not an invoice. Where to
look them up: https://aws.amazon.com/ followed by fargate/pricing, vpc/pricing, secrets-manager/pricing, kms/pricing,
cloudwatch/pricing, dynamodb/pricing/on-demand, sqs/pricing, eventbridge/pricing, ecr/pricing,
elasticloadbalancing/pricing, s3/pricing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: The month that the numbers below are from.
AS_OF = "2026-03"
REGION = "us-east-1"
HOURS_PER_MONTH = 730

FARGATE_VCPU_HOUR = {"X86_64": 0.04048, "ARM64": 0.03238}
FARGATE_GB_HOUR = {"X86_64": 0.004445, "ARM64": 0.00356}
#: Storage of a Fargate task beyond the 20 GB that are included.
FARGATE_STORAGE_GB_HOUR = 0.000111
FARGATE_STORAGE_INCLUDED_GB = 20
PUBLIC_IPV4_HOUR = 0.005


@dataclass(frozen=True, slots=True)
class Price:
    """What one object of a type costs a month, whatever it is used for, and the use that is assumed on top."""

    fixed: float
    #: Assumed use and its price a month, for example (0.50, "1 GB of logs"); (0, "") for none.
    use: float = 0.0
    assumption: str = ""


#: Objects whose price doesn't depend on their settings.
SIMPLE: Mapping[str, Price] = {
    "aws_cloudwatch_composite_alarm": Price(0.50),
    "aws_cloudwatch_dashboard": Price(3.00, 0, "beyond the 3 dashboards that are free in an account"),
    "aws_cloudwatch_event_bus": Price(0, 1.00, "1 million own events"),
    "aws_cloudwatch_log_group": Price(0, 0.53, "1 GB of logs taken in and stored"),
    "aws_ecr_repository": Price(0, 0.10, "1 GB of images"),
    "aws_efs_file_system": Price(0, 0.30, "1 GB stored"),
    "aws_eip": Price(PUBLIC_IPV4_HOUR * HOURS_PER_MONTH),
    "aws_elb": Price(0.025 * HOURS_PER_MONTH, 0.80, "100 GB processed"),
    "aws_kms_key": Price(1.00, 0.03, "10,000 requests"),
    "aws_kms_replica_key": Price(1.00, 0.03, "10,000 requests"),
    "aws_lambda_function": Price(0, 0.20, "1 million short requests"),
    "aws_nat_gateway": Price(0.045 * HOURS_PER_MONTH, 4.50, "100 GB processed"),
    "aws_s3_bucket": Price(0, 0.23, "10 GB stored"),
    "aws_secretsmanager_secret": Price(0.40, 0.05, "10,000 reads"),
    "aws_sns_topic": Price(0, 0.0, "less than a million messages"),
    "aws_wafv2_web_acl": Price(5.00, 0.60, "1 million requests"),
}

#: A standard-resolution metric alarm; a high-resolution one; for each metric it looks at.
ALARM = 0.10
ALARM_HIGH_RESOLUTION = 0.30
#: A custom metric; Container Insights reports about this many for a service of one task.
METRIC = 0.30
CONTAINER_INSIGHTS_METRICS = 13
VPC_ENDPOINT_HOUR = 0.01
LOAD_BALANCER_HOUR = 0.0225
SQS_MILLION = {"standard": 0.40, "fifo": 0.50}
DYNAMODB_MILLION_WRITES = 0.625
DYNAMODB_MILLION_READS = 0.125
DYNAMODB_STORAGE_GB = 0.25
DYNAMODB_BACKUP_GB = 0.20
DYNAMODB_WRITE_UNIT_HOUR = 0.00065
DYNAMODB_READ_UNIT_HOUR = 0.00013
