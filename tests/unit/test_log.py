"""Logs: JSON for machines, lines for people."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from adapter.log import Action, configure, status_line


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    logger, root = logging.getLogger("adapter"), logging.getLogger()
    before = (logger.handlers[:], logger.propagate, logger.level, root.handlers[:])
    yield
    logger.handlers[:], logger.propagate, root.handlers[:] = before[0], before[1], before[3]
    logger.setLevel(before[2])


def test_a_record_is_one_json_object_with_its_action_and_fields() -> None:
    stream = io.StringIO()
    configure("info", stream)
    logging.getLogger("adapter.x").info("Two\nlines é", extra={"action": Action.SWEEP_DONE, "users": 3})
    (line,) = stream.getvalue().splitlines()
    record = json.loads(line)
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "severity": "INFO",
        "logger": "adapter.x",
        "message": "Two\nlines é",
        "action": "sweep_done",
        "users": 3,
    }


def test_a_terminal_gets_readable_lines() -> None:
    stream = FakeTerminal()
    configure("info", stream)
    logging.getLogger("adapter").warning("It is %s", "late", extra={"action": Action.STOPPED, "seconds": 2})
    assert stream.getvalue().endswith(" WARNING It is late (seconds 2)\n")


def test_levels_below_the_configured_one_are_left_out() -> None:
    stream = io.StringIO()
    configure("warning", stream)
    logging.getLogger("adapter").info("quiet", extra={"action": Action.STARTED})
    assert stream.getvalue() == ""


def test_libraries_log_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    configure("debug", stream)
    logging.getLogger("urllib3").warning("Retrying http://user:secret@host/")
    assert stream.getvalue() == ""
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("stream", [io.StringIO(), FakeTerminal()])
def test_a_bug_is_logged_with_its_traceback(stream: io.StringIO) -> None:
    configure("info", stream)
    try:
        int("why")
    except ValueError:
        logging.getLogger("adapter").exception("bug", extra={"action": Action.SINK_BUG})
    assert "ValueError: invalid literal" in stream.getvalue()


def test_a_terminal_is_spared_the_ids_of_traces() -> None:
    stream = FakeTerminal()
    configure("info", stream)
    ids = {"action": Action.SWEEP_DONE, "trace_id": "4bf92f35", "span_id": "00f067aa"}
    logging.getLogger("adapter").info("Swept the pool", extra=ids)
    assert stream.getvalue().endswith("Swept the pool\n")


def test_the_documentation_names_every_action() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
    assert [action for action in Action if f"`{action}`" not in text] == []


def test_lines_that_nobody_reads_are_lost_and_counted_and_keep_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapter.log._PATIENCE_S", 0.0)
    reader, writer = os.pipe()
    with open(writer, "w") as stream:  # noqa: PTH123 - a descriptor
        configure("info", stream)
        for number in range(500):
            logging.getLogger("adapter").info("x" * 500, extra={"action": Action.STARTED, "number": number})
        written = [json.loads(line) for line in os.read(reader, 1_000_000).splitlines()]
        logging.getLogger("adapter").info("again", extra={"action": Action.STOPPED})
        lost, last = (json.loads(line) for line in os.read(reader, 1_000_000).splitlines())
    os.close(reader)
    assert [line["number"] for line in written] == list(range(len(written)))
    assert (lost["action"], lost["message"]) == (
        "logs_lost",
        f"{500 - len(written)} log lines before this one could not be written",
    )
    assert last["message"] == "again"


@pytest.mark.parametrize("live", [True, False])
def test_a_stream_that_is_gone_makes_no_traceback(capfd: pytest.CaptureFixture[str], *, live: bool) -> None:
    reader, writer = os.pipe()
    stream = open(writer, "w", buffering=1)  # noqa: PTH123, SIM115 - a descriptor
    configure("info", stream, live=live)
    os.close(reader)
    if live:
        show = status_line()
        assert show is not None
        show("Reading the pool")
    logging.getLogger("adapter").info("nobody reads this", extra={"action": Action.STOPPED})
    logging.getLogger("adapter").info("%d users", "canary@example.com", extra={"action": Action.STOPPED})
    with suppress(OSError):
        stream.close()
    assert capfd.readouterr() == ("", "")


def test_a_process_without_a_stderr_logs_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    configure("info")
    logging.getLogger("adapter").info("nobody reads this", extra={"action": Action.STOPPED})
