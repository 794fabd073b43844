"""docs/get-started.md shows what its commands really print, from the first to the last."""

from __future__ import annotations

from tools.docs.walkthrough import GUIDE, walk


def test_a_newcomer_gets_from_nothing_to_events() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert walk(text) == text, "run: python -m tools.docs.walkthrough"
