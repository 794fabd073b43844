"""When to look for sign-ups, on a clock that only the test moves."""

from __future__ import annotations

import pytest

from adapter.cognito.signup_scan import (
    CHEAP_REQUESTS,
    CYCLE_S,
    FAULT_PAUSE_S,
    PAUSE_MAX_S,
    PAUSE_S,
    SHARE,
    STATUSES,
    SignupSchedule,
)

RPS = 30.0
PAGES = 16_667.0
ONE = ("UNCONFIRMED",)


def schedule(pages: float = PAGES, statuses: tuple[str, ...] = ONE) -> SignupSchedule:
    return SignupSchedule(lambda: RPS, lambda: pages, statuses)


def test_a_pool_that_is_swept_in_seconds_needs_no_looks() -> None:
    assert schedule(pages=100).due(0) is None
    assert not schedule(pages=100).worthwhile
    assert schedule(pages=1000).worthwhile


def test_every_status_gets_its_turn() -> None:
    plan = schedule(statuses=STATUSES)
    seen = []
    while (status := plan.due(0.0)) is not None:
        seen.append(status)
    assert seen == list(STATUSES)


def test_a_look_is_not_begun_twice() -> None:
    plan = schedule()
    assert plan.due(0) == "UNCONFIRMED"
    assert plan.due(1000) is None


def test_a_cheap_slice_comes_round_every_cycle() -> None:
    plan = schedule()
    plan.due(0)
    plan.finished("UNCONFIRMED", 3, 150, 0.5)
    assert plan.due(CYCLE_S - 0.1) is None
    assert plan.due(CYCLE_S) == "UNCONFIRMED"


def test_a_dear_slice_comes_round_as_its_share_allows() -> None:
    plan = schedule()
    plan.due(0)
    plan.finished("UNCONFIRMED", 300, 18_000, 10)
    period_s = 300 / (RPS * SHARE)
    assert plan.due(period_s - 1) is None
    assert plan.due(period_s) == "UNCONFIRMED"


def test_all_slices_together_keep_to_their_share() -> None:
    plan = schedule(statuses=STATUSES)
    cost = {"UNCONFIRMED": 20, "FORCE_CHANGE_PASSWORD": 60, "EXTERNAL_PROVIDER": 200}
    now_s, spent = 0.0, 0
    while now_s < 2000:
        status = plan.due(now_s)
        if status is None:
            now_s += 0.1
            continue
        spent += cost[status]
        now_s += cost[status] / RPS
        plan.finished(status, cost[status], 60 * cost[status], now_s)
    assert spent / now_s <= RPS * SHARE * 1.05


@pytest.mark.parametrize(("requests", "users", "broken_off"), [(9, 10, False), (100, 60, False), (2083, 120_000, True)])
def test_a_slice_that_does_not_pay_is_left_alone_longer_and_longer(
    *, requests: int, users: int, broken_off: bool
) -> None:
    plan = schedule()
    now_s, pause_s = 0.0, PAUSE_S
    for _ in range(10):
        assert plan.due(now_s) == "UNCONFIRMED"
        plan.finished("UNCONFIRMED", requests, users, now_s, broken_off=broken_off)
        assert plan.due(now_s + pause_s - 1) is None
        now_s += pause_s
        pause_s = min(2 * pause_s, PAUSE_MAX_S)


def test_an_empty_slice_is_cheap_and_stays() -> None:
    plan = schedule()
    plan.due(0)
    plan.finished("UNCONFIRMED", CHEAP_REQUESTS, 0, 1)
    assert plan.due(CYCLE_S) == "UNCONFIRMED"


def test_a_slice_that_pays_again_starts_with_the_short_pause_next_time() -> None:
    plan = schedule()
    plan.due(0)
    plan.finished("UNCONFIRMED", 100, 0, 0)
    plan.due(PAUSE_S)
    plan.finished("UNCONFIRMED", 1, 5, PAUSE_S)
    plan.due(PAUSE_S + CYCLE_S)
    plan.finished("UNCONFIRMED", 100, 0, 100)
    assert plan.due(100 + PAUSE_S) == "UNCONFIRMED"


def test_a_fault_makes_a_short_pause() -> None:
    plan = schedule()
    plan.due(0)
    plan.failed("UNCONFIRMED", 1)
    assert plan.due(1 + FAULT_PAUSE_S - 0.1) is None
    assert plan.due(1 + FAULT_PAUSE_S) == "UNCONFIRMED"


def test_a_refused_filter_is_left_alone_longer_and_longer_and_asked_again() -> None:
    plan = schedule()
    now_s, pause_s = 0.0, PAUSE_S
    for _ in range(10):
        assert plan.due(now_s) == "UNCONFIRMED"
        plan.refused("UNCONFIRMED", now_s)
        assert plan.due(now_s + pause_s - 1) is None
        now_s += pause_s
        pause_s = min(2 * pause_s, PAUSE_MAX_S)
    plan.due(now_s)
    plan.finished("UNCONFIRMED", 1, 5, now_s)
    assert plan.due(now_s + CYCLE_S) == "UNCONFIRMED"


def test_a_look_takes_a_part_of_a_sweep_at_most() -> None:
    assert schedule().requests_max() == int(PAGES / 8)
    assert schedule(pages=10).requests_max() == CHEAP_REQUESTS
