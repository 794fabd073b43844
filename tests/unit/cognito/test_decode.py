"""Our decoding of ListUsers against botocore's own parser, on every shape that an answer can have."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import JSONParser
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.cognito.decode import MALFORMED, decode_answer, decode_user
from adapter.errors import UnavailableError
from adapter.model import User

SERVICE = botocore.session.Session().get_service_model("cognito-idp")
SHAPE: Any = SERVICE.operation_model("ListUsers").output_shape
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

REAL: dict[str, Any] = {
    "Attributes": [
        {"Name": "email", "Value": "ada@example.org"},
        {"Name": "email_verified", "Value": "true"},
        {"Name": "sub", "Value": "2b1c4d5e-7f60-4b8a-9c3d-0e1f2a3b4c5d"},
    ],
    "Enabled": True,
    "UserCreateDate": 1.641031200123e9,
    "UserLastModifiedDate": 1641031200.456,
    "UserStatus": "CONFIRMED",
    "Username": "2b1c4d5e-7f60-4b8a-9c3d-0e1f2a3b4c5d",
}


def response(body: bytes, status: int = 200, **headers: str) -> dict[str, Any]:
    return {
        "body": body,
        "status_code": status,
        "headers": HeadersDict({"Date": "Mon, 23 Nov 2026 14:00:00 GMT", "x-amzn-RequestId": "r-1", **headers}),
        "context": {"operation_name": "ListUsers"},
    }


def dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def as_botocore(user: User) -> dict[str, Any]:
    """Our `User` with the members that botocore would show, to the millisecond."""
    shown = {
        "Username": user.username,
        "Attributes": [{"Name": n} | ({} if v is None else {"Value": v}) for n, v in user.attributes] or None,
        "Enabled": user.enabled,
        "UserStatus": user.status,
        "UserCreateDate": user.created_ms,
        "UserLastModifiedDate": user.modified_ms,
        "MFAOptions": [
            ({} if a is None else {"AttributeName": a}) | ({} if d is None else {"DeliveryMedium": d})
            for a, d in user.mfa_options
        ]
        or None,
    }
    return {name: value for name, value in shown.items() if value is not None}


def to_the_millisecond(user: dict[str, Any]) -> dict[str, Any]:
    """What botocore parsed, in the form of `as_botocore`."""
    plain = {name: value for name, value in user.items() if value != [] or name not in {"Attributes", "MFAOptions"}}
    for name in ("UserCreateDate", "UserLastModifiedDate"):
        if name in plain:
            plain[name] = (plain[name] - EPOCH) // timedelta(milliseconds=1)
    return plain


attributes = st.lists(
    st.fixed_dictionaries({"Name": st.text(max_size=32)}, optional={"Value": st.text(max_size=2048) | st.none()}),
    max_size=6,
)
mfa_options = st.lists(
    st.fixed_dictionaries(
        {}, optional={"AttributeName": st.text(), "DeliveryMedium": st.sampled_from(["SMS", "EMAIL"])}
    ),
    max_size=2,
)
#: Dates with at most milliseconds, as Cognito sends them: both sides agree exactly.
dates = st.integers(min_value=0, max_value=4_102_444_800_000).map(lambda ms: ms / 1000)
users = st.fixed_dictionaries(
    {"Username": st.text(min_size=1, max_size=128)},
    optional={
        "Attributes": attributes | st.none(),
        "Enabled": st.booleans() | st.none(),
        "UserStatus": st.sampled_from(["CONFIRMED", "UNCONFIRMED", "FORCE_CHANGE_PASSWORD", "NEWLY_INVENTED"]),
        "UserCreateDate": dates | st.none(),
        "UserLastModifiedDate": dates,
        "MFAOptions": mfa_options | st.none(),
        "SomethingNew": st.recursive(st.text() | st.integers() | st.none(), st.lists, max_leaves=4),
    },
)
answers = st.fixed_dictionaries(
    {"Users": st.lists(users, max_size=5)},
    optional={"PaginationToken": st.text(min_size=1, max_size=50) | st.none(), "Other": st.text()},
)


@given(answers, st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_answer_means_the_same_to_us_and_to_botocore(answer: dict[str, Any], ascii_only: bool) -> None:
    body = json.dumps(answer, ensure_ascii=ascii_only).encode()
    theirs = JSONParser().parse(response(body), SHAPE)
    found, token = decode_answer(body)

    assert token == theirs.get("PaginationToken")
    assert [as_botocore(decode_user(raw)) for raw in found] == [to_the_millisecond(u) for u in theirs["Users"]]


@given(st.floats(min_value=0, max_value=4e9, allow_nan=False))
@settings(deadline=None)
def test_a_date_with_more_digits_is_cut_not_rounded(seconds: float) -> None:
    user = decode_user(dump({"Username": "u", "UserCreateDate": seconds}))
    theirs = JSONParser().parse(response(dump({"Users": [{"Username": "u", "UserCreateDate": seconds}]})), SHAPE)
    exact = (theirs["Users"][0]["UserCreateDate"] - EPOCH) / timedelta(milliseconds=1)

    assert user.created_ms is not None
    assert user.created_ms <= exact + 0.001
    assert exact - user.created_ms < 1.001


def test_a_user_as_cognito_sends_it() -> None:
    user = decode_user(dump(REAL))

    assert user == User(
        username="2b1c4d5e-7f60-4b8a-9c3d-0e1f2a3b4c5d",
        attributes=(
            ("email", "ada@example.org"),
            ("email_verified", "true"),
            ("sub", "2b1c4d5e-7f60-4b8a-9c3d-0e1f2a3b4c5d"),
        ),
        enabled=True,
        status="CONFIRMED",
        created_ms=1641031200123,
        modified_ms=1641031200456,
    )
    assert user.sub == "2b1c4d5e-7f60-4b8a-9c3d-0e1f2a3b4c5d"


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        ("1641031200.123", 1641031200123),
        ("1.641031200123E9", 1641031200123),
        ("1641031200.1239999", 1641031200123),
        ("1641031200", 1641031200000),
        ("0", 0),
        ("-0.0005", -1),
        ("null", None),
        ('"1641031200.5"', 1641031200500),
        ('"2022-01-01T10:00:00.123Z"', 1641031200123),
        ('"2022-01-01T11:00:00+01:00"', 1641031200000),
        ('"2022-01-01T10:00:00"', 1641031200000),
    ],
)
def test_dates_are_read_to_the_millisecond(written: str, ms: int | None) -> None:
    assert decode_user(b'{"Username":"u","UserCreateDate":%b}' % written.encode()).created_ms == ms


@pytest.mark.parametrize(
    "written",
    ["true", '"yesterday"', "[]", "1e300", "-1e300", '"NaN"', '"Infinity"', "253402300800", '""', "1e999999999"],
)
def test_a_date_that_is_none_makes_the_answer_malformed(written: str) -> None:
    with pytest.raises(UnavailableError, match="UserLastModifiedDate is not a date") as caught:
        decode_user(b'{"Username":"u","UserLastModifiedDate":%b}' % written.encode())
    assert caught.value.code == MALFORMED


def test_missing_and_null_members_become_none() -> None:
    assert decode_user(b'{"Username":"u"}') == User(username="u")
    assert decode_user(
        b'{"Username":"u","Attributes":null,"Enabled":null,"UserStatus":null,"UserCreateDate":null,"MFAOptions":null}'
    ) == User(username="u")


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (b'{"Attributes":[]}', "Username"),
        (b'{"Username":7}', "Username"),
        (b'{"Username":"canary","Enabled":"canary"}', "Enabled"),
        (b'{"Username":"canary","Attributes":[{"Value":"canary"}]}', "Name"),
        (b'{"Username":"canary","Attributes":"canary"}', "Attributes"),
        (b'"canary"', "object"),
        (b'{"Username":"canary', "truncated"),
        (b'{"Username":"\xff"}', "UTF-8"),
        (b"", "truncated"),
    ],
)
def test_a_malformed_user_is_named_by_member_and_not_by_value(raw: bytes, names: str) -> None:
    with pytest.raises(UnavailableError, match=names) as caught:
        decode_user(raw)
    assert "canary" not in str(caught.value)
    assert caught.value.code == MALFORMED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"Users":null}',
        b'{"Users":{}}',
        b'{"Users":[{"Username":"canary"}',
        b'{"Users":[],"PaginationToken":7}',
        b'{"Users":[{"Username":"\xff"}]}',
        b"<html>canary</html>",
        b'{"message":"canary"}',
        b'{"Users":' + b"[" * 100_000,
    ],
)
def test_an_answer_that_is_no_page_is_a_fault_and_never_an_empty_page(body: bytes) -> None:
    with pytest.raises(UnavailableError) as caught:
        decode_answer(body)
    assert "canary" not in str(caught.value)
    assert caught.value.code == MALFORMED


@given(st.binary(max_size=200) | answers.map(dump).flatmap(lambda b: st.integers(0, len(b)).map(lambda n: b[:n])))
@settings(deadline=None)
def test_no_bytes_make_the_decoder_fail_in_another_way(body: bytes) -> None:
    try:
        found, _ = decode_answer(body)
        for raw in found:
            decode_user(raw)
    except UnavailableError:
        pass


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    body = rb'{"Users":[{"Username":"a\ud83db\\ud83d\ud83d\ude00\udc00"}]}'

    found, token = decode_answer(body)

    assert token is None
    assert decode_user(found[0]).username == "a\ufffdb\\ud83d\U0001f600\ufffd"


def test_raw_users_are_a_sequence_that_keeps_the_bytes_as_sent() -> None:
    first, second = b'{ "Username" : "a" }', b'{"Username":"b","Extra":1.0}'
    found, token = decode_answer(b'{"PaginationToken":"t","Users":[' + first + b" ,\n" + second + b"]}")

    assert token == "t"
    assert list(found) == [first, second]
    assert found[1] == second
    assert found[0:1] == [first]
    assert len(found) == 2
    assert found == decode_answer(b'{"Users":[' + first + b" ,\n" + second + b"]}")[0] == [first, second]
    assert found.raw == first + b"," + second
    assert found != [first]
    assert found != 7


def test_an_empty_token_is_no_token() -> None:
    assert decode_answer(b'{"Users":[],"PaginationToken":""}')[1] is None


def test_users_that_are_no_objects_are_noticed_when_they_are_looked_at() -> None:
    found, _ = decode_answer(b'{"Users":[1]}')
    with pytest.raises(UnavailableError, match="object"):
        decode_user(found[0])


@given(st.lists(users, min_size=1, max_size=4), st.text(min_size=1), st.text(min_size=1))
@settings(deadline=None)
def test_pages_with_the_same_users_have_the_same_bytes(page: list[dict[str, Any]], token: str, other: str) -> None:
    first, _ = decode_answer(dump({"Users": page, "PaginationToken": token}))
    second, _ = decode_answer(dump({"PaginationToken": other, "Users": page, "Other": [{}]}))
    changed, _ = decode_answer(dump({"Users": [{**page[0], "Username": page[0]["Username"] + "x"}, *page[1:]]}))
    assert first.raw == second.raw != changed.raw
    assert first == second != changed


def test_the_service_still_speaks_the_protocol_that_we_decode() -> None:
    assert SERVICE.resolved_protocol == "json"
    assert set(SHAPE.members) == {"Users", "PaginationToken"}
    assert set(SHAPE.members["Users"].member.members) == {
        *("Username", "Attributes", "Enabled", "UserStatus", "UserCreateDate", "UserLastModifiedDate", "MFAOptions"),
    }
