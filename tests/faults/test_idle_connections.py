"""A thousand connections that say nothing, to any of the adapter's ports, while it works."""

from __future__ import annotations

import resource
import socket
import struct
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from emulator.task import free_port
from tests.emulator.process import adapter, probe
from tests.fake_cognito import FakeCognito
from tests.support import RecordingSink, wait_until

IDLE = 1000


@pytest.fixture(autouse=True)
def _descriptors() -> Iterator[None]:
    """Room for this side of the connections."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, before[1]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("target", ["metrics", "health", "status"])
def test_idle_connections_stop_neither_probes_nor_deliveries(tmp_path: Path, target: str) -> None:
    ports = {name: free_port() for name in ("metrics", "health", "status")}
    with FakeCognito(users=3) as cognito, RecordingSink.start() as sink, ExitStack() as stack:
        environment = {
            **cognito.environment(),
            "K_SINK": sink.url,
            "METRICS_PROMETHEUS_PORT": str(ports["metrics"]),
            "HEALTH_ADDRESS": f"127.0.0.1:{ports['health']}",
            "STATUS_ADDRESS": f"127.0.0.1:{ports['status']}",
            "POLL_MAX_SECONDS": "0.2",
            "POLL_MIN_SECONDS": "0.05",
            "MAX_RPS": "100",
        }
        running = stack.enter_context(adapter(environment, tmp_path))
        running.wait_for("baseline_done")
        for _ in range(IDLE):
            stack.enter_context(socket.create_connection(("127.0.0.1", ports[target]), 20))
        for _ in range(20):
            gone = socket.create_connection(("127.0.0.1", ports[target]), 20)
            gone.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            gone.close()  # with a reset
        cognito.create("late")
        wait_until(lambda: sink.events)
        assert (probe(ports["health"], "/live")[0], probe(ports["health"], "/health")[0]) == (204, 204)
        for port, path in ((ports["metrics"], "/metrics"), (ports["status"], "/status")):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as reply:
                assert reply.status == 200
        # Threads and descriptors stay within their budget, whatever connects.
        process = Path(f"/proc/{running.process.pid}")
        assert len(list((process / "fd").iterdir())) < 150
        assert len(list((process / "task").iterdir())) < 60
        assert running.terminate() == 0
    assert all(line.startswith("{") for line in running.err.splitlines())
    assert "Traceback" not in running.err
