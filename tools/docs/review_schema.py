"""Writes the JSON Schema of the plan review's `--format json`: `python -m tools.docs.review_schema`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from plan_review.render.document import SCHEMA_FILE, schema

FILE = Path(__file__).resolve().parents[2] / SCHEMA_FILE


def rendered() -> str:
    """The file as it should be."""
    return json.dumps(schema(), indent=2) + "\n"


def main() -> int:
    """Write the file."""
    FILE.write_text(rendered(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
