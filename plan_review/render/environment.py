"""The templates of the three formats for people.

What a template prints is escaped for its format without being asked to: a text can only get past it as `Markup`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from plan_review.render import escape

#: What makes a value harmless, by the format.
_ESCAPES: Mapping[str, Callable[[str], str]] = {"text": escape.plain, "markdown": escape.prose, "html": escape.page}


def trusted(text: str) -> Markup:
    """A text that is harmless in the format that it is for: escaped, or the review's own."""
    return Markup(text)  # noqa: S704


def environment(
    style: str, *, filters: Mapping[str, Callable[..., Any]] | None = None, names: Mapping[str, Any] | None = None
) -> Environment:
    """The environment of "text", "markdown" or "html".

    Args:
        style: the format.
        filters: filters of the format's own.
        names: functions and tables that its templates use.
    """
    harmless = _ESCAPES[style]

    def finalize(value: object) -> Markup:
        # What `Markup` holds is already in the format: jinja2's own escaping, which comes after this, leaves it alone.
        return value if isinstance(value, Markup) else trusted(harmless(str(value)))

    # Autoescape is what makes macros return Markup, in all three formats.
    made = Environment(
        loader=PackageLoader("plan_review.render", "templates"),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update({"clip": lambda text, length: escape.clip(str(text), length), **(filters or {})})
    made.globals.update(names or {})
    return made
