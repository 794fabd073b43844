"""Synthesizes the stacks and plans each of them with Terraform or OpenTofu, ready to be reviewed.

A plan's JSON holds sensitive values in plaintext. It is read from Terraform's standard output, never written to a file;
only with `keep` the binary plans stay (readable for their owner alone), so that what was reviewed can be applied.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plan_review.render.escape import clip, plain
from plan_review.run import Loaded

SYNTHESISED = "cdk.tf.json"
#: Where cdktf puts its output unless it is told otherwise; the state of the local backend lies beside it.
OUTPUT_DIR = "cdktf.out"
PLAN_FILE = "plan.tfplan"
_SAID_MAX = 600


class PlanningError(RuntimeError):
    """A plan can't be made. The message is one line: which step of which stack, and what was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """How plans are made.

    Attributes:
        app: the command that synthesizes into the folder that CDKTF_OUTDIR names.
        binary: terraform, tofu, or the path of one.
        output: the folder for the synthesized stacks.
        environment: the environment of all commands.
        tell: takes one line of progress at a time.
    """

    app: str
    binary: str
    output: Path
    environment: Mapping[str, str]
    tell: Callable[[str], None]

    def plan(self, names: Sequence[str] = (), *, keep: bool = False) -> list[Loaded]:
        """Plan all stacks, or those named.

        Raises:
            PlanningError: a command is missing or failed, or there is no such stack.
        """
        if shutil.which(self.binary, path=self.environment.get("PATH")) is None:
            raise PlanningError(
                f"{self.binary} is not there: install Terraform or OpenTofu, or name it in TERRAFORM_BINARY_NAME"
            )
        self.tell("synthesizing")
        self._call("synthesizing", [*shlex.split(self.app)], Path.cwd(), {"CDKTF_OUTDIR": str(self.output.resolve())})
        folders = {path.parent.name: path.parent for path in sorted(self.output.glob(f"stacks/*/{SYNTHESISED}"))}
        unknown = [name for name in names if name not in folders]
        if unknown or not folders:
            raise PlanningError(f"no stack {', '.join(unknown) or 'at all'}; there are: {', '.join(folders) or 'none'}")
        return [self._plan(name, folder, keep=keep) for name, folder in folders.items() if not names or name in names]

    def _plan(self, name: str, folder: Path, *, keep: bool) -> Loaded:
        self.tell(f"planning {name}")
        self._call(f"init of {name}", [self.binary, "init", "-input=false", "-no-color"], folder)
        with _plan_file(folder, keep=keep) as file:
            command = [self.binary, "plan", "-input=false", "-no-color", f"-out={file}"]
            self._call(f"plan of {name}", command, folder)
            data = self._call(f"show of {name}", [self.binary, "show", "-json", str(file)], folder)
            if keep:
                file.chmod(0o600)
                self.tell(f"kept {file}: `{self.binary} apply {PLAN_FILE}` in its folder applies exactly this plan")
        return Loaded(name, data, (folder / SYNTHESISED).read_bytes())

    def _call(self, step: str, command: list[str], folder: Path, more: Mapping[str, str] | None = None) -> bytes:
        environment = {**self.environment, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", **(more or {})}
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, check=False, stdin=subprocess.DEVNULL
            )
        except OSError as error:
            raise PlanningError(f"{step}: {command[0]}: {error.strerror}") from error
        if done.returncode:
            raise PlanningError(f"{step} failed (exit code {done.returncode}): {_said(done.stdout + done.stderr)}")
        return done.stdout


@contextmanager
def _plan_file(folder: Path, *, keep: bool) -> Iterator[Path]:
    if keep:
        yield folder.resolve() / PLAN_FILE
        return
    # A folder that only the owner can enter: the file is as secret as the state.
    with tempfile.TemporaryDirectory(prefix="plan-") as private:
        yield Path(private) / PLAN_FILE


def _said(output: bytes) -> str:
    """What went wrong, in one line: Terraform's first error, else the last lines."""
    lines = [line.strip(" │╷╵|") for line in output.decode(errors="replace").splitlines()]
    lines = [line for line in lines if line]
    start = next((i for i, line in enumerate(lines) if line.startswith("Error:")), max(0, len(lines) - 3))
    return clip(plain(" ".join(lines[start : start + 6])), _SAID_MAX) or "it said nothing"


def default_binary(environment: Mapping[str, str]) -> str:
    """What cdktf would use: TERRAFORM_BINARY_NAME, else terraform, else tofu where only that is installed."""
    named = environment.get("TERRAFORM_BINARY_NAME")
    if named:
        return named
    path = environment.get("PATH", os.defpath)
    return next((name for name in ("terraform", "tofu") if shutil.which(name, path=path)), "terraform")
