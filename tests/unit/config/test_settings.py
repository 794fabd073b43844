"""The configuration: every variable, every problem at once, no secret shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.config import settings as config
from adapter.config.values import MASK
from adapter.config.variables import VARIABLES, markdown
from adapter.errors import ConfigError

ARN = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"
LEAST = {"ARN": ARN, "K_SINK": "http://sink.example/events"}
DOCS = Path(__file__).resolve().parents[3] / "docs" / "configuration.md"


def problems(**environment: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.load({**LEAST, **environment})
    return list(caught.value.problems)


def test_the_least_configuration_gives_the_documented_defaults() -> None:
    settings = config.load(LEAST)
    assert (settings.polling.min_seconds, settings.polling.max_seconds, settings.polling.max_rps) == (1, 32, 10)
    assert (settings.events.initial, settings.events.deleted, settings.events.deleted_max_percent) == (
        "baseline",
        True,
        20,
    )
    assert (settings.state.url, settings.log_level) == ("sqlite:///cognito-source.db", "info")
    assert str(settings.servers.health_address) == "0.0.0.0:8080"
    assert settings.events.allowed_attributes is None
    assert settings.attempt_timeout_s == 30
    assert (settings.delivery.retry, settings.delivery.backoff_delay_s, settings.delivery.retry_after_max_s) == (
        3,
        0.2,
        None,
    )


def test_every_problem_is_told_at_once_and_names_its_variable() -> None:
    found = problems(
        ARN="arn:aws:cognito-idp:invalid::",
        K_SINK="ftp://sink.example",
        K_CE_OVERRIDES='{"extensions":{"id":"x"}}',
        MAX_RPS="fast",
        DELIVERY_BACKOFF_DELAY="1s",
        EVENTS_DELETED="perhaps",
        HEALTH_ADDRESS="8080",
        STATE_URL="postgres://x",
        AWS_ACCESS_KEY_ID="AKIAEXAMPLE",
    )
    assert [re.split(r"[ :]", line)[0] for line in found] == [
        "ARN",
        "K_SINK",
        "K_CE_OVERRIDES",
        "STATE_URL",
        "EVENTS_DELETED",
        "MAX_RPS",
        "DELIVERY_BACKOFF_DELAY",
        "HEALTH_ADDRESS",
        "AWS_SECRET_ACCESS_KEY",
    ]
    assert all("expected" in line or "choose" in line or "set both" in line for line in found), found
    assert all("\n" not in line for line in found)


def test_required_variables_are_named_when_the_environment_is_empty() -> None:
    with pytest.raises(ConfigError) as caught:
        config.load({"ARN": ""})
    assert [line.split()[0] for line in caught.value.problems] == ["ARN", "K_SINK"]


def test_an_empty_variable_counts_as_not_set() -> None:
    empty = {variable.name: "" for variable in VARIABLES if not variable.required}
    assert config.load({**LEAST, **empty}) == config.load(LEAST)


@pytest.mark.parametrize(
    "sink",
    [
        "http://broker-ingress.knative-eventing.svc.cluster.local/default/default",
        "https://[::1]:8443/x?key=1",
        "arn:aws:events:eu-central-1:123456789012:event-bus/default",
        "arn:aws-cn:sqs:cn-north-1:123456789012:queue.fifo",
        "file:///var/spool/events.jsonl",
        "stdout:",
    ],
)
def test_every_kind_of_sink_is_accepted(sink: str) -> None:
    assert config.load({**LEAST, "K_SINK": sink}).sink == sink


@pytest.mark.parametrize(
    "sink",
    [
        "sink.example",
        "http://",
        "https://a..example",
        "http://sink.example:0/x",
        "http://:80",
        "file://host/x",
        "file:",
        "arn:aws:s3:::bucket",
        "http://a b/",
        "x",
    ],
)
def test_what_is_no_sink_is_refused(sink: str) -> None:
    assert problems(K_SINK=sink)[0].startswith("K_SINK ")


def test_a_password_in_a_sink_is_not_repeated_in_the_message() -> None:
    assert "s3cret" not in problems(K_SINK="ftp://me:s3cret@sink.example/?token=s3cret")[0]


def test_extension_names_are_lower_cased_as_the_original_does() -> None:
    settings = config.load({**LEAST, "K_CE_OVERRIDES": '{"extensions":{"Team":"crm"}}'})
    assert settings.extensions == {"team": "crm"}


@pytest.mark.parametrize(
    "overrides",
    [
        "{",
        "[]",
        '{"extensions":[]}',
        '{"extensions":{"id":"x"}}',
        '{"extensions":{"Data":"x"}}',
        '{"extensions":{"my-name":"x"}}',
        '{"extensions":{"name\\n":"x"}}',
        '{"extensions":{"":"x"}}',
        '{"extensions":{"n":1}}',
        '{"extensions":{"n":"a\\u0000b"}}',
        '{"extensions":{"n":"a\\ud800b"}}',
        '{"extensions":{"n":"1","N":"2"}}',
    ],
)
def test_overrides_that_would_break_every_event_are_refused(overrides: str) -> None:
    assert problems(K_CE_OVERRIDES=overrides)[0].startswith("K_CE_OVERRIDES ")


def test_overrides_without_extensions_are_none() -> None:
    assert config.load({**LEAST, "K_CE_OVERRIDES": '{"extensions":null}'}).extensions == {}


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "0", "1e400", "", " "])
def test_only_finite_positive_rates_are_accepted(text: str) -> None:
    if text == "":
        assert config.load({**LEAST, "MAX_RPS": text}).polling.max_rps == 10
    else:
        assert problems(MAX_RPS=text)[0].startswith("MAX_RPS ")


def test_waits_in_the_wrong_order_are_refused() -> None:
    assert "POLL_MIN_SECONDS is greater" in problems(POLL_MIN_SECONDS="5", POLL_MAX_SECONDS="0.5")[0]


def test_batches_are_for_http_only() -> None:
    assert "DELIVERY_FORMAT" in problems(K_SINK="stdout:", DELIVERY_FORMAT="batched")[0]


def test_delivery_timeout_wins_over_the_sink_timeout() -> None:
    assert config.load({**LEAST, "K_SINK_TIMEOUT": "7"}).attempt_timeout_s == 7
    assert config.load({**LEAST, "K_SINK_TIMEOUT": "7", "DELIVERY_TIMEOUT": "PT0.5S"}).attempt_timeout_s == 0.5


@pytest.mark.parametrize(
    ("zap", "level"),
    [('{\\"level\\":\\"debug\\"}', "debug"), ('{\\"level\\":\\"warn\\"}', "warning"), ("nonsense", "info")],
)
def test_knatives_log_level_is_used_when_ours_is_not_set(zap: str, level: str) -> None:
    knative = f'{{"zap-logger-config":"{zap}"}}'
    assert config.load({**LEAST, "K_LOGGING_CONFIG": knative}).log_level == level
    assert config.load({**LEAST, "K_LOGGING_CONFIG": knative, "LOG_LEVEL": "ERROR"}).log_level == "error"


def test_no_secret_is_in_a_repr_nor_in_the_effective_configuration() -> None:
    secrets = {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "canary-1",
        "AWS_SESSION_TOKEN": "canary-2",
        "DELIVERY_HEADERS": '{"X-Api-Key":"canary-3"}',
        "K_SINK": "https://user:canary-4@sink.example/path?key=canary-5",
    }
    settings = config.load({**LEAST, **secrets})
    rows = config.effective({**LEAST, **secrets})
    assert "canary" not in "".join(value for _, value, _ in rows)
    assert ("AWS_SECRET_ACCESS_KEY", MASK, "environment") in rows
    assert "canary" not in repr(settings)
    assert str(settings.access.secret_access_key) == "canary-1"
    assert settings.http.headers == {"X-Api-Key": "canary-3"}


def test_the_documentation_is_the_table_of_the_code() -> None:
    assert markdown() in DOCS.read_text(), "run: python -m tools.docs.tables"


@given(st.dictionaries(st.sampled_from([variable.name for variable in VARIABLES]), st.text(max_size=40)))
def test_any_environment_is_read_or_refused_with_reasons(environment: dict[str, str]) -> None:
    names = {variable.name for variable in VARIABLES}
    try:
        config.load(environment)
        found: tuple[str, ...] = ()
    except ConfigError as error:
        found = error.problems
    assert {problem.split(" ")[0] for problem in found} <= names
    assert found or {"ARN", "K_SINK"} <= set(environment)


@pytest.mark.parametrize(
    "text", ["http:/ada:topsecret@sink.example/", "ada:topsecret@sink.example", "arn:http://ada:topsecret@sink.example"]
)
def test_the_password_of_a_mistyped_sink_is_not_shown(text: str) -> None:
    assert "topsecret" not in problems(K_SINK=text)[0]
    assert "topsecret" not in str(config.effective({**LEAST, "K_SINK": text}))


def test_a_logging_configuration_without_end_does_not_stop_the_adapter() -> None:
    assert config.load({**LEAST, "K_LOGGING_CONFIG": "[" * 100_000}).log_level == "info"


@pytest.mark.parametrize(("digits", "others"), [("123456789012", "\u0661" * 12), ("central-1", "central-\u0661")])
def test_digits_of_other_scripts_are_none_in_an_arn(digits: str, others: str) -> None:
    assert problems(ARN=ARN.replace(digits, others))[0].startswith("ARN is wrong: ")


@pytest.mark.parametrize("text", ["file:///tmp/a%00b", "file:///tmp/a%0Ab", "file:///"])
def test_a_file_that_can_have_no_such_name_is_no_sink(text: str) -> None:
    assert problems(K_SINK=text)[0].startswith("K_SINK is ")


def test_an_address_that_two_readers_of_urls_understand_differently_is_no_sink() -> None:
    (found,) = problems(K_SINK="http://internal\\:topsecret@sink.example/")
    assert "topsecret" not in found


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("POLL_MAX_SECOND", "POLL_MAX_SECONDS"),
        ("METRICS_PORT", ""),
        ("COGNITO_READ_TIMEOUT", "COGNITO_READ_TIMEOUT_SECONDS"),
    ],
)
def test_a_variable_that_is_none_of_ours_is_named_at_start(name: str, near: str) -> None:
    (line,) = config.load({**LEAST, name: "s3cret"}).ignored
    assert line.startswith(f"{name} is ignored: ")
    assert near in line
    assert "s3cret" not in line
    assert line in config.remarks({**LEAST, name: "s3cret"})


def test_what_kubernetes_sets_for_a_service_is_no_mistake() -> None:
    links = {
        "EVENTS_SERVICE_HOST": "10.0.0.1",
        "EVENTS_SERVICE_PORT": "80",
        "EVENTS_SERVICE_PORT_HTTP": "80",
        "EVENTS_PORT": "tcp://10.0.0.1:80",
        "EVENTS_PORT_80_TCP": "tcp://10.0.0.1:80",
        "EVENTS_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert config.load({**LEAST, **links, "HOME": "/"}).ignored == ()
