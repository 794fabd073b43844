"""Builds the adapter's image and runs it as the deployed task definition says: `make image-test`, on Linux, as root.

No daemon and no registry: buildah builds on a base that debootstrap makes once (`--base` names another one). Then our
stacks are deployed to the emulated AWS, and the image is started with the task definition's environment, secrets, task
role, user and file systems, until an event arrives and its health check is content. At last it is started as a pod of
TriggerMesh's controller.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from adapter.version import VERSION
from emulator.aws import EmulatedAws
from emulator.deployment import SPEC, DeployError, Deployment, write_manifest
from emulator.processes import ROOT, TOOLS, Child
from emulator.sink import RecordingSink
from emulator.task import Task, task_of
from tests.emulator.pod import PodNetwork, ask, effective, in_own_network, reconciled
from tests.fake_cognito import FakeCognito
from tools.release.image_size import ADDED_MB, megabytes

STORE = TOOLS / "containers"
IMAGE = "localhost/cognito-source:test"
LOCAL_BASE = "localhost/cognito-source-base:bookworm"
#: The longest that a build may take, in seconds.
BUILD_TIMEOUT_S = 900.0
EVENT_TIMEOUT_S = 60.0
#: Its own user, and one of those that OpenShift takes, always in group 0.
POD_USERS = ("10001:10001", "1000660000:0")
NEEDED = ("buildah", "unshare", "mount")


class ImageTestError(RuntimeError):
    """Something that the image promises did not happen."""


def buildah(*arguments: str) -> str:
    """Run buildah in a store of its own; gives what it prints.

    Raises:
        ImageTestError: it failed.
    """
    command = ["buildah", "--root", str(STORE / "root"), "--runroot", str(STORE / "run"), "--storage-driver", "vfs"]
    done = subprocess.run(
        [*command, *arguments],
        env={**os.environ, "BUILDAH_ISOLATION": "chroot"},
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=BUILD_TIMEOUT_S,
    )
    if done.returncode:
        raise ImageTestError(f"buildah {arguments[0]} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout


def make_base() -> str:
    """A Debian with Python, as an image: made once, for no registry may be reachable. Takes a minute."""
    if LOCAL_BASE in buildah("images", "--format", "{{.Name}}:{{.Tag}}"):
        return LOCAL_BASE
    if shutil.which("debootstrap") is None:
        raise ImageTestError("debootstrap is not installed; install it, or name a base image with --base")
    with tempfile.TemporaryDirectory(prefix="base-", dir=STORE) as folder:
        subprocess.run(
            ["debootstrap", "--variant=minbase", "--include=python3,python3-venv", "bookworm", folder],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=BUILD_TIMEOUT_S,
        )
        container = buildah("from", "scratch").strip()
        buildah("add", "--quiet", container, folder, "/")
        buildah("config", "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container)
        buildah("commit", "--quiet", container, LOCAL_BASE)
        buildah("rm", container)
    return LOCAL_BASE


def build(base: str) -> None:
    """Build the image. The machine's way to its package index goes into the build, and not into the image."""
    options = ["--pull=never", "--timestamp", "0", "--build-arg", f"BASE={base}", "--build-arg", f"VERSION={VERSION}"]
    for name, value in os.environ.items():
        if name.startswith("PIP_"):
            options += ["--env", f"{name}={value}"]
    for path in ("/etc/ssl/certs", "/etc/pip.conf"):
        if Path(path).exists():
            options += ["--volume", f"{path}:{path}:ro"]
    buildah("bud", "--quiet", *options, "--tag", IMAGE, ".")


@dataclass(frozen=True)
class BuiltImage:
    """The built image, mounted."""

    root: Path
    config: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the image sets."""
        return dict(each.split("=", 1) for each in self.config["Env"])


@contextmanager
def mounted() -> Iterator[BuiltImage]:
    """The image's file system and configuration."""
    container = buildah("from", "--pull=never", IMAGE).strip()
    try:
        root = Path(buildah("mount", container).strip())
        yield BuiltImage(root, json.loads(buildah("inspect", "--type", "image", IMAGE))["OCIv1"]["config"])
    finally:
        buildah("rm", container)


def start(image: BuiltImage, task: Task, command: list[str], folder: Path, log: Path) -> Child:
    """Start a program of the image as the task definition says."""
    container = task.container
    return _confined(
        image,
        folder,
        log,
        user=container["user"],
        environment={**image.environment, **_of_the_task(task)},
        command=command,
        writable=[each["containerPath"] for each in container["mountPoints"]],
        readonly=container["readonlyRootFilesystem"],
    )


def _confined(image: BuiltImage, folder: Path, log: Path, **how: Any) -> Child:
    """Start a program of the image; `how` is what tools/release/confine.py needs besides."""
    file = folder / "container.json"
    file.write_text(json.dumps({"root": str(image.root), "workdir": image.config["WorkingDir"], **how}))
    file.chmod(0o600)
    confine = [sys.executable, str(Path(__file__).with_name("confine.py")), str(file)]
    with log.open("ab") as output:
        return Child(["unshare", "--mount", "--propagation", "private", "--", *confine], env=os.environ, output=output)


