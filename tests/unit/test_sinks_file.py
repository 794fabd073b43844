"""The file sink: what is in the file after a crash, a full disk, a wrong path."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from adapter.errors import ConfigError
from adapter.sinks.base import Delivered, Failed
from adapter.sinks.file import FileSink
from tests.unit.delivery_support import make_event


def ids(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_bytes().splitlines()]


def test_lines_are_added_to_those_of_earlier_runs(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    events = [make_event(), make_event()]
    for event in events:
        sink = FileSink(path)
        sink.send([event])
        sink.close()
    assert ids(path) == [event.id for event in events]


@pytest.mark.parametrize("length", [1, 10, 70_000, 200_000])
def test_the_half_line_of_a_crashed_writer_is_dropped(tmp_path: Path, length: int) -> None:
    path = tmp_path / "events.jsonl"
    first, second = make_event(), make_event()
    sink = FileSink(path)
    sink.send([first])
    sink.close()
    with path.open("ab") as file:
        file.write((b'{"specversion":"1.0","x":"' + b"x" * length)[:length])
    sink = FileSink(path)
    sink.send([second])
    sink.close()
    assert ids(path) == [first.id, second.id]


def test_a_file_that_holds_only_half_a_line_starts_afresh(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"specversion":"1.0"')
    FileSink(path).close()
    assert path.read_bytes() == b""


def test_a_file_of_somebody_else_is_refused_and_left_untouched(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"a line\nnot ours")
    with pytest.raises(ConfigError, match=r"^DELIVERY_DEAD_LETTER_SINK: .*notes\.txt does not hold JSON lines"):
        FileSink(path, variable="DELIVERY_DEAD_LETTER_SINK")
    assert path.read_bytes() == b"a line\nnot ours"


def test_a_path_that_cannot_be_written_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"^K_SINK: .*missing/events\.jsonl can't be opened for writing: No such file"
    ):
        FileSink(tmp_path / "missing" / "events.jsonl")
    with pytest.raises(ConfigError, match="Is a directory"):
        FileSink(tmp_path)


def test_a_full_disk_leaves_no_half_line_and_the_retry_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.jsonl"
    sink = FileSink(path)
    first, second = make_event(), make_event()
    sink.send([first])
    room = [20]

    def nearly_full(file: int, data: memoryview) -> int:
        if not room:
            raise OSError(28, "No space left on device")
        return real_write(file, data[: room.pop()])

    real_write = os.write
    with monkeypatch.context() as patch:
        patch.setattr("adapter.sinks.file.os.write", nearly_full)
        (outcome,) = sink.send([second])
    assert isinstance(outcome, Failed)
    assert ids(path) == [first.id]
    assert isinstance(sink.send([second])[0], Delivered)
    assert ids(path) == [first.id, second.id]
    sink.close()


def test_an_event_is_on_the_disk_before_it_counts_as_delivered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = FileSink(tmp_path / "events.jsonl")

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("adapter.sinks.file.os.fsync", broken)
    (outcome,) = sink.send([make_event()])
    assert isinstance(outcome, Failed)
    assert (tmp_path / "events.jsonl").read_bytes() == b""
    sink.close()


def test_the_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    FileSink(path).close()
    assert path.stat().st_mode & 0o077 == 0


def test_a_device_can_be_a_sink_too() -> None:
    sink = FileSink(Path(os.devnull))
    assert isinstance(sink.send([make_event()])[0], Delivered)
    sink.close()


def test_a_send_after_the_end_fails_and_touches_no_other_file(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "events.jsonl")
    sink.close()
    sink.close()
    other = (tmp_path / "other").open("wb")
    (outcome,) = sink.send([make_event()])
    other.close()
    assert isinstance(outcome, Failed)
    assert (tmp_path / "other").read_bytes() == b""
