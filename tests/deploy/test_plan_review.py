"""`python -m stacks plan` with real Terraform: our own stacks, planned and reviewed in one go."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.aws import EmulatedAws
from emulator.deployment import Deployment

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "docs" / "plan-review.example.txt"


@pytest.fixture
def reviewed(tmp_path: Path, needs_provider: None, aws: EmulatedAws) -> str:
    """The review of a first deployment of source.yaml, with the gates that it must pass."""
    environment = Deployment(tmp_path / "deployment", aws, ROOT / "source.yaml").environment()
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "stacks", "plan", "--app", f"{sys.executable} -m emulator.app"),
            *("--gate", "no-destroy,no-public,no-plaintext-secret"),
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("*.tfplan"))
    return done.stdout


def section(text: str, title: str) -> str:
    found = re.search(rf"^{title}\n(.*?)(?:\n\n|\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, title
    return found[1].strip()


def test_a_first_deployment_is_safe_and_the_docs_show_what_it_is(reviewed: str) -> None:
    assert "changes 0, replaces 0, destroys 0." in reviewed
    assert "Nothing is open to the internet." in reviewed
    assert "No secret in the plan." in reviewed
    assert "runs a command where the plan is applied (local-exec: python3 -m iam …)" in reviewed
    rights = section(reviewed, "WHO MAY DO WHAT")
    assert re.search(r"^user \S+ may\n  \+ cognito-idp:ListUsers on arn:\S+$", rights, re.MULTILINE)
    assert "secretsmanager:GetSecretValue on ${aws_secretsmanager_secret" in rights
    documented = EXAMPLE.read_text()
    for title in ("WHO MAY DO WHAT", "NETWORK"):
        assert section(reviewed, title) == section(documented, title), "the docs are stale: run `make plan-docs`"
