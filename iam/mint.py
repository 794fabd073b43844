"""A key straight into a secret, for a user and a secret that already exist: what the stacks' local-exec runs."""

from __future__ import annotations

from iam import keys, secret
from iam.aws import Aws
from iam.clock import Clock
from iam.observe import held_key
from iam.secret import CURRENT


def mint(aws: Aws, user: str, secret_id: str, region: str | None, clock: Clock) -> None:
    """Make sure that the secret's AWSCURRENT version holds an active key of the user.

    Run twice, it changes nothing; run after a failure at any point, it finishes the work. A key that is not in the
    secret (of a failed run) can't be used by anybody and is deleted first, because a user can have two at most.

    Raises:
        InputError: there is no such user or secret.
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
    for key in existing:
        if key != current:
            keys.delete_key(aws, user, key.key_id)
    created = keys.create_into_secret(aws, user, state, clock, frozenset(key.key_id for key in existing))
    secret.promote(aws, state.arn, state.region, secret.version_id(created), state.version(CURRENT))
    if current:
        keys.delete_key(aws, user, current.key_id)
