"""One attempt is bounded as a whole, and answers arrive, in networks that loopback is not.

As root on Linux, in a network and with a resolver of its own: a name server that is silent, addresses that lead
nowhere, packets of 1,500 bytes. What runs there is this file itself, as a program.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from adapter.sinks.base import Failed, Outcome
from adapter.sinks.http import HttpSink
from adapter.sinks.options import ContentMode, HttpOptions
from tests.support.delivery import make_event
from tests.support.raw_server import Script, raw_servers

#: sched.h: a network, and mounts, of one's own; sys/mount.h: what is mounted does not spread, a file in a file's place.
_NEW_NETWORK, _NEW_MOUNTS, _PRIVATE, _BIND = 0x40000000, 0x00020000, 0x44000, 0x1000
#: netdevice(7).
_SET_FLAGS, _UP_AND_RUNNING, _SET_MTU = 0x8914, 0x41, 0x8922
MTU = 1_500
TIMEOUT_S = 1.0
#: What a bounded attempt may take on a busy machine, below what each of these took when nothing bounded it.
LIMIT_S = 5.0
TOO_LARGE = b"HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig"


def silent_name_server() -> dict[str, object]:
    """A resolver that does not answer takes glibc 5 s a try, and 2 tries."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 53))
        return attempt("http://sink.example/")


def addresses_that_lead_nowhere() -> dict[str, object]:
    """Four addresses whose listeners take no more connections: nobody answers, as behind a firewall."""
    with ExitStack() as stack:
        for number in range(2, 6):
            listener = stack.enter_context(socket.socket())
            listener.bind((f"127.0.0.{number}", 8080))
            listener.listen(0)
            for _ in range(8):  # more than fit into its queue
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex((f"127.0.0.{number}", 8080))
        return attempt("http://dead.example:8080/")


def answers_before_the_request_was_read() -> dict[str, object]:
    """Batches of a megabyte, and a server that refuses them as gunicorn, hypercorn and Node.js do."""
    outcomes: list[Outcome] = []
    with raw_servers() as serve:
        server = serve(Script((TOO_LARGE,), then="close", early=True))
        sink = HttpSink(server.url, HttpOptions(mode=ContentMode.STRUCTURED, timeout_s=20))
        event = make_event(note="x" * 1_000_000)
        outcomes += [sink.send([event])[0] for _ in range(100)]
        sink.close()
    return {"codes": sorted({outcome.code for outcome in outcomes})}


def attempt(url: str) -> dict[str, object]:
    sink = HttpSink(url, HttpOptions(timeout_s=TIMEOUT_S))
    begun = time.monotonic()
    (outcome,) = sink.send([make_event()])
    sink.close()
    seconds = time.monotonic() - begun
    assert isinstance(outcome, Failed)
    return {"codes": [outcome.code], "seconds": seconds}


CASES: dict[str, Callable[[], dict[str, object]]] = {
    each.__name__: each
    for each in (silent_name_server, addresses_that_lead_nowhere, answers_before_the_request_was_read)
}


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root on Linux for a network of its own")
@pytest.mark.parametrize(
    ("case", "codes"),
    [
        ("silent_name_server", ["timeout"]),
        ("addresses_that_lead_nowhere", ["timeout"]),
        ("answers_before_the_request_was_read", ["413"]),
    ],
)
def test_in_a_slow_network(case: str, codes: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", __name__, case], capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["codes"] == codes
    assert found.get("seconds", 0) < LIMIT_S


def _leave() -> None:
    """Into a network, with a loopback of small packets, and a resolver of this process's own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NETWORK | _NEW_MOUNTS) or libc.mount(None, b"/", None, _PRIVATE, None):
        sys.stderr.write(f"no network of its own: {os.strerror(ctypes.get_errno())}\n")
        sys.exit(3)
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14s", b"lo", _UP_AND_RUNNING, b""))
        fcntl.ioctl(any_socket, _SET_MTU, struct.pack("16si12s", b"lo", MTU, b""))
    dead = "".join(f"127.0.0.{number} dead.example\n" for number in range(2, 6))
    texts = {"resolv.conf": "nameserver 127.0.0.1\n", "nsswitch.conf": "hosts: files dns\n", "hosts": dead}
    folder = Path(tempfile.mkdtemp())
    for name, text in texts.items():
        (folder / name).write_text(text)
        if Path("/etc", name).exists() and libc.mount(bytes(folder / name), f"/etc/{name}".encode(), None, _BIND, None):
            sys.stderr.write(f"no {name} of its own: {os.strerror(ctypes.get_errno())}\n")
            sys.exit(3)


if __name__ == "__main__":
    _leave()
    sys.stdout.write(json.dumps(CASES[sys.argv[1]]()))
