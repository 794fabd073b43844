"""`python -m adapter tail`: readable lines, from whatever source, that can't do anything to a terminal."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.commands.cli import cli
from adapter.commands.event_log.follow import follow
from adapter.commands.event_log.inbox import Inbox, open_inbox, read_events
from adapter.commands.event_log.lines import Lines, Wanted, raw
from adapter.commands.event_log.running import Recent
from adapter.config.values import Address
from adapter.errors import ConfigError
from adapter.sinks.base import Delivered
from adapter.sinks.http import HttpSink
from adapter.sinks.options import ContentMode, HttpOptions
from tests.support import wait_until
from tests.support.delivery import make_event

HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\nbob\u202e\x9b31m"


def event(kind: str = "created", user: str = "alice", **more: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "1",
        "source": "arn",
        "type": "com.amazon.cognito-idp.sync_trigger",
        "time": "2026-11-23T12:00:00.5Z",
        "changetype": kind,
        "partitionkey": user,
        "data": {"Username": user},
        **more,
    }


def line(shown: Mapping[str, Any]) -> str:
    return click.unstyle(Lines().line(shown))


# -- lines ---------------------------------------------------------------------------------------------------------


def test_a_line_says_when_what_who_and_what_changed() -> None:
    assert line(event("updated", changed="attributes,enabled")) == (
        "2026-11-23T12:00:00.500Z  updated   alice     attributes, enabled"
    )


def test_lines_stay_aligned_when_a_long_name_came() -> None:
    lines = Lines()
    lines.line(event(user="somebody-with-a-long-name"))
    assert click.unstyle(lines.line(event("deleted", changed="x"))).index("x") == 63


@pytest.mark.parametrize("as_line", [line, raw])
def test_a_hostile_username_stays_text(as_line: Any) -> None:
    shown = as_line(event(HOSTILE, HOSTILE, changed=HOSTILE, time=HOSTILE, knativeerrorcode=HOSTILE))
    assert shown.isprintable()
    assert "\u202e" not in shown
    assert len(shown) < 2000


_values = st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3))


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from([*event(), "changed", "outcome", "code"]), _values))
def test_whatever_a_file_holds_becomes_a_printable_line(shown: dict[str, Any]) -> None:
    assert line(shown).isprintable()


def test_a_dead_letter_and_an_undelivered_event_say_so() -> None:
    assert line(event(knativeerrorcode="400")).endswith("dead letter, the sink answered 400")
    assert line(event(outcome="undelivered", code="503")).endswith("undelivered 503")
    assert line(event(outcome="delivered", code="204")).endswith("alice")


def test_an_event_of_somebody_else_is_shown_by_its_type_and_subject() -> None:
    assert line({"type": "com.example.thing", "subject": "s", "time": "yesterday"}).split() == [
        *("yesterday", "com.example.thing", "s")
    ]


def test_filters_keep_what_is_wanted() -> None:
    assert Wanted()(event())
    assert Wanted(kinds=("deleted", "created"), users=("alice",))(event())
    assert not Wanted(kinds=("deleted",))(event())
    assert not Wanted(users=("bob",))(event())


# -- a file --------------------------------------------------------------------------------------------------------


def lines_of(*numbers: int) -> bytes:
    return b"".join(b'{"n":%d}\n' % number for number in numbers)


def append(file: Path, data: bytes) -> None:
    with file.open("ab") as opened:
        opened.write(data)


def numbers(found: Iterator[bytes]) -> list[int]:
    return [json.loads(each)["n"] for each in found]


@pytest.mark.parametrize(("last", "expected"), [(0, []), (1, [4]), (3, [2, 3, 4]), (99, [0, 1, 2, 3, 4])])
def test_the_last_lines_of_a_file_are_found(tmp_path: Path, last: int, expected: list[int]) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(lines_of(0, 1, 2, 3, 4) + b'{"half')
    assert numbers(follow(file, last=last, on=lambda: False)) == expected


def test_the_last_lines_of_a_large_file_are_found_without_reading_it_all(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(lines_of(*range(50_000)))
    assert numbers(follow(file, last=20_000, on=lambda: False)) == list(range(30_000, 50_000))


def test_lines_are_shown_when_they_are_complete_and_a_replaced_or_cut_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    steps: Iterator[Callable[[], object]] = iter(
        [
            lambda: file.write_bytes(lines_of(1) + b'{"n"'),  # it is there now
            lambda: append(file, b":2}\n"),
            lambda: file.write_bytes(lines_of(3)),  # cut
            lambda: (file.rename(tmp_path / "old"), file.write_bytes(lines_of(4))),  # rotated
            file.unlink,
            lambda: file.write_bytes(lines_of(5)),
            lambda: None,
        ]
    )

    def on() -> bool:
        step = next(steps, None)
        if step is not None:
            step()
        return step is not None

    assert numbers(follow(file, last=10, on=on)) == [1, 2, 3, 4, 5]


def test_a_file_is_printed_with_what_is_no_event_left_out(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(json.dumps(event()).encode() + b"\n[]\n\xff\n\n" + json.dumps(event("deleted")).encode() + b"\n")
    result = CliRunner().invoke(cli, ["tail", "--no-follow", f"file://{file}"])
    assert result.exit_code == 0
    assert [each.split()[1] for each in result.stdout.splitlines()] == ["created", "deleted"]
    assert result.stderr.count("it is no event") == 2
    picked = CliRunner().invoke(cli, ["tail", "-F", "--kind", "deleted", "--json", str(file)])
    assert json.loads(picked.stdout)["changetype"] == "deleted"


def test_standard_input_can_be_read() -> None:
    result = CliRunner().invoke(cli, ["tail", "-"], input=raw(event()) + "\n")
    assert result.stdout.split()[1:] == ["created", "alice"]


def test_a_file_that_is_missing_is_named() -> None:
    result = CliRunner().invoke(cli, ["tail", "--no-follow", "nowhere.jsonl"])
    assert isinstance(result.exception, ConfigError)
    assert "nowhere.jsonl can't be read (No such file or directory)" in str(result.exception)


# -- a sink of its own ---------------------------------------------------------------------------------------------


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox(Address("127.0.0.1", 0)) as opened:
        yield opened


@pytest.mark.parametrize("mode", ContentMode)
def test_events_arrive_in_every_content_mode(inbox: Inbox, mode: ContentMode) -> None:
    sink = HttpSink(f"http://127.0.0.1:{inbox.port}/", HttpOptions(mode=mode))
    sent = make_event()
    assert all(isinstance(each, Delivered) for each in sink.send([sent]))
    sink.close()
    arrived = inbox.take(5)
    assert arrived is not None
    assert arrived == {**sent.attributes, "data": json.loads(sent.data)}


def ask(inbox: Inbox, method: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", inbox.port, timeout=30)
    try:
        connection.putrequest(method, "/")
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_what_is_no_event_is_refused_and_the_sink_goes_on(inbox: Inbox) -> None:
    assert ask(inbox, "POST", b"{}", content_type="application/json", content_length="2")[0] == 400
    assert ask(inbox, "POST", b"{", content_type="application/cloudevents-batch+json", content_length="1")[0] == 400
    assert ask(inbox, "POST", transfer_encoding="chunked")[0] == 411
    assert ask(inbox, "POST", content_length="99999999999")[0] == 413
    assert ask(inbox, "OPTIONS")[0] == 204
    assert inbox.take(0.01) is None


def test_the_reason_of_a_refusal_is_one_printable_line() -> None:
    with pytest.raises(ValueError, match="not a CloudEvent") as caught:
        read_events({"ce-specversion": "1.0", "ce-id": "1", "ce-type": HOSTILE, "ce-time": HOSTILE}, b"")
    assert str(caught.value).isprintable()


def test_a_port_that_is_taken_is_named(inbox: Inbox) -> None:
    result = CliRunner().invoke(cli, ["tail", "--listen", f"127.0.0.1:{inbox.port}"])
    assert isinstance(result.exception, ConfigError)
    assert "can't be listened on (Address already in use)" in str(result.exception)


# -- a running adapter ---------------------------------------------------------------------------------------------


def shown(number: int) -> dict[str, Any]:
    return {
        "id": f"id-{number}",
        "kind": "created",
        "user": f"u{number}",
        "ended": float(number),
        "outcome": "delivered",
    }


def page(*numbers: int) -> dict[str, Any]:
    return {"last_events": [shown(number) for number in reversed(numbers)]}


def test_only_what_is_new_on_the_status_page_is_shown_oldest_first() -> None:
    recent = Recent()
    assert [each["partitionkey"] for each in recent.news(page(1, 2))[0]] == ["u1", "u2"]
    assert recent.news(page(1, 2)) == ([], False)
    events, gap = recent.news(page(2, 3, 4))
    assert [each["partitionkey"] for each in events] == ["u3", "u4"]
    assert not gap


def test_it_is_told_when_more_came_than_the_page_keeps() -> None:
    recent = Recent()
    recent.news(page(1, 2))
    assert recent.news(page(8, 9))[1]


def test_without_an_adapter_the_other_ways_are_named() -> None:
    with open_inbox(Address("127.0.0.1", 0)) as closed:
        pass
    result = CliRunner().invoke(cli, ["tail", "--address", f"127.0.0.1:{closed.port}"])
    assert "no status page answers" in str(result.exception)
    assert "--listen" in str(result.exception)
    off = CliRunner().invoke(cli, ["tail"], env={"STATUS_ADDRESS": "off"})
    assert "STATUS_ADDRESS is off" in str(off.exception)


def test_file_and_listen_exclude_each_other() -> None:
    result = CliRunner().invoke(cli, ["tail", "file", "--listen", "127.0.0.1:0"])
    assert isinstance(result.exception, ConfigError)


def test_a_full_inbox_is_emptied_in_order(inbox: Inbox) -> None:
    sink = HttpSink(f"http://127.0.0.1:{inbox.port}/", HttpOptions())
    sender = threading.Thread(target=lambda: [sink.send([make_event(id=str(number))]) for number in range(20)])
    sender.start()
    arrived = list(islice(iter(lambda: inbox.take(5), None), 20))
    wait_until(lambda: not sender.is_alive())
    sink.close()
    assert [each["id"] for each in arrived if each] == [str(number) for number in range(20)]
