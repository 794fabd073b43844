"""Pauses grow while something does not pay, up to a limit, and end."""

from __future__ import annotations

from adapter.cognito.pause import Pause


def test_pauses_double_up_to_the_limit_and_end() -> None:
    pause, now_s = Pause(60, 200), 0.0
    assert pause.is_over(now_s)
    for expected_s in (60, 120, 200, 200):
        pause.begin(now_s)
        assert not pause.is_over(now_s + expected_s - 1)
        now_s += expected_s
        assert pause.is_over(now_s)


def test_after_something_worked_pauses_are_short_again() -> None:
    pause = Pause(60, 3600)
    pause.begin(0)
    pause.begin(60)
    pause.reset()
    assert not pause.is_over(100)
    pause.begin(200)
    assert pause.until_s == 260


def test_what_a_try_costs_makes_its_pause_longer() -> None:
    pause = Pause(60, 3600, cost_factor=8)
    pause.begin(0, cost_s=550)
    assert pause.until_s == 4400
    pause.begin(4400, cost_s=1)
    assert pause.until_s == 4520
