"""What GitHub makes of Markdown, as far as the site and the tests of the docs need it: blocks, headings, links.

Sources: https://github.github.com/gfm/ for fences and links; GitHub publishes no rule for the anchors of headings, so
`slug` is what its pages show: lower case, punctuation dropped, spaces to hyphens, -1, -2 appended to repetitions.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^ {0,12}(?P<marks>`{3,}|~{3,})(?P<info>[^`]*)$")
_HEADING = re.compile(r"^ {0,3}(?P<level>#{1,6})[ \t]+(?P<text>.*?)(?:[ \t]+#+)?[ \t]*$")
_CODE_SPAN = re.compile(r"(?P<marks>`+)(?P<code>.+?)(?<!`)(?P=marks)(?!`)", re.DOTALL)
#: An inline link or image, or a definition: everything up to the target, the target, everything after it.
_LINK = re.compile(r"(?P<before>\]\(<?)(?P<target>[^()\s<>]+)(?P<after>>?(?:\s+\"[^\"]*\")?\))")
_DEFINITION = re.compile(r"^(?P<before> {0,3}\[[^\]]+\]:\s+<?)(?P<target>[^\s<>]+)(?P<after>>?)", re.MULTILINE)
_ATTRIBUTE = re.compile(r"(?P<before><[a-z]+\b[^<>]*?\s(?:src|href|srcset)=\")(?P<target>[^\"]+)(?P<after>\")")
_ANCHOR = re.compile(r"<[a-z]+\b[^<>]*?\s(?:id|name)=\"([^\"]+)\"")


@dataclass(frozen=True)
class Block:
    """A fenced block: the line it begins in (from 1), what follows the fence's marks, its text, its comment.

    `note` is the text of an HTML comment in the line before it, which says how the block is looked after.
    """

    line: int
    info: str
    text: str
    note: str = ""


def lines_of(text: str) -> Iterator[tuple[str, bool]]:
    """Every line, and whether it belongs to a fenced block (its fences included)."""
    closing = ""
    for line in text.splitlines(keepends=True):
        found = _FENCE.match(line.rstrip("\n"))
        if closing:
            yield line, True
            if found and found["marks"].startswith(closing) and not found["info"].strip():
                closing = ""
        else:
            closing = found["marks"] if found else ""
            yield line, bool(found)


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a document."""
    found: list[Block] = []
    body: list[str] = []
    begin, previous, note = 0, "", ""
    for number, (line, fenced) in enumerate(lines_of(text), 1):
        if fenced and not begin:
            begin, body = number, [line]
            comment = re.fullmatch(r"\s*<!-- (.*) -->\s*", previous)
            note = comment[1] if comment else ""
        elif fenced:
            body.append(line)
            if _closes(body):
                indent = len(body[0]) - len(body[0].lstrip())
                info = body[0].strip().lstrip("`~").strip()
                inner = "".join(each[min(indent, len(each) - len(each.lstrip())) :] for each in body[1:-1])
                found.append(Block(begin, info, inner, note))
                begin = 0
        previous = line
    return found


def _closes(body: list[str]) -> bool:
    first, last = _FENCE.match(body[0].rstrip("\n")), _FENCE.match(body[-1].rstrip("\n"))
    return bool(first and last and last["marks"].startswith(first["marks"]) and not last["info"].strip())


def prose(text: str) -> str:
    """The document with its code blocks and code spans blanked: same length, same lines."""
    outside = "".join(_blank(line) if fenced else line for line, fenced in lines_of(text))
    return _CODE_SPAN.sub(lambda found: _blank(found[0]), outside)


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def slug(heading: str) -> str:
    """The anchor of a heading, by the text between its marks."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    text = re.sub(r"[*`]|(?<!\w)_|_(?!\w)", "", re.sub(r"<[^>]+>", "", text))
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """All that `#...` can name in a document."""
    seen: Counter[str] = Counter()
    names: set[str] = set()
    for line, fenced in lines_of(text):
        heading = None if fenced else _HEADING.match(line.rstrip("\n"))
        if heading:
            name = slug(heading["text"])
            names.add(f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
    return names | set(_ANCHOR.findall(prose(text)))


def title(text: str) -> str:
    """A document's first heading."""
    headings = (None if fenced else _HEADING.match(line.rstrip("\n")) for line, fenced in lines_of(text))
    return next((heading["text"] for heading in headings if heading), "")


def links(text: str) -> list[str]:
    """The targets of all links and images, in order of their kind."""
    plain = prose(text)
    return [found["target"] for pattern in (_LINK, _DEFINITION, _ATTRIBUTE) for found in pattern.finditer(plain)]


def relink(text: str, change: Callable[[str], str]) -> str:
    """The document with every link's target changed; code stays as it is."""
    for pattern in (_LINK, _DEFINITION, _ATTRIBUTE):
        plain, pieces, end = prose(text), [], 0
        for found in pattern.finditer(plain):
            start, stop = found.span("target")
            pieces += [text[end:start], change(text[start:stop])]
            end = stop
        text = "".join([*pieces, text[end:]])
    return text
