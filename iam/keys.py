"""Access keys of one user. A user can have two at most, whatever their status, so a second one means a rotation.

`user` is always the user's ARN, or, where that is not known, `user/NAME`: what messages name it by.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from iam import secret as secrets
from iam.aws import AccessKey, Aws
from iam.errors import AwsError, InputError
from iam.secret import SecretState


@dataclass(frozen=True, slots=True)
class KeyState:
    """A key as IAM lists it: never its secret half."""

    key_id: str
    active: bool
    created: dt.datetime


def name_of(user: str) -> str:
    """The name of a user, from its ARN."""
    return user.rpartition("/")[2]


def list_keys(aws: Aws, user: str) -> list[KeyState]:
    """The user's keys, oldest first.

    Raises:
        InputError: there is no such user.
        AwsError: they can't be listed.
    """
    keys: list[KeyState] = []
    marker: dict[str, str] = {}
    while True:
        try:
            page = aws.call("iam:ListAccessKeys", user, UserName=name_of(user), **marker)
        except AwsError as error:
            if error.missing:
                raise InputError(f"there is no IAM user {name_of(user)}; create it first, or mend its name") from error
            raise
        keys += [
            KeyState(each["AccessKeyId"], each["Status"] == "Active", each["CreateDate"])
            for each in page["AccessKeyMetadata"]
        ]
        if not page.get("IsTruncated"):
            return sorted(keys, key=lambda key: (key.created, key.key_id))
        marker = {"Marker": page["Marker"]}


def create_into_secret(aws: Aws, user: str, secret: SecretState) -> str:
    """Create a key and put it straight into the secret as AWSPENDING; returns the key's id.

    When anything fails, the key that was made is deleted again as far as that is possible, so that no key is left
    that nobody holds; a key that is left all the same is found and deleted by the next run.

    Raises:
        AwsError: the call that failed.
    """
    before = {key.key_id for key in list_keys(aws, user)}
    try:
        made = aws.call("iam:CreateAccessKey", user, UserName=name_of(user))["AccessKey"]
        key = AccessKey(made["AccessKeyId"], made["SecretAccessKey"])
        secrets.write_pending(aws, secret, key)
    except AwsError:
        _forget_new_keys(aws, user, before, secret.arn)
        raise
    return key.key_id


def delete_key(aws: Aws, user: str, key_id: str) -> None:
    """Delete a key for good; one that is gone already is fine."""
    try:
        aws.call("iam:DeleteAccessKey", user, UserName=name_of(user), AccessKeyId=key_id)
    except AwsError as error:
        if not error.missing:
            raise


def set_active(aws: Aws, user: str, key_id: str, *, active: bool) -> None:
    """Let a key work, or stop it from working without deleting it."""
    status = "Active" if active else "Inactive"
    aws.call("iam:UpdateAccessKey", user, UserName=name_of(user), AccessKeyId=key_id, Status=status)


def _forget_new_keys(aws: Aws, user: str, before: set[str], secret_arn: str) -> None:
    try:
        state = secrets.must_describe(aws, secret_arn)
        for key in list_keys(aws, user):
            # The answer to a write may be lost after the write was done: a key that arrived in the secret stays.
            if key.key_id not in before and secrets.version_id(key.key_id) not in state.stages:
                delete_key(aws, user, key.key_id)
    except (AwsError, InputError):
        return  # Best effort: the first error is the one to report, and the next run deletes what is left.
