"""CloudWatch's Embedded Metric Format: what a line holds, when it comes, and that the specification allows it."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from adapter.line_writer import LineWriter
from adapter.model import Kind
from adapter.observability.emf import METRICS, PERIOD_S, Emf, markdown
from adapter.observability.metrics import Metrics
from tests.support.metrics import ARN, NOON_S, busy, result

DOCS = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"
UNITS = (
    *("Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits"),
    *("Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count", "Bytes/Second", "Count/Second", "None"),
)
#: What the specification says of the metadata object, its directives and the members they name.
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
METADATA = {
    "type": "object",
    "required": ["Timestamp", "CloudWatchMetrics"],
    "additionalProperties": False,
    "properties": {
        "Timestamp": {"type": "integer", "minimum": 0},
        "CloudWatchMetrics": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["Namespace", "Dimensions", "Metrics"],
                "additionalProperties": False,
                "properties": {
                    "Namespace": {"type": "string", "pattern": "^[0-9A-Za-z.\\-_/#:]{1,255}$"},
                    "Dimensions": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "array",
                            "maxItems": 30,
                            "items": {"type": "string", "minLength": 1, "maxLength": 250},
                        },
                    },
                    "Metrics": {
                        "type": "array",
                        "maxItems": 100,
                        "items": {
                            "type": "object",
                            "required": ["Name"],
                            "additionalProperties": False,
                            "properties": {
                                "Name": {"type": "string", "minLength": 1, "maxLength": 1024},
                                "Unit": {"enum": list(UNITS)},
                                "StorageResolution": {"enum": [1, 60]},
                            },
                        },
                    },
                },
            },
        },
    },
}
VALUE = {"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 100}]}
DIMENSION = {"type": "string", "minLength": 1, "maxLength": 1024}


def check(text: str) -> dict[str, Any]:
    """The line as JSON, once it is as the specification wants it."""
    line: dict[str, Any] = json.loads(text)
    jsonschema.validate(line["_aws"], METADATA)
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for metric in directive["Metrics"]:
            jsonschema.validate(line[metric["Name"]], VALUE)
        for dimension in {name for names in directive["Dimensions"] for name in names}:
            jsonschema.validate(line[dimension], DIMENSION)
    assert len(text.encode()) < 1_000_000
    assert "\n" not in text
    return line


@pytest.fixture
def clock() -> list[float]:
    return [NOON_S]


class Stream:
    """A file that stands for stdout."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def getvalue(self) -> str:
        return self._path.read_text()


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[Stream]:
    stream = Stream(tmp_path / "stdout")
    yield stream
    os.close(stream.file)


@pytest.fixture
def metrics(clock: list[float]) -> Metrics:
    return busy(lambda: clock[0])


@pytest.fixture
def emf(metrics: Metrics, stream: Stream) -> Emf:
    return Emf(metrics, LineWriter(stream.file))


def test_a_line_comes_once_a_minute_and_holds_what_happened_since(emf: Emf, clock: list[float], stream: Stream) -> None:
    emf.write()
    assert stream.getvalue() == ""
    clock[0] += PERIOD_S + 1
    emf.write()
    emf.write()
    (text,) = stream.getvalue().splitlines()
    line = check(text)
    directive = line["_aws"]["CloudWatchMetrics"][0]
    assert (directive["Namespace"], directive["Dimensions"], line["Source"]) == ("CognitoSource", [["Source"]], "users")
    assert line["_aws"]["Timestamp"] == 1_700_000_061_000
    assert {name: line[name] for name in set(line) - {"_aws", "Source"}} == {
        "EventsCreated": 1,
        "EventsUpdated": 0,
        "EventsDeleted": 1,
        "EventsOther": 0,
        "DeadLetters": 1,
        "SweepSucceeded": 1,
        "Requests": 10,
        "Throttled": 2,
        "Users": 7,
        "Undelivered": 1,
        "DeletionsWaiting": 3,
        "SweepSeconds": [2.5],
        "LagSeconds": [0.7, 99.0],
    }
    emf.write(now=True)
    last = check(stream.getvalue().splitlines()[-1])
    assert (last["EventsCreated"], last["Requests"], "SweepSeconds" in last) == (0, 10, False)


def test_every_metric_is_told_with_its_unit(emf: Emf) -> None:
    line = check(emf.line())
    told = line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    assert told == [{"Name": each.name, "Unit": each.unit} for each in METRICS]
    assert set(line) - {"_aws", "Source"} == {each.name for each in METRICS}


def test_an_idle_minute_is_allowed_too() -> None:
    line = check(Emf(Metrics(source=ARN), None).line())
    assert "LagSeconds" not in line


def test_a_line_never_has_more_values_than_the_format_allows(emf: Emf, metrics: Metrics) -> None:
    for number in range(300):
        metrics.swept("complete", 0.1)
        metrics.finished([(result("delivered", "202"), Kind.SNAPSHOT, number)])
    line = check(emf.line())
    assert (len(line["SweepSeconds"]), len(line["LagSeconds"])) == (100, 100)
    assert line["LagSeconds"][-1] == 299
    assert line["EventsOther"] == 300


def test_a_clock_that_was_set_back_does_not_silence_it(emf: Emf, clock: list[float], stream: Stream) -> None:
    clock[0] -= 3600
    emf.write()
    assert len(stream.getvalue().splitlines()) == 1


def test_a_stdout_that_cannot_be_written_is_said_once_and_metrics_go_on_when_it_can(
    emf: Emf, clock: list[float], stream: Stream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="adapter")
    good = os.dup(stream.file)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, stream.file)
    for _ in range(3):
        clock[0] += PERIOD_S + 1
        emf.write()
    os.dup2(good, stream.file)
    for _ in range(2):
        clock[0] += PERIOD_S + 1
        emf.write()
    for file in (good, full):
        os.close(file)
    assert [(record.levelname, vars(record)["action"]) for record in caplog.records] == [
        ("WARNING", "metrics_lost"),
        ("INFO", "metrics_written"),
    ]
    assert "No space left on device" in caplog.records[0].message
    assert len(stream.getvalue().splitlines()) == 2


def test_a_stdout_that_is_closed_is_said_once(
    metrics: Metrics, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    emf = Emf(metrics, None)
    for _ in range(3):
        clock[0] += PERIOD_S + 1
        emf.write()
    assert [vars(record)["action"] for record in caplog.records] == ["metrics_lost"]


def test_the_documentation_is_the_table_of_the_code() -> None:
    assert markdown() in DOCS.read_text(), "run: python -m tools.docs.tables"
