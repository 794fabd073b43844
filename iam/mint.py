"""A key straight into a secret, for a user and a secret that already exist: what the stacks' local-exec runs."""

from __future__ import annotations

from iam import keys, secret
from iam.aws import Aws
from iam.clock import Clock
from iam.errors import AwsError, RefusedError
from iam.keys import KeyState
from iam.observe import held_key, last_use
from iam.secret import CURRENT

#: Whatever their status: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
KEYS_PER_USER = 2


def mint(aws: Aws, user: str, secret_id: str, region: str | None, clock: Clock) -> None:
    """Make sure that the secret's AWSCURRENT version holds an active key of the user.

    Run twice, it changes nothing; run after a failure at any point, it finishes the work. A key that is not in the
    secret and that nobody has used (of a failed run) is deleted first, because a user can have two at most.

    Raises:
        InputError: there is no such user or secret.
        RefusedError: somebody uses both keys of the user.
        ConflictError: another run is at work on the same user.
        AwsError: a call failed; what is there is left so that the next run finishes.
    """
    user = f"user/{user}"
    # In this order: a key that another run makes and stores meanwhile is not taken for one that nobody holds.
    existing = keys.list_keys(aws, user)
    state = secret.must_describe(aws, secret_id, region)
    current = held_key(aws, state, CURRENT, existing)
    if current and current.active:
        return
    others = [key for key in existing if key != current]
    useless = [key for key in others if not _is_used(aws, user, key)]
    if len(existing) - len(useless) >= KEYS_PER_USER:
        raise RefusedError(
            f"both keys of {user} are in use elsewhere, and a user can have two: move what uses one of them"
            f" ({', '.join(key.key_id for key in others)}) to the secret, and delete it"
        )
    for key in useless:
        keys.delete_key(aws, user, key.key_id)
    created = keys.create_into_secret(aws, user, state, clock, frozenset(key.key_id for key in existing))
    secret.promote(aws, state.arn, state.region, secret.version_id(created), state.version(CURRENT))
    if current:
        keys.delete_key(aws, user, current.key_id)


def _is_used(aws: Aws, user: str, key: KeyState) -> bool:
    """Whether somebody has used a key that is not in the secret, as far as the caller may see that.

    The stacks' deployer need not be permitted to ask. A key that a run is about to store is not deleted all the same:
    Terraform's lock keeps runs apart.
    """
    try:
        return bool(last_use(aws, user, key.key_id))
    except AwsError as error:
        if error.credentials:
            raise
        return False
