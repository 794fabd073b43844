"""Places the boxes of a picture in columns, in a way that is the same on every run.

The usual steps of a layered drawing (Sugiyama): take out cycles, give every box the column after all that point to it,
let long links pass through the columns between, order each column by the average place of its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from plan_review.render.graph import Picture

WIDTH = 176
HEIGHT = 50
_GAP_X = 36
_GAP_Y = 16.0
#: Height of the place where a long link passes through a column.
_PASS = 12
_MARGIN = 8
_SWEEPS = 8


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a box is: its left upper corner."""

    key: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture with coordinates; a link is a row of points from the right of one box to the left of another."""

    width: float
    height: float
    boxes: tuple[Placed, ...]
    lines: tuple[tuple[tuple[float, float], ...], ...]


def lay_out(found: Picture) -> Drawing:
    """Place boxes and links; boxes without links stand in a block of their own below."""
    linked = {key for pair in found.links for key in pair}
    columns, chains = _columns([n.key for n in found.nodes if n.key in linked], found.links)
    _order(columns, [pair for chain in chains for pair in pairwise(chain)])
    places, height = _coordinates(columns)
    alone = [n.key for n in found.nodes if n.key not in linked]
    across = max(len(columns), min(4, len(alone)))
    for index, key in enumerate(alone):
        row, column = divmod(index, across)
        y = height + (_GAP_Y if columns else 0) + row * (HEIGHT + _GAP_Y) + (0 if columns else _MARGIN)
        places[key] = (_MARGIN + column * (WIDTH + _GAP_X), y)
    boxes = tuple(Placed(n.key, *places[n.key]) for n in found.nodes)
    lines = tuple(_line(chain, places) for chain in chains)
    right = max((b.x + WIDTH for b in boxes), default=0) + _MARGIN
    bottom = max((b.y + HEIGHT for b in boxes), default=0) + _MARGIN
    return Drawing(right, bottom, boxes, lines)


def _columns(keys: list[str], links: Iterable[tuple[str, str]]) -> tuple[list[list[str]], list[tuple[str, ...]]]:
    """The columns from left to right, and every link as a chain that goes one column a step."""
    forward = _acyclic(keys, list(links))
    level = dict.fromkeys(keys, 0)
    for _ in keys:
        moved = False
        for source, target in forward:
            if level[target] < level[source] + 1:
                level[target] = level[source] + 1
                moved = True
        if not moved:
            break
    # A box that only points elsewhere moves next to what it points to.
    for key in keys:
        targets = [level[t] for s, t in forward if s == key]
        if targets and not any(t == key for _, t in forward):
            level[key] = min(targets) - 1
    columns: list[list[str]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for key in keys:
        columns[level[key]].append(key)
    chains = []
    for source, target in forward:
        chain = [source]
        for step in range(level[source] + 1, level[target]):
            through = f"\0{source}\0{target}\0{step}"
            columns[step].append(through)
            chain.append(through)
        chains.append((*chain, target))
    return columns, chains


def _acyclic(keys: list[str], links: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The links with those turned round that would close a circle."""
    after: dict[str, list[str]] = {key: [] for key in keys}
    for source, target in links:
        after[source].append(target)
    state: dict[str, int] = {}
    turned: set[tuple[str, str]] = set()

    def visit(key: str) -> None:
        state[key] = 1
        for target in after[key]:
            if state.get(target) == 1:
                turned.add((key, target))
            elif target not in state:
                visit(target)
        state[key] = 2

    for key in keys:
        if key not in state:
            visit(key)
    return [(t, s) if (s, t) in turned else (s, t) for s, t in links]


def _order(columns: list[list[str]], steps: list[tuple[str, str]]) -> None:
    """Sort each column by the average place of its neighbours in the column before, then after, some times over."""
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for source, target in steps:
        before.setdefault(target, []).append(source)
        after.setdefault(source, []).append(target)
    for sweep in range(_SWEEPS):
        rightwards = sweep % 2 == 0
        neighbours = before if rightwards else after
        for column in columns if rightwards else reversed(columns):
            place = {key: index for other in columns for index, key in enumerate(other)}
            column.sort(key=lambda key: _average(neighbours.get(key), place, place[key]))


def _average(keys: list[str] | None, place: Mapping[str, int], own: int) -> float:
    return sum(place[k] for k in keys) / len(keys) if keys else float(own)


def _coordinates(columns: list[list[str]]) -> tuple[dict[str, tuple[float, float]], float]:
    heights = [sum(_height(k) + _GAP_Y for k in column) - _GAP_Y for column in columns]
    tallest = float(max(heights, default=0.0))
    places: dict[str, tuple[float, float]] = {}
    for index, column in enumerate(columns):
        y = _MARGIN + (tallest - heights[index]) / 2
        for key in column:
            places[key] = (_MARGIN + index * (WIDTH + _GAP_X), y)
            y += _height(key) + _GAP_Y
    return places, (tallest + _MARGIN if columns else 0.0)


def _height(key: str) -> float:
    return _PASS if key.startswith("\0") else HEIGHT


def _line(chain: tuple[str, ...], places: Mapping[str, tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    points: list[tuple[float, float]] = []
    for index, key in enumerate(chain):
        x, y = places[key]
        if index == 0:
            points.append((x + WIDTH, y + HEIGHT / 2))
        elif index == len(chain) - 1:
            points.append((x, y + HEIGHT / 2))
        else:
            points += [(x, y + _PASS / 2), (x + WIDTH, y + _PASS / 2)]
    return tuple(points)
