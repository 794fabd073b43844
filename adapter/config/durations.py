"""ISO 8601 durations, the way Knative's DeliverySpec writes its times (`PT0.2S`, `PT1M30S`, `P1D`).

Years and months are refused: their length depends on the calendar, which makes no sense for a delay.
"""

from __future__ import annotations

import re
from decimal import Decimal

_NUMBER = r"\d{1,9}(?:[.,]\d{1,9})?"
_DURATION = re.compile(
    rf"P(?!$)(?:({_NUMBER})W|(?:({_NUMBER})D)?(?:T(?!$)(?:({_NUMBER})H)?(?:({_NUMBER})M)?(?:({_NUMBER})S)?)?)", re.ASCII
)
_UNITS_S = (604_800, 86_400, 3_600, 60, 1)


class DurationError(ValueError):
    """Not a duration that we take. The message is a sentence without the field's name."""


def parse_duration(text: str) -> float:
    """Read an ISO 8601 duration: weeks alone, or days, hours, minutes and seconds; a fraction only in the last part.

    Returns:
        Seconds, at least 0.

    Raises:
        DurationError: `text` is anything else; the message says what was found and what was expected.
    """
    match = _DURATION.fullmatch(text)
    parts = match.groups() if match else ()
    given = [part for part in parts if part is not None]
    if not given or any(not part.isdigit() for part in given[:-1]):
        raise DurationError(
            f"{text!r} is not an ISO 8601 duration of weeks, days, hours, minutes or seconds; "
            "expected one like PT0.2S, PT30S or PT5M"
        )
    seconds = (Decimal(part.replace(",", ".")) * unit for part, unit in zip(parts, _UNITS_S, strict=True) if part)
    return float(sum(seconds, Decimal(0)))
