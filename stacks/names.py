"""Names of AWS resources: stable, readable, never too long."""

from __future__ import annotations

import hashlib


def fit(name: str, limit: int) -> str:
    """`name` itself if it fits, else its beginning and eight characters of its hash: still stable and unique."""
    if len(name) <= limit:
        return name
    return f"{name[: limit - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
