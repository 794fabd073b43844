"""A listing on its way: its pages, and at the end whether they were all."""

from __future__ import annotations

from collections.abc import Generator
from typing import Self

from adapter.cognito.base import Page

#: The pages of a listing; what it returns is whether they were complete.
Pages = Generator[Page, None, bool]


class Scan:
    """The pages of one listing, each as it was answered. Iterate over it once.

    `complete` is true once the listing has come to its end with nobody left out. It stays false while pages are still
    to come, and when the listing ended early: it was asked to stop, or nobody took the rest. The last page's missing
    token does not say that: a listing can be made of several, and of looks for other things in between.
    """

    __slots__ = ("_pages", "complete")

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self.complete = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Page:
        try:
            return next(self._pages)
        except StopIteration as end:
            # An iterator that is asked again after its end says None: what it said first counts.
            self.complete = self.complete or bool(end.value)
            raise

    def close(self) -> None:
        """End the listing early, with its threads."""
        self._pages.close()
