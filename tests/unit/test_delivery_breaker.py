"""The circuit breaker."""

from __future__ import annotations

from adapter.delivery.breaker import Breaker


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker(users=3, first_probe_s=1, max_probe_s=30)
    for user in "abc":
        breaker.failed(user, now)
    assert breaker.open
    return breaker


def test_failures_of_enough_different_users_open_it() -> None:
    breaker = Breaker(users=3)
    assert not breaker.failed("a", 0)
    assert not breaker.failed("b", 0)
    assert breaker.failed("c", 0)
    assert breaker.open


def test_one_user_alone_never_opens_it() -> None:
    breaker = Breaker(users=3)
    for second in range(100):
        assert not breaker.failed("a", second)
    assert breaker.wait_s(100) == 0


def test_any_answer_between_the_failures_starts_the_count_again() -> None:
    breaker = Breaker(users=3)
    for _ in range(10):
        breaker.failed("a", 0)
        breaker.failed("b", 0)
        assert not breaker.answered()
    assert not breaker.open


def test_probes_come_at_growing_intervals_up_to_the_longest() -> None:
    breaker = opened()
    now, waits = 0.0, []
    for _ in range(8):
        wait_s = breaker.wait_s(now)
        assert wait_s is not None
        waits.append(wait_s)
        now += wait_s
        assert breaker.wait_s(now) == 0
        assert breaker.probe()
        breaker.failed("a", now, probe=True)
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]


def test_only_one_probe_is_under_way() -> None:
    breaker = opened()
    assert breaker.probe()
    assert breaker.wait_s(1000) is None


def test_an_answer_to_a_probe_closes_it_for_everybody() -> None:
    breaker = opened()
    breaker.probe()
    assert breaker.answered()
    assert breaker.wait_s(0) == 0
    assert not breaker.probe()


def test_after_an_outage_the_probes_begin_with_the_shortest_interval_again() -> None:
    breaker = opened()
    breaker.probe()
    breaker.failed("a", 1, probe=True)
    breaker.answered()
    for user in "abc":
        breaker.failed(user, 100)
    assert breaker.wait_s(100) == 1


def test_failures_sent_before_it_opened_do_not_delay_the_probe() -> None:
    breaker = opened(now=0)
    breaker.failed("d", 0.9)
    assert breaker.wait_s(1) == 0


def test_a_probe_that_was_not_sent_makes_room_for_another() -> None:
    breaker = opened()
    breaker.probe()
    breaker.probe_lost()
    assert breaker.wait_s(1) == 0
