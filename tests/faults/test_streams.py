"""The adapter as a process whose stdout or stderr is gone, or that is asked to stop before it has begun."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.fake_cognito import FakeCognito
from tests.support import RecordingSink, wait_until

ROOT = Path(__file__).resolve().parents[2]
ARN = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"
QUICK = {
    "METRICS_PROMETHEUS_PORT": "0",
    "HEALTH_ADDRESS": "127.0.0.1:0",
    "STATUS_ADDRESS": "off",
    "POLL_MAX_SECONDS": "0.2",
    "POLL_MIN_SECONDS": "0.05",
    "MAX_RPS": "100",
    "DELIVERY_BACKOFF_DELAY": "PT0.02S",
    "EVENTS_INITIAL": "snapshot",
}


@pytest.fixture
def cognito() -> Iterator[FakeCognito]:
    with FakeCognito(users=3) as server:
        yield server


def broken_pipe() -> IO[bytes]:
    """A pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    return open(writer, "wb", buffering=0)  # noqa: PTH123 - a descriptor


@contextmanager
def started(
    environment: Mapping[str, str], folder: Path, *, out: IO[bytes] | int, err: IO[bytes] | int, unbuffered: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m adapter`, killed at the end if it is still there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "adapter"],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": unbuffered,
            **QUICK,
            **environment,
        },
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=20)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("gone", ["stdout", "stderr"])
def test_a_stream_that_is_gone_stops_no_delivery_and_the_exit_code_is_0(
    cognito: FakeCognito, tmp_path: Path, gone: str, unbuffered: str
) -> None:
    log = tmp_path / "log"
    with RecordingSink.start() as sink, broken_pipe() as pipe, log.open("wb") as file:
        environment = {**cognito.environment(), "K_SINK": sink.url, "METRICS_EMF": "true", "LOG_LEVEL": "debug"}
        out, err = (pipe, file) if gone == "stdout" else (file, pipe)
        with started(environment, tmp_path, out=out, err=err, unbuffered=unbuffered) as process:
            wait_until(lambda: len(sink.events) == 3)
            cognito.create("late")
            wait_until(lambda: len(sink.events) == 4)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    lines = log.read_text().splitlines()
    assert all(line.startswith("{") for line in lines)
    assert [line for line in lines if "CognitoSource" in line or '"metrics_lost"' in line]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_stdout_sink_whose_reader_is_gone_keeps_its_events_and_stops_in_order(
    cognito: FakeCognito, tmp_path: Path, unbuffered: str
) -> None:
    log = tmp_path / "log"
    with broken_pipe() as pipe, log.open("wb") as file:
        environment = {**cognito.environment(), "K_SINK": "stdout:", "LOG_LEVEL": "debug"}
        with started(environment, tmp_path, out=pipe, err=file, unbuffered=unbuffered) as process:
            wait_until(lambda: '"sink_down"' in log.read_text())
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    assert '"delivered"' not in log.read_text()
    assert "Traceback" not in log.read_text()


def first_process() -> list[str]:
    """What makes a process the first one of a namespace, as that of a container; skips where that is not allowed."""
    unshare = shutil.which("unshare")
    for more in ([], ["--user", "--map-root-user"]):
        command = [str(unshare), *more, "--pid", "--fork", "--kill-child"]
        if unshare and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    pytest.skip("namespaces can't be made here")


@pytest.mark.parametrize(("arguments", "code"), [([], 0), (["run"], 0), (["run", "--once"], 1), (["config"], 143)])
def test_a_signal_during_the_imports_is_not_lost_on_the_first_process_of_a_container(
    arguments: list[str], code: int
) -> None:
    command = [*first_process(), sys.executable, "-X", "importtime", "-m", "adapter", *arguments]
    environment = {**os.environ, **QUICK, "ARN": ARN, "K_SINK": "stdout:", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if b"click" in line:  # one of the first of the imports
                break
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGTERM)
        try:
            process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == code
