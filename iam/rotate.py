"""The plans that put a working key into the secret: the first one, and its replacement. Pure.

A rotation is a chain of states that can each be seen in AWS, so a run that was cut off anywhere is carried on by the
next one, from what it finds:

1. one key, AWSCURRENT;
2. a second key, AWSPENDING: it must list every pool before anything else happens;
3. the new key AWSCURRENT, the old one AWSPREVIOUS and still active: the grace period;
4. the old key inactive: the new one is tried once more, and the old one is made active again if that fails;
5. one key, AWSCURRENT.

In each of them AWSCURRENT is an active key, and a user never has more than two keys.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass

from adapter.arn import PoolArn
from iam.errors import RefusedError
from iam.keys import KeyState
from iam.observe import Observed
from iam.plan import (
    CreateKey,
    DeactivateKey,
    DeleteKey,
    Plan,
    PromoteKey,
    RestoreSecret,
    SecretRef,
    Step,
    VerifyKey,
    Wait,
    duration_text,
)
from iam.secret import CURRENT, PENDING


@dataclass(frozen=True, kw_only=True)
class Keyring:
    """Whose key it is, where it is kept, what it must be able to list, and how long to wait for that, in seconds."""

    user: str
    user_arn: str
    secret: SecretRef
    pools: tuple[PoolArn, ...]
    wait_s: float = 120.0

    def verify(self, stage: str, *, retires: str | None = None, reactivate: str | None = None) -> Step:
        """The step that proves the key with this label."""
        return VerifyKey(
            secret=self.secret,
            stage=stage,
            pools=self.pools,
            wait_s=self.wait_s,
            user=self.user,
            user_arn=self.user_arn,
            reactivate=reactivate,
            retires=retires,
        )

    def create(self, found: Observed) -> Step:
        """The step that makes a key."""
        known = frozenset(key.key_id for key in (found.user.keys if found.user else ()))
        return CreateKey(user_arn=self.user_arn, user=self.user, secret=self.secret, known=known)

    def promote(self, found: Observed) -> Step:
        """The step that makes the pending key current."""
        return PromoteKey(secret=self.secret, replaces=found.secret.version(CURRENT) if found.secret else None)

    def deactivate(self, key: KeyState) -> Step:
        """The step that stops a key from working."""
        return DeactivateKey(user_arn=self.user_arn, user=self.user, key_id=key.key_id)

    def delete(self, key: KeyState, why: str = "") -> Step:
        """The step that deletes a key."""
        return DeleteKey(user_arn=self.user_arn, user=self.user, key_id=key.key_id, why=why)


def first_key(ring: Keyring, found: Observed) -> list[Step]:
    """The steps to a working key in the secret: only the check when there is one, else on from where it stopped.

    Raises:
        RefusedError: the user has a key outside the secret that somebody uses.
    """
    if found.current and found.current.active:
        return [ring.verify(CURRENT)]
    steps = _delete_useless(ring, found)
    if not (found.pending and found.pending.active):
        steps.append(ring.create(found))
    steps += [ring.verify(PENDING), ring.promote(found)]
    if found.previous and found.previous.active:
        steps += _retire(ring, found.previous, 0.0)
    return steps


def plan_rotation(ring: Keyring, found: Observed, now: dt.datetime, *, grace_s: float, every_s: float | None) -> Plan:
    """The steps from where the rotation stands to one new key.

    Args:
        ring: whose key.
        found: what is there.
        now: the time, in UTC.
        grace_s: how long the old key goes on working after the new one became current, in seconds.
        every_s: how old a key may become before it is replaced, in seconds; None: replace it now.

    Raises:
        RefusedError: the user has a key outside the secret that somebody uses.
    """
    if found.secret and found.secret.deleted:
        state = dataclasses.replace(found.secret, deleted=False)
        after = plan_rotation(ring, dataclasses.replace(found, secret=state), now, grace_s=grace_s, every_s=every_s)
        return Plan((RestoreSecret(secret=ring.secret), *after.steps), after.remarks)
    current = found.current
    if current is None or not current.active:
        return Plan(tuple(first_key(ring, found)), ("the secret holds no working key of this user: make one",))
    if found.previous and not (found.pending and found.pending.active):
        # State 3 or 4: the new key is current already.
        waited = (now - found.secret.changed).total_seconds() if found.secret and found.secret.changed else 0.0
        rest = max(0.0, grace_s - waited) if found.previous.active else 0.0
        return Plan(tuple(_retire(ring, found.previous, rest)), ("an earlier rotation is not finished: finish it",))
    if found.pending and found.pending.active:
        steps = [*_delete_useless(ring, found), ring.verify(PENDING), ring.promote(found)]
        return Plan((*steps, *_retire(ring, current, grace_s)), ("an earlier rotation is not finished: finish it",))
    if every_s is not None and due(current, every_s) > now:
        left = duration_text((due(current, every_s) - now).total_seconds())
        return Plan(
            (), (f"nothing to do: the key {current.key_id} is due on {due(current, every_s):%Y-%m-%d}, in {left}",)
        )
    steps = [*_delete_useless(ring, found), ring.create(found), ring.verify(PENDING), ring.promote(found)]
    return Plan((*steps, *_retire(ring, current, grace_s)))


def due(key: KeyState, every_s: float) -> dt.datetime:
    """When a key is to be replaced."""
    return key.created + dt.timedelta(seconds=every_s)


def _retire(ring: Keyring, old: KeyState, grace_s: float) -> list[Step]:
    steps: list[Step] = []
    if old.active:
        steps += [Wait(seconds=grace_s)] if grace_s > 0 else []
        # The new key was verified before it became current, perhaps long ago: once more before the old one stops.
        steps += [ring.verify(CURRENT, retires=old.key_id), ring.deactivate(old)]
    return [*steps, ring.verify(CURRENT, retires=old.key_id, reactivate=old.key_id), ring.delete(old)]


def _delete_useless(ring: Keyring, found: Observed) -> list[Step]:
    """Room for a new key: what failed runs left (in no version of the secret, never used), and what is inactive."""
    for key_id, use in found.used.items():
        raise RefusedError(
            f"{ring.user} has the key {key_id}, which is not in the secret and was last used {use}; a user can have two"
            f" keys: move its user to the secret, then `aws iam delete-access-key --user-name {ring.user}"
            f" --access-key-id {key_id}`"
        )
    for key_id, why in found.unsure.items():
        raise RefusedError(
            f"{ring.user} has the key {key_id}, which is not in the secret, and {why}; when nobody needs it, `aws iam"
            f" delete-access-key --user-name {ring.user} --access-key-id {key_id}`, and run the command again"
        )
    dead = [key for key in (found.current, found.pending, found.previous) if key and not key.active]
    return [
        *(ring.delete(key, "nobody holds its secret half") for key in found.others),
        *(ring.delete(key, "it is inactive") for key in dead),
    ]
