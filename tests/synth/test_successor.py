"""cdktf's successor, cdktn: the same app, with only stacks/bindings.py changed. The decision is docs/adr/0008.

`make thorough` has the successor fetched and runs them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.synth.conftest import Synth
from tests.synth.support import manifest
from tests.synth.test_stacks import FULL

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parents[2]
BINDINGS = ROOT / "stacks/bindings.py"
DECISION = ROOT / "docs/adr/0008-cdktf-and-its-successor.md"
SUCCESSOR = next((ROOT / ".tools/cdktn/lib").glob("python3*/site-packages"), None)
#: Synthesizes with another stacks/bindings.py than the checkout's; everything else is the checkout's.
RUN = """
import sys, types
import stacks
bindings = types.ModuleType("stacks.bindings")
bindings.__file__, source, manifest, outdir = sys.argv[1:2] + [open(sys.argv[1]).read()] + sys.argv[2:]
sys.modules["stacks.bindings"] = stacks.bindings = bindings
exec(compile(source, bindings.__file__, "exec"), bindings.__dict__)
import main
sys.exit(main.main({"SOURCE_MANIFEST": manifest}, outdir))
"""


def changed_bindings() -> str:
    """stacks/bindings.py after the command that the decision names."""
    (edits,) = re.findall(r"sed -i '([^']*)' stacks/bindings\.py", DECISION.read_text())
    return subprocess.run(["sed", edits, str(BINDINGS)], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def successors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The full manifest's stacks, synthesized with the successor, by name."""
    assert SUCCESSOR, "the successor is not installed: run python3 tools/setup/bootstrap.py cdktn"
    folder, out = tmp_path_factory.mktemp("successor"), tmp_path_factory.mktemp("synth")
    (folder / "bindings.py").write_text(changed_bindings())
    (folder / "source.yaml").write_text(manifest(*FULL))
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(folder / "bindings.py"), str(folder / "source.yaml"), str(out)],
        # First on the path: it wants another `constructs` than cdktf does.
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": f"{SUCCESSOR}{os.pathsep}{ROOT}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {file.parent.name: json.loads(file.read_text()) for file in out.glob("stacks/*/cdk.tf.json")}


def neutral(document: dict[str, Any]) -> dict[str, Any]:
    """A stack without what the decision lets differ: who wrote it, and how the provider's address is spelled."""
    text = json.dumps(document)
    copy: dict[str, Any] = json.loads(text)
    copy["//"]["metadata"].pop("version")
    aws = copy["terraform"]["required_providers"]["aws"]
    assert aws["source"] in {"aws", "hashicorp/aws"}
    aws["source"] = "hashicorp/aws"
    return copy


def test_the_successor_synthesizes_the_same_stacks(synth: Synth, successors: dict[str, dict[str, Any]]) -> None:
    ours = {name: stack.document for name, stack in synth(*FULL).items()}
    assert successors.keys() == ours.keys()
    for name, document in ours.items():
        assert neutral(successors[name]) == neutral(document)
    assert {document["//"]["metadata"]["version"] for document in successors.values()} == {"0.24.0"}


def test_the_change_is_of_names_only() -> None:
    changed = changed_bindings()
    assert "cdktf_cdktf" not in changed
    assert "from cdktf " not in changed
    lines = zip(BINDINGS.read_text().splitlines(), changed.splitlines(), strict=True)
    different = [(old, new) for old, new in lines if old != new]
    assert different
    assert all(
        new == old.replace("cdktf_cdktf", "cdktn").replace("from cdktf ", "from cdktn ") for old, new in different
    )
