"""`python -m adapter status`: aligned lines, colours only where they are wanted, JSON, and looking again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from adapter.commands.cli import cli
from adapter.commands.status import render
from adapter.config.values import Address
from adapter.errors import AdapterError, ConfigError
from adapter.observability.health import Health, HealthServer
from adapter.observability.metrics import Metrics
from adapter.observability.progress import Progress
from tests.support.terminal import ROOT, on_a_terminal

NOW_S = 1_800_000_000.0
STATUS: dict[str, Any] = {
    "unready": [],
    "dead": [],
    "source": "arn:pool",
    "name": "default/customers",
    "users": 1_234_567,
    "sweeps": {"complete": 12, "Throttled": 1},
    "last_sweep_seconds": 33.4,
    "last_sweep_pages": 20_577,
    "last_successful_sweep": NOW_S - 95,
    "requests": 61_000,
    "throttled": 3,
    "retries": {},
    "events": {"delivered": 1024},
    "in_flight": 0,
    "undelivered": 2,
    "deletions_waiting": 30,
    "first_sweep": None,
}


def test_numbers_are_aligned_and_readable() -> None:
    lines = click.unstyle(render(STATUS, now_s=NOW_S)).splitlines()
    assert lines == [
        "name                   default/customers",
        "user pool              arn:pool",
        "state                  ready",
        "known users            1,234,567",
        "last complete sweep    2 min ago, took 33 s for 20,577 pages, ended at 2027-01-15T07:58:25Z",
        "sweeps                 Throttled 1, complete 12",
        "requests               61,000, throttled 3",
        "pages requested again  none",
        "events                 delivered 1,024",
        "in flight              0",
        "undelivered users      2",
        "deletions waiting      30",
    ]


def test_what_is_wrong_is_told_line_by_line_and_can_not_move_the_cursor() -> None:
    told = render(STATUS | {"unready": ["sink: it is down", "\x1b[2Jstate: taken\r\n"]}, now_s=NOW_S)
    text = click.unstyle(told)
    assert "state                  not ready\n                       sink: it is down\n" in text
    assert "\\x1b[2Jstate: taken\\r\\n" in text


def test_a_sweep_that_goes_on_is_shown() -> None:
    progress = Progress(known=600_000, whole=True, clock=iter([0.0, 10.0]).__next__, show=lambda _: None)
    progress.begin()
    progress.page(SimpleNamespace(seen=6000))
    told = click.unstyle(render(STATUS | {"first_sweep": progress.report()}, now_s=NOW_S))
    assert "sweeping now           6,000 of about 600,000 users, 1 pages, 0.1 pages/s, about 16 min left" in told


def test_the_rate_of_requests_is_that_since_the_last_look() -> None:
    told = render(STATUS, now_s=NOW_S, before=STATUS | {"requests": 60_950}, since_s=5.0)
    assert "61,000, now 10.0 a second" in told


def test_an_adapter_that_just_began_has_nothing_to_tell_yet() -> None:
    told = click.unstyle(render(Metrics(source="arn:pool").status(), now_s=NOW_S))
    assert "last complete sweep    never" in told
    assert "sweeps                 none" in told


@contextmanager
def running(health: Health | None = None) -> Iterator[str]:
    """An adapter's local server; gives its address."""
    metrics = Metrics(source="arn:pool", name="customers")
    with HealthServer(health or Health(), Address("127.0.0.1", 0), metrics.status) as server:
        yield f"127.0.0.1:{server.port}"


def test_it_asks_where_it_is_told_and_prints_json() -> None:
    with running() as address:
        asked = CliRunner().invoke(cli, ["status", "--json"], env={"HEALTH_ADDRESS": address})
        assert json.loads(asked.stdout)["name"] == "default/customers"
        assert CliRunner().invoke(cli, ["status", "--address", address]).stdout.startswith("name ")


def test_nobody_there_and_somebody_else_there_are_told_apart() -> None:
    with running() as address:
        pass
    nobody = CliRunner().invoke(cli, ["status", "--address", address])
    assert isinstance(nobody.exception, AdapterError)
    assert not isinstance(nobody.exception, ConfigError)
    assert f"no adapter answers at {address}" in str(nobody.exception)
    assert isinstance(CliRunner().invoke(cli, ["status", "--address", "nowhere"]).exception, ConfigError)


# -- as people use it -----------------------------------------------------------------------------------------------


def test_watching_draws_again_in_place_until_ctrl_c() -> None:
    with running() as address, on_a_terminal(["status", "--watch", "0.2", "--address", address]) as terminal:
        terminal.expect("0, now 0.0 a second")
        assert terminal.interrupt() == 0
        assert terminal.written.count(b"\x1b[2J") >= 2
        assert b"\x1b[31m" in terminal.written  # not ready, in red


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_colours_are_left_out_where_nobody_wants_them(more: dict[str, str]) -> None:
    with running() as address, on_a_terminal(["status", "--watch", "0.2", "--address", address], more) as terminal:
        terminal.expect("undelivered users")
        assert terminal.interrupt() == 0
        assert b"\x1b[3" not in terminal.written


def test_watching_without_a_terminal_writes_json_lines_and_waits_for_an_adapter() -> None:
    with running() as address:
        pass
    command = [sys.executable, "-m", "adapter", "status", "--json", "--watch", "0.2", "--address", address]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        found = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
    assert process.returncode == 0
    assert all("no adapter answers" in each["error"] for each in found)
