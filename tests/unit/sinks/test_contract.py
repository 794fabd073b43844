"""The contract of all sinks, for those that need no AWS."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_binary, from_structured
from cloudevents.core.formats.json import JSONFormat

from adapter.line_writer import LineWriter
from adapter.sinks.file import FileSink
from adapter.sinks.http import HttpSink
from adapter.sinks.options import ContentMode, HttpOptions
from adapter.sinks.stream import StreamSink
from tests.support.sink_contract import SinkContract, SinkRig
from tests.support.sink_server import ScriptedResponse, ServedRequest, SinkServer, sink_server


def decode(request: ServedRequest) -> list[dict[str, object]]:
    """Let the SDK of the CloudEvents project read what came over the wire."""
    kind = request.headers["content-type"]
    if kind == "application/cloudevents-batch+json":
        return [
            as_object("application/cloudevents+json", {}, json.dumps(one).encode()) for one in json.loads(request.body)
        ]
    return [as_object(kind, request.headers, request.body)]


def as_object(kind: str, headers: dict[str, str], body: bytes) -> dict[str, object]:
    if kind == "application/cloudevents+json":
        event = from_structured(HTTPMessage(headers={"content-type": kind}, body=body), JSONFormat())
    else:
        event = from_binary(HTTPMessage(headers=headers, body=body), JSONFormat())
    attributes = event.get_attributes()
    time = attributes["time"].isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {**attributes, "time": time, "data": event.get_data()}


class HttpRig(SinkRig):
    def __init__(self, server: SinkServer, mode: ContentMode) -> None:
        self._server = server
        url = server.url.replace("://", "://user:secret@") + "?key=secret"
        self.sink = HttpSink(url, HttpOptions(mode=mode, timeout_s=5))

    def received(self) -> list[dict[str, object]]:
        return [event for request in self._server.requests for event in decode(request)]

    def break_it(self) -> None:
        self._server.default = ScriptedResponse(fault="reset")


class TestHttp(SinkContract):
    @pytest.fixture(params=ContentMode)
    def rig(self, request: pytest.FixtureRequest) -> Iterator[SinkRig]:
        with sink_server() as server:
            rig = HttpRig(server, request.param)
            yield rig
            rig.sink.close()


class FileRig(SinkRig):
    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._path = path
        self._monkeypatch = monkeypatch
        self.sink = FileSink(path)

    def received(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self._path.read_bytes().splitlines()]

    def break_it(self) -> None:
        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        self._monkeypatch.setattr("adapter.sinks.file.os.write", full)


class TestFile(SinkContract):
    @pytest.fixture
    def rig(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SinkRig]:
        rig = FileRig(tmp_path / "events.jsonl", monkeypatch)
        yield rig
        rig.sink.close()


class StreamRig(SinkRig):
    """A file stands for stdout."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.sink = StreamSink(LineWriter(self._file))

    def received(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self._path.read_bytes().splitlines()]

    def break_it(self) -> None:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, self._file)
        os.close(full)

    def close(self) -> None:
        os.close(self._file)


class TestStream(SinkContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[SinkRig]:
        rig = StreamRig(tmp_path / "stdout")
        yield rig
        rig.close()
