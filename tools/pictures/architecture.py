"""The parts of the code and what flows between them. Laid out by hand; names and arrows are checked against the code.

A box with a module's name exists in the code, and between two boxes with an arrow one imports the other: `draw` refuses
what is not so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tools.architecture import imports, part
from tools.pictures.svg import Sheet

_WIDTH, _HEIGHT = 960, 744
_BOX_WIDTH, _BOX_HEIGHT = 116, 52


@dataclass(frozen=True)
class Box:
    """A box: its middle, what it says of itself. `module` is empty for what is not ours."""

    x: float
    y: float
    name: str
    about: str
    module: str = ""

    @property
    def width(self) -> float:
        """Wider than others where the text is."""
        return max(_BOX_WIDTH, 6.6 * len(self.about) + 16, 8.6 * len(self.name) + 22)


def _ours(x: float, y: float, module: str, about: str) -> Box:
    return Box(x, y, module.removeprefix("adapter."), about, module)


BOXES = {
    box.module or box.name: box
    for box in (
        Box(96, 112, "source.yaml", "the manifest"),
        _ours(262, 112, "main", "reads and checks"),
        _ours(430, 112, "stacks", "what is deployed"),
        Box(610, 112, "Terraform", "cdktf deploy"),
        Box(822, 112, "AWS", "task, table, secret, alarms"),
        _ours(430, 202, "iam", "the key's life"),
        Box(112, 340, "environment", "or a manifest"),
        _ours(262, 340, "adapter.config", "checked settings"),
        _ours(412, 340, "adapter.app", "puts parts together"),
        _ours(580, 340, "adapter.service", "the loop"),
        _ours(412, 424, "adapter.changes", "pure: what changed"),
        _ours(580, 424, "adapter.events", "CloudEvents"),
        Box(104, 508, "Amazon Cognito", "ListUsers"),
        _ours(262, 508, "adapter.cognito", "pages, in pace"),
        _ours(412, 508, "adapter.sweep", "every user"),
        _ours(564, 508, "adapter.ledger", "the books"),
        _ours(708, 508, "adapter.delivery", "order, retries"),
        _ours(850, 508, "adapter.sinks", "HTTP, AWS, file"),
        _ours(564, 592, "adapter.state", "what was told"),
        Box(378, 592, "SQLite, DynamoDB", "one writer"),
        Box(850, 592, "your sink", "at least once"),
        _ours(112, 692, "adapter.health", "/live, /ready"),
        _ours(262, 692, "adapter.metrics", "counts"),
        _ours(412, 692, "adapter.prometheus", "/metrics"),
        _ours(564, 692, "adapter.emf", "CloudWatch"),
        _ours(708, 692, "adapter.status", "the status page"),
    )
}
#: Arrows: what flows from where to where.
FLOWS = (
    *(("source.yaml", "main"), ("main", "stacks"), ("stacks", "Terraform"), ("Terraform", "AWS"), ("stacks", "iam")),
    *(("environment", "adapter.config"), ("adapter.config", "adapter.app"), ("adapter.app", "adapter.service")),
    *(("Amazon Cognito", "adapter.cognito"), ("adapter.cognito", "adapter.sweep"), ("adapter.sweep", "adapter.ledger")),
    *(
        ("adapter.sweep", "adapter.changes"),
        ("adapter.ledger", "adapter.delivery"),
        ("adapter.ledger", "adapter.events"),
    ),
    *(("adapter.delivery", "adapter.sinks"), ("adapter.sinks", "your sink"), ("adapter.ledger", "adapter.state")),
    ("adapter.state", "SQLite, DynamoDB"),
)


def wrong(root: Path) -> list[str]:
    """What the picture says and the code does not: boxes without a module, arrows without an import."""
    pairs = {(part(a), part(b)) for a, found in imports(root).items() for b in found}
    pairs |= {(a.split(".")[0], b.split(".")[0]) for a, b in pairs}
    there = {each for pair in pairs for each in pair}
    problems = [f"there is no {box.module}" for box in BOXES.values() if box.module and box.module not in there]
    for start, end in FLOWS:
        if BOXES[start].module and BOXES[end].module and not {(start, end), (end, start)} & pairs:
            problems.append(f"neither of {start} and {end} imports the other")
    return problems


def draw(root: Path) -> str:
    """The picture, as SVG.

    Raises:
        ValueError: it is not true any more.
    """
    if problems := wrong(root):
        raise ValueError("; ".join(problems))
    sheet = Sheet(
        _WIDTH,
        _HEIGHT,
        "The parts of cognito-source",
        "Above, how a manifest becomes a deployment: main, stacks, Terraform, AWS, and iam, which mints the key. "
        "Below, the adapter: pages of users come from Cognito, a sweep finds changes, the ledger stores them and hands "
        "them to the delivery, which sends them to the sink.",
    )
    sheet.text(30, 40, "Deploying", "ink big")
    sheet.text(134, 40, "on your machine or in a pipeline, once", "soft")
    sheet.rect(16, 252, _WIDTH - 32, _HEIGHT - 268, "panel s-edge", radius=10)
    sheet.text(30, 284, "Running", "ink big")
    sheet.text(120, 284, "python -m adapter: in a container, or anywhere", "soft")
    sheet.line([(30, 634), (_WIDTH - 30, 634)], "s-edge dash")
    sheet.text(36, 655, "What it tells of itself", "soft small")
    for start, end in FLOWS:
        _arrow(sheet, BOXES[start], BOXES[end])
    # What Terraform does by a program of ours: the secret half of the key is in none of its files.
    sheet.arrow([(610, 138), (610, 202), (492, 202)], "soft", "dash")
    sheet.text(620, 190, "mints the access key, past", "soft small")
    sheet.text(620, 206, "Terraform's state and plan", "soft small")
    sheet.text(744, 338, "drives sweeps, waits,", "soft small")
    sheet.text(744, 354, "meets every kind of fault", "soft small")
    sheet.arrow([(638, 340), (736, 340)], "soft", "dash")
    for box in BOXES.values():
        _box(sheet, box)
    return sheet.render()


def _box(sheet: Sheet, box: Box) -> None:
    left, top = box.x - box.width / 2, box.y - _BOX_HEIGHT / 2
    ours = bool(box.module)
    sheet.rect(left, top, box.width, _BOX_HEIGHT, "wash s-teal" if ours else "paper s-edge", radius=7 if ours else 24)
    sheet.text(box.x, box.y - 4, box.name, "ink mono bold" if ours else "ink bold", anchor="middle")
    sheet.text(box.x, box.y + 15, box.about, "ink small" if ours else "soft small", anchor="middle")


def _arrow(sheet: Sheet, start: Box, end: Box) -> None:
    """From edge to edge, straight: along the row, or along the column."""
    if start.y == end.y:
        side = 1 if end.x > start.x else -1
        sheet.arrow(
            [(start.x + side * start.width / 2, start.y), (end.x - side * end.width / 2 - 2 * side, end.y)], "teal"
        )
        return
    side = 1 if end.y > start.y else -1
    x = end.x if abs(end.x - start.x) < min(start.width, end.width) / 2 else start.x
    sheet.arrow([(x, start.y + side * _BOX_HEIGHT / 2), (x, end.y - side * (_BOX_HEIGHT / 2 + 2))], "teal")
