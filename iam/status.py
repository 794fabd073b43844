"""What is there of each user that we made in this account. What can't be read of one hides nothing of the others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from adapter.arn import PoolArn
from iam import names
from iam.aws import Aws
from iam.errors import AwsError
from iam.find import Remains, candidates, remains
from iam.observe import Observed, PolicyState, UserState, attached_policies, last_use, observe, pools_of, read_user
from iam.rotate import due

_T = TypeVar("_T")


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
    """One user. `due` is when its current key is to be rotated.

    `remarks` say what is unusual about it, `problems` what could not be read: the fields that it would fill are empty.
    """

    user: str
    managed_by: str
    pools: tuple[PoolArn, ...]
    secret: str
    version: str
    keys: tuple[KeyRow, ...]
    due: dt.datetime | None
    remarks: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """All rows. `missing` are names that were asked for and are not ours, `problems` what hides users from us."""

    rows: tuple[UserRow, ...]
    missing: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether everything could be read."""
        return not self.problems and not any(row.problems for row in self.rows)


@dataclass
class _Reader:
    """Reads one thing after the other, and keeps what could not be read as sentences."""

    problems: list[str] = field(default_factory=list)

    def read(self, look: Callable[[], _T], otherwise: _T) -> _T:
        """What a look finds, or the other value when it fails."""
        try:
            return look()
        except AwsError as error:
            if error.credentials:
                raise
            self.problems.append(str(error))
            return otherwise


def status(aws: Aws, every_s: float, only: Sequence[str] = ()) -> Report:
    """All users that we made, or those of these names.

    Raises:
        AwsError: nothing can be listed, or the caller's credentials can't be used.
    """
    policies: Mapping[str, tuple[str, ...]] = dict.fromkeys(only, ())
    problems: tuple[str, ...] = ()
    if not only:
        seen = candidates(aws)
        policies, problems = seen.policies, seen.problems
    rows = {name: _row(aws, name, policies[name], every_s) for name in policies}
    missing = tuple(name for name in only if rows[name] is None)
    return Report(tuple(row for row in rows.values() if row), missing, problems)


def _row(aws: Aws, name: str, policies: Sequence[str], every_s: float) -> UserRow | None:
    reader = _Reader()
    user = reader.read(lambda: read_user(aws, name), None)
    if reader.problems:
        return UserRow(name, "", (), "", "", (), None, problems=tuple(reader.problems))
    if user is None:
        left = reader.read(lambda: remains(aws, name, policies), None)
        return _row_of_remains(left) if left else None
    return _row_of_user(aws, user, every_s) if names.managed_by(user.tags) else None


def _row_of_remains(left: Remains) -> UserRow:
    pools = pools_of([policy.document for policy in left.policies])
    remark = (
        f"there is no such user: a run that was cut off left its policy; finish with bootstrap or revoke {left.name}"
    )
    return UserRow(left.user_arn, names.BY_CLI, pools, "", "", (), None, remarks=(remark,))


def _row_of_user(aws: Aws, user: UserState, every_s: float) -> UserRow:
    reader = _Reader()
    region, _, secret_name = user.tags.get(names.SECRET_TAG, "").partition("/")
    nothing: list[PolicyState] = []
    policies = tuple(reader.read(lambda: attached_policies(aws, user), nothing))
    bare = Observed(user, policies)
    found = reader.read(lambda: observe(aws, user, secret_name, region, policies), bare) if secret_name else bare
    state = found.secret
    where = "not known" if reader.problems and not state else ""
    keys = [
        KeyRow(
            key.key_id,
            key.active,
            where or place(found, key.key_id),
            key.created,
            reader.read(lambda key_id=key.key_id: last_use(aws, user.arn, key_id), "not known"),  # type: ignore[misc]
        )
        for key in user.keys
    ]
    scheduled = ("the secret is scheduled for deletion: bootstrap and rotate restore it",)
    return UserRow(
        user=user.arn,
        managed_by=names.managed_by(user.tags) or "",
        pools=pools_of([policy.document for policy in found.policies]),
        secret=state.arn if state else "",
        version=(state.version("AWSCURRENT") or "") if state else "",
        keys=tuple(keys),
        due=due(found.current, every_s) if found.current else None,
        remarks=scheduled if state and state.deleted else (),
        problems=tuple(dict.fromkeys(reader.problems)),
    )


def place(found: Observed, key_id: str) -> str:
    """Where in the secret a key is."""
    for label, key in (("AWSCURRENT", found.current), ("AWSPENDING", found.pending), ("AWSPREVIOUS", found.previous)):
        if key and key.key_id == key_id:
            return label
    return "not in the secret"
