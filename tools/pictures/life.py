"""The life of an event, and what a crash at each point of it leads to (docs/adr/0004)."""

from __future__ import annotations

from adapter.delivery import BackoffPolicy, RetryPolicy
from adapter.delivery.duration import parse_duration
from adapter.ledger import REST_MAX_S
from adapter.variables import VARIABLES
from tools.pictures.svg import Sheet

_WIDTH, _HEIGHT = 960, 470
_BOX, _TOP = 168, 78
#: The steps: where, name, what happens, in which colour.
_STEPS = (
    (30, "noticed", ("a page shows a user", "in a form that was", "not told before"), "blue"),
    (274, "in doubt", ("the state has it, on", "disk or in DynamoDB:", "“may have been told”"), "amber"),
    (518, "sent", ("with its id; the sink", "answers 2xx", ""), "blue"),
    (762, "told", ("the state moves: this", "form is what the", "consumer knows"), "teal"),
)
#: What happens after a crash between two steps, from the first gap on.
_CRASHES = (
    ("nothing was stored:", "the next sweep", "notices it again"),
    ("in doubt: the user is", "looked at again, and", "the event is sent"),
    ("in doubt: it is sent", "again, same id; the", "consumer drops it"),
)


def draw() -> str:
    """The picture, as SVG."""
    sheet = Sheet(
        _WIDTH,
        _HEIGHT,
        "The life of an event",
        "A change is noticed, stored as in doubt, sent, and stored as told. A crash between two steps loses nothing.",
    )
    sheet.text(30, 40, "The life of an event", "ink big")
    for x, name, texts, colour in _STEPS:
        sheet.rect(x, _TOP, _BOX, 96, f"panel s-{colour}", radius=8)
        sheet.text(x + 14, _TOP + 25, name, f"{colour} bold")
        sheet.lines(x + 14, _TOP + 47, texts, "ink small")
    for number, texts in enumerate(_CRASHES):
        x = _STEPS[number][0] + _BOX
        sheet.arrow([(x + 4, _TOP + 48), (x + 72, _TOP + 48)], "soft")
        _crash(sheet, x + 38, texts)
    _refused(sheet)
    return sheet.render()


def _crash(sheet: Sheet, x: float, texts: tuple[str, ...]) -> None:
    sheet.line([(x, _TOP + 60), (x, 212)], "s-red dash")
    sheet.line([(x - 6, _TOP + 42), (x + 6, _TOP + 54)], "s-red thick")
    sheet.line([(x - 6, _TOP + 54), (x + 6, _TOP + 42)], "s-red thick")
    sheet.text(x, 229, "killed here", "red bold", anchor="middle")
    sheet.lines(x, 248, texts, "ink small", anchor="middle")


def _refused(sheet: Sheet) -> None:
    """What happens when the sink does not take it."""
    default = {variable.name: variable.default for variable in VARIABLES}
    policy = RetryPolicy(
        retry=int(default["DELIVERY_RETRY"]),
        backoff_policy=BackoffPolicy(default["DELIVERY_BACKOFF_POLICY"]),
        backoff_delay_s=parse_duration(default["DELIVERY_BACKOFF_DELAY"]),
    )
    waits = ", ".join(f"{policy.delay(attempt):g}" for attempt in range(policy.retry))
    sheet.rect(30, 316, 900, 126, "panel s-edge", radius=8)
    sheet.text(48, 342, "When the sink does not take it", "ink bold")
    columns = (
        (48, "a passing fault", (f"tried again after {waits} s,", "while other users' events go on"), "amber"),
        (
            348,
            "refused, or retries used up",
            ("to the dead-letter sink, if there is one:", "then it counts as told"),
            "red",
        ),
        (
            648,
            "no dead-letter sink",
            (f"it stays in doubt: after 1, 2, 4 … {REST_MAX_S:g} s", "sent again, in the user's newest form"),
            "amber",
        ),
    )
    for x, name, texts, colour in columns:
        sheet.text(x, 376, name, f"{colour} bold")
        sheet.lines(x, 398, texts, "ink small")
