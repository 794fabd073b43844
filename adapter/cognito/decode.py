"""Reading ListUsers answers: a page into raw users, a raw user into a `User`.

A page is cut into its users without decoding or copying them (about 25 microseconds for 60 users), because most users
of most pages did not change. What changed goes through `decode_user`, which agrees with botocore's own parser
(tests/unit/cognito/test_decode.py compares them).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import overload

import msgspec

from adapter.errors import UnavailableError
from adapter.model import User

#: The `code` of the error for an answer that can't be read.
MALFORMED = "MalformedResponse"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NULL = b"null"
#: Dates outside these years are a fault of the answer: datetime, and with it every consumer, can't hold them.
_MIN_MS = -62_135_596_800_000
_MAX_MS = 253_402_300_799_999
#: Up to here neighbouring floats are less than a microsecond apart, so that a millisecond has just one of them.
_EXACT_S = 2.0**32
#: A number of more digits is out of range whatever it is, and 1e999999999 would fill the memory.
_DIGITS = 15


class _Answer(msgspec.Struct):
    Users: list[msgspec.Raw]
    PaginationToken: str | None = None


class _Attribute(msgspec.Struct):
    Name: str
    Value: str | None = None


class _MfaOption(msgspec.Struct):
    AttributeName: str | None = None
    DeliveryMedium: str | None = None


class _User(msgspec.Struct):
    Username: str
    Attributes: list[_Attribute] | None = None
    Enabled: bool | None = None
    UserStatus: str | None = None
    UserCreateDate: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    UserLastModifiedDate: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    MFAOptions: list[_MfaOption] | None = None


_ANSWER = msgspec.json.Decoder(_Answer)
_USERS = msgspec.json.Decoder(list[msgspec.Raw])
_USER = msgspec.json.Decoder(_User)
_DATE = msgspec.json.Decoder(str)
#: What msgspec raises for bytes that are not the JSON it was told to expect.
_BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class RawUsers(Sequence[bytes]):
    """The users of one page, each as the JSON object that was sent; copied out of it when first looked at.

    `raw` is their JSON with commas between them: pages with the same `raw` hold the same users in the same form.
    """

    __slots__ = ("_found", "_items", "_size", "raw")

    def __init__(self, raw: bytes, size: int, found: Sequence[msgspec.Raw] | None = None) -> None:
        """Take in a page of `size` users; `found` are these one by one, None: they are cut apart when looked at."""
        self.raw = raw
        self._size = size
        self._found = found
        self._items: list[bytes] | None = None

    def _list(self) -> list[bytes]:
        if self._items is None:
            found = _USERS.decode(b"[%b]" % self.raw) if self._found is None else self._found
            self._items = [bytes(item) for item in found]
        return self._items

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._list())

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        return self._list()[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, RawUsers):
            return self.raw == other.raw
        return self._list() == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # a mutable cache inside: not for sets


def decode_answer(body: bytes) -> tuple[RawUsers, str | None]:
    """Cut the body of a successful ListUsers answer into its users and its PaginationToken.

    An answer without `Users` is malformed: taking it for an empty page would end the listing early.
    Half a surrogate pair, which JSON allows and UTF-8 does not, becomes U+FFFD.

    Raises:
        UnavailableError: truncated, not JSON, not UTF-8, or not of the shape of a ListUsers answer.
    """
    try:
        if not body.isascii():
            body.decode()
        try:
            answer = _ANSWER.decode(body)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            mended = _replace_lone_surrogates(body)
            if mended == body:
                raise
            body = mended
            answer = _ANSWER.decode(body)
    except _BAD_JSON as error:
        raise _malformed(_shape_of(error)) from None
    users = answer.Users
    return RawUsers(b",".join(users), len(users), users), answer.PaginationToken or None


def decode_user(raw: bytes) -> User:
    """Read one user's JSON object.

    Members that the API does not have are ignored; members that are missing or null become None (attributes: empty).
    Dates, seconds since the epoch with a fraction, are cut (not rounded) to milliseconds.

    Raises:
        UnavailableError: not an object, no username, or a member of another type. The message names the member,
            never its value.
    """
    try:
        user = _USER.decode(raw)
    except _BAD_JSON as error:
        raise _malformed(f"a user can't be read: {_shape_of(error)}") from None
    return User(
        username=user.Username,
        attributes=tuple([(item.Name, item.Value) for item in user.Attributes or ()]),
        enabled=user.Enabled,
        status=user.UserStatus,
        created_ms=_milliseconds(user.UserCreateDate, "UserCreateDate"),
        modified_ms=_milliseconds(user.UserLastModifiedDate, "UserLastModifiedDate"),
        mfa_options=tuple((item.AttributeName, item.DeliveryMedium) for item in user.MFAOptions or ()),
    )


def _milliseconds(raw: msgspec.Raw, member: str) -> int | None:
    """A date: a JSON number of seconds, or, as botocore takes them too, a string of digits or of ISO 8601."""
    try:
        near = float(raw)
        if 0 <= near < _EXACT_S:
            ms = int(near * 1000 + 0.5)
            if ms / 1000 == near:  # whole milliseconds, all that Cognito sends (1.7E9 and 1700000000.123 alike)
                return ms
    except ValueError:
        pass
    text = bytes(raw)
    if not text or text == _NULL:
        return None
    try:
        written = _DATE.decode(text) if text.startswith(b'"') else text.decode()
        try:
            seconds = Decimal(written)
            ms = math.floor(seconds * 1000) if seconds.is_finite() and seconds.adjusted() < _DIGITS else _MAX_MS + 1
        except InvalidOperation:
            moment = datetime.fromisoformat(written)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            ms = (moment - _EPOCH) // (datetime.resolution * 1000)
    except (ValueError, OverflowError, msgspec.DecodeError):
        raise _malformed(f"{member} is not a date") from None
    if not _MIN_MS <= ms <= _MAX_MS:
        raise _malformed(f"{member} is not a date")
    return ms


#: One escape of a JSON string at a time, so that an escaped backslash before "ud800" is not taken for half a pair.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def _replace_lone_surrogates(body: bytes) -> bytes:
    return _ESCAPE.sub(lambda match: b"\\ufffd" if match["lone"] else match[0], body)


def _shape_of(error: BaseException) -> str:
    """What is wrong, without the data: msgspec's validation errors name types and paths only, others may not."""
    if isinstance(error, msgspec.ValidationError):
        return str(error)
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return "it is truncated or not JSON"


def _malformed(what: str) -> UnavailableError:
    return UnavailableError(f"ListUsers gave a malformed answer: {what}", code=MALFORMED)
