"""How far the first sweep is: what is shown, how often, and that nothing is made up."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import pytest

from adapter.log import TerminalHandler, configure, status_line
from adapter.observability.progress import LOG_S, LOOK_S, PATIENCE_S, Progress, Sight, describe


class TimedSweep:
    """A sweep of pages of 60 users, so many a second, by a clock of the test's."""

    def __init__(self, *, log: bool = False, **options: Any) -> None:
        self.now_s = 100.0
        self.lines: list[str] = []
        self.counted = 0
        self.users = 0
        show = None if log else self.lines.append
        self.progress = Progress(clock=lambda: self.now_s, show=show, **options)

    @property
    def seen(self) -> int:
        self.counted += 1
        return self.users

    def pages(self, number: int, per_second: float = 8.0) -> None:
        for _ in range(number):
            self.now_s += 1 / per_second
            self.users += 60
            self.progress.page(self)


def test_a_first_sweep_shows_what_is_known_and_says_what_is_not() -> None:
    sweep = TimedSweep()
    sweep.progress.begin()
    sweep.pages(48)
    assert sweep.lines[-1] == (
        "Reading the pool: 2,880 users, 48 pages, 8.0 pages/s, 6.0 s so far, the pool's size is not known yet"
    )
    report = sweep.progress.report()
    assert report is not None
    assert report["users"] == 2880
    assert report["seconds_left"] is None


def test_after_a_restart_the_known_users_give_the_time_that_is_left() -> None:
    sweep = TimedSweep(known=60_000, whole=True)
    sweep.progress.begin()
    sweep.pages(96)
    assert sweep.lines[-1].endswith("5,760 of about 60,000 users, 96 pages, 8.0 pages/s, about 2 min left")


def test_users_of_an_interrupted_first_sweep_are_not_taken_for_the_pool() -> None:
    sweep = TimedSweep(known=60_000, whole=False)
    sweep.progress.begin()
    sweep.pages(96)
    assert "left" not in sweep.lines[-1]
    assert "60,000" not in sweep.lines[-1]


def test_a_pool_that_has_grown_promises_no_end() -> None:
    sweep = TimedSweep(known=600, whole=True)
    sweep.progress.begin()
    sweep.pages(96)
    assert sweep.lines[-1].endswith("5,760 of about 600 users, 96 pages, 8.0 pages/s")


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    sweep = TimedSweep(known=600_000, whole=True)
    sweep.progress.begin()
    sweep.pages(600, per_second=30)
    sweep.pages(80, per_second=2)
    assert "2.0 pages/s" in sweep.lines[-1]


def test_a_short_sweep_shows_nothing() -> None:
    sweep = TimedSweep()
    sweep.progress.begin()
    sweep.pages(int(PATIENCE_S * 8) - 1)
    sweep.progress.end(complete=True)
    assert sweep.lines == []


def test_users_are_counted_as_rarely_as_the_line_is_drawn() -> None:
    sweep = TimedSweep()
    sweep.progress.begin()
    sweep.pages(10_000, per_second=1000)
    assert sweep.counted == len(sweep.lines) <= (10 - PATIENCE_S) / LOOK_S + 1


def test_the_line_goes_when_the_sweep_ends_and_later_sweeps_show_nothing() -> None:
    sweep = TimedSweep()
    sweep.progress.begin()
    sweep.pages(48)
    sweep.progress.end(complete=True)
    assert sweep.lines[-1] == ""
    assert sweep.progress.report() is None
    shown = len(sweep.lines)
    sweep.progress.begin()
    sweep.pages(48)
    sweep.progress.end(complete=True)
    assert len(sweep.lines) == shown


def test_a_sweep_that_failed_is_shown_again_from_its_beginning() -> None:
    sweep = TimedSweep()
    sweep.progress.begin()
    sweep.pages(48)
    sweep.progress.end(complete=False)
    sweep.users = 0
    sweep.progress.begin()
    sweep.pages(32)
    assert "1,920 users, 32 pages" in sweep.lines[-1]


def test_without_a_terminal_it_is_logged_every_half_minute(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="adapter.observability.progress"):
        sweep = TimedSweep(log=True, known=60_000, whole=True)
        sweep.progress.begin()
        sweep.pages(int(LOG_S * 8 * 2.5))
    assert [record.__dict__["action"] for record in caplog.records] == ["sweep_progress"] * 2
    fields = caplog.records[0].__dict__
    assert fields["pages_per_second"] == 8.0
    assert fields["known"] == 60_000
    assert fields["seconds_left"] == pytest.approx(95, abs=1)


def test_waiting_for_a_sink_is_not_called_nearly_done() -> None:
    sight = Sight(users=10, known=100, whole=True, pages=1, pages_per_second=0.0, seconds=60.0)
    assert describe(sight) == "10 of about 100 users, 1 pages, 0.0 pages/s"


def test_log_lines_stand_above_the_line_that_changes() -> None:
    stream = io.StringIO()
    handler = TerminalHandler(stream)
    handler.show("half way")
    handler.emit(logging.makeLogRecord({"msg": "something happened"}))
    handler.show("")
    handler.show("")
    assert stream.getvalue() == "\r\x1b[Khalf way\r\x1b[Ksomething happened\n\r\x1b[Khalf way\r\x1b[K"


def test_the_line_is_cut_to_the_terminal() -> None:
    stream = io.StringIO()
    TerminalHandler(stream).show("x" * 200)
    assert len(stream.getvalue().removeprefix("\r\x1b[K")) == 79


def test_there_is_a_line_only_on_a_terminal_that_can_draw_one() -> None:
    handlers = logging.getLogger("adapter").handlers[:]
    try:
        configure("info", io.StringIO())
        assert status_line() is None
        configure("info", io.StringIO(), live=True)
        assert status_line() is not None
    finally:
        logging.getLogger("adapter").handlers[:] = handlers
        logging.getLogger("adapter").propagate = True


def test_the_documentation_shows_the_lines_as_they_are() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "operations.md").read_text()
    first = Sight(users=62_340, known=0, whole=False, pages=1039, pages_per_second=10.0, seconds=104.0)
    again = Sight(
        users=62_340, known=1_000_000, whole=True, pages=1039, pages_per_second=29.8, seconds=35.0, seconds_left=524.0
    )
    assert f"\nReading the pool: {describe(first)}\nReading the pool: {describe(again)}\n" in text
