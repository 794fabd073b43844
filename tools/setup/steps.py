"""The steps of bootstrap.py, which run when their inputs change, and ways to fetch programs and packages.

Needs only Python 3.11+ and its standard library, as that does.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
BIN = TOOLS / "bin"
LOCKS = ROOT / "requirements"


class StepError(Exception):
    """A step failed; the message says what and why, `fix` what to do."""

    def __init__(self, message: str, fix: str) -> None:
        self.fix = fix
        super().__init__(message)


@dataclass(frozen=True)
class SetupStep:
    """One thing to fetch: `inputs` decide whether it is up to date, `outputs` must exist afterwards."""

    name: str
    label: str
    inputs: Sequence[str]
    outputs: Sequence[Path]
    action: Callable[[], None]

    @property
    def _stamp(self) -> Path:
        return TOOLS / "stamps" / self.name

    @property
    def _key(self) -> str:
        return hashlib.sha256("\0".join(self.inputs).encode()).hexdigest()

    def done(self) -> bool:
        """Whether it succeeded before with the same inputs, and what it made is still there."""
        return (
            self._stamp.is_file()
            and self._stamp.read_text().strip() == self._key
            and all(output.exists() for output in self.outputs)
        )

    def run(self) -> None:
        """Do it, and remember that it succeeded."""
        self._stamp.unlink(missing_ok=True)
        self.action()
        missing = [str(output.relative_to(ROOT)) for output in self.outputs if not output.exists()]
        if missing:
            raise StepError(f"it ended well but left no {missing[0]}", "delete .tools and run it again")
        self._stamp.parent.mkdir(parents=True, exist_ok=True)
        self._stamp.write_text(self._key + "\n")


def search_path() -> str:
    """PATH without what this script installs, so that a second run looks at the machine as the first one did."""
    # Resolved on both sides: where .tools is a link, our Terraform would be found, and its wrapper would start itself.
    own = TOOLS.resolve()
    parts = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(part for part in parts if not Path(part or ".").resolve().is_relative_to(own))


def environment() -> dict[str, str]:
    """The variables for the programs that are started here: without what would redirect their output elsewhere."""
    dropped = {
        "PYTHONPATH",
        "PYTHONHOME",
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_USER",
        "PIP_REQUIRE_VIRTUALENV",
        "NODE_OPTIONS",
    }
    kept = {name: value for name, value in os.environ.items() if name not in dropped and not name.startswith("TF_")}
    return kept | {"PATH": search_path(), "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull}


def call(
    log: str,
    command: Sequence[str | Path],
    fix: str,
    cwd: Path = ROOT,
    more: Mapping[str, str] | None = None,
) -> None:
    """Run a program with its output in .tools/logs; a failure becomes one line that quotes its reason.

    `more` are variables besides those of `environment`.
    """
    path = TOOLS / "logs" / f"{log}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as output:
        try:
            code = subprocess.run(
                [str(part) for part in command],
                cwd=cwd,
                env=environment() | dict(more or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode
        except OSError as fault:
            raise StepError(f"can't run {Path(command[0]).name}: {fault.strerror}", fix) from None
    if code:
        reason = _reason(path.read_text(errors="replace"))
        name = Path(command[0]).name
        raise StepError(f"{name} failed with {reason!r} (all of it: {path.relative_to(ROOT)})", fix)


def _reason(text: str) -> str:
    """The line of a program's output that best says why it failed."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(ERROR|Error|npm error|npm ERR!|fatal|│ Error)", line)]
    telling = [line for line in errors if not re.search(r"A complete log|complete log of this run", line)]
    return (telling or lines or ["no output"])[0 if telling else -1][:200]


ONLINE = "check that this machine reaches its package index, then run it again"


def read(path: Path) -> str:
    """A file's text; a missing one is a broken checkout."""
    try:
        return path.read_text()
    except OSError:
        raise StepError(f"{path.relative_to(ROOT)} is missing", "restore it with git checkout") from None


def pip_install(log: str, lock: Path, *more: str) -> None:
    """Install exactly what a lock file names, with the pip of .tools/venv; `more` are options that say where."""
    pip: list[str | Path] = [
        TOOLS / "venv/bin/python",
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--quiet",
    ]
    # Compiling the provider's bindings takes a minute, and few of their modules are ever imported.
    call(log, [*pip, "--require-hashes", "--no-compile", *more, "-r", lock], ONLINE)


def install(name: str, folder: Path, lock: str) -> None:
    """Install exactly what a lock file names into an environment.

    By uv, which takes a tenth of pip's time; but it knows pip's configuration only as far as we translate it, so that
    pip follows where it fails. Both check every file's hash.
    """
    uv: list[str | Path] = [TOOLS / "venv/bin/uv", "pip", "install", "--quiet", "--python", folder / "bin/python"]
    try:
        call(f"{name}-uv", [*uv, "--require-hashes", "-r", LOCKS / lock], ONLINE, more=_index_settings())
    except StepError:
        pip: list[str | Path] = [TOOLS / "venv/bin/python", "-m", "pip", "--python", folder / "bin/python", "install"]
        quiet = ["--disable-pip-version-check", "--no-input", "--quiet"]
        call(name, [*pip, *quiet, "--require-hashes", "--no-compile", "-r", LOCKS / lock], ONLINE)


def _index_settings() -> dict[str, str]:
    """Where pip is told to look for packages, as uv wants to be told."""
    asked = subprocess.run(
        [TOOLS / "venv/bin/python", "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    lines = re.findall(r"(?m)^(global|install|:env:)\.([a-z-]+)='(.*)'$", asked.stdout)
    # As with pip: what is said for `install` wins over what is said for all of it, and the environment over both.
    order = {"global": 0, "install": 1, ":env:": 2}
    found = {name: value for _, name, value in sorted(lines, key=lambda line: order[line[0]])}
    more = [url for url in found.get("extra-index-url", "").split() if url.startswith(("http://", "https://"))]
    links = [link for link in found.get("find-links", "").split() if "://" in link or Path(link).is_dir()]
    wanted = {
        "UV_DEFAULT_INDEX": found.get("index-url", ""),
        "UV_INDEX": " ".join(more),
        "UV_FIND_LINKS": " ".join(links),
        "SSL_CERT_FILE": found.get("cert", ""),
    }
    return {name: value for name, value in wanted.items() if value and name not in os.environ}


def make_venv(folder: Path, *, pip: bool) -> None:
    """Make a virtual environment, with pip or without, unless a working one of this Python is there."""
    python = folder / "bin" / "python"
    needed = "pip, sys" if pip else "sys"
    check = f"import {needed}; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    if python.exists() and subprocess.run([python, "-c", check], check=False, capture_output=True).returncode == 0:
        return
    base = getattr(sys, "_base_executable", sys.executable)
    fix = "install your system's package for it (Debian, Ubuntu: python3-venv), or use another Python: make PYTHON=..."
    if subprocess.run([base, "-c", "import venv, ensurepip"], check=False, capture_output=True).returncode:
        raise StepError(f"{base} can't make virtual environments: it lacks the module ensurepip", fix)
    call("venv", [base, "-m", "venv", "--clear", *([] if pip else ["--without-pip"]), folder], fix)
