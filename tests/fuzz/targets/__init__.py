"""The parsers, by name."""

from __future__ import annotations

from typing import Final

from tests.fuzz.engine import FuzzTarget
from tests.fuzz.targets import answers, documents, keys, plans, settings, state, texts

TARGETS: Final[dict[str, FuzzTarget]] = {
    target.name: target
    for module in (texts, settings, answers, documents, state, keys, plans)
    for target in module.TARGETS
}
