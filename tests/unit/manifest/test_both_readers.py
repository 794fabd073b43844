"""What the manifest accepts, the adapter accepts, and the other way round."""

from __future__ import annotations

import json
from typing import Any, get_origin

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.config import settings as config
from adapter.config.fields import walk
from adapter.errors import ConfigError
from adapter.manifest import Source, environment, parse
from adapter.manifest.spec import SourceSpec
from tests.unit.manifest.test_manifest import SMALLEST

#: Each field that both readers have: its place within `spec`, and its variable.
FIELDS = {
    ".".join(field.encoded for field in path): (env.name, path[-1].type)
    for path, env in walk(SourceSpec)
    # ARNs are stricter in a manifest: nothing in them may mean something to Terraform.
    if path[0].name in {"polling", "delivery", "state", "events"}
}
_EDGES = (0, 0.005, 0.01, 0.05, 0.1, 1, 20, 60, 61, 100, 101, 256, 257, 600, 1000, 1001, 10_000, 10_001, 86_400, 86_401)
_DURATIONS = st.from_regex(r"P([0-9.,]{1,3}[WD])?(T([0-9.,]{1,3}H)?([0-9.,]{1,3}M)?([0-9.,]{1,4}S)?)?", fullmatch=True)
_WORDS = st.sampled_from(
    ("binary", "structured", "batched", "json", "linear", "exponential", "baseline", "snapshot", "xml", "1s", "P2W")
)
_URLS = st.sampled_from(("sqlite:///a.db", "sqlite:", "sqlite://host/a", "dynamodb://t", "dynamodb://", "http://x"))
_NUMBERS = st.one_of(st.sampled_from(_EDGES), st.integers(-1, 100_000), st.floats(-1, 1_100, allow_nan=False))


def values(path: str) -> st.SearchStrategy[Any]:
    """What somebody may write for this field: of the right kind in YAML, for 5 and "5" are one text in a variable."""
    kind = FIELDS[path][1]
    if kind in {int, float}:
        return _NUMBERS
    if get_origin(kind) is tuple:
        return st.lists(st.sampled_from(("sub", "email", "custom:a", "a b", "")), max_size=3)
    return st.booleans() if kind is bool else st.one_of(_DURATIONS, _WORDS, _URLS)


def manifest(path: str, value: Any) -> str:
    document = yaml.safe_load(SMALLEST)
    inner = document["spec"]
    *folders, last = path.split(".")
    for folder in folders:
        inner = inner.setdefault(folder, {})
    inner[last] = value
    return yaml.safe_dump(document)


def accepted(path: str, value: Any) -> Source | None:
    try:
        return parse(manifest(path, value)).sources[0]
    except ConfigError:
        return None


def loaded(given_environment: dict[str, str]) -> config.Settings | None:
    try:
        return config.load(given_environment)
    except ConfigError:
        return None


@pytest.mark.parametrize("path", FIELDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_both_readers_accept_the_same_and_read_it_as_the_same(path: str, data: st.DataObject) -> None:
    value = data.draw(values(path))
    least = environment(parse(SMALLEST).sources[0])
    text = value if isinstance(value, str) else ",".join(value) if isinstance(value, list) else json.dumps(value)
    by_variable = loaded({**least, FIELDS[path][0]: text})
    source = accepted(path, value)
    if value != [""]:  # set, but empty, counts as not set
        assert (source is None) == (by_variable is None)
    if source is not None:
        assert config.load(environment(source)) == by_variable


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("  polling: {maxRps: 0.05}", "spec.polling.maxRps: found 0.05; expected a number at least 0.1"),
        (
            "  polling: {minSeconds: 50}",
            "spec.polling.minSeconds: POLL_MIN_SECONDS is greater than POLL_MAX_SECONDS (50 > 32)",
        ),
        ("  delivery: {timeout: PT0S}", "spec.delivery.timeout: found 'PT0S'; expected an ISO 8601 duration longer"),
        ("  state: {url: 'sqlite://host/a'}", "spec.state.url: STATE_URL 'sqlite://host/a' names the host"),
        (
            "  delivery: {deadLetterSink: {uri: 'https://a..example/x'}}",
            "spec.delivery.deadLetterSink.uri: DELIVERY_DEAD_LETTER_SINK has a host's name that can't be used",
        ),
        (
            "  adapterOverrides: {env: [{name: K_CA_CERTS, value: none}]}",
            "spec.adapterOverrides.env[0].value: K_CA_CERTS: expected CA certificates as PEM text",
        ),
        (
            "  adapterOverrides: {env: [{name: LOG_LEVEL, value: verbose}]}",
            "spec.adapterOverrides.env[0].value: LOG_LEVEL is 'verbose'; expected one of debug, info, warning, error",
        ),
        (
            "  adapterOverrides: {env: [{name: K_CE_OVERRIDES, value: '{'}]}",
            "spec.adapterOverrides.env[0].value: K_CE_OVERRIDES is not a JSON object; expected one like",
        ),
    ],
)
def test_what_the_task_would_refuse_is_refused_with_file_and_line(change: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(SMALLEST + change + "\n", "source.yaml")
    (problem,) = caught.value.problems
    number = SMALLEST.count("\n") + 1
    assert problem.startswith(f"source.yaml:{number}: document 1: {line}")


def test_a_sink_that_kubernetes_resolves_is_no_reason_to_refuse() -> None:
    referred = SMALLEST.split("  sink:")[0] + "  sink: {ref: {kind: Broker, name: default}}\n"
    assert "K_SINK" not in environment(parse(referred).sources[0])


def test_an_override_that_is_no_variable_is_named_in_a_warning() -> None:
    (source,) = parse(SMALLEST + "  adapterOverrides: {env: [{name: POLL_MAX_SECOND, value: '9'}]}\n", "a.yaml").sources
    (line,) = source.warnings
    assert "spec.adapterOverrides.env[0].name: POLL_MAX_SECOND is ignored" in line
    assert "did you mean POLL_MAX_SECONDS?" in line


def test_problems_of_both_kinds_are_found_at_once_and_each_once() -> None:
    bad = SMALLEST.replace("https://example.com", "https://me:pw@example..com")
    text = bad + "  credentials: {mode: existing}\n  adapterOverrides: {env: [{name: LOG_LEVEL, value: loud}]}\n"
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert [line.split(": ")[2] for line in caught.value.problems] == [
        "spec.sink.uri",
        "spec.credentials.secretArn",
        "spec.adapterOverrides.env[0].value",
    ]
