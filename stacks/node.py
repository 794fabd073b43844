"""How cdktf's Node process is started: quietly, and with the provider's modules loaded only when they are used.

Node inherits its environment from Python when the first package of jsii's is imported, and keeps it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

#: A quarter of the time of a synth: see there.
PRELOAD: Final = Path(__file__).with_name("lazy_provider.cjs")


@contextmanager
def lean_node() -> Iterator[None]:
    """Within this, Node starts lean: `import constructs` here. What the caller's NODE_OPTIONS say stays in force."""
    # Node 20 works; its end-of-life banner would be 11 lines on every synth.
    os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
    before = os.environ.get("NODE_OPTIONS")
    os.environ["NODE_OPTIONS"] = f"{before or ''} --require {_quoted(PRELOAD)}".strip()
    try:
        yield
    finally:
        if before is None:
            del os.environ["NODE_OPTIONS"]
        else:
            os.environ["NODE_OPTIONS"] = before


def _quoted(path: Path) -> str:
    """As NODE_OPTIONS wants a path that may hold blanks (https://nodejs.org/api/cli.html#node_optionsoptions)."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
