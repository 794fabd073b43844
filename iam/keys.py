"""Access keys of one user. A user can have two at most, whatever their status, so a second one means a rotation.

`user` is always the user's ARN, or, where that is not known, `user/NAME`: what messages name it by.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from iam import secret as secrets
from iam.aws import AccessKey, Aws
from iam.clock import Clock
from iam.errors import AwsError, ConflictError, InputError
from iam.secret import SecretState

#: A run that made a key has stored it after so many seconds, or has failed: four attempts of 25 s each, and pauses.
STORED_WITHIN_S = 120.0
#: Younger than this, in seconds, a key outside the secret may be about to be used: by another run, or by a person.
FRESH_S = 600.0


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
                raise InputError(f"there is no IAM user {name_of(user)}; create it first, or fix its name") from error
            raise
        keys += [
            KeyState(each["AccessKeyId"], each["Status"] == "Active", each["CreateDate"])
            for each in page["AccessKeyMetadata"]
        ]
        if not page.get("IsTruncated"):
            return sorted(keys, key=lambda key: (key.created, key.key_id))
        marker = {"Marker": page["Marker"]}


def create_into_secret(
    aws: Aws, user: str, secret: SecretState, clock: Clock, known: frozenset[str] | None = None
) -> str:
    """Create a key and put it straight into the secret as AWSPENDING; returns the key's id.

    When anything fails, the key that was made is deleted again as far as that is possible, so that no key is left
    that nobody holds. Of two runs that make a key at once, the later one takes its own key back.

    Args:
        aws: AWS.
        user: whose key.
        secret: where it goes.
        clock: for waiting until an unknown key is surely nobody's.
        known: the keys that the plan was made with; None: any may be there.

    Raises:
        ConflictError: another run, or a person, is making keys of this user.
        AwsError: the call that failed.
    """
    before = {key.key_id for key in list_keys(aws, user)}
    if known is not None and (new := before - known):
        raise ConflictError(_at_work(user, new, "nothing more was changed"))
    made = ""
    try:
        answer = aws.call("iam:CreateAccessKey", user, UserName=name_of(user))["AccessKey"]
        made = str(answer["AccessKeyId"])
        _step_back_for_older(aws, user, before, made)
        secrets.write_pending(aws, secret, AccessKey(made, answer["SecretAccessKey"]))
    except BaseException as error:  # an interrupted run cleans up, too
        if made:
            _take_back(aws, user, made, secret.arn)
        elif isinstance(error, AwsError) and not error.refused:
            _forget_lost_key(aws, user, before, secret.arn, clock)
        raise
    return made


def _step_back_for_older(aws: Aws, user: str, before: set[str], made: str) -> None:
    new = [key for key in list_keys(aws, user) if key.key_id not in before]
    # In the order of creation, the id deciding between equals: both runs come to the same answer.
    if new and new[0].key_id != made:
        others = {key.key_id for key in new} - {made}
        raise ConflictError(_at_work(user, others, "the key that this run made was deleted again"))


def _at_work(user: str, keys: set[str], done: str) -> str:
    return (
        f"another run, or a person, has just made the key {', '.join(sorted(keys))} of {name_of(user)}; {done};"
        " run the command again when the other has ended"
    )


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


def _take_back(aws: Aws, user: str, made: str, secret_arn: str) -> None:
    """Delete the key that this run made, unless it arrived in the secret: the answer to a write may be lost."""
    try:
        if secrets.version_id(made) not in secrets.must_describe(aws, secret_arn).stages:
            delete_key(aws, user, made)
    except (AwsError, InputError):
        return  # Best effort: the first error is the one to report, and a later run deletes what is left.


def _forget_lost_key(aws: Aws, user: str, before: set[str], secret_arn: str, clock: Clock) -> None:
    """Delete the key whose id was lost with AWS's answer, but not one that another run is about to store."""
    try:
        new = {key.key_id for key in list_keys(aws, user)} - before
        if not new:
            return
        clock.sleep(STORED_WITHIN_S)
        state = secrets.must_describe(aws, secret_arn)
        for key_id in sorted(new):
            if secrets.version_id(key_id) not in state.stages:
                delete_key(aws, user, key_id)
    except (AwsError, InputError):
        return  # As above.
