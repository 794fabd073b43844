"""One line for each user that we made in this account."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from adapter.arn import PoolArn
from iam import names
from iam.aws import Aws
from iam.observe import Observed, UserState, attached_policies, last_use, observe, pages, pools_of, read_user
from iam.rotate import due


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One access key; `place` is its label in the secret."""

    key_id: str
    active: bool
    place: str
    created: dt.datetime
    last_used: str


@dataclass(frozen=True, slots=True)
class UserRow:
    """One user. `due` is when its current key is to be rotated."""

    user: str
    managed_by: str
    pools: tuple[PoolArn, ...]
    secret: str
    version: str
    keys: tuple[KeyRow, ...]
    due: dt.datetime | None


def status(aws: Aws, every_s: float, only: Sequence[str] = ()) -> list[UserRow]:
    """All users that we made, or those of these names.

    Ours are found under our own path, and by the names of our policies wherever they are; a tag tells for certain.
    """
    found = only or sorted({*_under_our_path(aws), *_by_policy(aws)})
    users = [read_user(aws, name) for name in found]
    return [_row(aws, user, every_s) for user in users if user and names.managed_by(user.tags)]


def _under_our_path(aws: Aws) -> list[str]:
    listed = pages(aws, "iam:ListUsers", "*", "Users", PathPrefix=names.DEFAULT_PATH)
    return [user["UserName"] for user in listed]


def _by_policy(aws: Aws) -> list[str]:
    listed = pages(aws, "iam:ListPolicies", "*", "Policies", Scope="Local")
    users = [names.user_of_policy(policy["PolicyName"]) for policy in listed]
    return [user for user in users if user]


def _row(aws: Aws, user: UserState, every_s: float) -> UserRow:
    region, _, secret_name = user.tags.get(names.SECRET_TAG, "").partition("/")
    policies = attached_policies(aws, user)
    found = observe(aws, user, secret_name, region, policies) if secret_name else Observed(user, tuple(policies))
    state = found.secret
    return UserRow(
        user=user.arn,
        managed_by=names.managed_by(user.tags) or "",
        pools=pools_of([policy.document for policy in found.policies]),
        secret=state.arn if state else "",
        version=(state.version("AWSCURRENT") or "") if state else "",
        keys=tuple(
            KeyRow(key.key_id, key.active, place(found, key.key_id), key.created, last_use(aws, user.arn, key.key_id))
            for key in user.keys
        ),
        due=due(found.current, every_s) if found.current else None,
    )


def place(found: Observed, key_id: str) -> str:
    """Where in the secret a key is."""
    for label, key in (("AWSCURRENT", found.current), ("AWSPENDING", found.pending), ("AWSPREVIOUS", found.previous)):
        if key and key.key_id == key_id:
            return label
    return "not in the secret"
