"""Node's half of cdktf loads of the provider what is used, and is otherwise as it was."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from stacks.node import PRELOAD, lean_node

#: Prints what each module that was used exports, and which modules were loaded.
SCRIPT = """
const provider = require(process.argv[1]);
const kinds = ["ecsService", "sqsQueue"].map((name) => typeof provider[name].Kind);
const names = Object.keys(provider.sqsQueue);
console.log(JSON.stringify({ kinds, names, same: provider.sqsQueue.Kind === provider.sqsQueue.Kind, loaded }));
"""


@pytest.fixture
def provider(tmp_path: Path) -> Path:
    """A package that is laid out like the provider's, with blanks in its path."""
    folder = tmp_path / "the cache" / "@cdktf" / "provider-aws" / "21.0.0" / "lib"
    names = {"ecsService": "ecs-service", "sqsQueue": "sqs-queue", "neverUsed": "never-used"}
    for module in names.values():
        (folder / module).mkdir(parents=True)
        (folder / module / "index.js").write_text(f'loaded.push("{module}"); exports.Kind = class {{}};')
    (folder / "index.js").write_text("".join(f'exports.{name} = require("./{names[name]}");' for name in names))
    return folder


def run(folder: Path, options: str) -> dict[str, object]:
    done = subprocess.run(
        ["node", "-e", f"globalThis.loaded = []; {SCRIPT}", str(folder)],
        env={"PATH": os.environ["PATH"], "NODE_OPTIONS": options},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_only_modules_that_are_used_are_loaded(provider: Path) -> None:
    with lean_node():
        options = os.environ["NODE_OPTIONS"]
    found = run(provider, options)
    assert found.pop("loaded") == ["ecs-service", "sqs-queue"]
    without = run(provider, "")
    assert without.pop("loaded") == ["ecs-service", "sqs-queue", "never-used"]
    assert found == without == {"kinds": ["function"] * 2, "names": ["Kind"], "same": True}


@pytest.mark.parametrize("before", [None, "--no-warnings"])
def test_the_callers_node_options_stay(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    if before is None:
        monkeypatch.delenv("NODE_OPTIONS", raising=False)
    else:
        monkeypatch.setenv("NODE_OPTIONS", before)
    with lean_node():
        assert os.environ["NODE_OPTIONS"] == f'{before or ""} --require "{PRELOAD}"'.strip()
    assert os.environ.get("NODE_OPTIONS") == before
