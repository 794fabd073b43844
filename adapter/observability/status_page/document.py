"""The page as one document: HTML, style and script in one answer, and the policy that lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import Final

_SCRIPTS: Final = ("charts.js", "page.js")


@dataclass(frozen=True, slots=True)
class Document:
    """The bytes of the page, and its Content-Security-Policy."""

    body: bytes
    policy: str


def load() -> Document:
    """Put the page together from the files of this package. The style and the script are allowed by their hashes."""
    folder = resources.files("adapter.observability.status_page") / "web"
    style = (folder / "page.css").read_text("utf-8")
    script = "".join((folder / name).read_text("utf-8") for name in _SCRIPTS)
    body = (folder / "page.html").read_text("utf-8").replace("{{style}}", style).replace("{{script}}", script)
    policy = {
        "default-src": "'none'",
        "style-src": _hash(style),
        "script-src": _hash(script),
        "connect-src": "'self'",
        "img-src": "data:",  # the icon, drawn in the state's colour
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        # Nothing may turn text into markup, not even by mistake.
        "require-trusted-types-for": "'script'",
    }
    return Document(body.encode(), "; ".join(f"{name} {value}" for name, value in policy.items()))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
