r"""Filters of ListUsers: how they are written, and whether an answer keeps to one.

Syntax: https://docs.aws.amazon.com/cognito/latest/developerguide/how-to-manage-user-accounts.html
(`AttributeName Filter-Type "AttributeValue"`, filter types `=` and `^=`, quotation marks escaped with a backslash).
An answer is checked because some emulators ignore filters: acting on an unfiltered answer could report a deletion
that never was. A few users in an answer whom its filter excludes are no sign of that: Cognito's index lags behind its
users (https://github.com/aws/aws-sdk-java/issues/1218), so they just changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from adapter.cognito.decode import decode_user
from adapter.errors import FilterRefusedError
from adapter.model import User

#: The `code` of the error for an answer that does not keep to its filter.
IGNORED = "FilterIgnored"
#: Users of an answer after which it is judged whether it keeps to its filter: fewer do no harm, whoever they are.
JUDGED_AFTER: Final = 20
#: UserFilterType of the API: at most 256 characters.
MAX_LENGTH = 256


class Searchable(StrEnum):
    """The attributes that this project filters by (all are searchable; custom attributes are not)."""

    USERNAME = "username"
    SUB = "sub"
    USER_STATUS = "cognito:user_status"


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter. `str()` of it is what goes into the request."""

    attribute: Searchable
    value: str = field(repr=False)
    prefix: bool = False

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.attribute} {"^=" if self.prefix else "="} "{escaped}"'

    @property
    def fits(self) -> bool:
        """Whether the API takes a filter of this length."""
        return len(str(self)) <= MAX_LENGTH

    def matches(self, user: User) -> bool:
        """Whether the user belongs into an answer to this filter."""
        found = {
            Searchable.USERNAME: user.username,
            Searchable.SUB: user.sub,
            Searchable.USER_STATUS: user.status,
        }[self.attribute]
        if found is None:
            return False
        return found.startswith(self.value) if self.prefix else found == self.value


@dataclass(slots=True)
class FilterCheck:
    """Whether the answers to one filter keep to it, judged by the first of its users."""

    wanted: Filter
    users: int = 0
    excluded: int = 0

    def add(self, users: Iterable[bytes]) -> None:
        """Take in the users of one more page.

        Raises:
            FilterRefusedError: the filter excludes most of the users, so it was ignored.
        """
        if self.users >= JUDGED_AFTER:
            return
        for raw in users:
            self.users += 1
            self.excluded += not self.wanted.matches(decode_user(raw))
        if self.users >= JUDGED_AFTER and 2 * self.excluded > self.users:
            raise ignored(self.wanted)


def ignored(wanted: Filter) -> FilterRefusedError:
    """The error for an answer that does not keep to its filter."""
    return FilterRefusedError(
        f"a filter by {wanted.attribute} was answered mostly with users that it excludes: filters are ignored here",
        code=IGNORED,
    )


def by_username(username: str) -> Filter:
    """Exactly this user."""
    return Filter(Searchable.USERNAME, username)


def by_sub(sub: str) -> Filter:
    """Exactly the user with this immutable id."""
    return Filter(Searchable.SUB, sub)


def by_sub_prefix(prefix: str) -> Filter:
    """The users whose immutable id begins with this: a share of the pool."""
    return Filter(Searchable.SUB, prefix, prefix=True)


def by_status(status: str) -> Filter:
    """The users with this status, such as UNCONFIRMED."""
    return Filter(Searchable.USER_STATUS, status)