def _of_the_task(task: Task) -> dict[str, str]:
    """The task's environment without what the demo adds for a program outside a container."""
    ours = {"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
    return {name: value for name, value in task.environment.items() if name not in ours}


def wait_for(condition: Callable[[], object], child: Child, what: str, log: Path) -> None:
    """Wait until something is true.

    Raises:
        ImageTestError: it takes too long, or the program ended.
    """
    deadline = time.monotonic() + EVENT_TIMEOUT_S
    while not condition():
        if child.exit_code is not None or time.monotonic() > deadline:
            raise ImageTestError(f"{what} did not happen; the container said:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)


def run(image: BuiltImage, folder: Path, say: Callable[[str], None]) -> None:
    """Deploy, start the image, and wait for an event and a content health check."""
    log = folder / "container.log"
    with EmulatedAws.start(log=folder / "emulated-aws.log") as aws, RecordingSink.start() as sink:
        aws.enforce_iam(on=True)
        pool = aws.create_pool("customers")
        manifest = folder / "source.yaml"
        write_manifest(manifest, pool=pool, sink=sink.url, spec=SPEC)
        deployment = Deployment(folder / "deployment", aws, manifest)
        outputs = deployment.deploy()
        say("deployed to the emulated AWS")
        with task_of(aws, outputs["customers-task-definition-arn"]) as task:
            entry = [*image.config["Entrypoint"], *image.config["Cmd"]]
            child = start(image, task, entry, folder, log)
            try:
                wait_for(lambda: task.health() == 204, child, "the first sweep", log)
                aws.client("cognito-idp").admin_create_user(UserPoolId=pool.rpartition("/")[2], Username="amara")
                wait_for(lambda: sink.events, child, "the event", log)
                say(f"received: {sink.events[0]['type']} of a user made a moment ago")
                check = start(image, task, task.container["healthCheck"]["command"][1:], folder, log)
                if check.wait(60) != 0:
                    raise ImageTestError(f"the health check failed:\n{log.read_text()[-3000:]}")
                say("its health check is content")
            finally:
                code = child.stop()
            if code != 0:
                raise ImageTestError(f"the container ended with {code} on SIGTERM:\n{log.read_text()[-3000:]}")
            say("ended with 0 on SIGTERM")
        deployment.destroy()


def run_as_pods(image: BuiltImage, folder: Path, say: Callable[[str], None]) -> None:
    """Start the image as TriggerMesh's controller does, as its own user and as one that OpenShift would choose.

    In a network of its own, for the ports are fixed; without a volume, so the state goes into the image's folder.
    """
    log = folder / "pod.log"

    def body(network: PodNetwork) -> None:
        with FakeCognito(users=3) as cognito, RecordingSink.start() as sink:
            for user in POD_USERS:
                sink.clear()
                there = [("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", cognito.endpoint), ("POLL_MAX_SECONDS", "1")]
                entries = reconciled(cognito.arn, sink.url, there)
                child = _confined(
                    image,
                    folder,
                    log,
                    user=user,
                    environment={**image.environment, **effective(entries)},
                    command=[*image.config["Entrypoint"], *image.config["Cmd"]],
                    writable=[],
                    readonly=False,
                )
                try:
                    wait_for(lambda: ask(network.health, "/health")[0] == 204, child, "the first sweep", log)
                    wait_for(lambda: ask(network.metrics, "/metrics")[0] == 200, child, "an answer with metrics", log)
                    cognito.create(f"user-{user}")
                    wait_for(lambda: sink.events, child, "the event", log)
                finally:
                    code = child.stop()
                if code != 0:
                    raise ImageTestError(f"the pod ended with {code} on SIGTERM:\n{log.read_text()[-3000:]}")
                for file in (image.root / image.config["WorkingDir"].lstrip("/")).iterdir():
                    file.unlink()  # kubelet gives the next container a new layer
                say(f"works as a pod of TriggerMesh's controller, user {user}")

    in_own_network(body)


def keep_promises(image: BuiltImage, added_mb: float) -> None:
    """Check what the image says and weighs.

    Raises:
        ImageTestError: it is too large, or another version than this.
    """
    if added_mb > ADDED_MB:
        raise ImageTestError(
            f"the image adds {added_mb:.0f} MB to its base, more than tools/release/image_size.py allows"
        )
    version = image.config["Labels"].get("org.opencontainers.image.version")
    if version != VERSION:
        raise ImageTestError(f"the image's label says version {version}, not {VERSION}")


@click.command()
@click.option(
    "--base", default="", help="Base image in buildah's store under .tools; made with debootstrap if not given."
)
def main(base: str) -> None:
    """Build the adapter's image and run it against the emulated AWS as its task definition says."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        raise click.ClickException(
            f"needs root and {', '.join(missing or NEEDED)} (Debian: buildah, debootstrap, crun)"
        )
    began = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"{time.monotonic() - began:6.1f} s  {line}")

    STORE.mkdir(parents=True, exist_ok=True)
    (ROOT / ".demo").mkdir(exist_ok=True)
    try:
        chosen = base or make_base()
        say(f"base: {chosen}")
        build(chosen)
        say(f"built: {IMAGE}")
        with mounted() as image, tempfile.TemporaryDirectory(prefix="image-", dir=ROOT / ".demo") as folder:
            everything, ours = megabytes(image.root), megabytes(image.root / "opt" / "venv")
            say(f"size: {everything:.0f} MB, {ours:.0f} MB of it over the base (at most {ADDED_MB:.0f} MB)")
            keep_promises(image, ours)
            run(image, Path(folder), say)
            run_as_pods(image, Path(folder), say)
    except (ImageTestError, DeployError) as fault:
        raise click.ClickException(str(fault)) from None


if __name__ == "__main__":
    main()
