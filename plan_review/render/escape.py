"""Makes texts out of a plan harmless for where they are shown.

A plan is input from others: tags, names and keys may hold anything.
"""

from __future__ import annotations

import re

#: Control characters (terminal escapes among them) and characters that turn the direction of text or can't be seen.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
#: Words and numbers that no renderer of Markdown makes anything of. Not among them: what may be the beginning of a
#: commit (GitHub links those of 7 digits and more), `GH-1`, and every character that is markup somewhere (two dollar
#: signs make a formula of what is between them).
_WORD = re.compile(
    r"(?!(?i:www|[a-f]{7,})$)"
    r"(?:[^\W\d_]+(?:['-][^\W\d_]+)*|[^\W_]{1,6}|[+-]?\d{1,6}(?:[.,]\d{1,3})*%?|[…→=/])"
)
_TOKEN = re.compile(r"(?P<lead>[(\"']*)(?P<core>.*?)(?P<trail>[)\"'.,;:?…]*)", re.DOTALL)
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def plain(text: str) -> str:
    """For a terminal: one line, nothing that moves the cursor, colours or reorders text, nothing that can't be seen."""
    text = _INVISIBLE.sub(lambda m: _visible(m.group()), text)
    return _SURROGATE.sub("\ufffd", text)


def _visible(character: str) -> str:
    known = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    number = ord(character)
    if number > 0xFFFF:
        return f"\\U{number:08x}"
    return known.get(character) or (f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")


def clip(text: str, length: int) -> str:
    """The text, cut with a mark when it is longer than `length`."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def prose(text: str) -> str:
    """For running Markdown text: plain words stand as they are, everything else becomes a code span.

    That makes it harmless without a list of what GitHub, GitLab and others link (URLs, `www.`, e-mail addresses,
    `@name`, `#1`, `GH-1`, `org/repo#1`, commits), replace (`:x:`) or read as markup: they all leave code alone. An
    address or ARN in a sentence is better read so, too.
    """
    parts: list[str] = []
    run: list[str] = []
    # Markdown shows several spaces as one, and four at the beginning of a line as a block of code.
    for token in re.sub(" +", " ", plain(text)).split(" "):
        lead, core, trail = _pieces(token)
        if _WORD.fullmatch(core) or not core:
            parts += _coded(run)
            parts.append(lead + core + trail)
        else:
            if lead:
                parts += _coded(run)
            run.append(core)
            if lead or trail:
                parts += _coded(run, lead, trail)
    return " ".join([*parts, *_coded(run)])


def _pieces(token: str) -> tuple[str, str, str]:
    found = _TOKEN.fullmatch(token)
    return (found["lead"], found["core"], found["trail"]) if found else ("", token, "")


def _coded(run: list[str], lead: str = "", trail: str = "") -> list[str]:
    """The tokens as one code span, between what stands before and behind them; empties the list."""
    if not run:
        return []
    text = " ".join(run)
    run.clear()
    return [f"{lead}{code(text)}{trail}"]


def code(text: str) -> str:
    """For a Markdown code span: whatever the text holds, nothing of it is markup."""
    text = plain(text)
    fence = "`" * (max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    return f"{fence}{pad}{text or ' '}{pad}{fence}"


def cell(text: str) -> str:
    """For a code span in a cell of a Markdown table, where a bar ends the cell even inside of code."""
    return code(text).replace("|", "\\|")


def page(text: str) -> str:
    """For HTML text and attribute values."""
    return plain(text).translate(_ENTITIES)
