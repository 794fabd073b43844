"""Pages that are not parsed again must mean what a parser makes of them, whatever an answer looks like."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapter.changes.page_cache import USERS_MIN
from adapter.cognito import page_reader
from adapter.cognito.decode import RawUsers, decode_answer
from adapter.cognito.page_reader import PageReader, cut_answer
from adapter.errors import UnavailableError

#: Text that looks like what an answer is cut at.
TRAPS = st.sampled_from(
    ['"', "\\", '],"PaginationToken":"x"}', '{"Users":[', "]}", "},{", "\ud800", "é", "\u2028", " "]
)
TEXT = st.one_of(st.text(max_size=5), TRAPS, st.lists(TRAPS, max_size=3).map("".join))
USER = st.dictionaries(TEXT, st.one_of(TEXT, st.integers(), st.none(), st.lists(TEXT, max_size=2)), max_size=3)
PAGE = st.lists(st.one_of(USER, st.integers(), TEXT), max_size=3).map(
    lambda some: [*some, *({"Username": str(n)} for n in range(USERS_MIN))]
)


@st.composite
def answers(draw: st.DrawFn, page: list[Any]) -> bytes:
    """An answer with these users: members in any order, once or twice, with others, spaces, or cut off."""
    token = draw(st.one_of(st.text("abc/+=", min_size=1, max_size=4), TEXT, st.none()))
    members = [("Users", page), ("PaginationToken", token)]
    members += draw(st.lists(st.sampled_from([*members, ("Other", page), ("Users", [1])]), max_size=2))
    members = draw(st.permutations(members))
    compact = draw(st.booleans())
    ascii_only = draw(st.booleans())
    parts = [
        f"{json.dumps(name)}{':' if compact else ' : '}"
        + json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":") if compact else (", ", " :"))
        for name, value in members
        if not (name == "PaginationToken" and value is None and draw(st.booleans()))
    ]
    body = ("{" + ",".join(parts) + "}").encode("utf-8", "surrogatepass")
    end = draw(st.one_of(st.none(), st.integers(1, 40)))
    return body if end is None else body[:-end]


def outcome(read: Any, body: bytes) -> object:
    try:
        users, token = read(body)
    except UnavailableError as error:
        return str(error)
    return list(users), len(users), users.raw, token


@given(st.data(), PAGE)
@settings(deadline=None)
def test_an_answer_means_the_same_whether_its_users_were_seen_before_or_not(data: st.DataObject, page: Any) -> None:
    reader = PageReader()
    for _ in range(4):
        body = data.draw(answers(page))
        assert outcome(reader.read, body) == outcome(decode_answer, body)
        assert outcome(reader.read, body) == outcome(decode_answer, body)


@given(st.binary(max_size=40), st.binary(max_size=10))
@example(b"1", b'x"}')
@settings(deadline=None)
def test_what_is_cut_out_of_an_answer_is_what_the_parser_finds_there(content: bytes, token: bytes) -> None:
    users = b",".join([b"1"] * USERS_MIN)
    reader = PageReader()
    reader.read(b'{"Users":[%b]}' % users)
    for body in (
        b'{"Users":[%b],"PaginationToken":"%b"}' % (users, token),
        b'{"PaginationToken":"%b","Users":[%b]}' % (token, users),
        b'{"Users":[%b]}' % content,
        b'{"Users":[%b%b]}' % (users, content),
    ):
        assert outcome(reader.read, body) == outcome(decode_answer, body)


def page_of(names: range, *, token: str | None, token_first: bool = False) -> bytes:
    users = {"Users": [{"Username": f"user-{name}"} for name in names]}
    next_page = {} if token is None else {"PaginationToken": token}
    return json.dumps(next_page | users if token_first else users | next_page, separators=(",", ":")).encode()


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies that went to the parser."""
    bodies: list[bytes] = []

    def decode(body: bytes) -> tuple[RawUsers, str | None]:
        bodies.append(body)
        return decode_answer(body)

    monkeypatch.setattr(page_reader, "decode_answer", decode)
    return bodies


@pytest.mark.parametrize("token_first", [False, True])
def test_users_that_were_seen_before_are_not_parsed_again_whatever_the_token(
    parsed: list[bytes], *, token_first: bool
) -> None:
    reader = PageReader()
    first = page_of(range(60), token="a/b+c=", token_first=token_first)
    users, token = reader.read(first)
    again, other = reader.read(page_of(range(60), token="another", token_first=token_first))
    last, none = reader.read(page_of(range(60), token=None))

    assert parsed == [first]
    assert (token, other, none) == ("a/b+c=", "another", None)
    assert list(users) == list(again) == list(last)
    assert len(again) == 60
    assert users.raw == again.raw == last.raw


def test_a_user_who_changed_a_short_page_and_a_token_with_escapes_are_parsed(parsed: list[bytes]) -> None:
    reader = PageReader()
    for body in (
        page_of(range(60), token="a"),
        page_of(range(1, 61), token="a"),
        page_of(range(60), token='a"b'),
        *([page_of(range(USERS_MIN - 1), token="a")] * 2),
    ):
        before = len(parsed)
        reader.read(body)
        assert len(parsed) == before + 1


def test_pages_that_were_not_seen_for_long_are_forgotten_and_others_stay(parsed: list[bytes]) -> None:
    reader = PageReader(pages_max=2)
    kept = page_of(range(60), token="kept")
    for number in range(1, 9):
        reader.read(kept)
        reader.read(page_of(range(number, number + 60), token="once"))

    assert parsed.count(kept) == 1
    reader.read(page_of(range(1, 61), token="once"))
    assert len(parsed) == 10


def test_what_is_written_in_another_way_is_not_cut() -> None:
    assert cut_answer(b'{"Users":[1]}') == (b"1", None)
    assert cut_answer(b'{"Users":[1],"PaginationToken":"t"}') == (b"1", "t")
    assert cut_answer(b'{"PaginationToken":"t","Users":[1]}') == (b"1", "t")
    for token in (b"", b"\\n", "é".encode(), b"\x00"):
        assert cut_answer(b'{"Users":[1],"PaginationToken":"%b"}' % token) is None
    for body in (b"", b'{"Users": [1]}', b'{"PaginationToken":null,"Users":[1]}'):
        assert cut_answer(body) is None
