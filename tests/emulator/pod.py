"""A pod of the original's Deployment, without a cluster: the image's command in a network of its own.

What TriggerMesh's reconciler puts into the pod is here as facts, in its order; what Kubernetes and the image add as
well. The ports 8080 and 9092 are fixed there. On Linux as root each test runs in a network namespace of its own, so
that they are free; elsewhere they are moved by two variables. The image's user needs root too, and a Python that
everybody may run; `make image-test` starts the image itself.
"""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from emulator.task import free_port
from tests.deploy.test_image_contents import of
from tests.support import wait_until

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")
Entry = tuple[str, str]

#: startupProbe of the reconciler: GET /health on the port, every second, given up after 60 times.
PERIOD_S, FAILURES = 1.0, 60
#: terminationGracePeriodSeconds of a pod that does not say.
GRACE_S = 30.0
#: Linux' number for "a network of one's own" (sched.h), and for "this interface is up" (netdevice(7)).
_CLONE_NEWNET, _SIOCSIFFLAGS, _UP_AND_RUNNING = 0x40000000, 0x8914, 0x41
_ISOLATED = sys.platform == "linux" and os.geteuid() == 0
#: Whether the image's user can run the tests' Python and read the checkout: not where they are in somebody's home.
_OPEN = _ISOLATED and all(
    folder.stat().st_mode & 0o001
    for path in (sys.executable, os.path.realpath(sys.executable), ROOT)
    for folder in Path(path).parents
)
#: Those of triggermesh/config at its last commit, as the reconciler writes them.
LOGGING = json.dumps({"zap-logger-config": json.dumps({"level": "info", "encoding": "json"})})
METRICS = json.dumps(
    {
        "Domain": "triggermesh.io",
        "Component": "awscognitouserpoolsource",
        "PrometheusPort": 0,
        "PrometheusHost": "",
        "ConfigMap": {"metrics.backend-destination": "prometheus"},
    }
)
TRACING = json.dumps({"backend": "none", "debug": "false", "sample-rate": "0.1"})


def reconciled(
    arn: str, sink: str, overrides: Iterable[Entry] = (), replaced: Mapping[str, str | None] | None = None
) -> list[Entry]:
    """The container's env list as TriggerMesh's reconciler writes it, in its order.

    Args:
        arn: spec.arn.
        sink: the address that spec.sink resolves to.
        overrides: spec.adapterOverrides.env.
        replaced: other values for variables of the list; None leaves the variable out.
    """
    entries = [
        ("K_COMPONENT", "awscognitouserpoolsource"),
        ("K_SINK_TIMEOUT", "30"),
        ("METRICS_PROMETHEUS_PORT", "9092"),
        *overrides,
        ("NAMESPACE", "crm"),
        ("NAME", "customers"),
        ("K_SINK", sink),
        ("AWS_ACCESS_KEY_ID", "AKIAFAKECOGNITO00001"),
        ("AWS_SECRET_ACCESS_KEY", "synthetic-secret-key"),
        ("ARN", arn),
        ("K_LOGGING_CONFIG", LOGGING),
        ("K_METRICS_CONFIG", METRICS),
        ("K_TRACING_CONFIG", TRACING),
    ]
    chosen = [(name, (replaced or {}).get(name, value)) for name, value in entries]
    return [(name, value) for name, value in chosen if value is not None]


def effective(entries: Iterable[Entry]) -> dict[str, str]:
    """What a container sees of its env list: of several entries with one name the last one counts."""
    return dict(entries)


def image_variables() -> dict[str, str]:
    """The variables that the image itself sets."""
    return dict(word.split("=", 1) for line in of("ENV") for word in shlex.split(line))


@dataclass(frozen=True)
class PodNetwork:
    """Where a pod's fixed ports are, and what it takes to put them there."""

    health: int = 8080
    metrics: int = 9092
    moved: tuple[Entry, ...] = field(default=())


def in_own_network(body: Callable[[PodNetwork], T]) -> T:
    """Run a test in a thread whose sockets and children are in a network of their own, where that can be had."""
    if not _ISOLATED:
        health, metrics = (free_port() for _ in range(2))
        moved = (("HEALTH_ADDRESS", f"127.0.0.1:{health}"), ("METRICS_PROMETHEUS_PORT", str(metrics)))
        return body(PodNetwork(health, metrics, moved))
    with ThreadPoolExecutor(1, initializer=_leave_the_network) as thread:
        return thread.submit(body, PodNetwork()).result()


def _leave_the_network() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", _UP_AND_RUNNING, b""))


class Pod:
    """A running container: the image's entry point and command, its user and working directory."""

    def __init__(self, entries: Iterable[Entry], workdir: Path) -> None:
        (python, *arguments) = json.loads(of("ENTRYPOINT")[0]) + json.loads(of("CMD")[0])
        assert python == "python"
        user, _, group = of("USER")[0].partition(":")
        self._stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `end`
        rights: dict[str, Any] = {}
        if _OPEN:
            rights = {"user": int(user), "group": int(group), "extra_groups": []}
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=workdir,
            env={**image_variables(), "PATH": os.defpath, "PYTHONPATH": str(ROOT), **effective(entries)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._stderr,
            **rights,
        )

    @property
    def said(self) -> str:
        """Its log so far: what `kubectl logs` shows."""
        self._stderr.seek(0)
        return self._stderr.read()

    def actions(self) -> list[str]:
        lines = self.said.rpartition("\n")[0].splitlines()
        return [json.loads(line)["action"] for line in lines if line.startswith("{")]

    def wait_for(self, action: str) -> None:
        wait_until(lambda: action in self.actions() or self.process.poll() is not None, 30, f"the log line {action!r}")
        assert action in self.actions(), self.said

    def stop(self) -> int:
        """As kubelet ends a container: SIGTERM, and SIGKILL after the grace period."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(GRACE_S)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self._stderr.close()


@contextmanager
def volume() -> Iterator[Path]:
    """The image's working directory, made as the image makes it: the container's user may write there."""
    folder = Path(tempfile.mkdtemp(prefix="pod-"))
    if _OPEN:
        user, _, group = of("USER")[0].partition(":")
        os.chown(folder, int(user), int(group))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def pod(entries: Iterable[Entry], workdir: Path) -> Iterator[Pod]:
    """Run a container for the length of a block."""
    running = Pod(entries, workdir)
    try:
        yield running
    finally:
        running.end()


def ask(port: int, path: str, method: str = "GET") -> tuple[int, Mapping[str, str], bytes]:
    """One request to the pod; status 0 while nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    except OSError:
        return 0, {}, b""
    finally:
        connection.close()


def startup_probe(port: int, running: Pod) -> list[int]:
    """Probe /health as kubelet does, quicker, until it succeeds; the answers, repetitions left out.

    Raises:
        AssertionError: kubelet would have given up and killed the container.
    """
    answers: list[int] = []
    deadline = time.monotonic() + PERIOD_S * FAILURES
    while not answers or not 200 <= answers[-1] < 400:
        assert time.monotonic() < deadline, f"the startup probe failed: {answers}\n{running.said}"
        assert running.process.poll() is None, running.said
        status = ask(port, "/health")[0]
        if not answers or answers[-1] != status:
            answers.append(status)
        time.sleep(0.02)
    return answers
