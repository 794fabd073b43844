"""How soon a change becomes an event: what was measured (benchmarks/latest.json) and what the defaults give."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapter.cognito.early import CYCLE_S
from adapter.variables import VARIABLES
from tools.pictures.svg import Sheet

#: Users a page of ListUsers has at most.
PAGE = 60
#: The small pool of the picture.
SMALL = 1_000
_WIDTH = 960
_LEFT, _RIGHT = 330, 930
#: The axis of the lower half, in seconds, and what is written at its marks.
_FIRST_S, _LAST_S = 0.1, 1800.0
_MARKS = {0.1: "0.1 s", 1.0: "1 s", 10.0: "10 s", 60.0: "1 min", 600.0: "10 min"}


@dataclass(frozen=True)
class Row:
    """One line of the lower half: the latest that an event comes, in seconds; None: never."""

    text: str
    seconds: float | None
    colour: str
    note: str = ""


def rows(figures: Mapping[str, Any]) -> dict[str, list[Row]]:
    """What the lower half shows, by its headings. `figures` as in benchmarks/latest.json."""
    early, swept = figures["signup_to_event_p99_s"]["median"], figures["signup_to_event_p99_s_sweep_only"]["median"]
    defaults = {variable.name: variable.default for variable in VARIABLES}
    sweep_s = math.ceil(SMALL / PAGE) / float(defaults["MAX_RPS"])
    wait_s, longest_s = float(defaults["POLL_MIN_SECONDS"]), float(defaults["POLL_MAX_SECONDS"])
    return {
        "Pool of 1,000,000 users at 30 requests/s: 99 of 100, measured": [
            Row("sign-up, found by an early look", early, "teal"),
            Row("any other change, found by the sweep", swept, "blue"),
        ],
        f"Pool of {SMALL:,} users with the defaults: the latest, computed": [
            Row("any change while others change too", wait_s + 2 * sweep_s, "blue"),
            Row("the first change after a quiet time", longest_s + 2 * sweep_s, "blue"),
        ],
        "Lambda triggers of the pool, for comparison": [
            Row(
                "sign-up, confirmed by the user", _FIRST_S, "amber", "at once; one attempt has 5 s, and three are made"
            ),
            Row("attributes changed, disabled, deleted", None, "red", "no trigger: never"),
        ],
    }


def draw(figures: Mapping[str, Any]) -> str:
    """The picture, as SVG."""
    sheet = Sheet(
        _WIDTH,
        604,
        "From a change to its event",
        "Above, a sweep that reads the pool page by page with short looks for new users in between; below, how long it "
        "takes until the event of a change is sent.",
    )
    sheet.text(30, 38, "From a change to its event", "ink big")
    _lanes(sheet)
    _bars(sheet, rows(figures))
    return sheet.render()


def _lanes(sheet: Sheet) -> None:
    """The upper half: what happens in time, not to scale."""
    left, right, middle = 170, 930, 560
    lanes = {"in the pool": 84, "early looks": 132, "sweeps": 180, "your sink": 236}
    for name, y in lanes.items():
        sheet.text(30, y + 5, name, "soft")
        sheet.line([(left, y), (right, y)], "s-edge")
    sheet.rect(left, 168, middle - left - 12, 24, "panel s-edge")
    sheet.text(left + 180, 185, "a sweep: every page of the pool", "ink small")
    sheet.rect(middle, 168, right - middle, 24, "panel s-edge")
    sheet.text(middle + 12, 185, "the next sweep", "ink small")
    for x in range(left + 20, right - 10, 58):
        sheet.rect(x, 123, 7, 18, "wash s-teal", radius=2)
    # A sign-up: the next look shows it.
    sheet.circle(296, 84, 6, "teal")
    sheet.text(306, 80, "sign-up", "teal bold")
    look = left + 20 + 58 * 2 + 3.5
    sheet.arrow([(296, 90), (look, 121)], "teal")
    sheet.arrow([(look, 142), (look + 26, 226)], "teal", "dash")
    sheet.circle(look + 28, 236, 6, "teal")
    sheet.text(look + 38, 258, "event", "teal bold")
    # Another change, behind the page that the sweep reads just now: the next one shows it.
    sheet.circle(436, 84, 6, "blue")
    sheet.text(446, 80, "e-mail address changes, on a page that was read already", "blue bold")
    sheet.arrow([(436, 90), (436, 104), (716, 104), (716, 166)], "blue")
    sheet.arrow([(716, 192), (740, 226)], "blue", "dash")
    sheet.circle(742, 236, 6, "blue")
    sheet.text(752, 258, "event", "blue bold")
    sheet.text(
        30, 290, f"Not to scale. Looks come every {CYCLE_S:g} s, where a sweep takes more than 10 s.", "soft small"
    )


def _x(seconds: float) -> int:
    """Where a time is, in whole pixels: the next run's slightly other figures give the same picture."""
    share = math.log(seconds / _FIRST_S) / math.log(_LAST_S / _FIRST_S)
    return round(_LEFT + share * (_RIGHT - _LEFT))


def _bars(sheet: Sheet, groups: Mapping[str, list[Row]]) -> None:
    """The lower half: times on a logarithmic axis."""
    top, bottom = 316, 560
    for seconds, text in _MARKS.items():
        sheet.line([(_x(seconds), top), (_x(seconds), bottom)], "s-edge dash")
        sheet.text(_x(seconds), bottom + 20, text, "soft small", anchor="middle")
    sheet.text(30, bottom + 20, "From the change to its event, logarithmic", "soft small")
    y = top + 14
    for heading, group in groups.items():
        sheet.rect(28, y - 13, 7.6 * len(heading), 18, "paper", radius=0)
        sheet.text(30, y, heading, "ink bold")
        for row in group:
            y += 26
            sheet.text(44, y + 4, row.text, "ink")
            _bar(sheet, row, y)
        y += 34


def _bar(sheet: Sheet, row: Row, y: float) -> None:
    if row.seconds is None:
        sheet.line([(_LEFT, y), (_RIGHT, y)], f"s-{row.colour} dash")
        sheet.rect(_LEFT + 12, y - 10, 118, 20, "paper")
        sheet.text(_LEFT + 18, y + 4, row.note, f"{row.colour} bold")
        return
    end = _x(row.seconds)
    sheet.rect(_LEFT, y - 7, max(end - _LEFT, 6), 14, row.colour, radius=3)
    note = row.note or said(row.seconds)
    width = 8 * len(note)
    sheet.rect(end + 6, y - 9, width if not row.note else 6.6 * len(note), 18, "paper", radius=0)
    sheet.text(end + 10 if row.note == "" else end + 14, y + 4, note, f"{row.colour} bold")


def said(seconds: float) -> str:
    """A time as people say it."""
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.1f} s"
