"""The picture as SVG (for the page) and as a Mermaid diagram (for Markdown)."""

from __future__ import annotations

import re

from plan_review.plan.model import Action
from plan_review.render.escape import clip, plain
from plan_review.render.graph import Node, Picture
from plan_review.render.layout import HEIGHT, WIDTH, Placed, lay_out
from plan_review.render.markup import Markup, el
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


def draw(found: Picture) -> Markup:
    """The picture as one `<svg>` that takes its colours from the page's style."""
    drawing = lay_out(found)
    nodes = {n.key: n for n in found.nodes}
    arrow = el(
        "marker",
        el("path", d="M0 0L7 3.5L0 7z"),
        id="arrow",
        viewBox="0 0 7 7",
        refX="6.5",
        refY="3.5",
        markerWidth="7",
        markerHeight="7",
        orient="auto",
    )
    lines = [el("path", d=_curve(points), class_="line", marker_end="url(#arrow)") for points in drawing.lines]
    return el(
        "svg",
        el("defs", arrow),
        el("g", lines, aria_hidden="true"),
        [_box(nodes[placed.key], placed) for placed in drawing.boxes],
        viewBox=f"0 0 {drawing.width:g} {drawing.height:g}",
        width=drawing.width,
        height=drawing.height,
        role="img",
        aria_label=_spoken(found),
    )


def _spoken(found: Picture) -> str:
    return f"{len(found.nodes)} groups of resources and {len(found.links)} links between them"


def _box(node: Node, at: Placed) -> Markup:
    count = f" ({node.count})" if node.count > 1 else ""
    title = _shortened(plain(node.title), _TITLE_MAX - len(count)) + count
    return el(
        "g",
        el("title", f"{VERBS[node.action]}: {node.title} ({node.kind})"),
        el("rect", x=at.x, y=at.y, width=WIDTH, height=HEIGHT, rx="8", class_="box"),
        el("rect", x=at.x, y=at.y + 8, width="4", height=HEIGHT - 16, rx="2", class_="stripe"),
        el("text", title, x=at.x + 14, y=at.y + 21, class_="title"),
        el("text", clip(node.kind, _KIND_MAX), x=at.x + 14, y=at.y + 38, class_="kind"),
        el("text", SIGNS[node.action], x=at.x + WIDTH - 8, y=at.y + 21, class_="sign", text_anchor="end"),
        class_=f"node {CLASSES[node.action]}",
    )


def _shortened(title: str, length: int) -> str:
    """Without its middle: names that begin alike differ at their ends."""
    if len(title) <= length:
        return title
    end = length // 2
    return f"{title[: length - end - 1]}…{title[-end:]}"


def _curve(points: tuple[tuple[float, float], ...]) -> str:
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
