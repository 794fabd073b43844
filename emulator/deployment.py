"""`cdktf deploy`, `diff` and `destroy` of the real app against the emulated AWS, with everything in one folder."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.aws import EmulatedAws
from emulator.processes import ROOT, TOOLS, Child, base_environment

MIRROR = TOOLS / "mirror"
TERRAFORM = TOOLS / "bin" / "terraform"
#: The longest that one command may take, in seconds: the slowest one seen took 60.
TIMEOUT_S = 420.0
#: Faster than the defaults, so that demo and tests don't wait. All else is as a user gets it.
SPEC: dict[str, Any] = {
    "polling": {"minSeconds": 0.2, "maxSeconds": 0.5},
    # A killed task's lease has to run out before the next one may write: 30 s by default.
    "adapterOverrides": {"env": [{"name": "STATE_LEASE_SECONDS", "value": "5"}]},
    # Demo and tests remove what they made.
    "state": {"dynamodb": {"deletionProtection": False}},
}


class DeployError(RuntimeError):
    """A command failed; the message holds what Terraform said, and the file that has all of it."""


@dataclass
class Deployment:
    """Our stacks for one manifest. `folder` takes the synthesized stacks, state, logs and outputs."""

    folder: Path
    aws: EmulatedAws
    manifest: Path
    _runs: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if MIRROR.exists():
            path = json.dumps(str(MIRROR))
            (self.folder / "terraformrc").write_text(
                f"provider_installation {{\n  filesystem_mirror {{\n    path = {path}\n  }}\n}}\n"
            )
        else:
            (self.folder / "terraformrc").write_text("")

    @property
    def outdir(self) -> Path:
        """Where the stacks are synthesized to."""
        return self.folder / "cdktf.out"

    @property
    def stack_folders(self) -> list[Path]:
        """The folder of each stack: `terraform` runs in it."""
        return sorted(path.parent for path in self.outdir.glob("stacks/*/cdk.tf.json"))

    def environment(self) -> dict[str, str]:
        """The environment of cdktf, Terraform and what they start."""
        return (
            base_environment()
            | self.aws.environment()
            | {
                "SOURCE_MANIFEST": str(self.manifest),
                "EMULATED_AWS_ENDPOINT": self.aws.endpoint,
                "TERRAFORM_BINARY_NAME": str(TERRAFORM),
                "TF_CLI_CONFIG_FILE": str(self.folder / "terraformrc"),
                "CHECKPOINT_DISABLE": "1",
                # Without a terminal cdktf's spinner writes megabytes; this is how it is told.
                "CI": "1",
                "CDKTF_HOME": str(self.folder / "cdktf-home"),
                "CDKTF_DISABLE_PLUGIN_CACHE_ENV": "1",
            }
        )

    def deploy(self) -> dict[str, str]:
        """Synthesize and apply; give the outputs of all stacks by their names.

        Raises:
            DeployError: cdktf or Terraform failed.
        """
        outputs = self.folder / "outputs.json"
        self._cdktf("deploy", "*", "--auto-approve", "--outputs-file", str(outputs))
        found: dict[str, str] = {}
        for values in json.loads(outputs.read_text()).values():
            found |= values
        return found

    def destroy(self) -> None:
        """Remove everything that `deploy` made."""
        self._cdktf("destroy", "*", "--auto-approve")

    def plan(self, name: str) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Plan each stack again with `terraform` itself: the saved plan file and its JSON."""
        for folder in self.stack_folders:
            file = folder / f"{name}.tfplan"
            self._run(f"plan-{name}", [TERRAFORM, "plan", "-input=false", "-no-color", f"-out={file}"], folder)
            shown = subprocess.run(
                [TERRAFORM, "show", "-json", str(file)],
                cwd=folder, env=self.environment(), capture_output=True, check=True, timeout=TIMEOUT_S,
            )  # fmt: skip
            yield file, json.loads(shown.stdout)

    def resources(self) -> list[str]:
        """The addresses of the resources that the states hold."""
        states = [json.loads(path.read_text()) for path in self.folder.glob("terraform.*.tfstate")]
        all_of = [each for state in states for each in state.get("resources", [])]
        return sorted(f"{each['type']}.{each['name']}" for each in all_of if each["mode"] == "managed")

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Every file that the deployment left, plans unzipped: name and content."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            relative = str(path.relative_to(self.folder))
            yield relative, path.read_bytes()
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    for member in archive.namelist():
                        yield f"{relative}!{member}", archive.read(member)

    def _cdktf(self, verb: str, *arguments: str) -> None:
        app = f"{sys.executable} -m emulator.app"
        more = ("--skip-provider-lock", "--no-color", "--app", app, "--output", str(self.outdir))
        self._run(verb, [TOOLS / "bin" / "cdktf", verb, *arguments, *more], ROOT)

    def _run(self, name: str, command: list[str | Path], cwd: Path) -> None:
        self._runs += 1
        log = self.folder / f"{self._runs:02d}-{name}.log"
        with log.open("wb") as output:
            child = Child(command, env=self.environment(), output=output, cwd=cwd)
            try:
                code = child.wait(TIMEOUT_S)
            except subprocess.TimeoutExpired:
                raise DeployError(f"{name} took longer than {TIMEOUT_S:.0f} s (log: {log})") from None
            finally:
                child.stop()
        if code:
            raise DeployError(f"{name} failed: {_said(log.read_text(errors='replace'))} (all of it: {log})")


def _said(text: str) -> str:
    """What Terraform's output says of the failure, on one line."""
    match = re.search(r"Error: .*?(?=\n\s*\n\s*\n|\Z)", text, re.DOTALL)
    said = match[0] if match else "\n".join(text.strip().splitlines()[-5:])
    return " ".join(line.strip(" │╵╷") for line in said.splitlines() if line.strip(" │╵╷"))[:600]


def write_manifest(path: Path, *, pool: str, sink: str, spec: Mapping[str, Any]) -> None:
    """Write a manifest for one pool, as JSON (which YAML contains)."""
    document = {
        "apiVersion": "sources.triggermesh.io/v1alpha1",
        "kind": "AWSCognitoUserPoolSource",
        "metadata": {"name": "customers"},
        "spec": {"arn": pool, "sink": {"uri": sink}, **spec},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n")


def changes_of(plan: Mapping[str, Any]) -> list[str]:
    """The addresses of the resources that a plan would change."""
    changes = plan.get("resource_changes", [])
    return [each["address"] for each in changes if each["change"]["actions"] not in (["no-op"], ["read"])]


def forms_of(secret: str) -> tuple[bytes, ...]:
    """What a secret may look like in a file: as it is, escaped for JSON, in base64 at each of its three offsets."""
    raw = secret.encode()
    escaped = json.dumps(secret)[1:-1].encode()
    # JSON allows a slash to be escaped, and Go escapes these three.
    go = escaped.replace(b"&", b"\\u0026").replace(b"<", b"\\u003c").replace(b">", b"\\u003e")
    padded = (base64.b64encode(b"\0" * offset + raw) for offset in range(3))
    # The first and last groups hold bits of the neighbours.
    middles = tuple(text[4 if offset else 0 : len(text) // 4 * 4 - 4] for offset, text in enumerate(padded))
    return (raw, escaped, go, raw.replace(b"/", b"\\/"), *middles)
