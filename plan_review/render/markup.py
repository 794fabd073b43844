"""Builds HTML and SVG out of elements: every text and attribute is escaped unless it is itself built here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from plan_review.render.escape import page

#: Elements that have no content and no end tag.
_VOID = frozenset({"meta", "br", "hr", "path", "rect", "link"})


class Markup(str):
    """Text that is already markup."""

    __slots__ = ()


Child: TypeAlias = "str | Markup | Iterable[Child] | None"


def el(tag: str, *children: Child, **attributes: str | float | None) -> Markup:
    """One element.

    Args:
        tag: its name.
        children: texts (which are escaped), elements, or iterables of them; None is nothing.
        attributes: `class_` stands for class, other underscores for hyphens; None and False leave one out.
    """
    written = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _VOID:
        return Markup(f"<{tag}{written}>" if tag in ("meta", "br", "hr", "link") else f"<{tag}{written}/>")
    return Markup(f"<{tag}{written}>{join(children)}</{tag}>")


def join(children: Child) -> Markup:
    """The children one after the other."""
    if children is None:
        return Markup("")
    if isinstance(children, Markup):
        return children
    if isinstance(children, str):
        return Markup(page(children))
    return Markup("".join(join(child) for child in children))


def _attribute(name: str, value: str | float | None) -> str:
    written = "class" if name == "class_" else name.rstrip("_").replace("_", "-")
    if value is None or isinstance(value, bool):
        return f" {written}" if value else ""
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    return f' {written}="{page(shown)}"'
