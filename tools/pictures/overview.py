"""What it is, at a glance: a pool on the left, sinks on the right. The README begins with it."""

from __future__ import annotations

from tools.pictures.svg import Sheet

_WIDTH, _HEIGHT = 960, 236
_CHANGES = (("created", "teal"), ("changed", "blue"), ("disabled", "amber"), ("deleted", "red"))
_STEPS = ("reads the pool, again and again", "compares with what it told", "tells the difference")
_SINKS = ("HTTP, Knative", "Amazon EventBridge", "Amazon SQS", "a file")


def draw() -> str:
    """The picture, as SVG."""
    sheet = Sheet(
        _WIDTH,
        _HEIGHT,
        "cognito-source at a glance",
        "cognito-source reads a Cognito user pool with ListUsers and sends every user who is created, changed, "
        "disabled or deleted as a CloudEvent to HTTP, EventBridge, SQS or a file.",
    )
    sheet.rect(28, 28, 230, 180, "panel s-edge", radius=10)
    sheet.text(48, 58, "Amazon Cognito user pool", "ink bold")
    for number, (name, colour) in enumerate(_CHANGES):
        sheet.circle(56, 84 + 28 * number, 6, colour)
        sheet.text(72, 88 + 28 * number, f"a user is {name}", "ink")
    sheet.arrow([(356, 118), (266, 118)], "teal")
    sheet.text(310, 108, "ListUsers", "mono ink", anchor="middle")
    sheet.text(310, 138, "the only", "soft small", anchor="middle")
    sheet.text(310, 153, "permission", "soft small", anchor="middle")
    sheet.rect(364, 28, 258, 180, "wash s-teal", radius=10)
    sheet.text(382, 58, "cognito-source", "ink bold")
    for number, step in enumerate(_STEPS):
        sheet.text(382, 90 + 28 * number, f"{number + 1}", "teal bold")
        sheet.text(399, 90 + 28 * number, step, "ink")
    sheet.line([(382, 162), (592, 162)], "s-teal")
    sheet.text(382, 186, "its state: what was told, of whom", "ink")
    sheet.arrow([(622, 118), (732, 118)], "teal")
    sheet.text(676, 108, "CloudEvents", "ink bold", anchor="middle")
    sheet.text(676, 138, "at least once,", "soft small", anchor="middle")
    sheet.text(676, 153, "stable ids", "soft small", anchor="middle")
    sheet.rect(740, 28, 192, 180, "panel s-edge", radius=10)
    sheet.text(758, 58, "Your systems", "ink bold")
    for number, name in enumerate(_SINKS):
        sheet.rect(756, 75 + 29 * number, 160, 23, "paper s-edge", radius=11)
        sheet.text(836, 91 + 29 * number, name, "ink small", anchor="middle")
    return sheet.render()
