"""Puts the repository's Markdown where the site's generator reads it, in the dialect that it reads.

The documents are written for GitHub (CommonMark, links between files of the repository). Python-Markdown, which MkDocs
and its successor Zensical use, wants an empty line before lists and tables and four spaces for what belongs to a list's
item, and a site has no files beside its pages: links out of docs/ get pages of their own, made here.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import subprocess
from pathlib import Path

from tools.docs.site import markdown

#: Documents of the repository that have another place on the site. Everything in docs/ keeps its own.
MOVED = {
    "README.md": "index.md",
    "docs/README.md": "guides.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
}
#: Where the pages of linked files go.
FILES = "files"
_LANGUAGES = {
    ".yml": "yaml",
    ".yaml": "yaml",
    ".json": "json",
    ".toml": "toml",
    ".py": "python",
    ".sh": "sh",
    ".tf": "terraform",
    ".sql": "sql",
}
_ITEM = re.compile(r"^(?P<indent> *)(?P<marker>[-*+]|\d+[.)])(?P<space> +)(?=\S)")
_TABLE = re.compile(r"^ *\|")


class BrokenLinkError(ValueError):
    """A document links a file that is not there; the message names both."""


def place(root: Path, source: str) -> str:
    """Where a file or folder of the repository is on the site, both as paths with slashes."""
    if source in MOVED:
        return MOVED[source]
    if source.startswith("docs/"):
        return source.removeprefix("docs/")
    if (root / source).is_dir() or source.endswith("/README.md"):
        return posixpath.normpath(f"{FILES}/{source.removesuffix('README.md')}/index.md")
    return f"{FILES}/{source}" if source.endswith(".md") else f"{FILES}/{source}.md"


def stage(root: Path, target: Path) -> None:
    """Fill the folder `target` with the site's sources, made from the checkout at `root`; what was there goes.

    Raises:
        BrokenLinkError: a document links a file that is not there.
    """
    shutil.rmtree(target, ignore_errors=True)
    waiting = [name for name in MOVED if (root / name).exists()]
    waiting += [path.relative_to(root).as_posix() for path in sorted((root / "docs").rglob("*")) if path.is_file()]
    done: set[str] = set()
    while waiting:
        source = waiting.pop()
        file = target / place(root, source)
        if file.as_posix() in done:
            continue
        done.add(file.as_posix())
        file.parent.mkdir(parents=True, exist_ok=True)
        if source.endswith(".md") or (root / source / "README.md").exists():
            text = (root / _document(root, source)).read_text(encoding="utf-8")
            waiting += sorted(_linked(root, text, source))
            file.write_text(converted(root, text, _document(root, source)), encoding="utf-8")
        elif source.startswith("docs/"):
            shutil.copyfile(root / source, file)
        else:
            file.write_text(_page_of(root, source), encoding="utf-8")


def _document(root: Path, source: str) -> str:
    """A folder's document, a document itself."""
    return posixpath.normpath(f"{source}/README.md") if (root / source).is_dir() else source


def converted(root: Path, text: str, source: str) -> str:
    """A document of the repository as a page of the site."""
    return _spaced(markdown.relink(text, lambda target: _moved(root, target, source)))


def _linked(root: Path, text: str, source: str) -> set[str]:
    """The files and folders outside of docs/ that a document links."""
    found = set()
    for target in markdown.links(text):
        name = resolved(target, _document(root, source))
        if name is not None and not (root / name).exists():
            raise BrokenLinkError(f"{_document(root, source)}: the link {target} leads to no file of this checkout")
        if name is not None and not name.startswith("docs/"):
            found.add(name)
    return found


def resolved(target: str, source: str) -> str | None:
    """The file of the repository that a link in the document `source` leads to; None: it leads elsewhere."""
    path = target.partition("#")[0]
    if not path or re.match(r"[a-z][a-z0-9+.-]*:", target):
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), path))


def _moved(root: Path, target: str, source: str) -> str:
    name = resolved(target, source)
    if name is None:
        return target
    _, hash_, anchor = target.partition("#")
    path = posixpath.relpath(place(root, name), posixpath.dirname(place(root, source)) or ".")
    return path + (hash_ + anchor if name.endswith(".md") else "")


def _page_of(root: Path, name: str) -> str:
    """A page that shows a file, or what a folder without a document holds."""
    path = root / name
    if path.is_dir():
        listed = subprocess.run(["git", "ls-files", name], cwd=root, capture_output=True, text=True, check=True)
        return f"# {name}\n\n" + "".join(f"- `{each}`\n" for each in listed.stdout.splitlines())
    text = path.read_text(encoding="utf-8")
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall(r"^`{3,}", text, re.MULTILINE))])
    return f"# {name}\n\n{fence}{_LANGUAGES.get(path.suffix, 'text')}\n{text.rstrip()}\n{fence}\n"


def _spaced(text: str) -> str:
    """Empty lines before lists and tables, and four spaces a level for what belongs to an item."""
    result: list[str] = []
    #: For each list that is open: where the text of its items begins, in columns.
    levels: list[int] = []
    previous = ""
    in_fence = False
    #: Whether a line of the present paragraph, up to the last empty line, began an item.
    listed = False
    for line, fenced in markdown.lines_of(text):
        bare = line.strip()
        indent = len(line) - len(line.lstrip(" "))
        begins = fenced and not in_fence
        item = None if fenced else _ITEM.match(line)
        if bare and (begins or not fenced):
            levels = _open(levels, indent, lazy=not item and not begins and bool(previous.strip()))
        if item and not listed and previous.strip():
            result.append("\n")
        if (begins or _TABLE.match(line)) and previous.strip() and not _TABLE.match(previous):
            result.append("\n")
        listed = bool(bare) and not fenced and (listed or bool(item))
        result.append(_indented(line, levels))
        if item:
            levels = [*levels, item.end()]
        previous, in_fence = line, fenced
    return "".join(result)


def _open(levels: list[int], indent: int, *, lazy: bool) -> list[int]:
    """The lists that a line with this indentation belongs to. A lazy line goes on where the one before it was."""
    kept = [level for level in levels if level <= indent]
    return levels if lazy and levels else kept


def _indented(line: str, levels: list[int]) -> str:
    if not levels or not line.strip():
        return line
    text = line[min(levels[-1], len(line) - len(line.lstrip(" "))) :]
    return "    " * len(levels) + text
