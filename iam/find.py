"""Which users are ours, and which one a command is about. Nothing is changed.

Ours are found under our own path, and by the names of our policies wherever they are (`bootstrap` makes the policy
before the user, so that a run which is cut off after any step can be seen); a tag tells for certain.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from adapter.arn import parse_arn
from iam import names, secret
from iam.aws import Aws
from iam.bootstrap import Wanted, foreign
from iam.errors import AwsError, InputError, RefusedError
from iam.observe import (
    Observed,
    PolicyState,
    UserState,
    attached_policies,
    must_read_user,
    named_policies,
    observe,
    pages,
    read_policy,
    read_user,
)
from iam.policy import policy_documents
from iam.secret import CURRENT, VERSION_PREFIX


@dataclass(frozen=True, slots=True)
class Candidates:
    """Names that may be those of our users, with the ARNs of the policies named after them; and what was not seen."""

    policies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remains:
    """Policies of ours without their user: what a bootstrap or a revoke that was cut off leaves."""

    name: str
    policies: tuple[PolicyState, ...]

    @property
    def user_arn(self) -> str:
        """The ARN that the user would have."""
        arn = parse_arn(self.policies[0].arn)
        path = arn.resource.removeprefix("policy").rpartition("/")[0]
        return names.Home(arn.partition, arn.account).user(f"{path}/", self.name)


def candidates(aws: Aws) -> Candidates:
    """All names that may be those of our users, in order.

    Raises:
        AwsError: neither the users nor the policies of the account can be listed.
    """
    found: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    failures: list[AwsError] = []
    for look in (_under_our_path, _by_policy):
        try:
            for name, policies in look(aws):
                found[name] += policies
        except AwsError as error:
            failures.append(error)
    if len(failures) == 2 or any(error.credentials for error in failures):
        raise failures[0]
    return Candidates({name: found[name] for name in sorted(found)}, tuple(str(error) for error in failures))


def remains(aws: Aws, name: str, policies: Sequence[str]) -> Remains | None:
    """What is left of a user that does not exist; None when none of these policies is ours."""
    found = [policy for arn in policies if (policy := read_policy(aws, arn))]
    ours = tuple(policy for policy in found if names.managed_by(policy.tags) == names.BY_CLI)
    return Remains(name, ours) if ours else None


def remains_of(aws: Aws, name: str) -> Remains | None:
    """What is left of a user that does not exist, wherever its policies are."""
    policies = [policy for user, found in _by_policy(aws) if user == name for policy in found]
    return remains(aws, name, policies)


def the_only_user(aws: Aws, is_meant: Callable[[UserState], bool], *, or_remains: bool = False) -> str | None:
    """The name of the user that a command without NAME is about; None when there is none.

    Args:
        aws: AWS.
        is_meant: which users the command can be about.
        or_remains: whether what is left of a user counts, too.

    Raises:
        InputError: there are several, or the account can't be seen whole: NAME is needed.
    """
    seen = candidates(aws)
    if seen.problems:
        raise InputError(f"give a NAME: which users there are could not be seen whole ({'; '.join(seen.problems)})")
    found = []
    for name, policies in seen.policies.items():
        user = read_user(aws, name)
        if user is None:
            found += [name] if or_remains and remains(aws, name, policies) else []
        elif is_meant(user):
            found.append(name)
    if len(found) > 1:
        raise InputError("\n  ".join(["several users are managed here, give the NAME of one:", *found]))
    return found[0] if found else None


def _under_our_path(aws: Aws) -> list[tuple[str, tuple[str, ...]]]:
    listed = pages(aws, "iam:ListUsers", "*", "Users", PathPrefix=names.DEFAULT_PATH)
    return [(user["UserName"], ()) for user in listed]


def _by_policy(aws: Aws) -> list[tuple[str, tuple[str, ...]]]:
    listed = pages(aws, "iam:ListPolicies", "*", "Policies", Scope="Local")
    named = [(names.user_of_policy(policy["PolicyName"]), policy["Arn"]) for policy in listed]
    return [(user, (arn,)) for user, arn in named if user]


def recorded_secret(user: UserState, secret_id: str | None, region: str | None) -> tuple[str, str | None]:
    """Name (or ARN) and region of the user's secret: as given, or as its tag says.

    Raises:
        InputError: it is neither given nor in the tags.
    """
    tagged_region, _, tagged_name = user.tags.get(names.SECRET_TAG, "").partition("/")
    name = secret_id or tagged_name
    if not name:
        raise InputError(f"the tags of {user.name} don't tell its secret: give --secret-id")
    return name, region if secret_id else tagged_region


def user_and_secret(
    aws: Aws, name: str, secret_id: str | None, region: str | None, now: dt.datetime
) -> tuple[UserState, Observed]:
    """A user that exists, and what is there of it.

    Raises:
        InputError: there is no such user, or its secret is not known.
        AwsError: something can't be read.
    """
    user = must_read_user(aws, name)
    secret_name, secret_region = recorded_secret(user, secret_id, region)
    return user, observe(aws, user, secret_name, secret_region, attached_policies(aws, user), now=now)


def left_of(aws: Aws, name: str, secret_name: str | None, region: str | None) -> tuple[Observed, str]:
    """What is left of a user that does not exist, with the name of its secret. What is not ours is left out."""
    found = remains_of(aws, name)
    wanted = secret_name or names.default_secret_name(name)
    state = secret.describe(aws, wanted, region)
    ours = state is not None and names.managed_by(state.tags) == names.BY_CLI
    return Observed(None, found.policies if found else (), state if ours else None), wanted


def refuse_to_rotate(user: UserState, found: Observed) -> None:
    """Leave alone what is not ours to rotate.

    Raises:
        RefusedError: nobody here manages the user, or Terraform owns its key.
    """
    owner = names.managed_by(user.tags)
    if owner is None:
        raise RefusedError(foreign(f"the user {user.name}", user.tags) or "")
    version = found.secret.version(CURRENT) if found.secret else None
    if owner == names.BY_STACK and version and not version.startswith(VERSION_PREFIX):
        raise RefusedError(
            f"the key of {user.name} is in Terraform's state (credentials.mode terraform): replace it by a deployment"
        )


def check_account(aws: Aws, wanted: Wanted) -> None:
    """Make sure that the caller is in the account of the pools.

    Raises:
        RefusedError: it is in another one.
    """
    caller = aws.call("sts:GetCallerIdentity", "*", region=wanted.pools[0].region)
    partition, account = str(caller["Arn"]).split(":")[1], str(caller["Account"])
    if (partition, account) != (wanted.home.partition, wanted.home.account):
        raise RefusedError(
            f"the caller is in the account {account} ({partition}), the pools are in {wanted.home.account}"
            f" ({wanted.home.partition}): choose that account's credentials with --profile"
        )


def observe_wanted(aws: Aws, wanted: Wanted, now: dt.datetime) -> Observed:
    """What is there of what is wanted."""
    user = read_user(aws, wanted.name)
    path, count = wanted.user_path(user), len(policy_documents(wanted.pools))
    policies = named_policies(aws, wanted.home, path, user or wanted.name, count)
    return observe(aws, user, wanted.secret_name, wanted.region, policies, now=now)
