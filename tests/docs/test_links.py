"""Every link of every document leads somewhere, on GitHub and in a checkout: files, folders and anchors."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tools.docs.site import markdown

ROOT = Path(__file__).resolve().parents[2]
LISTED = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
DOCUMENTS = sorted(
    ROOT / name
    for name in subprocess.run(LISTED, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    if (ROOT / name).exists()
)


def broken(document: Path) -> list[str]:
    """What is wrong with a document's links."""
    found = []
    for target in markdown.links(document.read_text(encoding="utf-8")):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            parts = urlsplit(target)
            if parts.scheme not in {"https", "mailto"} or (
                parts.scheme == "https" and "." not in (parts.hostname or "")
            ):
                found.append(f"{target}: not an https address")
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists():
            found.append(f"{target}: there is no such file")
        elif ROOT not in file.parents and file != ROOT:
            found.append(f"{target}: outside of the repository")
        elif anchor and anchor not in markdown.anchors(file.read_text(encoding="utf-8")):
            found.append(f"{target}: no such heading")
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_documents_links_lead_to_files_and_headings(document: Path) -> None:
    assert broken(document) == []


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("When it does not work", "when-it-does-not-work"),
        ("`python -m adapter run`", "python--m-adapter-run"),
        ("What's new, and why?", "whats-new-and-why"),
        ("[A link](https://example.com) in it", "a-link-in-it"),
        ("A *soft* **word** and snake_case", "a-soft-word-and-snake_case"),
        ("Über 1.000", "über-1000"),
    ],
)
def test_a_heading_has_githubs_anchor(heading: str, anchor: str) -> None:
    assert markdown.slug(heading) == anchor


def test_a_heading_that_comes_twice_gets_a_number() -> None:
    assert markdown.anchors("# A\n## A\n```\n# not one\n```\n### A\n") == {"a", "a-1", "a-2"}


def test_links_in_code_are_none() -> None:
    text = "see [a](a.md), `[b](b.md)`\n\n```\n[c](c.md)\n```\n\n![d](d.png)\n\n[e]: e.md\n"
    assert markdown.links(text) == ["a.md", "d.png", "e.md"]
