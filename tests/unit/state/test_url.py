"""STATE_URL: what is understood, and what is said about the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.errors import ConfigError
from adapter.state.factory import open_store
from adapter.state.url import DynamoUrl, SqliteUrl, parse_state_url
from tests.support.state_contract import POOL


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("sqlite:///state.db", SqliteUrl(Path("state.db"))),
        ("sqlite:////var/lib/a b.db", SqliteUrl(Path("/var/lib/a b.db"))),
        ("sqlite:///a%23b%3F.db", SqliteUrl(Path("a#b?.db"))),
        ("dynamodb://my.table_1-x", DynamoUrl("my.table_1-x")),
        ("dynamodb://My-Table?region=eu-central-1", DynamoUrl("My-Table", "eu-central-1")),
        ("dynamodb://table/?cache=/data&region=us-gov-west-1", DynamoUrl("table", "us-gov-west-1", Path("/data"))),
    ],
)
def test_a_good_url_is_understood(url: str, parsed: SqliteUrl | DynamoUrl) -> None:
    assert parse_state_url(url) == parsed


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "names no store"),
        ("state.db", "names no store"),
        ("postgres://x/y", "names no store"),
        ("sqlite://state.db", "names the host 'state.db'"),
        ("sqlite:///", "names no file"),
        ("sqlite:///folder/", "names no file"),
        ("sqlite:///:memory:", "would forget everything"),
        ("sqlite:///a%0Ab.db", "names no file"),
        ("sqlite:///a%00b.db", "names no file"),
        (f"sqlite:///{'a' * 300}", "can't be looked at (File name too long)"),
        (f"sqlite:///{'a' * 251}", "can't be looked at (File name too long)"),
        (f"sqlite:///{'a/' * 3_000}b", "can't be looked at (File name too long)"),
        (f"sqlite:///{__file__}/state.db", "can't be looked at (Not a directory)"),
        ("sqlite:///a.db?mode=ro", "has a query"),
        ("sqlite:///a.db#b", "has a fragment"),
        ("sqlite://[::1/a.db", "is not a URL"),
        ("dynamodb://", "has the table ''"),
        ("dynamodb://ab", "3 to 255"),
        ("dynamodb://user@table", "has the table 'user@table'"),
        ("dynamodb://table/x", "has the path '/x'"),
        ("dynamodb://table?region=mars", "has the region 'mars'"),
        ("dynamodb://table?region=", "has no usable 'region'"),
        ("dynamodb://table?region=eu-central-1&region=eu-central-1", "'region' twice"),
        ("dynamodb://table?cache=/a%00b", "has no usable 'cache'"),
        ("dynamodb://table?zone=a", "expected region or cache"),
    ],
)
def test_a_bad_url_is_refused_in_one_line_that_names_the_variable(url: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        open_store(url, POOL)
    (problem,) = refused.value.problems
    assert problem.startswith("STATE_URL: ")
    assert message in problem


def test_every_problem_of_a_url_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        parse_state_url("dynamodb://x/y?region=mars&zone=a")
    assert len(refused.value.problems) == 4


@given(
    st.text(max_size=60)
    | st.text(max_size=40).map("dynamodb://".__add__)
    | st.text(max_size=40).map("sqlite://".__add__)
)
def test_any_text_is_either_understood_or_refused(url: str) -> None:
    problems: tuple[str, ...] = ()
    try:
        parse_state_url(url)
    except ConfigError as error:
        problems = error.problems
    assert all(problem.startswith("STATE_URL: ") and "\n" not in problem for problem in problems)
