"""From the string that names a sink to the sink."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from adapter.errors import ConfigError
from adapter.sinks.factory import open_dead_letter_sink, open_sink
from adapter.sinks.http import HttpSink
from adapter.sinks.options import HttpOptions
from tests.support.delivery import make_event
from tests.support.sink_server import sink_server


def session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="example")


def no_session() -> boto3.Session:
    raise AssertionError("only sinks on AWS need a session")


@pytest.mark.parametrize(
    ("target", "shown", "kind"),
    [
        ("http://user:secret@sink.example:8080/p?key=secret", "http://sink.example:8080/p", "HttpSink"),
        ("https://sink.example", "https://sink.example/", "HttpSink"),
        ("HTTPS://Sink.Example/P", "https://sink.example/P", "HttpSink"),
        ("http://[::1]:8080/", "http://[::1]:8080/", "HttpSink"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/", "HttpSink"),
        ("stdout:", "stdout:", "StreamSink"),
    ],
)
def test_a_url_names_a_sink_that_needs_no_aws(target: str, shown: str, kind: str) -> None:
    sink = open_sink(target, HttpOptions(), no_session)
    assert (sink.target, type(sink).__name__) == (shown, kind)
    sink.close()


def test_a_stdout_that_is_closed_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(ConfigError, match="K_SINK is stdout:, but the standard output is closed; expected one that"):
        open_sink("stdout:", HttpOptions(), no_session)


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("arn:aws:events:eu-central-1:123456789012:event-bus/users", "EventBridgeSink"),
        ("arn:aws:sqs:eu-central-1:123456789012:users.fifo", "SqsSink"),
        ("arn:aws-cn:sqs:cn-north-1:123456789012:users", "SqsSink"),
    ],
)
def test_an_arn_names_a_sink_on_aws(target: str, kind: str) -> None:
    sink = open_sink(target, HttpOptions(), session)
    assert (sink.target, type(sink).__name__) == (target, kind)
    sink.close()


def test_a_file_url_names_a_file(tmp_path: Path) -> None:
    sink = open_sink(f"file://{tmp_path}/my%20events.jsonl", HttpOptions(), no_session)
    sink.close()
    assert (tmp_path / "my events.jsonl").exists()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("ftp://sink.example", r"names no sink that is known \(ftp:\)"),
        ("sink.example", "names no sink that is known"),
        ("stdout:x", "names no sink that is known"),
        ("file:relative", "names no sink that is known"),
        ("http://", "expected an http:// or https:// URL"),
        ("http://sink.example:99999/", "expected an http:// or https:// URL"),
        ("arn:aws:s3:::bucket", "expected that of an event bus or of an SQS queue"),
        ("arn:aws:events:eu-central-1:123456789012:rule/x", "expected that of an event bus"),
        ("arn:aws", "is not an ARN"),
    ],
)
def test_what_names_no_sink_is_a_configuration_error_that_names_the_variable(target: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^K_SINK.*{message}"):
        open_sink(target, HttpOptions(), no_session)
    with pytest.raises(ConfigError, match=r"^DELIVERY_DEAD_LETTER_SINK"):
        open_dead_letter_sink(target, HttpOptions(), no_session)


def test_the_sinks_credentials_stay_away_from_the_dead_letter_sink(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    options = HttpOptions(token_file=tmp_path / "token", headers={"X-Api-Key": "secret"}, namespace="crm")
    with sink_server() as server:
        sink = open_dead_letter_sink(server.url, options, no_session)
        sink.send([make_event()])
        sink.close()
        (request,) = server.requests
    assert isinstance(sink, HttpSink)
    assert "secret" not in str(request.headers)
    assert request.headers["kn-namespace"] == "crm"


def test_an_http_sink_does_not_import_boto3() -> None:
    code = (
        "import sys; from adapter.sinks.factory import open_sink; from adapter.sinks.options import HttpOptions; "
        "open_sink('https://sink.example', HttpOptions(), None).close(); "
        "sys.exit(any(name.split('.')[0] in {'boto3', 'botocore'} for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
