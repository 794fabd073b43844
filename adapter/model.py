"""The values that the parts of the adapter hand to each other. Plain data, no I/O.

Structs, not dataclasses: several are made for every event, in a quarter of the time of a frozen dataclass. Copies with
other values come from `msgspec.structs.replace`.

Times are milliseconds since the epoch in UTC (the resolution of Cognito's dates), in fields that end in `_ms`.
Nothing here prints user attributes: the reprs of `User` and `Event` leave them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec


def _shown(value: msgspec.Struct, *hidden: str) -> str:
    """The repr of a value without these fields."""
    names = (name for name in value.__struct_fields__ if name not in hidden)
    return f"{type(value).__name__}({', '.join(f'{name}={getattr(value, name)!r}' for name in names)})"


class User(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One user as ListUsers describes it (UserType of the API). None: the answer did not have that member."""

    username: str
    attributes: tuple[tuple[str, str | None], ...] = ()
    enabled: bool | None = None
    status: str | None = None
    created_ms: int | None = None
    modified_ms: int | None = None
    #: (AttributeName, DeliveryMedium) pairs; Cognito no longer fills MFAOptions, the payload keeps the key.
    mfa_options: tuple[tuple[str | None, str | None], ...] = ()

    def __repr__(self) -> str:
        return _shown(self, "username", "attributes", "mfa_options")

    @property
    def sub(self) -> str | None:
        """The user's immutable id, if the answer holds it."""
        for name, value in self.attributes:
            if name == "sub":
                return value
        return None


class KnownUser(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the state remembers of a user: what the consumer was last told. No attribute values.

    `digest` is that of the raw JSON that Cognito sent (8 bytes): the cheap test for "nothing changed".
    `attributes` is that of the attributes and MFA options whatever their order (16 bytes).
    `revision` counts the changes that were reported, from 0 for the baseline: it makes event ids unique when a user
    goes back to an earlier form.

    Before an event is sent, a row *in doubt* is stored, so that a crash between the sink's answer and the commit can't
    hide what the consumer may have been told: the fields still describe the form told before, `revision` is minus the
    revision of the event, and `digest` is taken from the event's id, so that it equals that of no user's raw JSON.
    Stores keep all of it as it is; only adapter.changes.detector interprets it.
    `missing_since_ms` is set while a deletion is being confirmed and reported, so that its event keeps its time.
    """

    username: str
    sub: str | None = None
    digest: bytes
    attributes: bytes
    enabled: bool | None = None
    status: str | None = None
    created_ms: int | None = None
    modified_ms: int | None = None
    revision: int = 0
    missing_since_ms: int | None = None

    def __repr__(self) -> str:
        return _shown(self, "username", "sub", "digest", "attributes")

    @property
    def in_doubt(self) -> bool:
        """Whether an event about this user may have been sent that no answer confirmed."""
        return self.revision < 0


class Kind(StrEnum):
    """The `changetype` of an event."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    SNAPSHOT = "snapshot"
    REPLAY = "replay"


class Change(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One difference between what the state knows and what Cognito shows.

    `user` is None for a deletion; `after` is the state once the event is delivered (None: forget the user).
    `changed` names the parts that differ: attributes, enabled, status, or modified when only the date moved.
    """

    kind: Kind
    username: str
    event_id: str
    time_ms: int
    user: User | None = None
    before: KnownUser | None = None
    after: KnownUser | None = None
    changed: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return _shown(self, "username", "user")


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A CloudEvent ready to be sent: validated context attributes and the exact bytes of its data.

    `attributes` holds every context attribute and extension by its CloudEvents name, values as their canonical
    strings (`time` in RFC 3339); `data` is JSON (`datacontenttype` says application/json).
    `key` is the username: events of one key are never in flight together and keep their order.
    """

    attributes: Mapping[str, str]
    data: bytes
    key: str

    def __repr__(self) -> str:
        return _shown(self, "attributes", "data", "key")

    @property
    def id(self) -> str:
        """The CloudEvents `id`."""
        return self.attributes["id"]
