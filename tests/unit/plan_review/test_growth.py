"""The work of a review grows with the plan, not with its square: counted in calls, which no other load changes."""

from __future__ import annotations

import cProfile
import json
import pstats
from collections.abc import Callable
from typing import Any

import pytest

from plan_review import run
from tests.unit.plan_review import large

#: A plan of twice the size costs twice as much; the rest is for what is done once.
RATIO_MAX = 2.3
RULES = ("no-destroy", "no-iam-widening", "no-public", "no-plaintext-secret", "only=aws_*")


def calls(item: dict[str, Any], style: str) -> int:
    data = json.dumps(item).encode()
    profile = cProfile.Profile()
    profile.enable()
    run.run([run.Loaded("plan.json", data)], RULES).render(style)
    profile.disable()
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]  # typeshed doesn't name it


@pytest.mark.parametrize("style", ["text", "html"])
@pytest.mark.parametrize("made", [large.roles, large.statements, large.conditions, large.groups])
def test_twice_the_plan_is_twice_the_work(made: Callable[[int], dict[str, Any]], style: str) -> None:
    calls(made(10), style)  # what is imported and compiled once
    assert calls(made(300), style) <= calls(made(150), style) * RATIO_MAX


def test_a_picture_of_boxes_that_are_all_linked_is_no_more_than_their_links() -> None:
    """24 boxes have 276 links, 12 have 66."""
    calls(large.boxes(3), "html")
    assert calls(large.boxes(24), "html") <= calls(large.boxes(12), "html") * 276 / 66 * RATIO_MAX
