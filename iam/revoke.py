"""The plan of `revoke`: all that `bootstrap` made goes, the user last, so that a cut-off run can be repeated. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from iam import names
from iam.bootstrap import foreign, remove_policy, secret_ref
from iam.errors import RefusedError
from iam.names import Home
from iam.observe import Observed
from iam.plan import DeactivateKey, DeleteKey, DeleteSecret, DeleteUser, Plan, Step


def plan_revoke(
    found: Observed,
    home: Home,
    secret_name: str,
    region: str,
    *,
    recovery_days: int,
    foreign_grants: Sequence[str] = (),
) -> Plan:
    """The steps to an account without the user, its keys, policies and secret.

    Args:
        found: what is there.
        home: where the user lives.
        secret_name: the secret's name.
        region: the secret's region.
        recovery_days: how long the secret can be restored, 7 to 30 days.
        foreign_grants: inline policies and groups of the user, which we never make.

    Raises:
        RefusedError: something of it is not ours; all such things are named.
    """
    user = found.user
    problems = [
        problem
        for what, tags in (
            *([(f"the user {user.name}", user.tags)] if user else []),
            *((f"the policy {policy.arn}", policy.tags) for policy in found.policies),
            *([(f"the secret {found.secret.arn}", found.secret.tags)] if found.secret else []),
        )
        if (problem := foreign(what, tags))
    ]
    ours = {policy.arn for policy in found.policies}
    extra = [*(arn for arn in (user.attached if user else ()) if arn not in ours), *foreign_grants]
    if extra:
        problems.append(f"the user has more than we gave it ({', '.join(extra)}); take that away first")
    if problems:
        raise RefusedError("; ".join(problems))
    steps: list[Step] = []
    if user:
        for key in user.keys:
            if key.active:
                steps.append(DeactivateKey(user_arn=user.arn, user=user.name, key_id=key.key_id))
            steps.append(DeleteKey(user_arn=user.arn, user=user.name, key_id=key.key_id))
        # From the last one on, as in bootstrap: a cut-off run leaves no gap in the numbers.
        for policy in reversed(found.policies):
            steps += remove_policy(policy, user.arn, user.name, user.attached)
    if found.secret and not found.secret.deleted:
        ref = secret_ref(home, secret_name, region, found.secret)
        steps.append(DeleteSecret(secret=ref, recovery_days=recovery_days))
    if user:
        steps.append(DeleteUser(user_arn=user.arn, user=user.name))
    return Plan(
        tuple(steps), () if steps else (f"nothing to do: nothing of {names.MANAGED_BY}={names.BY_CLI} is left",)
    )
