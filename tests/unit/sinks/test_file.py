"""The file sink: what is in the file after a crash, a full disk, a wrong path."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapter.errors import ConfigError
from adapter.sinks.base import Delivered, Failed
from adapter.sinks.file import FileSink
from tests.support.delivery import make_event


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


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file may grow beyond this size: the kernel writes what fits, and then refuses, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_in_the_middle_of_a_line_takes_all_of_a_batch_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sink = FileSink(path)
    first, second, third = make_event(), make_event(), make_event()
    sink.send([first])
    with room_for(path.stat().st_size * 5 // 2):
        outcomes = sink.send([second, third])
    assert [type(outcome) for outcome in outcomes] == [Failed, Failed]
    assert ids(path) == [first.id]
    assert [type(outcome) for outcome in sink.send([second, third])] == [Delivered, Delivered]
    assert ids(path) == [first.id, second.id, third.id]
    sink.close()


@pytest.mark.parametrize("still_refused", [False, True])
def test_a_half_line_that_could_not_be_taken_back_does_not_swallow_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, still_refused: bool
) -> None:
    path = tmp_path / "events.jsonl"
    sink = FileSink(path)
    first, second = make_event(), make_event()
    sink.send([first])
    size = path.stat().st_size

    def refused(*_: int) -> None:  # an append-only file: chattr +a
        raise OSError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr("adapter.sinks.file.os.ftruncate", refused)
        with room_for(size + 20):
            assert isinstance(sink.send([second])[0], Failed)
        if still_refused:
            assert isinstance(sink.send([second])[0], Delivered)
    if not still_refused:
        assert isinstance(sink.send([second])[0], Delivered)
    sink.close()
    lines = path.read_bytes().splitlines()
    assert len(lines) == (3 if still_refused else 2)
    assert [json.loads(line)["id"] for line in (lines[0], lines[-1])] == [first.id, second.id]


def test_after_a_rotation_events_go_to_the_file_of_the_path(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sink = FileSink(path)
    first, second, third = make_event(), make_event(), make_event()
    sink.send([first])
    path.rename(tmp_path / "events.jsonl.1")  # logrotate's nocreate
    assert isinstance(sink.send([second])[0], Delivered)
    assert (ids(path), ids(tmp_path / "events.jsonl.1")) == ([second.id], [first.id])
    path.rename(tmp_path / "events.jsonl.2")
    path.touch()  # and its create
    assert isinstance(sink.send([third])[0], Delivered)
    assert (ids(path), ids(tmp_path / "events.jsonl.2")) == ([third.id], [second.id])
    path.unlink()
    assert isinstance(sink.send([first])[0], Delivered)
    assert ids(path) == [first.id]
    sink.close()


def test_after_copytruncate_events_begin_at_the_beginning(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sink = FileSink(path)
    first, second = make_event(), make_event()
    sink.send([first])
    os.truncate(path, 0)
    assert isinstance(sink.send([second])[0], Delivered)
    sink.close()
    assert ids(path) == [second.id]


@pytest.mark.parametrize("how", ["renamed", "truncated"])
def test_an_event_whose_file_is_rotated_during_the_write_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    path = tmp_path / "events.jsonl"
    sink = FileSink(path)
    event = make_event()
    real_fsync = os.fsync
    rotations = [how]

    def rotated(file: int) -> None:
        real_fsync(file)
        if not rotations:
            return
        if rotations.pop() == "renamed":
            path.rename(tmp_path / "rotated")
        else:
            os.truncate(path, 0)

    monkeypatch.setattr("adapter.sinks.file.os.fsync", rotated)
    assert isinstance(sink.send([event])[0], Delivered)
    sink.close()
    assert ids(path) == [event.id]


def test_a_folder_that_is_gone_and_a_path_that_became_a_folder_are_failures_until_they_are_mended(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "events"
    folder.mkdir()
    path = folder / "events.jsonl"
    sink = FileSink(path)
    event = make_event()
    sink.send([event])
    folder.rename(tmp_path / "elsewhere")
    (outcome,) = sink.send([event])
    assert isinstance(outcome, Failed)
    assert (outcome.retryable, outcome.reason) == (True, "the file can't be written: No such file or directory")
    path.mkdir(parents=True)
    (outcome,) = sink.send([event])
    assert isinstance(outcome, Failed)
    assert (outcome.retryable, outcome.reason) == (True, "the file can't be written: Is a directory")
    path.rmdir()
    assert isinstance(sink.send([event])[0], Delivered)
    sink.close()
    assert (ids(path), ids(tmp_path / "elsewhere" / "events.jsonl")) == ([event.id], [event.id])


def test_a_file_of_somebody_else_that_takes_the_place_is_left_untouched(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sink = FileSink(path)
    path.unlink()
    path.write_bytes(b"a line\nnot ours")
    (outcome,) = sink.send([make_event()])
    sink.close()
    assert isinstance(outcome, Failed)
    assert outcome.reason.endswith("does not hold JSON lines; name a file of its own for events")
    assert path.read_bytes() == b"a line\nnot ours"


def test_a_named_pipe_without_room_fails_in_time_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    sink = FileSink(path, timeout_s=0.01)
    events = [make_event(str(number)) for number in range(1000)]
    outcomes = sink.send(events)
    delivered = [event.id for event, outcome in zip(events, outcomes, strict=True) if isinstance(outcome, Delivered)]
    received = os.read(reader, 10_000_000)
    assert 0 < len(delivered) < 1000
    assert [json.loads(line)["id"] for line in received.splitlines()] == delivered
    assert {outcome.code for outcome in outcomes if isinstance(outcome, Failed)} == {"timeout"}
    sink.close()
    os.close(reader)


def test_a_named_pipe_that_nobody_reads_gets_nothing_until_somebody_does(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    sink = FileSink(path)
    event = make_event()
    (outcome,) = sink.send([event])
    assert isinstance(outcome, Failed)
    assert outcome.retryable
    for _ in range(2):
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        assert isinstance(sink.send([event])[0], Delivered)
        assert json.loads(os.read(reader, 100_000))["id"] == event.id
        os.close(reader)
        assert isinstance(sink.send([event])[0], Failed)
    sink.close()


def test_a_full_device_is_a_failure() -> None:
    sink = FileSink(Path("/dev/full"))
    (outcome,) = sink.send([make_event()])
    sink.close()
    assert isinstance(outcome, Failed)
    assert outcome.reason.endswith("No space left on device")


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
