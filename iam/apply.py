"""Doing the steps of a plan, one after the other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adapter.arn import PoolArn
from iam import keys, plan, secret, updates
from iam.aws import AccessKey, Aws
from iam.clock import Clock
from iam.errors import AwsError, ConflictError, IamError, KeyUnusableError
from iam.policy import LIST_USERS, policy_text
from iam.secret import PENDING, SecretState

#: A new key is known to some of AWS's servers before others: so many answers in a row must be good, this far apart.
STEADY_ANSWERS = 3
STEADY_PAUSE_S = 1.0
#: Waits between attempts while AWS does not know a key yet, in seconds; the last one repeats.
RETRY_PAUSES_S = (1.0, 1.0, 2.0, 3.0, 5.0)


def apply(steps: plan.Plan, aws: Aws, clock: Clock, progress: Callable[[str], None]) -> None:
    """Do every step, telling `progress` about each as it begins.

    Raises:
        IamError: a step failed; those before it are done, and the same command carries on from there.
    """
    verified = Verified()
    for step in steps.steps:
        progress(step.sentence)
        _do(step, aws, clock, verified)


@dataclass
class Verified:
    """The version of the secret whose key has listed the pools: the only one that may become current.

    Not whatever is AWSPENDING at that later moment: another run may have put something else there. `made` is the key
    that this run has made.
    """

    version: str | None = None
    made: str | None = None


def _do(step: plan.Step, aws: Aws, clock: Clock, verified: Verified) -> None:
    match step:
        case plan.CreateSecret() | plan.RestoreSecret() | plan.DeleteSecret() | updates.SetKmsKey():
            _do_secret(step, aws)
        case updates.SetTags():
            _do_tags(step, aws)
        case plan.CreatePolicy() | plan.UpdatePolicy() | plan.DeletePolicy():
            _do_policy(step, aws)
        case plan.CreateUser() | plan.SetBoundary() | plan.AttachPolicy() | plan.DetachPolicy() | plan.DeleteUser():
            _do_user(step, aws)
        case _:
            _do_key(step, aws, clock, verified)


def _do_tags(step: updates.SetTags, aws: Aws) -> None:
    tags = _tag_list(step.tags)
    match step.action:
        case "iam:TagUser":
            aws.call(step.action, step.arn, UserName=keys.name_of(step.arn), Tags=tags)
        case "iam:TagPolicy":
            aws.call(step.action, step.arn, PolicyArn=step.arn, Tags=tags)
        case _:
            aws.call(step.action, step.arn, region=step.region, SecretId=step.arn, Tags=tags)


def _do_secret(step: plan.CreateSecret | plan.RestoreSecret | plan.DeleteSecret | updates.SetKmsKey, aws: Aws) -> None:
    ref = step.secret
    match step:
        case plan.CreateSecret():
            kms = {"KmsKeyId": ref.kms_key} if ref.kms_key else {}
            aws.call(
                "secretsmanager:CreateSecret",
                ref.arn,
                region=ref.region,
                Name=ref.name,
                Description=step.description,
                Tags=_tag_list(step.tags),
                **kms,
            )
        case plan.RestoreSecret():
            aws.call("secretsmanager:RestoreSecret", ref.arn, region=ref.region, SecretId=ref.name)
        case updates.SetKmsKey():
            aws.call(
                "secretsmanager:UpdateSecret", ref.arn, region=ref.region, SecretId=ref.name, KmsKeyId=step.kms_key
            )
        case plan.DeleteSecret():
            aws.call(
                "secretsmanager:DeleteSecret",
                ref.arn,
                region=ref.region,
                SecretId=ref.name,
                RecoveryWindowInDays=step.recovery_days,
            )


def _do_policy(step: plan.CreatePolicy | plan.UpdatePolicy | plan.DeletePolicy, aws: Aws) -> None:
    match step:
        case plan.CreatePolicy():
            aws.call(
                "iam:CreatePolicy",
                step.arn,
                PolicyName=step.name,
                Path=step.path,
                PolicyDocument=policy_text(step.document),
                Tags=_tag_list(step.tags),
            )
        case plan.UpdatePolicy():
            if step.drops:
                aws.call("iam:DeletePolicyVersion", step.arn, PolicyArn=step.arn, VersionId=step.drops)
            text = policy_text(step.document)
            aws.call("iam:CreatePolicyVersion", step.arn, PolicyArn=step.arn, PolicyDocument=text, SetAsDefault=True)
        case plan.DeletePolicy():
            for version in step.versions:
                aws.call("iam:DeletePolicyVersion", step.arn, PolicyArn=step.arn, VersionId=version)
            aws.call("iam:DeletePolicy", step.arn, PolicyArn=step.arn)


def _do_user(
    step: plan.CreateUser | plan.SetBoundary | plan.AttachPolicy | plan.DetachPolicy | plan.DeleteUser, aws: Aws
) -> None:
    match step:
        case plan.CreateUser():
            boundary = {"PermissionsBoundary": step.boundary} if step.boundary else {}
            tags = _tag_list(step.tags)
            aws.call("iam:CreateUser", step.arn, UserName=step.name, Path=step.path, Tags=tags, **boundary)
        case plan.SetBoundary():
            aws.call(
                "iam:PutUserPermissionsBoundary",
                step.user_arn,
                UserName=step.user,
                PermissionsBoundary=step.boundary,
            )
        case plan.AttachPolicy():
            aws.call("iam:AttachUserPolicy", step.user_arn, UserName=step.user, PolicyArn=step.policy_arn)
        case plan.DetachPolicy():
            aws.call("iam:DetachUserPolicy", step.user_arn, UserName=step.user, PolicyArn=step.policy_arn)
        case plan.DeleteUser():
            aws.call("iam:DeleteUser", step.user_arn, UserName=step.user)


def _do_key(step: plan.Step, aws: Aws, clock: Clock, verified: Verified) -> None:
    match step:
        case plan.CreateKey():
            state = secret.must_describe(aws, step.secret.name, step.secret.region)
            verified.made = keys.create_into_secret(aws, step.user_arn, state, clock, step.known)
        case plan.VerifyKey():
            verified.version = _verify(step, aws, clock, verified.made)
        case plan.PromoteKey():
            if verified.version is None:
                raise KeyUnusableError("no key was verified, so none becomes current")
            secret.promote(aws, step.secret.name, step.secret.region, verified.version, step.replaces)
        case plan.Wait():
            clock.sleep(step.seconds)
        case plan.DeactivateKey():
            keys.set_active(aws, step.user_arn, step.key_id, active=False)
        case plan.DeleteKey():
            keys.delete_key(aws, step.user_arn, step.key_id)
        case _:
            raise TypeError(f"no way to do {type(step).__name__}")


def _verify(step: plan.VerifyKey, aws: Aws, clock: Clock, made: str | None) -> str | None:
    try:
        state = secret.must_describe(aws, step.secret.name, step.secret.region)
        if made and step.stage == PENDING and not state.holds(made, PENDING):
            _give_way(step, aws, state, made)
        key = secret.read(aws, state, step.stage)
        if key.key_id == step.retires:
            raise ConflictError(
                f"the key {key.key_id} is {step.stage} again: the label was moved back meanwhile; it was kept"
            )
        wait_until_usable(aws, key, step, clock)
    except IamError as error:
        if step.reactivate:
            _reactivate(step, aws, step.reactivate, error)
        raise
    return state.version(step.stage)


def _give_way(step: plan.VerifyKey, aws: Aws, state: SecretState, made: str) -> None:
    """Another run has put its key into the secret after ours: it goes on, and ours, which has no label left, goes."""
    if not state.stages.get(secret.version_id(made)):
        keys.delete_key(aws, step.user_arn, made)
    raise ConflictError(
        f"another run has put another key into the secret {step.secret.name}; run the command again when it has ended"
    )


def _reactivate(step: plan.VerifyKey, aws: Aws, key_id: str, because: IamError) -> None:
    try:
        keys.set_active(aws, step.user_arn, key_id, active=True)
    except AwsError as error:
        raise KeyUnusableError(f"{because}; and the key {key_id} could not be made active again: {error}") from error


def wait_until_usable(aws: Aws, key: AccessKey, step: plan.VerifyKey, clock: Clock) -> None:
    """List one user of each pool with the key, again and again until it works everywhere.

    IAM's changes take time to reach all of AWS: a key is unknown for some seconds, then may be denied for as long as
    its policy is unknown. See "Changes that I make are not always immediately visible" in
    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html

    Raises:
        KeyUnusableError: it did not work within `step.wait_s`.
    """
    deadline = clock.now() + dt.timedelta(seconds=step.wait_s)
    seen_by = aws.signed_by(key)
    attempt, good = 0, 0
    pools: list[PoolArn | None] = list(step.pools) or [None]
    rounds = [pools[0]] * (STEADY_ANSWERS - 1) + pools
    while good < len(rounds):
        pool = rounds[good]
        try:
            _try(seen_by, pool, step.secret.region)
        except AwsError as error:
            if error.missing:
                raise KeyUnusableError(f"there is no user pool {pool}: fix its ARN") from None
            pause = RETRY_PAUSES_S[min(attempt, len(RETRY_PAUSES_S) - 1)]
            if clock.now() + dt.timedelta(seconds=pause) > deadline:
                raise KeyUnusableError(
                    f"the {step.stage} key still can't {_deed(pool)} after {step.wait_s:.0f} s: {error.reason};"
                    " no key was removed; run the command again when that is fixed"
                ) from None
            attempt += 1
            good = 0 if good < STEADY_ANSWERS else good
            clock.sleep(pause)
            continue
        good += 1
        if good < STEADY_ANSWERS:
            clock.sleep(STEADY_PAUSE_S)


def _try(holder: Aws, pool: PoolArn | None, region: str) -> None:
    if pool:
        list_one_user(holder, str(pool), pool.region, pool.pool_id)
    else:
        holder.call("sts:GetCallerIdentity", "*", region=region)


def _deed(pool: PoolArn | None) -> str:
    return f"list {pool}" if pool else "call AWS"


def list_one_user(aws: Aws, arn: str, region: str, pool_id: str) -> None:
    """The smallest possible ListUsers: one user, one attribute, and the answer is thrown away."""
    aws.call(LIST_USERS, arn, region=region, UserPoolId=pool_id, Limit=1, AttributesToGet=["sub"])


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
