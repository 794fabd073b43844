"""The secret that holds the key: `{"AWS_ACCESS_KEY_ID": "...", "AWS_SECRET_ACCESS_KEY": "..."}`.

The id of each version that we write is made from the id of the key in it, so which key is current can be told
without reading the secret, and writing the same key twice is one version. Secrets Manager's staging labels carry the
rotation (https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html): a new
key is AWSPENDING until it has proven itself, then AWSCURRENT. The very first version is AWSCURRENT at once.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapter.arn import ArnError, parse_arn
from iam.aws import AccessKey, Aws
from iam.errors import AwsError, ConflictError, InputError, KeyUnusableError

CURRENT = "AWSCURRENT"
PENDING = "AWSPENDING"
PREVIOUS = "AWSPREVIOUS"
KEY_ID = "AWS_ACCESS_KEY_ID"
SECRET_KEY = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a field, no secret
#: ClientRequestToken, which becomes the version's id: 32 to 64 characters.
VERSION_PREFIX = "cognito-source-key-"
_VERSION_MAX = 64


@dataclass(frozen=True, slots=True)
class SecretState:
    """A secret as it is: never its value, only which version has which label."""

    arn: str
    region: str
    stages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    changed: dt.datetime | None = None
    kms_key: str | None = None
    deleted: bool = False

    def version(self, stage: str) -> str | None:
        """The id of the version with this label."""
        return next((version for version, labels in self.stages.items() if stage in labels), None)

    def holds(self, key_id: str, stage: str) -> bool:
        """Whether the version with this label is the one that we wrote for this key."""
        return self.version(stage) == version_id(key_id)


def version_id(key_id: str) -> str:
    """The id of the version that holds this key."""
    return (VERSION_PREFIX + key_id).ljust(32, "-")[:_VERSION_MAX]


def region_of(secret_id: str, fallback: str | None) -> str | None:
    """The region of a secret given by ARN; the fallback for one given by name."""
    try:
        return parse_arn(secret_id).region or fallback
    except ArnError:
        return fallback


def describe(aws: Aws, secret_id: str, region: str | None = None) -> SecretState | None:
    """The secret's labels and tags; None when there is no such secret.

    Raises:
        AwsError: it can't be seen.
    """
    region = region_of(secret_id, region)
    try:
        found = aws.call("secretsmanager:DescribeSecret", secret_id, region=region, SecretId=secret_id)
    except AwsError as error:
        if error.missing:
            return None
        raise
    return SecretState(
        arn=found["ARN"],
        region=parse_arn(found["ARN"]).region,
        stages={version: tuple(labels) for version, labels in found.get("VersionIdsToStages", {}).items()},
        tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", [])},
        changed=found.get("LastChangedDate"),
        kms_key=found.get("KmsKeyId"),
        deleted=found.get("DeletedDate") is not None,
    )


def must_describe(aws: Aws, secret_id: str, region: str | None = None) -> SecretState:
    """The secret's labels and tags.

    Raises:
        InputError: there is no such secret, or it is scheduled for deletion.
    """
    state = describe(aws, secret_id, region)
    if state is None:
        raise InputError(f"there is no secret {secret_id}; create it first, or fix its name or region")
    if state.deleted:
        raise InputError(
            f"the secret {state.arn} is scheduled for deletion; restore it first: `aws secretsmanager restore-secret"
            f" --region {state.region} --secret-id {state.arn}`"
        )
    return state


def read(aws: Aws, secret: SecretState, stage: str) -> AccessKey:
    """The key in the version that had this label when `secret` was looked at.

    Raises:
        KeyUnusableError: there is no such version, or what is in it is not a key.
        AwsError: it can't be read, or the label has moved on since.
    """
    if secret.deleted:
        raise KeyUnusableError(f"the secret {secret.arn} is scheduled for deletion: bootstrap and rotate restore it")
    version = secret.version(stage)
    if version is None:
        raise KeyUnusableError(f"the secret {secret.arn} has no {stage} version; run the command again")
    answer = aws.call(
        "secretsmanager:GetSecretValue",
        secret.arn,
        region=secret.region,
        SecretId=secret.arn,
        VersionId=version,
        VersionStage=stage,
    )
    try:
        value: Any = json.loads(answer.get("SecretString", ""))
    except (ValueError, RecursionError):
        value = None
    key_id, key = (value.get(name) if isinstance(value, dict) else None for name in (KEY_ID, SECRET_KEY))
    if not (isinstance(key_id, str) and key_id and isinstance(key, str) and key):
        raise KeyUnusableError(
            f"the {stage} version of {secret.arn} is not a JSON object with {KEY_ID} and {SECRET_KEY}"
        )
    return AccessKey(key_id, key)


def write_pending(aws: Aws, secret: SecretState, key: AccessKey) -> None:
    """Put a key into the secret as its AWSPENDING version (AWSCURRENT too, when it is the first)."""
    aws.call(
        "secretsmanager:PutSecretValue",
        secret.arn,
        region=secret.region,
        SecretId=secret.arn,
        ClientRequestToken=version_id(key.key_id),
        SecretString=json.dumps({KEY_ID: key.key_id, SECRET_KEY: key.secret}),
        VersionStages=[PENDING],
    )


def promote(aws: Aws, secret_id: str, region: str | None, version: str, replaces: str | None) -> None:
    """Make a version AWSCURRENT in the place of the one that was; nothing to do when it is already.

    Raises:
        ConflictError: the version that was AWSCURRENT is not any more.
    """
    state = must_describe(aws, secret_id, region)
    current = state.version(CURRENT)
    if version == current:
        return
    if current != replaces:
        raise ConflictError(
            f"another run, or a person, has changed which version of {state.arn} is {CURRENT}; it was left as it is:"
            " run the command again when the other has ended"
        )
    moved = {"RemoveFromVersionId": current} if current else {}
    aws.call(
        "secretsmanager:UpdateSecretVersionStage",
        state.arn,
        region=state.region,
        SecretId=state.arn,
        VersionStage=CURRENT,
        MoveToVersionId=version,
        **moved,
    )
