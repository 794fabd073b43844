"""What Prometheus reads: the original's name and tags, ours, and the rules for names."""

from __future__ import annotations

import gzip
import re
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from adapter.net.http_message import HttpReply, HttpRequest
from adapter.observability.metrics import Metrics
from adapter.observability.prometheus import METRICS, PREFIX, Collector, exposition, markdown, serve
from adapter.version import VERSION
from tests.support.metrics import ARN, TYPE, busy

DOCS = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"
ORIGINAL = "awscognitouserpoolsource_event_count"


def scraped(metrics: Metrics) -> str:
    """What a scrape gets."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    stop = serve(metrics, "127.0.0.1", port)
    try:
        answer: bytes = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30).read()
    finally:
        stop()
    return answer.decode()


@pytest.fixture(scope="module")
def text() -> str:
    return scraped(busy())


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Name and label values to number."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_original_counter_has_all_its_tags_filled_in(text: str) -> None:
    (family,) = [each for each in text_string_to_metric_families(text) if each.name == ORIGINAL]
    common = {
        "namespace_name": "crm",
        "event_source": ARN,
        "event_type": TYPE,
        "name": "users",
        "resource_group": "awscognitouserpoolsources.sources.triggermesh.io",
    }
    tags = ("response_code", "response_code_class", "response_error", "response_timeout")
    assert [(sample.labels, sample.value) for sample in family.samples] == [
        (common | dict(zip(tags, values, strict=True)), count)
        for *values, count in (("202", "2xx", "", "", 2), ("400", "4xx", "", "", 1), ("", "", "timeout", "true", 1))
    ]
    assert family.documentation == "Number of events sent"


def test_our_numbers_are_there(text: str) -> None:
    found = samples(text)
    assert found["cognito_source_build_info", VERSION] == 1
    assert found["cognito_source_users",] == 7
    assert found["cognito_source_undelivered",] == 1
    assert found["cognito_source_deletions_waiting",] == 3
    assert found["cognito_source_dead_letters_total",] == 1
    assert found["cognito_source_events_total", "created", "delivered"] == 1
    assert found["cognito_source_events_total", "updated", "undelivered"] == 1
    assert found["cognito_source_delivery_retries_total",] == 3
    assert found["cognito_source_sweeps_total", "complete"] == 1
    assert found["cognito_source_sweep_seconds",] == 2.5
    assert found["cognito_source_requests_total",] >= 10
    assert found["cognito_source_throttled_total",] == 2
    assert found["cognito_source_retries_total", "InternalErrorException"] == 1
    assert found["cognito_source_last_successful_sweep_timestamp_seconds",] == 1_700_000_000
    assert found["cognito_source_lag_seconds_bucket", "1.0"] == 1
    assert found["cognito_source_lag_seconds_count",] == 2
    assert found["cognito_source_delivery_seconds_bucket", "0.25"] == 1
    assert found["cognito_source_delivery_seconds_bucket", "+Inf"] == 2
    assert found["cognito_source_delivery_seconds_sum",] == pytest.approx(20.2)


def test_numbers_of_the_process_come_with_them(text: str) -> None:
    names = {name for name, *_ in samples(text)}
    assert {"process_resident_memory_bytes", "process_open_fds", "python_info"} <= names


def test_a_component_that_is_no_name_for_prometheus_is_made_one() -> None:
    metrics = Metrics(source=ARN, component="my-source.v2")
    assert "# TYPE my_source_v2_event_count untyped" in scraped(metrics)


def test_it_answers_as_the_library_does() -> None:
    registry = CollectorRegistry()
    registry.register(Collector(Metrics(source=ARN)))

    def asked(method: str = "GET", path: str = "/metrics", **headers: str) -> HttpReply:
        given = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        return exposition(registry, HttpRequest(method=method, path=path, headers=given))

    plain = asked()
    assert plain.content_type.startswith("text/plain; version=0.0.4")
    assert asked(path="/").body == plain.body
    assert gzip.decompress(asked(accept_encoding="br, GZIP;q=0.5").body) == plain.body
    assert asked(accept="application/openmetrics-text; version=1.0.0").body.endswith(b"# EOF\n")
    assert (asked(path="/favicon.ico").body, asked("OPTIONS").status) == (b"", 200)
    assert (asked("POST").status, asked("POST").headers) == (405, {"Allow": "OPTIONS, GET, HEAD"})


@pytest.mark.parametrize("host", ["a" * 70, "\u00e9" * 70])
def test_a_host_that_is_none_is_an_error_of_the_address(host: str) -> None:
    with pytest.raises(OSError, match=r"."):
        serve(Metrics(source=ARN), host, 0)


def test_hostile_label_values_are_escaped() -> None:
    metrics = busy()
    metrics.retried('x"} 1\n# HELP injected\ninjected 1')
    assert ("injected",) not in samples(scraped(metrics))


# -- the rules of https://prometheus.io/docs/practices/naming/ and of `promtool check metrics` ------------------------


def faults(text: str) -> Iterator[str]:
    """What promtool would say of an exposition."""
    for family in text_string_to_metric_families(text):
        if not family.samples or family.name.startswith(("process_", "python_")):
            continue
        # The parser cuts _total off a counter's name.
        name = family.samples[0].name if family.type == "counter" else family.name
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            yield f"{name}: not in snake case"
        if not family.documentation.strip():
            yield f"{name}: no HELP"
        if (family.type == "counter") != name.endswith("_total"):
            yield f"{name}: _total is for counters, and for all of them"
        if name != ORIGINAL and family.type != "histogram" and name.endswith(("_count", "_sum", "_bucket")):
            yield f"{name}: the suffix belongs to histograms"
        if set(name.split("_")) & {"gauge", "counter", "histogram", "summary", "untyped"}:
            yield f"{name}: the type is in the name"
        if set(name.split("_")) & {"ms", "millis", "milliseconds", "minutes", "hours", "days", "kb", "mb", "percent"}:
            yield f"{name}: not in base units"
        if re.search(r"\b(duration|time that|time from|when)\b", family.documentation, re.IGNORECASE) and (
            "seconds" not in name.split("_")
        ):
            yield f"{name}: a time without its unit"
        for sample in family.samples:
            for label in sample.labels:
                if not re.fullmatch(r"[a-z][a-z0-9_]*", label):
                    yield f"{name}: the label {label} is not in snake case"


def test_names_follow_the_rules_of_prometheus(text: str) -> None:
    assert list(faults(text)) == []


def test_the_rules_find_what_they_are_for() -> None:
    bad = """# TYPE sweepMs gauge
sweepMs 1
# HELP lag_ms Time from here to there
# TYPE lag_ms gauge
lag_ms 1
# HELP a_count Things
# TYPE a_count gauge
a_count 1
# HELP b_total Things
# TYPE b_total gauge
b_total 1
"""
    assert len(list(faults(bad))) == 6


def test_every_metric_is_scraped_as_the_table_says(text: str) -> None:
    families = {each.name: each for each in text_string_to_metric_families(text)}
    for each in METRICS:
        family = families[(PREFIX + each.name).removesuffix("_total")]
        assert (family.type, family.documentation) == (each.type, each.text)
        labels = set(family.samples[0].labels) - {"le"}
        assert labels == set(each.labels)


def test_the_documentation_is_the_table_of_the_code() -> None:
    assert markdown() in DOCS.read_text(), "run: python -m tools.docs.tables"
