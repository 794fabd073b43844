"""Several listings side by side: all pages come out, faults end all, nothing outlives its reader."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from adapter.cognito.base import Page
from adapter.cognito.fan_in import FanIn
from adapter.errors import UnavailableError
from tests.support import wait_until

Over = Callable[[], bool]


def listing(*names: str) -> Callable[[Over], Iterator[Page]]:
    return lambda _: iter([Page(users=[name.encode()], token=None) for name in names])


def merged(fan_in: FanIn[Page]) -> list[bytes]:
    return sorted(raw for page in fan_in.pages() for raw in page.users)


def never() -> bool:
    return False


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_all_pages_of_all_listings_come_out(workers: int) -> None:
    fan_in = FanIn([listing("a", "b"), listing(), listing("c")], workers, should_stop=never)
    assert merged(fan_in) == [b"a", b"b", b"c"]
    assert fan_in.complete


def test_many_pages_pass_a_small_queue() -> None:
    many = [str(number) for number in range(200)]
    assert len(merged(FanIn([listing(*many)] * 4, 2, should_stop=never))) == 800


def test_the_fault_of_one_listing_is_raised_and_ends_the_others() -> None:
    ended = threading.Event()

    def endless(over: Over) -> Iterator[Page]:
        while not over():
            yield Page(users=[b"x"], token="t")
        ended.set()

    def faulty(_: Over) -> Iterator[Page]:
        yield Page(users=[b"a"], token="t")
        raise UnavailableError("gone", code="x")

    with pytest.raises(UnavailableError, match="gone"):
        merged(FanIn([endless, faulty], 2, should_stop=never))
    assert ended.wait(5)


def test_what_runs_in_the_background_ends_with_the_listings() -> None:
    ran, release = threading.Event(), threading.Event()

    def background(over: Over) -> Iterator[Page]:
        yield Page(users=[b"background"], token="t")
        ran.set()
        while not over():
            release.wait(0.01)

    def main(_: Over) -> Iterator[Page]:
        assert ran.wait(5)
        yield Page(users=[b"main"], token=None)

    found = merged(FanIn([main], 1, background=background, should_stop=never))
    assert found == [b"background", b"main"]
    assert threading.active_count() < 10


def test_listings_whose_pages_were_not_all_taken_are_not_complete() -> None:
    stop = threading.Event()
    fan_in = FanIn([listing("a"), listing("b")], 2, should_stop=stop.is_set)
    pages = fan_in.pages()
    next(pages)
    wait_until(lambda: not any(thread.name.startswith("listing-") for thread in threading.enumerate()))
    stop.set()  # all were read, and half of them lie in the queue
    assert list(pages) == []
    assert not fan_in.complete


def test_a_stop_ends_everything_early() -> None:
    stop = threading.Event()

    def endless(over: Over) -> Iterator[Page]:
        while not over():
            yield Page(users=[b"x"], token="t")

    pages = FanIn([endless, endless], 2, should_stop=stop.is_set).pages()
    next(pages)
    stop.set()
    assert len(list(pages)) <= 8


def test_a_consumer_that_goes_away_ends_the_threads() -> None:
    over_now = threading.Event()

    def endless(over: Over) -> Iterator[Page]:
        while not over():
            yield Page(users=[b"x"], token="t")
        over_now.set()

    pages = FanIn([endless], 1, should_stop=never).pages()
    next(pages)
    pages.close()  # type: ignore[attr-defined]  # a generator, said to be an iterator
    assert over_now.wait(5)
