"""Text for terminals: what others wrote moves no cursor, and numbers are easy to read."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.terminal import aligned, clipped, columns, count, duration, is_live, printable, wants_no_colour


class SizedTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@given(st.text())
def test_no_text_can_move_the_cursor_or_turn_the_line_around(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert not {"\x1b", "\r", "\n", "\x7f", "\x9b", "\u202e", "\u2028"} & set(shown)


def test_what_is_harmless_stays_as_it_is() -> None:
    assert printable("Zoë O'Neil 東京 <b>&") == "Zoë O'Neil 東京 <b>&"
    assert printable("a\x1b[2Jb\u202ec") == "a\\x1b[2Jb\\u202ec"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (0.44, "0.4 s"),
        (9.97, "10 s"),
        (42.4, "42 s"),
        (89.9, "90 s"),
        (480, "8 min"),
        (91, "2 min"),
        (5400, "1 h 30 min"),
        (4800, "80 min"),
        (7200, "2 h"),
        (8100, "2 h 15 min"),
        (273_600, "3 d 4 h"),
        (259_200, "3 d"),
    ],
)
def test_lengths_of_time_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_counts_have_separators_and_long_texts_are_cut() -> None:
    assert count(1_234_567) == "1,234,567"
    assert clipped("abcdef", 6) == "abcdef"
    assert clipped("abcdefg", 6) == "abc..."


def test_rows_are_aligned_and_later_lines_stay_in_their_column() -> None:
    assert aligned([("a", "1\n2"), ("long", "3"), ("b", "")]) == "a     1\n      2\nlong  3\nb"


def test_a_line_is_drawn_again_only_where_there_is_a_cursor() -> None:
    assert is_live(SizedTerminal(), {"TERM": "xterm"})
    assert not is_live(SizedTerminal(), {"TERM": "dumb"})
    assert not is_live(SizedTerminal(), {})
    assert not is_live(io.StringIO(), {"TERM": "xterm"})
    assert columns(SizedTerminal()) == 80


def test_no_color_is_honoured_unless_it_is_empty() -> None:
    assert wants_no_colour({"NO_COLOR": "1"})
    assert wants_no_colour({"TERM": "dumb"})
    assert not wants_no_colour({"NO_COLOR": "", "TERM": "xterm"})
