"""The image without a container engine: what the Dockerfile's build stage does is done in an empty folder, and run.

`make image-test` builds and starts the image itself.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.task import free_port
from tools.release.image_size import ADDED_MB, megabytes, parts

ROOT = Path(__file__).parents[2]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions: name and the rest, continued lines joined."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text())
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines if line.strip()]


#: The stages of the Dockerfile.
BASE, BUILD, FINAL = range(3)


def stage(number: int) -> list[tuple[str, str]]:
    """The instructions of one build stage."""
    starts = [index for index, (name, _) in enumerate(instructions()) if name == "FROM"] + [len(instructions())]
    return instructions()[starts[number] + 1 : starts[number + 1]]


def of(name: str, number: int = FINAL) -> list[str]:
    """What a stage gives to one kind of instruction."""
    return [rest for each, rest in stage(number) if each == name]


def dockerignore_lets_in(path: str) -> bool:
    """Whether a file of the checkout reaches the build: an allow-list, so names and folders are enough."""
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    return any(path == rule[1:] or path.startswith(f"{rule[1:]}/") for rule in rules if rule.startswith("!"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that takes the place of the image's root."""
    root = tmp_path_factory.mktemp("image")
    (root / "opt").mkdir()
    for name, rest in stage(BUILD):
        if name == "COPY":
            source, target = rest.split()
            assert dockerignore_lets_in(source), f".dockerignore keeps {source} out"
            destination = root / target.lstrip("/")
            destination.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, destination, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, destination)
        else:
            assert name == "RUN"
            command = rest.replace("/opt/", f"{root}/opt/")
            done = subprocess.run(["sh", "-ec", command], capture_output=True, text=True, check=False, timeout=280)
            assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    yield root
    shutil.rmtree(root, ignore_errors=True)


def run(image: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The image's entry point, in an environment that has nothing else."""
    (python, *entry) = json.loads(of("ENTRYPOINT")[0])
    return subprocess.run(
        [image / "opt/venv/bin" / python, *entry, *arguments],
        env={"PATH": f"{image}/opt/venv/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
        cwd=image,
        timeout=60,
    )


def test_the_adapter_runs_from_what_the_image_installs(image: Path) -> None:
    done = run(image, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_every_module_of_the_adapter_imports_without_the_deployments_packages(image: Path) -> None:
    names = """
import importlib, pkgutil, sys, adapter
for module in pkgutil.walk_packages(adapter.__path__, "adapter."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
importlib.import_module("adapter.observability.status_page.document").load()  # its files are there too
unwanted = {"cdktf", "jsii", "moto", "iam", "stacks", "plan_review", "pip"}
print(sorted(unwanted & {name.split(".")[0] for name in sys.modules}))
"""
    done = subprocess.run(
        [image / "opt/venv/bin/python", "-c", names], env={}, capture_output=True, text=True, check=False, cwd=image
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_without_configuration_the_image_says_what_is_missing_and_exits_with_2(image: Path) -> None:
    done = run(image)
    assert done.returncode == 2
    assert "ARN is not set" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_health_check_fails_where_no_adapter_runs(image: Path) -> None:
    command = json.loads(of("HEALTHCHECK")[0].partition("CMD ")[2])
    assert command == ["python", "-m", "adapter", "health"]
    done = run(image, "health", HEALTH_ADDRESS=f"127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_nothing_is_compiled_at_run_time(image: Path) -> None:
    """The root file system is read-only: what is not compiled would be compiled anew at every start."""
    (packages,) = (image / "opt/venv/lib").glob("python3*/site-packages")
    for file in (packages / "adapter").rglob("*.py"):
        assert list((file.parent / "__pycache__").glob(f"{file.stem}.*.pyc")), file


def test_the_image_is_as_small_as_promised(image: Path) -> None:
    """The budget is in tools/release/image_size.py; `make image-test` and CI hold the built image to it."""
    (packages,) = (image / "opt/venv/lib").glob("python3*/site-packages")
    added = megabytes(image / "opt/venv")
    assert added < ADDED_MB, parts(packages)[:10]


def test_every_service_that_the_adapter_calls_is_known_to_the_images_botocore(image: Path) -> None:
    calls = re.compile(r"(?:create_)?client\(\s*\"([a-z-]+)\"")
    called = {name for file in (ROOT / "adapter").rglob("*.py") for name in calls.findall(file.read_text())}
    assert called >= {"cognito-idp", "dynamodb", "secretsmanager", "sts"}
    # Sinks are opened by the service of their ARN; the last three are where botocore gets credentials from.
    needed = sorted(called | {"events", "sqs", "sso", "sso-oidc", "signin"})
    script = """
import sys, botocore.session
session = botocore.session.Session()
for service in sys.argv[1:]:
    session.create_client(service, region_name="eu-central-1")
print(*session.get_available_services())
"""
    done = subprocess.run(
        [image / "opt/venv/bin/python", "-c", script, *needed], env={}, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == needed, done.stderr


def test_neither_pip_nor_anything_of_the_deployment_is_installed(image: Path) -> None:
    (packages,) = (image / "opt/venv/lib").glob("python3*/site-packages")
    there = {path.name.split("-")[0].lower() for path in packages.iterdir()}
    assert not there & {
        "pip",
        "setuptools",
        "cdktf",
        "jsii",
        "constructs",
        "moto",
        "pytest",
        "iam",
        "stacks",
        "plan_review",
    }


def test_the_image_runs_without_root_and_writes_only_to_its_volumes() -> None:
    assert of("USER") == ["10001:10001"]
    volumes = json.loads(of("VOLUME")[0])
    assert volumes == ["/tmp", "/var/lib/cognito-source"]
    assert of("WORKDIR")[0] in volumes
    assert "ADD" not in {name for name, _ in instructions()}


def test_any_user_of_the_root_group_can_write_the_state() -> None:
    """OpenShift runs an image as a user of its own choice, in group 0."""
    (folder,) = of("WORKDIR")
    setup = next(rest for rest in of("RUN") if f"mkdir -p {folder}" in rest)
    assert f"chown {of('USER')[0].partition(':')[0]}:0 {folder}" in setup
    assert f"chmod 0770 {folder}" in setup


def test_the_base_is_pinned_and_can_be_replaced() -> None:
    (base, *_) = [rest for name, rest in instructions() if name == "ARG"]
    default, *built = [rest for name, rest in instructions() if name == "FROM"]
    image, _, stage_name = default.partition(" AS ")
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", image)
    assert base == f"BASE={stage_name}"
    assert stage(BASE) == []
    assert {rest.split()[0] for rest in built} == {"${BASE}"}


def test_everything_is_installed_by_hash() -> None:
    (install,) = [rest for name, rest in stage(BUILD) if "pip install" in rest or " install " in rest]
    words = shlex.split(install)
    assert {"--require-hashes", "--no-cache-dir"} <= set(words)
    assert words[-1] == "/opt/adapter.txt"


def test_the_build_sees_only_what_it_needs() -> None:
    for path in (".git/config", "source.yaml", ".tools/venv", "tests/conftest.py", "terraform.x.tfstate", "iam/cli.py"):
        assert not dockerignore_lets_in(path)
    copied = [rest.split()[0] for name, rest in instructions() if name == "COPY" and "--from" not in rest]
    assert all(dockerignore_lets_in(path) and (ROOT / path).exists() for path in copied)
