"""What the things that we make are called, and the tags by which they are known again.

Limits: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html (users 64, policies 128, paths 512
characters) and https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html (secrets 512).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from adapter.arn import PoolArn
from iam.errors import InputError

#: Who made a user, policy or secret. What has another value, or none, is not ours to touch.
MANAGED_BY = "cognito-source:managed-by"
BY_CLI = "iam"
BY_STACK = "stacks"
#: How the stacks tag all that they make (stacks/base.py).
STACK_TAG = ("ManagedBy", "cdktf")
#: On a user: where its key is, as REGION/NAME of the secret.
SECRET_TAG = "cognito-source:secret"  # noqa: S105 - the name of a tag
OUR_TAGS = "cognito-source:"
DEFAULT_PATH = "/cognito-source/"

USER_NAME_MAX = 64
PATH_MAX = 512
#: REGION/NAME must fit into a tag's value (256 characters).
SECRET_NAME_MAX = 220
_USER_NAME = re.compile(r"[\w+=,.@-]+", re.ASCII)
_PATH = re.compile(r"/([\x21-\x7e]+/)?")
_SECRET_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]+")
_POLICY_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\x21-\x7e]+")
_TAG = re.compile(r"[\w\s_.:/=+\-@]*")


@dataclass(frozen=True, slots=True)
class Home:
    """Where IAM things live: a partition and an account."""

    partition: str
    account: str

    def user(self, path: str, name: str) -> str:
        """The ARN of an IAM user."""
        return f"arn:{self.partition}:iam::{self.account}:user{path}{name}"

    def policy(self, path: str, name: str) -> str:
        """The ARN of a customer-managed policy."""
        return f"arn:{self.partition}:iam::{self.account}:policy{path}{name}"

    def secret(self, region: str, name: str) -> str:
        """What matches the ARN of a secret: AWS ends it with six characters of its own."""
        return f"arn:{self.partition}:secretsmanager:{region}:{self.account}:secret:{name}-??????"


def default_user_name(pool: PoolArn) -> str:
    """`cognito-source-POOL_ID`; for a very long pool id, its beginning and a hash of it."""
    name = f"cognito-source-{pool.pool_id}"
    if len(name) <= USER_NAME_MAX:
        return name
    digest = hashlib.sha256(pool.pool_id.encode()).hexdigest()[:12]
    return f"{name[: USER_NAME_MAX - 13]}-{digest}"


def default_secret_name(user: str) -> str:
    """`cognito-source/USER`."""
    return f"cognito-source/{user}"


def policy_name(user: str, number: int) -> str:
    """The name of the user's policy, counted from 1."""
    return f"{user}-list-users" if number == 1 else f"{user}-list-users-{number}"


def user_of_policy(name: str) -> str | None:
    """The user whose policy has this name; None when it is not a name that we give."""
    found = re.fullmatch(r"(.+)-list-users(-\d+)?", name)
    return found[1] if found else None


def secret_tag(region: str, name: str) -> str:
    """The value of `SECRET_TAG`."""
    return f"{region}/{name}"


def managed_by(tags: Mapping[str, str]) -> str | None:
    """Who made it: `BY_CLI`, `BY_STACK`, somebody else's word, or None for something without our tag."""
    if tags.get(STACK_TAG[0]) == STACK_TAG[1]:
        return BY_STACK
    return tags.get(MANAGED_BY)


def check_user_name(name: str) -> str:
    """The name, when IAM takes it.

    Raises:
        InputError: it does not.
    """
    if len(name) > USER_NAME_MAX or not _USER_NAME.fullmatch(name):
        raise InputError(f"{name!r} is no name of an IAM user; 1 to {USER_NAME_MAX} letters, digits and _+=,.@-")
    return name


def check_path(path: str) -> str:
    """The path, when IAM takes it.

    Raises:
        InputError: it does not.
    """
    if len(path) > PATH_MAX or not _PATH.fullmatch(path):
        raise InputError(f"{path!r} is no IAM path; it begins and ends with /, like {DEFAULT_PATH}")
    return path


def check_secret_name(name: str) -> str:
    """The name, when Secrets Manager and our tag take it.

    Raises:
        InputError: they do not.
    """
    if len(name) > SECRET_NAME_MAX or not _SECRET_NAME.fullmatch(name):
        raise InputError(f"{name!r} is no name for the secret; 1 to {SECRET_NAME_MAX} letters, digits and /_+=.@-")
    return name


def check_boundary(arn: str) -> str:
    """The ARN, when it is that of a policy.

    Raises:
        InputError: it is not.
    """
    if not _POLICY_ARN.fullmatch(arn):
        raise InputError(
            f"--boundary {arn!r} is no ARN of a managed policy, like arn:PARTITION:iam::ACCOUNT:policy/NAME"
        )
    return arn


def check_tags(tags: Mapping[str, str]) -> Mapping[str, str]:
    """The tags, when IAM takes them and none is one of ours.

    Raises:
        InputError: one can't be used.
    """
    for key, value in tags.items():
        if key.startswith((OUR_TAGS, "aws:")):
            raise InputError(f"the tag {key!r} begins with {OUR_TAGS} or aws:, which are not yours to set")
        if not 0 < len(key) <= 128 or len(value) > 256 or not _TAG.fullmatch(key) or not _TAG.fullmatch(value):
            raise InputError(f"the tag {key!r} can't be set: up to 128 and 256 letters, digits, spaces and _.:/=+-@")
    return tags
