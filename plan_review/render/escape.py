"""Makes texts out of a plan harmless for where they are shown.

A plan is input from others: tags, names and keys may hold anything.
"""

from __future__ import annotations

import html
import re

#: Control characters (terminal escapes among them) and characters that turn the direction of text or can't be seen.
_INVISIBLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def plain(text: str) -> str:
    """For a terminal: one line, nothing that moves the cursor, colours or reorders text."""
    text = _INVISIBLE.sub(lambda m: _visible(m.group()), text)
    return _SURROGATE.sub("�", text)


def _visible(character: str) -> str:
    known = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return known.get(character) or (f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}")


def clip(text: str, length: int) -> str:
    """The text, cut with a mark when it is longer than `length`."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def markdown(text: str) -> str:
    """For running Markdown text and table cells."""
    escaped = re.sub(r"([\\`*_{}\[\]<>()#+!|~$@&:-])", r"\\\1", plain(text))
    # A mention or an issue number must not ring anybody: GitHub links them although the sign is escaped.
    return escaped.replace("\\@", "@\u200b").replace("\\#", "#\u200b")


def code(text: str) -> str:
    """For a Markdown code span, in table cells too: whatever the text holds, nothing of it is markup."""
    text = plain(text).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    return f"{fence}{pad}{text or ' '}{pad}{fence}"


def page(text: str) -> str:
    """For HTML text and attribute values."""
    return html.escape(plain(text), quote=True)
