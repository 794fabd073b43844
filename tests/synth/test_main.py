"""`python main.py`: what cdktf runs."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.synth.support import manifest, source

ROOT = Path(__file__).parents[2]


def run(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "source.yaml"
    file.write_text(text)
    return subprocess.run(
        [sys.executable, ROOT / "main.py"],
        env={**os.environ, "SOURCE_MANIFEST": str(file), "CDKTF_OUTDIR": str(tmp_path / "out")},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=120,
    )


def test_it_synthesizes_the_stacks_of_the_named_manifest(tmp_path: Path) -> None:
    done = run(tmp_path, manifest(source("staff", adapterOverrides={"nodeSelector": {"a": "b"}})))
    assert done.returncode == 0
    assert done.stdout == ""
    assert "spec.adapterOverrides.nodeSelector: not used here" in done.stderr
    stacks = json.loads((tmp_path / "out" / "manifest.json").read_text())["stacks"]
    assert set(stacks) == {"cognito-source", "cognito-source-registry"}
    assert "aws_iam_user" in (tmp_path / "out" / "stacks" / "cognito-source" / "cdk.tf.json").read_text()


@pytest.mark.parametrize(
    "text",
    [
        ": :",
        manifest(source(arn="x", sinc={})),
        manifest(source(sink={"uri": "stdout:"})),
        # What only the task refused, at each of its starts.
        manifest(source(polling={"maxRps": 0.05}, delivery={"timeout": "PT0S"})),
        manifest(source(adapterOverrides={"env": [{"name": "LOG_LEVEL", "value": "verbose"}]})),
    ],
)
def test_a_bad_manifest_is_exit_code_2_and_leaves_nothing(tmp_path: Path, text: str) -> None:
    done = run(tmp_path, text)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert all(line.startswith(str(tmp_path / "source.yaml")) for line in done.stderr.splitlines())
    assert not (tmp_path / "out").exists()


def test_the_composition_root_is_short_and_importing_it_does_nothing() -> None:
    text = (ROOT / "main.py").read_text()
    assert len(text.splitlines()) <= 60
    allowed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.Expr, ast.If)
    assert all(isinstance(node, allowed) for node in ast.parse(text).body)
