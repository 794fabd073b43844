"""The plan of `revoke`: all that `bootstrap` made goes, the user last, so that a cut-off run can be repeated. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from iam import names
from iam.bootstrap import foreign, remove_policy
from iam.errors import RefusedError
from iam.observe import Observed
from iam.plan import DeactivateKey, DeleteKey, DeleteSecret, DeleteUser, Plan, SecretRef, Step


def plan_revoke(
    found: Observed, secret_name: str, *, recovery_days: int, foreign_grants: Sequence[str] = (), name: str = ""
) -> Plan:
    """The steps to an account without the user, its keys, policies and secret.

    Args:
        found: what is there; without a user, what is left of it.
        secret_name: the secret's name.
        recovery_days: how long the secret can be restored, 7 to 30 days.
        foreign_grants: inline policies and groups of the user, which we never make.
        name: the user's name, for messages, when there is no user.

    Raises:
        RefusedError: something of it is not ours; all such things are named.
    """
    user = found.user
    _refuse_foreign(found, foreign_grants)
    steps: list[Step] = []
    if user:
        for key in user.keys:
            if key.active:
                steps.append(DeactivateKey(user_arn=user.arn, user=user.name, key_id=key.key_id))
            steps.append(DeleteKey(user_arn=user.arn, user=user.name, key_id=key.key_id))
    # From the last one on, as in bootstrap: a cut-off run leaves no gap in the numbers.
    for policy in reversed(found.policies):
        steps += remove_policy(
            policy, user.arn if user else "", user.name if user else name, user.attached if user else {}
        )
    state = found.secret
    if state and not state.deleted:
        ref = SecretRef(secret_name, state.region, state.arn, state.kms_key)
        steps.append(DeleteSecret(secret=ref, recovery_days=recovery_days))
    if user:
        steps.append(DeleteUser(user_arn=user.arn, user=user.name))
    return Plan(
        tuple(steps), () if steps else (f"nothing to do: nothing of {names.MANAGED_BY}={names.BY_CLI} is left",)
    )


def _refuse_foreign(found: Observed, foreign_grants: Sequence[str]) -> None:
    user = found.user
    things = (
        *([(f"the user {user.name}", user.tags)] if user else []),
        *((f"the policy {policy.arn}", policy.tags) for policy in found.policies),
        *([(f"the secret {found.secret.arn}", found.secret.tags)] if found.secret else []),
    )
    problems = [problem for what, tags in things if (problem := foreign(what, tags))]
    ours = {policy.arn for policy in found.policies}
    extra = [*(arn for arn in (user.attached if user else ()) if arn not in ours), *foreign_grants]
    if extra:
        problems.append(f"the user has more than we gave it ({', '.join(extra)}); take that away first")
    if problems:
        raise RefusedError("; ".join(problems))
