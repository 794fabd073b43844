"""Conditions that tie a statement to known callers, and those that only look as if they did."""

from __future__ import annotations

from typing import Any

import pytest

from plan_review.findings.conditions import ties, why_not
from plan_review.findings.internet import is_everything, is_wide
from plan_review.report import Review
from tests.unit.plan_review.support import gate, plan, policy, resource, review


def queue_for_anyone(condition: Any) -> Review:
    """A queue that any principal may use under a condition."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    document = policy({**statement, "Condition": condition} if condition else statement)
    return review(plan(resource("aws_sqs_queue.q", after={"name": "q", "policy": document})))


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("StringEquals", "aws:SourceAccount", "123456789012"),
        ("StringEquals", "aws:PrincipalOrgID", "o-a1b2c3d4e5"),
        ("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", "o-a1b2c3d4e5/*"),
        ("ArnLike", "aws:SourceArn", "arn:aws:sns:*:123456789012:*"),
        ("ArnEquals", "aws:SourceArn", "arn:aws:s3:::my-bucket"),
        ("StringLike", "aws:SourceArn", "arn:aws:s3:::my-bucket/*"),
        ("StringLike", "aws:PrincipalArn", "arn:aws:iam::123456789012:role/*"),
        ("StringEquals", "aws:SourceVpce", "vpce-1a2b3c4d"),
        ("IpAddress", "aws:SourceIp", ["203.0.113.0/24", "2001:db8::/32"]),
        ("IpAddress", "aws:SourceIp", "3.0.0.0/8"),
        ("StringEquals", "kms:CallerAccount", "123456789012"),
        ("Bool", "elasticfilesystem:AccessedViaMountTarget", "true"),
    ],
)
def test_a_condition_that_names_a_caller_ties(operator: str, key: str, value: Any) -> None:
    assert ties((operator, key, tuple(value) if isinstance(value, list) else (value,)))
    assert gate(queue_for_anyone({operator: {key: value}}), "no-public").passed


@pytest.mark.parametrize(
    ("operator", "key", "value", "why"),
    [
        ("StringEqualsIfExists", "aws:SourceAccount", "123456789012", "IfExists also holds when the key is absent"),
        ("ForAllValues:StringEquals", "aws:PrincipalOrgPaths", "o-a/r-b/", "ForAllValues also holds when"),
        ("Null", "aws:SourceArn", "false", "Null only asks whether the key is there"),
        ("Null", "aws:PrincipalOrgID", "true", "Null only asks"),
        ("StringNotEquals", "aws:SourceAccount", "123456789012", "it only keeps some out"),
        ("NotIpAddress", "aws:SourceIp", "203.0.113.0/24", "it only keeps some out"),
        ("StringLike", "aws:PrincipalOrgID", "o-*", "o-* fits anybody's"),
        ("StringLike", "aws:PrincipalOrgPaths", "o-*/r-*/*", "fits anybody's"),
        ("StringLike", "aws:SourceAccount", "*", "* fits anybody's"),
        ("StringLike", "aws:SourceAccount", "12345678901?", "fits anybody's"),
        ("StringLike", "aws:SourceAccount", ["123456789012", "1*"], "1* fits anybody's"),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/*", "fits anybody's"),
        ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/deploy", "fits anybody's"),
        ("ArnLike", "aws:SourceArn", "arn:aws:sns:*:*:mine", "fits anybody's"),
        ("ArnLike", "aws:SourceArn", "arn:aws:*", "fits anybody's"),
        ("ArnLike", "aws:SourceArn", "arn:aws:s3:::my-*", "fits anybody's"),
        ("ArnLike", "aws:SourceArn", "*", "* fits anybody's"),
        ("StringEquals", "aws:SourceAccount", "", "fits anybody's"),
        ("IpAddress", "aws:SourceIp", "0.0.0.0/0", "much of the internet"),
        ("IpAddress", "aws:SourceIp", ["0.0.0.0/1", "128.0.0.0/1"], "much of the internet"),
        ("IpAddress", "aws:SourceIp", "::/0", "much of the internet"),
        ("IpAddress", "aws:SourceIp", "2000::/3", "much of the internet"),
        ("StringEquals", "aws:SourceIp", "203.0.113.7", "the operator isn't one for this key"),
        ("StringEquals", "aws:PrincipalTag/team", "a", "says nothing about whose call it is"),
        ("Bool", "aws:SecureTransport", "true", "says nothing about whose call it is"),
        ("Bool", "aws:PrincipalIsAWSService", "true", "says nothing about whose call it is"),
        ("StringEquals", "aws:Referer", "secret", "says nothing about whose call it is"),
        ("IpAddress", "aws:VpcSourceIp", "10.0.0.0/8", "says nothing about whose call it is"),
        ("Bool", "elasticfilesystem:AccessedViaMountTarget", "false", "it isn't true"),
    ],
)
def test_a_condition_that_anybody_can_meet_ties_nobody(operator: str, key: str, value: Any, why: str) -> None:
    values = tuple(value) if isinstance(value, list) else (value,)
    assert why in why_not((operator, key, values))
    found = queue_for_anyone({operator: {key: value}})
    assert not gate(found, "no-public").passed
    assert why in found.grants[0].marks[0], "the reviewer reads why"


def test_one_condition_that_ties_is_enough() -> None:
    found = queue_for_anyone(
        {"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:SourceAccount": "123456789012"}}
    )
    assert gate(found, "no-public").passed


@pytest.mark.parametrize(
    ("ranges", "wide", "everything"),
    [
        (["0.0.0.0/0"], True, True),
        (["::/0"], True, True),
        (["2000::/3"], True, True),
        (["0.0.0.0/1"], True, False),
        (["0.0.0.0/1", "128.0.0.0/1"], True, True),
        ([f"{n * 16}.0.0.0/4" for n in range(16)], True, True),
        ([f"{n}.0.0.0/8" for n in range(256)], True, True),
        (["3.0.0.0/8"], False, False),
        (["10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12"], False, False),
        (["2a05:d000::/25"], False, False),
        (["2a00::/12"], True, False),
        (["fc00::/7"], False, False),
        (["203.0.113.7", "203.0.113.7/32"], False, False),
        (["not an address"], False, False),
        ([], False, False),
    ],
)
def test_what_is_much_of_the_internet(ranges: list[str], *, wide: bool, everything: bool) -> None:
    assert is_wide(ranges) is wide
    assert is_everything(ranges) is everything
