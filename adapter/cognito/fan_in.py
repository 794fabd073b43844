"""Several listings side by side, in threads, for one reader."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Generic, TypeVar

_LOOK_S: Final = 0.2

Item = TypeVar("Item")
#: Whether a listing should end early.
Over = Callable[[], bool]


class FanIn(Generic[Item]):
    """Reads several listings in threads of its own and hands their pages (or what else they give) to one thread.

    Args:
        listings: makes the iterators of the listings; each is used by one thread.
        workers: how many run at the same time.
        background: one more iterator that runs in a thread of its own until the listings are done; None: nothing.
        should_stop: ends everything early.
    """

    def __init__(
        self,
        listings: Sequence[Callable[[Over], Iterator[Item]]],
        workers: int,
        *,
        background: Callable[[Over], Iterator[Item]] | None = None,
        should_stop: Over,
    ) -> None:
        self._waiting = deque(listings)
        self._left = len(listings)
        self._should_stop = should_stop
        self._ended = threading.Event()
        self._found: queue.Queue[Item | BaseException | None] = queue.Queue(maxsize=2 * workers)
        self._threads = [
            threading.Thread(target=self._work, name=f"listing-{number}", daemon=True)
            for number in range(min(workers, len(listings)))
        ]
        if background is not None:
            thread = threading.Thread(target=self._run_background, args=(background,), name="background", daemon=True)
            self._threads.append(thread)

    def pages(self) -> Iterator[Item]:
        """The pages of all listings as they come; it ends when all of them ended.

        Raises:
            CognitoError: what a listing raised; the others are broken off.
        """
        for thread in self._threads:
            thread.start()
        try:
            while self._left and not self._should_stop():
                try:
                    found = self._found.get(timeout=_LOOK_S)
                except queue.Empty:
                    continue
                if found is None:
                    self._left -= 1
                elif isinstance(found, BaseException):
                    raise found
                else:
                    yield found
        finally:
            self._ended.set()
            # A thread in the middle of a request ends after it: it is a daemon, and what it finds goes nowhere.
            deadline = time.monotonic() + _LOOK_S
            for thread in self._threads:
                thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def complete(self) -> bool:
        """Whether every listing ended and all pages were taken: none is left in the queue after a stop."""
        return not self._left

    def _over(self) -> bool:
        return self._ended.is_set() or self._should_stop()

    def _work(self) -> None:
        while not self._over():
            try:
                listing = self._waiting.popleft()
            except IndexError:
                return
            try:
                for page in listing(self._over):
                    self._hand_over(page)
            except Exception as error:  # noqa: BLE001 - the boundary of a thread: raised again in `pages`
                self._hand_over(error)
                return
            self._hand_over(None)

    def _run_background(self, background: Callable[[Over], Iterator[Item]]) -> None:
        try:
            for page in background(self._over):
                self._hand_over(page)
        except Exception as error:  # noqa: BLE001 - as above
            self._hand_over(error)

    def _hand_over(self, found: Item | BaseException | None) -> None:
        while not self._ended.is_set():
            try:
                self._found.put(found, timeout=_LOOK_S)
            except queue.Full:
                continue
            return
