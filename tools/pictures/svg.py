"""A sheet to draw on: SVG that reads well on light and dark pages, by itself and inside of Markdown.

The sheet has a background of its own, for a page can be dark where the reader's system is light. Colours are classes,
so that both schemes are one file; nothing is loaded from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

#: Class, light, dark. `ink` is for text, the others for shapes and what is written about them.
COLOURS = {
    "paper": ("#ffffff", "#161b22"),
    "panel": ("#f4f6f8", "#1f2630"),
    "edge": ("#c9d1d9", "#3d4652"),
    "ink": ("#1c2530", "#e6edf3"),
    "soft": ("#57606a", "#9aa5b1"),
    "teal": ("#00796b", "#3fc5b3"),
    "wash": ("#cfe9e5", "#12463f"),
    "blue": ("#1f5fbf", "#79b0ff"),
    "amber": ("#9a5b00", "#e3a94a"),
    "gold": ("#fbe6bd", "#4d3710"),
    "red": ("#b3261e", "#ff8f84"),
}
_STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif }
.small { font-size: 11.5px } .big { font-size: 17px; font-weight: 600 } .bold { font-weight: 600 }
.mono { font: 12px ui-monospace, SFMono-Regular, Menlo, "Liberation Mono", Consolas, monospace }
.line { fill: none; stroke-width: 1.5 } .thick { fill: none; stroke-width: 2.5 } .dash { stroke-dasharray: 4 4 }
"""


def _colours(column: int) -> str:
    rules = []
    for name, shades in COLOURS.items():
        rules.append(f".{name} {{ fill: {shades[column]} }} .s-{name} {{ stroke: {shades[column]} }}")
    return "\n".join(rules)


class Sheet:
    """Shapes in the order in which they are drawn. Lengths are in pixels, from the top left."""

    def __init__(self, width: int, height: int, title: str, description: str) -> None:
        self._width, self._height = width, height
        self._title, self._description = title, description
        self._shapes: list[str] = []
        self.rect(0.5, 0.5, width - 1, height - 1, "paper s-edge", radius=10)

    def rect(self, x: float, y: float, width: float, height: float, classes: str, *, radius: float = 4) -> None:
        """A rectangle."""
        self._shapes.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" class="{classes}"/>'
        )

    def circle(self, x: float, y: float, radius: float, classes: str) -> None:
        """A disc."""
        self._shapes.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" class="{classes}"/>')

    def line(self, points: Iterable[tuple[float, float]], classes: str) -> None:
        """A line through points. Classes with s- give its colour."""
        path = " L".join(f"{x:g} {y:g}" for x, y in points)
        self._shapes.append(f'<path d="M{path}" class="line {classes}"/>')

    def arrow(self, points: list[tuple[float, float]], colour: str, classes: str = "") -> None:
        """A line whose end has a head. `colour` is a name of COLOURS."""
        (x0, y0), (x, y) = points[-2:]
        length = ((x - x0) ** 2 + (y - y0) ** 2) ** 0.5 or 1.0
        dx, dy = (x - x0) / length, (y - y0) / length
        self.line([*points[:-1], (round(x - 6 * dx, 2), round(y - 6 * dy, 2))], f"s-{colour} {classes}")
        left, right = (x - 8 * dx - 4 * dy, y - 8 * dy + 4 * dx), (x - 8 * dx + 4 * dy, y - 8 * dy - 4 * dx)
        corners = " L".join(f"{round(a, 2):g} {round(b, 2):g}" for a, b in ((x, y), left, right))
        self._shapes.append(f'<path d="M{corners} Z" class="{colour}"/>')

    def text(self, x: float, y: float, text: str, classes: str = "ink", *, anchor: str = "start") -> None:
        """One line of text; `y` is its base line, `anchor` start, middle or end."""
        self._shapes.append(
            f'<text x="{x:g}" y="{y:g}" class="{classes}" text-anchor="{anchor}">{escape(text, quote=False)}</text>'
        )

    def lines(self, x: float, y: float, texts: Iterable[str], classes: str = "ink", *, anchor: str = "start") -> None:
        """Lines of text below each other."""
        for number, text in enumerate(texts):
            self.text(x, y + 17 * number, text, classes, anchor=anchor)

    def render(self) -> str:
        """The file's text."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self._width} {self._height}" '
            f'width="{self._width}" height="{self._height}" role="img" aria-labelledby="title description">'
        )
        style = f"<style>{_STYLE}{_colours(0)}\n@media (prefers-color-scheme: dark) {{\n{_colours(1)}\n}}</style>"
        about = f'<title id="title">{escape(self._title)}</title>'
        about += f'\n<desc id="description">{escape(self._description)}</desc>'
        return "\n".join([head, about, style, *self._shapes, "</svg>", ""])
