"""From a change to the CloudEvent that tells it: its context attributes and the exact bytes of its data.

The data is what Go's `json.Marshal` makes of the AWS SDK's UserType, because consumers of the original adapter parse
that: seven keys in order, dates in RFC 3339 without trailing zeros, `<`, `>`, `&`, U+2028, U+2029 escaped. Unlike the
original nothing is ever null, since its published schema allows null nowhere. For what Cognito left out:

- lists: `[]`; the value of an attribute: `""`;
- `UserStatus`: `UNKNOWN`, which the API defines as "User status isn't known";
- `Enabled`: `false`, the default that the API's model declares for it;
- a date: the other date, else the first moment of 1970. It is a function of the user alone, so that an event that is
  sent again has the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

import msgspec
from cloudevents.core.v1.event import CloudEvent

from adapter.arn import PoolArn
from adapter.model import Change, Event, Kind, User

#: Types of events, contract of the original (created and updated alike) and ours.
SYNC_TRIGGER: Final = "com.amazon.cognito-idp.sync_trigger"
USER_DELETED: Final = "com.amazon.cognito-idp.user_deleted"
UNKNOWN_STATUS: Final = "UNKNOWN"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: The parts of a time as they are written: putting these together takes a quarter of the time of `isoformat`.
_MINUTES: Final = tuple(f"T{hour:02}:{minute:02}:" for hour in range(24) for minute in range(60))
_SECONDS: Final = tuple(f"{second:02}" for second in range(60))
_FRACTIONS: Final = ("Z", *(f".{ms:03}".rstrip("0") + "Z" for ms in range(1, 1000)))
#: The characters that Go's encoder escapes and ours does not. Outside of strings JSON has none of them.
_GO_ESCAPES: Final = tuple(
    (char.encode(), f"\\u{ord(char):04x}".encode()) for char in ("&", "<", ">", "\u2028", "\u2029")
)
_GO_ASCII_ESCAPES: Final = _GO_ESCAPES[:3]
_encode: Final = msgspec.json.Encoder().encode


class _Attribute(msgspec.Struct, frozen=True, gc=False):
    Name: str
    Value: str


class _MfaOption(msgspec.Struct, frozen=True, gc=False):
    AttributeName: str
    DeliveryMedium: str


class _Payload(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The data of an event, its keys in the original's order."""

    Attributes: list[_Attribute]
    Enabled: bool
    MFAOptions: list[_MfaOption]
    UserCreateDate: str
    UserLastModifiedDate: str
    UserStatus: str
    Username: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBuilder:
    """Makes the events of one pool. Pure: the same change always gives the same event.

    `attributes` names the user attributes that may leave Cognito; None: all. `extensions` (K_CE_OVERRIDES) go last.

    The SDK validates the first event of every set of attributes: with and without `changed`. It looks at names and
    types, which the following ones share, and costs more than all the rest.
    """

    pool: PoolArn
    attributes: frozenset[str] | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)
    _fixed: dict[str, str] = field(init=False, repr=False, compare=False)
    #: Whether events with and without `changed` were validated.
    _validated: set[bool] = field(default_factory=set, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        fixed = {
            "specversion": "1.0",
            "source": str(self.pool),
            "subject": self.pool.pool_id,
            "datacontenttype": "application/json",
        }
        object.__setattr__(self, "_fixed", fixed)

    def build(self, change: Change) -> Event:
        """The event that tells `change`.

        Raises:
            CloudEventValidationError: an extension's name is not allowed; config.py refuses these at start.
        """
        context = {
            "id": change.event_id,
            **self._fixed,
            "type": USER_DELETED if change.kind is Kind.DELETED else SYNC_TRIGGER,
            "time": rfc3339(change.time_ms),
            "partitionkey": change.username,
            "changetype": str(change.kind),
        }
        if change.changed:
            context["changed"] = ",".join(change.changed)
        context.update(self.extensions)
        data = user_json(_subject(change), self.attributes)
        if bool(change.changed) not in self._validated:
            CloudEvent({**context, "time": _EPOCH + timedelta(milliseconds=change.time_ms)}, data)
            self._validated.add(bool(change.changed))
        return Event(attributes=context, data=data, key=change.username)


def user_json(user: User, allowed: frozenset[str] | None = None) -> bytes:
    """A user as the seven keys of the original's payload. `allowed` limits the attributes; None: all of them."""
    created = _or_epoch(user.created_ms, user.modified_ms)
    modified = _or_epoch(user.modified_ms, user.created_ms)
    payload = _Payload(
        Attributes=[
            _Attribute(name, value or "") for name, value in user.attributes if allowed is None or name in allowed
        ],
        Enabled=bool(user.enabled),
        MFAOptions=[_MfaOption(name or "", medium or "") for name, medium in user.mfa_options],
        UserCreateDate=rfc3339(created),
        UserLastModifiedDate=rfc3339(modified),
        UserStatus=user.status or UNKNOWN_STATUS,
        Username=user.username,
    )
    encoded = _encode(payload)
    for char, escape in _GO_ASCII_ESCAPES if encoded.isascii() else _GO_ESCAPES:
        if char in encoded:
            encoded = encoded.replace(char, escape)
    return encoded


@lru_cache(maxsize=256)  # an event shows most of its dates twice or three times
def rfc3339(time_ms: int) -> str:
    """Milliseconds since the epoch as Go's RFC3339Nano in UTC: `2022-01-02T11:00:00.12Z`."""
    seconds, ms = divmod(time_ms, 1000)
    minutes, second = divmod(seconds, 60)
    day, minute = divmod(minutes, 1440)
    return f"{_day(day)}{_MINUTES[minute]}{_SECONDS[second]}{_FRACTIONS[ms]}"


@lru_cache(maxsize=4096)
def _day(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).date().isoformat()


def _or_epoch(first: int | None, second: int | None) -> int:
    if first is not None:
        return first
    return second if second is not None else 0


def _subject(change: Change) -> User:
    """Whom the event shows: the user as listed, or what the state knows of a deleted one."""
    if change.kind is not Kind.DELETED:
        assert change.user is not None, "only a deletion has no user"  # noqa: S101 - narrows the type
        return change.user
    known = change.before
    assert known is not None, "a deletion is always of a known user"  # noqa: S101 - narrows the type
    return User(
        username=known.username,
        attributes=(("sub", known.sub),) if known.sub is not None else (),
        enabled=known.enabled,
        status=known.status,
        created_ms=known.created_ms,
        modified_ms=known.modified_ms,
    )
