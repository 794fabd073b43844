"""What is there: one user, its keys and policies, and its secret, read without changing anything."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from adapter.arn import ArnError, PoolArn, parse_arn, parse_pool_arn
from iam import keys, names, secret
from iam.aws import Aws
from iam.errors import AwsError, InputError, KeyUnusableError
from iam.keys import KeyState
from iam.names import Home
from iam.policy import LIST_USERS, POLICIES_PER_USER
from iam.secret import CURRENT, PENDING, PREVIOUS, VERSION_PREFIX, SecretState


@dataclass(frozen=True, slots=True)
class PolicyState:
    """A managed policy. `spare` are its versions that are not the default, oldest first."""

    arn: str
    name: str
    document: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)
    spare: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UserState:
    """An IAM user. `attached` maps the ARNs of its managed policies to their names."""

    name: str
    arn: str
    path: str
    tags: Mapping[str, str] = field(default_factory=dict)
    boundary: str | None = None
    keys: tuple[KeyState, ...] = ()
    attached: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Home:
        """The partition and account that the user lives in."""
        arn = parse_arn(self.arn)
        return Home(arn.partition, arn.account)


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that a plan starts from.

    `current` and `pending` are the user's keys in the secret's AWSCURRENT and AWSPENDING versions (None: none of its
    keys is there; `pending` is None, too, when it is the current key). `previous` is the key that was current before.
    `used` maps the ids of all other keys that somebody has used to when that was, `unsure` those that may be somebody's
    to why.
    """

    user: UserState | None = None
    policies: tuple[PolicyState, ...] = ()
    secret: SecretState | None = None
    current: KeyState | None = None
    pending: KeyState | None = None
    previous: KeyState | None = None
    used: Mapping[str, str] = field(default_factory=dict)
    unsure: Mapping[str, str] = field(default_factory=dict)

    @property
    def unread(self) -> bool:
        """Whether the secret holds something that can't be read before it is restored."""
        version = self.secret.version(CURRENT) if self.secret and self.secret.deleted else None
        return version is not None and not version.startswith(VERSION_PREFIX)

    @property
    def others(self) -> tuple[KeyState, ...]:
        """The user's keys that are in none of the secret's labelled versions."""
        known = {key.key_id for key in (self.current, self.pending, self.previous) if key}
        return tuple(key for key in (self.user.keys if self.user else ()) if key.key_id not in known)


def observe(
    aws: Aws,
    user: UserState | None,
    secret_id: str,
    region: str | None,
    policies: Sequence[PolicyState] = (),
    *,
    now: dt.datetime | None = None,
) -> Observed:
    """Read the secret, and find out which of the user's keys is where in it.

    Args:
        aws: AWS.
        user: whose keys; None: there is no user.
        secret_id: the secret's name or ARN.
        region: the secret's region.
        policies: the user's policies.
        now: the time, by which new keys are told from those that failed runs left; None: nobody asks for that.

    Raises:
        AwsError: something can't be read.
    """
    state = secret.describe(aws, secret_id, region)
    found = Observed(user, tuple(policies), state)
    if not user or not state:
        return found
    current, pending, previous = (held_key(aws, state, stage, user.keys) for stage in (CURRENT, PENDING, PREVIOUS))
    found = replace(
        found,
        current=current,
        pending=pending if pending != current else None,
        previous=previous if previous not in (current, pending) else None,
    )
    used: dict[str, str] = {}
    unsure: dict[str, str] = {}
    for key in found.others:
        try:
            use = last_use(aws, user.arn, key.key_id)
        except AwsError as error:
            if error.credentials:
                raise
            unsure[key.key_id] = f"its last use can't be seen ({error.action}: {error.reason})"
            continue
        if use:
            used[key.key_id] = use
        elif now and (now - key.created).total_seconds() < keys.FRESH_S:
            until = key.created.astimezone(dt.UTC) + dt.timedelta(seconds=keys.FRESH_S)
            unsure[key.key_id] = (
                f"it is new: perhaps another run is at work and stores it in a moment, or a person made it; from"
                f" {until:%H:%M:%S} UTC on it counts as left behind"
            )
    return replace(found, used=used, unsure=unsure)


def read_user(aws: Aws, name: str) -> UserState | None:
    """A user with its keys and attached policies; None when there is none of this name."""
    try:
        found = aws.call("iam:GetUser", f"user/{name}", UserName=name)["User"]
    except AwsError as error:
        if error.missing:
            return None
        raise
    attached = pages(aws, "iam:ListAttachedUserPolicies", found["Arn"], "AttachedPolicies", UserName=name)
    return UserState(
        name=name,
        arn=found["Arn"],
        path=found["Path"],
        tags=tags_of(found),
        boundary=found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        keys=tuple(keys.list_keys(aws, found["Arn"])),
        attached={each["PolicyArn"]: each["PolicyName"] for each in attached},
    )


