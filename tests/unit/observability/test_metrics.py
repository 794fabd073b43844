"""What is counted, and how the status shows it."""

from __future__ import annotations

import pytest

from adapter.model import Kind
from adapter.observability.metrics import Metrics, Sent
from tests.support.metrics import ARN, TYPE, busy, result


@pytest.fixture
def metrics() -> Metrics:
    return busy()


def test_the_totals_are_by_kind_and_by_how_things_ended(metrics: Metrics) -> None:
    totals = metrics.totals()
    assert totals.kinds == {"created": 1, "deleted": 1}
    assert totals.statuses == {"delivered": 2, "dead_lettered": 1, "undelivered": 1}
    assert totals.events["updated", "dead_lettered"] == 1
    assert (totals.sweeps, totals.sweep_s, totals.failed) == (1, 2.5, 1)
    assert totals.delivery_retries == 3
    assert sum(totals.lag) == 2


@pytest.mark.parametrize(
    ("code", "tags"),
    [
        ("202", ("202", "2xx", "", "")),
        ("503", ("503", "5xx", "", "")),
        ("timeout", ("", "", "timeout", "true")),
        ("dns", ("", "", "dns", "false")),
        ("ThrottlingException", ("", "", "ThrottlingException", "false")),
    ],
)
def test_the_tags_of_the_original_say_what_the_sink_answered(code: str, tags: tuple[str, ...]) -> None:
    metrics = Metrics(source=ARN)
    metrics.finished([(result("undelivered", code), Kind.CREATED, None)])
    assert metrics.totals().sent == {Sent(TYPE, *tags): 1}


def test_a_sink_without_http_counts_as_200_as_the_original_has_no_other() -> None:
    metrics = Metrics(source=ARN)
    metrics.finished([(result("delivered", ""), Kind.CREATED, 0.1)])
    assert metrics.totals().sent == {Sent(TYPE, "200", "2xx", "", ""): 1}


@pytest.mark.parametrize("code", ["closed", "not_held", "order"])
def test_an_event_that_was_not_sent_does_not_count_as_sent(code: str) -> None:
    metrics = Metrics(source=ARN)
    metrics.finished([(result("undelivered", code), Kind.CREATED, None)])
    assert metrics.totals().sent == {}
    assert metrics.totals().statuses == {"undelivered": 1}
