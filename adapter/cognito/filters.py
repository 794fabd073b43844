r"""Filters of ListUsers: how they are written, and whether an answer keeps to one.

Syntax: https://docs.aws.amazon.com/cognito/latest/developerguide/how-to-manage-user-accounts.html
(`AttributeName Filter-Type "AttributeValue"`, filter types `=` and `^=`, quotation marks escaped with a backslash).
An answer is checked because some emulators ignore filters: acting on an unfiltered answer could report a deletion
that never was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from adapter.errors import FilterRefusedError
from adapter.model import User

#: The `code` of the error for an answer that does not keep to its filter.
IGNORED = "FilterIgnored"
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

    def check(self, user: User) -> None:
        """Insist that the user belongs into an answer to this filter.

        Raises:
            FilterRefusedError: it does not, so the filter was ignored.
        """
        if not self.matches(user):
            raise FilterRefusedError(
                f"the answer to a filter by {self.attribute} holds users that it excludes: filters are ignored here",
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