def must_read_user(aws: Aws, name: str) -> UserState:
    """A user with its keys and attached policies.

    Raises:
        InputError: there is no such user.
    """
    user = read_user(aws, name)
    if user is None:
        raise InputError(f"there is no IAM user {name}; `python -m iam status` lists those that we made")
    return user


def attached_policies(aws: Aws, user: UserState) -> list[PolicyState]:
    """The managed policies that the user has."""
    return [policy for arn in user.attached if (policy := read_policy(aws, arn))]


def named_policies(aws: Aws, home: Home, path: str, user: UserState | str, at_least: int = 0) -> list[PolicyState]:
    """The policies that have the names that we give to those of this user, attached or not.

    They are numbered, and removed from the last one on, so after `at_least` of them the first gap is the end. One that
    is attached is found under another path, too.
    """
    name = user if isinstance(user, str) else user.name
    attached = {} if isinstance(user, str) else {policy_name: arn for arn, policy_name in user.attached.items()}
    found: list[PolicyState] = []
    for number in range(1, POLICIES_PER_USER + 1):
        wanted = names.policy_name(name, number)
        policy = read_policy(aws, attached.get(wanted, home.policy(path, wanted)))
        if policy:
            found.append(policy)
        elif number > at_least:
            break
    return found


def read_policy(aws: Aws, arn: str) -> PolicyState | None:
    """A managed policy with its document; None when there is none of this ARN."""
    try:
        found = aws.call("iam:GetPolicy", arn, PolicyArn=arn)["Policy"]
    except AwsError as error:
        if error.missing:
            return None
        raise
    default = found["DefaultVersionId"]
    version = aws.call("iam:GetPolicyVersion", arn, PolicyArn=arn, VersionId=default)["PolicyVersion"]
    versions = pages(aws, "iam:ListPolicyVersions", arn, "Versions", PolicyArn=arn)
    spare = sorted((each for each in versions if each["VersionId"] != default), key=lambda each: each["CreateDate"])
    return PolicyState(
        arn=arn,
        name=found["PolicyName"],
        document=document_of(version["Document"]),
        tags=tags_of(found),
        spare=tuple(each["VersionId"] for each in spare),
    )


def held_key(aws: Aws, state: SecretState, stage: str, existing: Sequence[KeyState]) -> KeyState | None:
    """Which of the user's keys is in the version with this label; None when none of them is.

    The secret is read only when its version is not one that we wrote, and can be: one that is scheduled for deletion
    refuses with InvalidRequestException.
    """
    version = state.version(stage)
    if version is None:
        return None
    for key in existing:
        if state.holds(key.key_id, stage):
            return key
    if version.startswith(VERSION_PREFIX) or state.deleted:
        return None
    try:
        held = secret.read(aws, state, stage).key_id
    except KeyUnusableError:
        return None
    return next((key for key in existing if key.key_id == held), None)


def last_use(aws: Aws, user_arn: str, key_id: str) -> str:
    """When and for what a key was last used, for a person; empty when never."""
    found = aws.call("iam:GetAccessKeyLastUsed", user_arn, AccessKeyId=key_id)["AccessKeyLastUsed"]
    when: dt.datetime | None = found.get("LastUsedDate")
    if when is None:
        return ""
    return f"{when.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC ({found.get('ServiceName', '?')}, {found.get('Region', '?')})"


def pools_of(documents: Sequence[Mapping[str, Any]]) -> tuple[PoolArn, ...]:
    """The pools that policy documents allow to list, in order; what is not exactly one pool is left out."""
    pools: dict[PoolArn, None] = {}
    for document in documents:
        for statement in as_list(document.get("Statement", [])):
            if statement.get("Effect") != "Allow" or LIST_USERS not in as_list(statement.get("Action", [])):
                continue
            for resource in as_list(statement.get("Resource", [])):
                try:
                    pools[parse_pool_arn(resource)] = None
                except ArnError:
                    continue
    return tuple(pools)


def pages(aws: Aws, action: str, resource: str, field_name: str, **parameters: Any) -> Iterator[dict[str, Any]]:
    """All entries of an IAM listing, page after page."""
    marker: dict[str, str] = {}
    while True:
        page = aws.call(action, resource, **parameters, **marker)
        yield from page[field_name]
        if not page.get("IsTruncated"):
            return
        marker = {"Marker": page["Marker"]}


def tags_of(thing: Mapping[str, Any]) -> dict[str, str]:
    """AWS's list of tags as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags", [])}


def document_of(document: Any) -> Mapping[str, Any]:
    """A policy document, which botocore decodes and some emulators leave as URL-encoded text."""
    if isinstance(document, str):
        decoded: Mapping[str, Any] = json.loads(unquote(document))
        return decoded
    found: Mapping[str, Any] = document
    return found


def as_list(value: Any) -> list[Any]:
    """A policy element as a list: one value stands for a list of one."""
    return value if isinstance(value, list) else [value]
