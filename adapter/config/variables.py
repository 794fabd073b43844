"""The table of the adapter's environment variables: parsing, help text and documentation are made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from adapter.config import values


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One environment variable: how it is called, read and explained.

    `parse` turns its text into the value of `field`, or raises ValueError with "is ...; expected ..." (the variable's
    name goes before it). `default` is text as well, so that it passes the same check.
    """

    name: str
    field: str
    type: str
    default: str = ""
    required: bool = False
    secret: bool = False
    parse: Callable[[str], Any] = str
    meaning: str


def markdown() -> str:
    """The table of docs/configuration.md."""
    lines = ["| variable | type | default | meaning |", "|---|---|---|---|"]
    for variable in VARIABLES:
        default = "required" if variable.required else f"`{variable.default}`" if variable.default else ""
        meaning = variable.meaning + (" Secret: never shown." if variable.secret else "")
        lines.append(f"| `{variable.name}` | {variable.type} | {default} | {meaning} |".replace("  |", " |"))
    return "\n".join(lines) + "\n"


LOG_LEVELS: Final = ("debug", "info", "warning", "error")
_SECONDS = "seconds"

VARIABLES: Final[tuple[Variable, ...]] = (
    Variable(
        name="ARN",
        field="pool",
        type="ARN of a user pool",
        required=True,
        parse=values.pool,
        meaning="The user pool to read.",
    ),
    Variable(
        name="K_SINK",
        field="sink",
        type="sink",
        required=True,
        parse=values.sink,
        meaning="Where events go: an http(s) URL, the ARN of an EventBridge event bus or of an SQS queue, "
        "`file:///path` or `stdout:`.",
    ),
    Variable(
        name="K_CE_OVERRIDES",
        field="extensions",
        type="JSON object",
        parse=values.extensions,
        meaning='Extensions to set on every event: `{"extensions":{"name":"value"}}`.',
    ),
    Variable(
        name="K_SINK_TIMEOUT",
        field="sink_timeout_s",
        type=_SECONDS,
        default="30",
        parse=values.number(0, 3600, above=True),
        meaning="The time that one delivery attempt may take.",
    ),
    Variable(
        name="K_CA_CERTS",
        field="ca_certs",
        type="PEM text",
        meaning="Certificate authorities to trust for the sink, besides the system's and those mounted at "
        "/knative-custom-certs.",
    ),
    Variable(
        name="K_AUDIENCE",
        field="audience",
        type="text",
        meaning="The audience of the sink's OIDC token, as SinkBinding announces it. Informational.",
    ),
    Variable(
        name="NAMESPACE", field="namespace", type="text", default="default", meaning="Names this source in metrics."
    ),
    Variable(
        name="NAME", field="name", type="text", default="adapter", meaning="Names this source in metrics and logs."
    ),
    Variable(
        name="K_COMPONENT",
        field="component",
        type="text",
        default="awscognitouserpoolsource",
        meaning="Prefix of the original's metrics.",
    ),
    Variable(
        name="K_RESOURCE_GROUP",
        field="resource_group",
        type="text",
        default="awscognitouserpoolsources.sources.triggermesh.io",
        meaning="A label of the original's metrics.",
    ),
    Variable(
        name="AWS_ACCESS_KEY_ID",
        field="access_key_id",
        type="text",
        meaning="The key for the user pool. Without it, boto3's default chain is used.",
    ),
    Variable(
        name="AWS_SECRET_ACCESS_KEY",
        field="secret_access_key",
        type="text",
        secret=True,
        parse=values.Secret,
        meaning="The secret of that key.",
    ),
    Variable(
        name="AWS_SESSION_TOKEN",
        field="session_token",
        type="text",
        secret=True,
        parse=values.Secret,
        meaning="The session token, for temporary credentials.",
    ),
    Variable(
        name="AWS_ASSUME_ROLE_ARN",
        field="assume_role_arn",
        type="ARN of a role",
        parse=values.arn("iam", "role/", "arn:aws:iam::123456789012:role/reader"),
        meaning="A role to assume, with the credentials above, for reading the user pool.",
    ),
    Variable(
        name="CREDENTIALS_SECRET_ARN",
        field="credentials_secret_arn",
        type="ARN of a secret",
        parse=values.arn(
            "secretsmanager", "secret:", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:name-AbCdEf"
        ),
        meaning="The Secrets Manager secret that holds the key; read again when Cognito refuses the key.",
    ),
    Variable(
        name="STATE_URL",
        field="state_url",
        type="URL",
        default="sqlite:///cognito-source.db",
        parse=values.state_url,
        meaning="Where the state lives: `sqlite:///relative.db`, `sqlite:////absolute.db` or "
        "`dynamodb://table?region=eu-central-1`.",
    ),
    Variable(
        name="STATE_LEASE_SECONDS",
        field="state_lease_s",
        type=_SECONDS,
        default="30",
        parse=values.number(1, 3600),
        meaning="How long a DynamoDB lease lasts without a heartbeat: a crashed adapter is replaced after that.",
    ),
    Variable(
        name="EVENTS_INITIAL",
        field="initial",
        type="`baseline` or `snapshot`",
        default="baseline",
        parse=values.one_of("baseline", "snapshot"),
        meaning="What the very first sweep reports: only users changed since it began, or every user.",
    ),
    Variable(
        name="EVENTS_DELETED",
        field="deleted",
        type="boolean",
        default="true",
        parse=values.boolean,
        meaning="Report deleted users.",
    ),
    Variable(
        name="EVENTS_DELETED_MAX_PERCENT",
        field="deleted_max_percent",
        type="percent",
        default="20",
        parse=values.number(0, 100),
        meaning="When more of the known users than this are missing at once, deletions wait until the next complete "
        "sweep agrees.",
    ),
    Variable(
        name="EVENTS_ATTRIBUTES",
        field="attributes",
        type="names with commas",
        parse=values.names,
        meaning="The user attributes that events may hold; empty: all of them.",
    ),
    Variable(
        name="POLL_MIN_SECONDS",
        field="poll_min_s",
        type=_SECONDS,
        default="1",
        parse=values.number(0.01, 86_400),
        meaning="The wait after a sweep that found changes.",
    ),
    Variable(
        name="POLL_MAX_SECONDS",
        field="poll_max_s",
        type=_SECONDS,
        default="32",
        parse=values.number(0.01, 86_400),
        meaning="The longest wait between sweeps, reached step by step while nothing changes.",
    ),
    Variable(
        name="MAX_RPS",
        field="max_rps",
        type="requests per second",
        default="10",
        parse=values.number(0.1, 1000),
        meaning="ListUsers requests that are never exceeded, all listings together.",
    ),
    Variable(
        name="COGNITO_CONNECT_TIMEOUT_SECONDS",
        field="connect_timeout_s",
        type=_SECONDS,
        default="5",
        parse=values.number(0, 600, above=True),
        meaning="How long connecting to Cognito may take.",
    ),
    Variable(
        name="COGNITO_READ_TIMEOUT_SECONDS",
        field="read_timeout_s",
        type=_SECONDS,
        default="20",
        parse=values.number(0, 600, above=True),
        meaning="How long Cognito may stay silent within a request.",
    ),
    Variable(
        name="DELIVERY_FORMAT",
        field="delivery_format",
        type="`binary`, `structured` or `batched`",
        default="binary",
        parse=values.delivery_format,
        meaning="The CloudEvents content mode of an HTTP sink.",
    ),
    Variable(
        name="DELIVERY_BATCH_SIZE",
        field="batch_size",
        type="count",
        default="100",
        parse=values.integer(1, 10_000),
        meaning="The most events in one batched request.",
    ),
    Variable(
        name="DELIVERY_BATCH_SECONDS",
        field="batch_s",
        type=_SECONDS,
        default="0.1",
        parse=values.number(0, 60),
        meaning="The longest that an event waits for its batch to fill.",
    ),
    Variable(
        name="DELIVERY_CONCURRENCY",
        field="concurrency",
        type="count",
        default="8",
        parse=values.integer(1, 256),
        meaning="Requests to the sink in flight; events of one user are never in flight together.",
    ),
    Variable(
        name="DELIVERY_RETRY",
        field="retry",
        type="count",
        default="3",
        parse=values.integer(0, 1000),
        meaning="Attempts after the first one, before an event is dead-lettered or stays undelivered.",
    ),
    Variable(
        name="DELIVERY_BACKOFF_POLICY",
        field="backoff_policy",
        type="`linear` or `exponential`",
        default="exponential",
        parse=values.one_of("linear", "exponential"),
        meaning="How the waits between attempts grow.",
    ),
    Variable(
        name="DELIVERY_BACKOFF_DELAY",
        field="backoff_delay_s",
        type="ISO 8601 duration",
        default="PT0.2S",
        parse=values.duration(zero=True),
        meaning="The unit of the waits between attempts.",
    ),
    Variable(
        name="DELIVERY_TIMEOUT",
        field="delivery_timeout_s",
        type="ISO 8601 duration",
        parse=values.optional(values.duration(zero=False)),
        meaning="The time that one attempt may take; overrides K_SINK_TIMEOUT.",
    ),
    Variable(
        name="DELIVERY_RETRY_AFTER_MAX",
        field="retry_after_max_s",
        type="ISO 8601 duration",
        parse=values.optional(values.duration(zero=True)),
        meaning="The most that a Retry-After of the sink is honoured for; PT0S ignores it, empty means PT5M.",
    ),
    Variable(
        name="DELIVERY_DEAD_LETTER_SINK",
        field="dead_letter_sink",
        type="sink",
        parse=values.sink,
        meaning="Where events go that the sink does not take; empty: they stay undelivered and are tried again.",
    ),
    Variable(
        name="DELIVERY_HEADERS",
        field="headers",
        type="JSON object",
        secret=True,
        parse=values.headers,
        meaning='Headers for every request to an HTTP sink: `{"X-Api-Key":"..."}`.',
    ),
    Variable(
        name="DELIVERY_TOKEN_FILE",
        field="token_file",
        type="path",
        meaning="A file with a bearer token for an HTTP sink, read again when it changes; empty: `/oidc/token` if that "
        "exists.",
    ),
    Variable(
        name="HEALTH_ADDRESS",
        field="health_address",
        type="HOST:PORT",
        default="0.0.0.0:8080",
        parse=values.address,
        meaning="Where /health, /ready and /live answer; port 0 takes a free one.",
    ),
    Variable(
        name="STATUS_ADDRESS",
        field="status_address",
        type="HOST:PORT or `off`",
        default="127.0.0.1:8081",
        parse=values.address_or_off,
        meaning="Where the [status page](status-page.md) is; port 0 takes a free one. The image sets `off`.",
    ),
    Variable(
        name="STATUS_SHOW_USERS",
        field="status_show_users",
        type="boolean",
        default="false",
        parse=values.boolean,
        meaning="Show usernames on the status page; otherwise a hash stands for each.",
    ),
    Variable(
        name="METRICS_PROMETHEUS_PORT",
        field="metrics_port",
        type="port",
        default="9090",
        parse=values.integer(0, 65_535),
        meaning="Where Prometheus finds /metrics; 0: nowhere.",
    ),
    Variable(
        name="METRICS_PROMETHEUS_HOST",
        field="metrics_host",
        type="host",
        default="0.0.0.0",  # noqa: S104 - as the original, for scrapers
        meaning="The address on which Prometheus finds it.",
    ),
    Variable(
        name="METRICS_EMF",
        field="metrics_emf",
        type="boolean",
        default="false",
        parse=values.boolean,
        meaning="Write metrics as lines in CloudWatch's Embedded Metric Format to stdout.",
    ),
    Variable(
        name="LOG_LEVEL",
        field="log_level",
        type="`debug`, `info`, `warning` or `error`",
        parse=values.optional(values.one_of(*LOG_LEVELS)),
        meaning="What is logged, on stderr; empty: the level of Knative's K_LOGGING_CONFIG, else info.",
    ),
)
