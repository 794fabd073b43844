"""Filters: written so that Cognito reads them back unchanged, and checked against their answers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.cognito import filters
from adapter.cognito.filters import JUDGED_AFTER
from adapter.errors import FilterRefusedError
from adapter.model import User
from tests.fake_cognito.pool import parse_filter


@given(st.text())
def test_any_value_survives_the_escaping(value: str) -> None:
    query = parse_filter(str(filters.by_username(value)))
    assert (query.attribute, query.prefix, query.value) == ("username", False, value)


@pytest.mark.parametrize(
    ("built", "text"),
    [
        (filters.by_username('a"b\\c'), 'username = "a\\"b\\\\c"'),
        (filters.by_sub("2b1c"), 'sub = "2b1c"'),
        (filters.by_sub_prefix("f"), 'sub ^= "f"'),
        (filters.by_status("UNCONFIRMED"), 'cognito:user_status = "UNCONFIRMED"'),
    ],
)
def test_filters_are_written_as_the_service_documents_them(built: filters.Filter, text: str) -> None:
    assert str(built) == text


ADA = User(username="ada", attributes=(("sub", "2b1c"),), status="CONFIRMED")


@pytest.mark.parametrize(
    ("built", "belongs"),
    [
        (filters.by_username("ada"), True),
        (filters.by_username("Ada"), False),
        (filters.by_sub("2b1c"), True),
        (filters.by_sub("2b1"), False),
        (filters.by_sub_prefix("2"), True),
        (filters.by_sub_prefix("3"), False),
        (filters.by_status("CONFIRMED"), True),
        (filters.by_status("UNCONFIRMED"), False),
    ],
)
def test_an_answer_is_held_to_its_filter(built: filters.Filter, *, belongs: bool) -> None:
    assert built.matches(ADA) is belongs


def raw(status: str, count: int) -> list[bytes]:
    return [json.dumps({"Username": "ada", "UserStatus": status}).encode()] * count


def check(*pages: list[bytes]) -> None:
    judge = filters.FilterCheck(filters.by_status("UNCONFIRMED"))
    for page in pages:
        judge.add(page)


def test_an_answer_of_mostly_excluded_users_ignored_its_filter() -> None:
    with pytest.raises(FilterRefusedError, match="filters are ignored here") as caught:
        check(raw("UNCONFIRMED", 29) + raw("CONFIRMED", 31))
    assert "ada" not in str(caught.value)


def test_a_few_excluded_users_are_news_and_no_sign_that_filters_are_ignored() -> None:
    check(raw("UNCONFIRMED", 30) + raw("CONFIRMED", 30))
    check(raw("CONFIRMED", 1))
    check(raw("CONFIRMED", JUDGED_AFTER - 1), [])


def test_short_pages_are_judged_together_and_what_was_judged_is_not_judged_again() -> None:
    with pytest.raises(FilterRefusedError):
        check(*[raw("CONFIRMED", 1)] * JUDGED_AFTER)
    check(raw("UNCONFIRMED", JUDGED_AFTER), raw("CONFIRMED", 60))


def test_a_user_without_the_attribute_never_belongs() -> None:
    assert not filters.by_sub_prefix("").matches(User(username="ada"))


def test_a_filter_that_the_api_does_not_take_says_so() -> None:
    assert filters.by_username("a" * 128).fits
    assert not filters.by_username('"' * 128).fits


def test_values_are_not_shown_by_accident() -> None:
    assert "ada" not in repr(filters.by_username("ada"))
