"""What a key can do and what it can't, tried out; and what else there is about its user."""

from __future__ import annotations

import datetime as dt
import secrets as randomness
from collections.abc import Sequence
from dataclasses import dataclass

from adapter.arn import PoolArn
from iam import names, secret
from iam.apply import list_one_user
from iam.aws import Aws, actions_of
from iam.errors import AwsError
from iam.observe import Observed, UserState, last_use, pages
from iam.permissions import SIMULATE, simulate
from iam.plan import Permission, duration_text
from iam.policy import LIST_USERS
from iam.secret import CURRENT

ALLOWED, DENIED = "allowed", "denied"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried or looked at. `ok`: nothing wrong was found; `known`: it could be found out at all."""

    what: str
    resource: str
    expected: str
    found: str
    ok: bool
    known: bool = True


def verify(aws: Aws, found: Observed, user: UserState, pools: Sequence[PoolArn], now: dt.datetime) -> list[Check]:
    """Try the key in the secret, and look at its user.

    Raises:
        AwsError: the caller may not read the secret, or not look at the user.
        KeyUnusableError: the secret holds no key.
    """
    state = found.secret
    if state is None:
        raise ValueError("no secret to verify")
    key = secret.read(aws, state, CURRENT)
    holder = aws.signed_by(key)
    checks = [_tried(holder, Permission(LIST_USERS, str(pool)), ALLOWED, pool) for pool in pools]
    for pool in {each.region: each for each in reversed(pools)}.values():
        other = PoolArn(pool.partition, pool.region, pool.account, f"{pool.region}_{randomness.token_hex(5)[:9]}")
        checks += [_tried(holder, Permission(LIST_USERS, str(other)), DENIED, other)]
        checks += [_tried(holder, need, DENIED, pool) for need in _must_be_denied(pool)]
    checks += [_tried(holder, Permission("sts:GetCallerIdentity", "*"), "allowed (AWS allows it to everyone)", None)]
    checks.append(_simulated(aws, user, pools))
    checks += _about_keys(aws, found, user, key.key_id, now)
    checks.append(_about_grants(aws, found, user))
    return checks


def _must_be_denied(pool: PoolArn) -> list[Permission]:
    return [
        Permission("cognito-idp:DescribeUserPool", str(pool)),
        Permission("cognito-idp:AdminGetUser", str(pool)),
        Permission("cognito-idp:ListGroups", str(pool)),
        Permission("cognito-idp:ListUserPools", "*"),
        Permission("iam:GetUser", "*"),
        Permission("secretsmanager:ListSecrets", "*"),
        Permission("dynamodb:ListTables", "*"),
    ]


def _tried(holder: Aws, need: Permission, expected: str, pool: PoolArn | None) -> Check:
    region = pool.region if pool else None
    pool_id = pool.pool_id if pool else ""
    parameters: dict[str, dict[str, object]] = {
        "cognito-idp:DescribeUserPool": {"UserPoolId": pool_id},
        # A name that no user has: should the call be allowed after all, it still shows nobody.
        "cognito-idp:AdminGetUser": {"UserPoolId": pool_id, "Username": f"nobody-{randomness.token_hex(8)}"},
        "cognito-idp:ListGroups": {"UserPoolId": pool_id, "Limit": 1},
        "cognito-idp:ListUserPools": {"MaxResults": 1},
        "secretsmanager:ListSecrets": {"MaxResults": 1},
        "dynamodb:ListTables": {"Limit": 1},
    }
    try:
        if need.action == LIST_USERS and pool:
            list_one_user(holder, need.resource, pool.region, pool_id)
        else:
            holder.call(need.action, need.resource, region=region, **parameters.get(need.action, {}))
        result, cause = ALLOWED, ""
    except AwsError as error:
        result = _verdict(error, expected)
        told = error.denial if error.denial and not error.denial.lacks_grant and expected == ALLOWED else None
        cause = f" ({told.cause})" if told else ""
    return Check(need.action, need.resource, expected, result + cause, result == expected.split(" ", maxsplit=1)[0])


def _verdict(error: AwsError, expected: str) -> str:
    if error.denied:
        return DENIED
    if error.key_refused:
        return f"key refused: {error.code}"
    if error.missing or error.code == "UserNotFoundException":
        # AWS looks at permissions first: whoever is told that something is missing was allowed to ask.
        return f"no such pool: {error.code}" if expected == ALLOWED else ALLOWED
    return f"not known: {error.code}"


def _simulated(aws: Aws, user: UserState, pools: Sequence[PoolArn]) -> Check:
    actions = actions_of("cognito-idp")
    resource = str(pools[0])
    what, expected = "IAM's simulation of every cognito-idp action", f"only {LIST_USERS}"
    try:
        told = simulate(aws, user.arn, [Permission(action, resource) for action in actions])
    except AwsError as error:
        return _not_known(what, resource, expected, f"not asked: {SIMULATE}: {error.reason}")
    refused = {need.action for need in (*told.missing, *told.doubtful)}
    allowed = [action for action in actions if action not in refused]
    if told.doubtful and set(allowed) <= {LIST_USERS}:
        # The calls that were tried for real stand; what the simulation says of the others proves nothing.
        why = f"not known: {len(told.doubtful)} of {len(actions)} hang on conditions or policies of the organization"
        return _not_known(what, resource, expected, f"{why}, which a simulation does not judge")
    text = f"only {', '.join(allowed)}" if allowed else "none"
    return Check(what, resource, expected, text, allowed == [LIST_USERS])


def _not_known(what: str, resource: str, expected: str, why: str) -> Check:
    return Check(what, resource, expected, why, ok=True, known=False)


def _about_keys(aws: Aws, found: Observed, user: UserState, key_id: str, now: dt.datetime) -> list[Check]:
    checks = []
    for key in user.keys:
        role = {
            found.current and found.current.key_id: "AWSCURRENT",
            found.pending and found.pending.key_id: "AWSPENDING: a rotation is not finished",
            found.previous and found.previous.key_id: "AWSPREVIOUS: a rotation is not finished",
        }.get(key.key_id, "in no version of the secret")
        age = duration_text((now - key.created).total_seconds())
        try:
            used = f"last used {last_use(aws, user.arn, key.key_id) or 'never'}"
        except AwsError as error:
            used = f"its last use is not known: {error.action}: {error.reason}"
        text = f"{'active' if key.active else 'inactive'}, {role}, {age} old, {used}"
        ok = key not in found.others and (key != found.current or key.active)
        checks.append(Check("key", key.key_id, "active, AWSCURRENT", text, ok))
    if key_id not in {key.key_id for key in user.keys}:
        checks.append(Check("key", key_id, f"a key of {user.name}", "not one of its keys", ok=False))
    return checks


def _about_grants(aws: Aws, found: Observed, user: UserState) -> Check:
    what = "policies and groups that we did not make"
    ours = {policy.arn for policy in found.policies if names.managed_by(policy.tags)}
    extra = [arn for arn in user.attached if arn not in ours]
    try:
        extra += foreign_grants(aws, user)
    except AwsError as error:
        if not extra:
            return _not_known(what, user.arn, "none", f"not looked: {error.action}: {error.reason}")
    text = ", ".join(extra) or "none"
    return Check(what, user.arn, "none", text, not extra)


def foreign_grants(aws: Aws, user: UserState) -> list[str]:
    """Inline policies and groups of a user: ways to permissions that `bootstrap` never makes."""
    inline = list_inline(aws, user)
    groups = pages(aws, "iam:ListGroupsForUser", user.arn, "Groups", UserName=user.name)
    return [f"inline policy {name}" for name in inline] + [f"group {group['GroupName']}" for group in groups]


def list_inline(aws: Aws, user: UserState) -> list[str]:
    """The names of the user's inline policies."""
    answer = aws.call("iam:ListUserPolicies", user.arn, UserName=user.name)
    return [str(name) for name in answer["PolicyNames"]]
