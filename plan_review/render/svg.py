"""What the page's drawing is made of, and the picture as a Mermaid diagram for Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass

from plan_review.plan.model import Action
from plan_review.render.escape import clip, plain
from plan_review.render.graph import Node, Picture
from plan_review.render.layout import Drawing, Placed
from plan_review.sentences import SIGNS, VERBS

_TITLE_MAX = 17
_KIND_MAX = 23
#: Larger diagrams aren't drawn by GitHub's Mermaid in a useful size.
_MERMAID_MAX = 40

CLASSES = {
    Action.CREATE: "create",
    Action.UPDATE: "update",
    Action.REPLACE: "replace",
    Action.DELETE: "destroy",
    Action.FORGET: "forget",
    Action.NOOP: "keep",
    Action.READ: "keep",
    Action.OTHER: "replace",
}


@dataclass(frozen=True, slots=True)
class Box:
    """A box of the drawing, with the texts that fit into it."""

    x: float
    y: float
    title: str
    kind: str
    sign: str
    style: str
    #: What it says when it is read aloud, or pointed at.
    spoken: str


def boxes(found: Picture, drawing: Drawing) -> list[Box]:
    """The boxes of a picture where the drawing places them."""
    nodes = {n.key: n for n in found.nodes}
    return [_box(nodes[placed.key], placed) for placed in drawing.boxes]


def _box(node: Node, at: Placed) -> Box:
    count = f" ({node.count})" if node.count > 1 else ""
    return Box(
        x=at.x,
        y=at.y,
        title=_shortened(plain(node.title), _TITLE_MAX - len(count)) + count,
        kind=clip(node.kind, _KIND_MAX),
        sign=SIGNS[node.action],
        style=CLASSES[node.action],
        spoken=f"{VERBS[node.action]}: {node.title} ({node.kind})",
    )


def _shortened(title: str, length: int) -> str:
    """Without its middle: names that begin alike differ at their ends."""
    if len(title) <= length:
        return title
    end = length // 2
    return f"{title[: length - end - 1]}…{title[-end:]}"


def curve(points: tuple[tuple[float, float], ...]) -> str:
    """Smooth from point to point, level at each of them."""
    (x, y), *rest = points
    parts = [f"M{x:g} {y:g}"]
    for to_x, to_y in rest:
        middle = (x + to_x) / 2
        parts.append(f"C{middle:g} {y:g} {middle:g} {to_y:g} {to_x:g} {to_y:g}")
        x, y = to_x, to_y
    return "".join(parts)


def mermaid(found: Picture) -> str:
    """The picture as the text of a Mermaid diagram; empty when there is nothing to draw, or too much."""
    if not found.nodes or len(found.nodes) > _MERMAID_MAX:
        return ""
    ids = {n.key: f"n{index}" for index, n in enumerate(found.nodes)}
    lines = ["graph LR"]
    for node in found.nodes:
        count = f" ({node.count})" if node.count > 1 else ""
        label = f"{_mermaid_text(node.title)}{count}<br/><small>{_mermaid_text(node.kind)}</small>"
        lines.append(f'  {ids[node.key]}["{label}"]:::{CLASSES[node.action]}')
    lines += [f"  {ids[source]} --> {ids[target]}" for source, target in found.links]
    lines += [
        "  classDef create stroke:#1a7f37,stroke-width:2px",
        "  classDef update stroke:#9a6700,stroke-width:2px",
        "  classDef replace stroke:#cf222e,stroke-width:2px",
        "  classDef destroy stroke:#cf222e,stroke-width:2px,stroke-dasharray:4",
        "  classDef forget stroke:#6e7781,stroke-dasharray:4",
        "  classDef keep stroke:#6e7781",
    ]
    return "\n".join(lines)


def _mermaid_text(text: str) -> str:
    """Everything but letters, digits and the harmless rest as Mermaid's entity codes."""
    return re.sub(r"[^\w ./:-]", lambda m: f"#{ord(m.group())};", clip(plain(text), 40))
