"""Keeps a table of users in DynamoDB, made of cognito-source's events that an EventBridge rule hands over one by one.

EventBridge keeps no order and may hand over an event twice, so each is stored by one transaction of two conditional
writes: its id, unless it was seen, and the user, unless the table knows a newer form.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

import boto3
from botocore.exceptions import ClientError

DELETED: Final = "com.amazon.cognito-idp.user_deleted"
#: How long ids of events are remembered, and that a user was deleted, in seconds: longer than EventBridge, Lambda and
#: the queue of failures keep an event.
RETENTION_S: Final = 30 * 24 * 3600
UNSEEN: Final = "attribute_not_exists(pk)"
#: A deletion wins over what was on its way, but not over what happened after it was noticed.
NOT_DELETED: Final = "(attribute_not_exists(deleted_ms) OR deleted_ms < :modified_ms)"
NOT_OLDER: Final = f"created_ms = :created_ms AND modified_ms <= :modified_ms AND {NOT_DELETED}"
NEWER_FORM: Final = f"{UNSEEN} OR created_ms < :created_ms OR {NOT_OLDER}"
NOT_OF_A_LATER_USER: Final = f"{UNSEEN} OR created_ms <= :created_ms"

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)


def handler(bus_event: Mapping[str, Any], context: object) -> str:
    """What Lambda calls. Whatever it raises makes Lambda try again, twice, and then put the event into the queue.

    Returns:
        What became of the event: `applied`, `duplicate` or `stale`.
    """
    event = bus_event["detail"]
    verdict = _store(event)
    logger.info("%s %s", verdict, event["id"])  # never the user: logs live longer than the table
    return verdict


def _store(event: Mapping[str, Any]) -> str:
    expires_s = int(time.time()) + RETENTION_S
    seen = {"pk": f"event#{event['source']}#{event['id']}", "expires_s": expires_s}
    user = _user(event)
    condition, values = NEWER_FORM, {":modified_ms": user["modified_ms"]}
    if event["type"] == DELETED:
        condition, values = NOT_OF_A_LATER_USER, {}
        user = {name: user[name] for name in ("pk", "created_ms", "modified_ms")}
        user |= {"deleted_ms": _milliseconds(event["time"]), "expires_s": expires_s}
    table = os.environ["TABLE"]
    first = {"TableName": table, "Item": seen, "ConditionExpression": UNSEEN}
    second = {"TableName": table, "Item": user, "ConditionExpression": condition}
    second["ExpressionAttributeValues"] = {":created_ms": user["created_ms"], **values}
    try:
        _client().transact_write_items(TransactItems=[{"Put": first}, {"Put": second}])
    except ClientError as fault:
        reasons = [reason.get("Code") for reason in fault.response.get("CancellationReasons", ())]
        if reasons[:1] == ["ConditionalCheckFailed"]:
            return "duplicate"
        if reasons[1:] == ["ConditionalCheckFailed"]:
            return "stale"
        raise
    return "applied"


def _user(event: Mapping[str, Any]) -> dict[str, Any]:
    data = event["data"]
    return {
        "pk": f"user#{event['source']}#{data['Username']}",
        "username": data["Username"],
        "created_ms": _milliseconds(data["UserCreateDate"]),
        "modified_ms": _milliseconds(data["UserLastModifiedDate"]),
        "enabled": data["Enabled"],
        "status": data["UserStatus"],
        "attributes": {pair["Name"]: pair["Value"] for pair in data["Attributes"]},
    }


def _milliseconds(date: str) -> int:
    return round(datetime.fromisoformat(date).timestamp() * 1000)


@cache
def _client() -> Any:
    """A client that takes and gives Python's own types: that of a resource."""
    return boto3.resource("dynamodb").meta.client
