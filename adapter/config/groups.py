"""Every setting of the adapter, once: in groups, of which the manifest has some as they are.

Durations that are numbers are in seconds; the others are ISO 8601 texts, with a property in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from adapter.arn import PoolArn
from adapter.config import values
from adapter.config.durations import parse_duration
from adapter.config.fields import Env, Group
from adapter.config.opentelemetry import TraceSettings
from adapter.config.values import Address, Secret

_SECONDS: Final = "seconds"
_DURATION_WORDS: Final = "ISO 8601 duration"


def like(pattern: str, expected: str, example: str) -> Meta:
    """Text of one form: `expected` is what the message of a wrong value says."""
    return Meta(pattern=f"^{pattern}$", examples=[example], extra={"expected": f"{expected}, for example {example}"})


#: A fraction only in the last part, as durations.py reads it.
_PART: Final = r"[0-9]{1,9}([.,][0-9]{1,9})?"
_DURATION: Final = (
    r"P(?=[0-9T])(?!.*[.,][0-9]+[WDHM].*[0-9])"
    rf"({_PART}W|({_PART}D)?(T(?=[0-9])({_PART}H)?({_PART}M)?({_PART}S)?)?)"
)
Duration = Annotated[str, like(_DURATION, "an ISO 8601 duration", "PT0.2S")]
PositiveDuration = Annotated[str, like(rf"(?=.*[1-9]){_DURATION}", "an ISO 8601 duration longer than nothing", "PT30S")]
AttributeName = Annotated[str, like(r"[^\s,]+", "the name of a user attribute", "email")]


class Identity(Group, frozen=True, kw_only=True):
    """How this source is called in metrics and logs."""

    namespace: Annotated[str, Env("NAMESPACE"), Meta(description="Names this source in metrics.")] = "default"
    name: Annotated[str, Env("NAME"), Meta(description="Names this source in metrics and logs.")] = "adapter"
    component: Annotated[str, Env("K_COMPONENT"), Meta(description="Prefix of the original's metrics.")] = (
        "awscognitouserpoolsource"
    )
    resource_group: Annotated[str, Env("K_RESOURCE_GROUP"), Meta(description="A label of the original's metrics.")] = (
        "awscognitouserpoolsources.sources.triggermesh.io"
    )


class Access(Group, frozen=True, kw_only=True):
    """Who calls Cognito."""

    access_key_id: Annotated[
        str,
        Env("AWS_ACCESS_KEY_ID"),
        Meta(description="The key for the user pool. Without it, boto3's default chain is used."),
    ] = ""
    secret_access_key: Annotated[
        Secret,
        Env("AWS_SECRET_ACCESS_KEY", "text", Secret, secret=True),
        Meta(description="The secret of that key."),
    ] = Secret("")
    session_token: Annotated[
        Secret,
        Env("AWS_SESSION_TOKEN", "text", Secret, secret=True),
        Meta(description="The session token, for temporary credentials."),
    ] = Secret("")
    assume_role_arn: Annotated[
        str,
        Env(
            "AWS_ASSUME_ROLE_ARN",
            "ARN of a role",
            values.arn("iam", "role/", "arn:aws:iam::123456789012:role/reader"),
        ),
        Meta(description="A role to assume, with the credentials above, for reading the user pool."),
    ] = ""
    secret_arn: Annotated[
        str,
        Env(
            "CREDENTIALS_SECRET_ARN",
            "ARN of a secret",
            values.arn(
                "secretsmanager", "secret:", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:name-AbCdEf"
            ),
        ),
        Meta(
            description="The Secrets Manager secret that holds the key; read again when Cognito refuses the key.",
        ),
    ] = ""


class StateOptions(Group, frozen=True, kw_only=True):
    """Where the adapter remembers users."""

    url: Annotated[
        str,
        Env("STATE_URL", "URL", values.state_url),
        Meta(
            description="Where the state lives: `sqlite:///relative.db`, `sqlite:////absolute.db` or "
            "`dynamodb://table?region=eu-central-1`."
        ),
    ] = "sqlite:///cognito-source.db"
    lease_s: Annotated[
        float,
        Env("STATE_LEASE_SECONDS", _SECONDS),
        Meta(
            ge=1,
            le=3600,
            description="How long a DynamoDB lease lasts without a heartbeat; then another adapter may take over.",
        ),
    ] = 30


class Events(Group, frozen=True, kw_only=True):
    """Which events are sent, and what they hold."""

    initial: Annotated[
        Literal["baseline", "snapshot"],
        Env("EVENTS_INITIAL"),
        Meta(description="What the first sweep reports: `baseline` only later changes, `snapshot` every user."),
    ] = "baseline"
    deleted: Annotated[bool, Env("EVENTS_DELETED"), Meta(description="Report deleted users.")] = True
    deleted_max_percent: Annotated[
        float,
        Env("EVENTS_DELETED_MAX_PERCENT", "percent"),
        Meta(
            ge=0,
            le=100,
            description="If more of the known users than this are missing at once, deletions wait for a second "
            "complete sweep that confirms them.",
        ),
    ] = 20
    attributes: Annotated[
        tuple[AttributeName, ...],
        Env("EVENTS_ATTRIBUTES", "names with commas", values.names),
        Meta(description="The user attributes that events may hold; empty: all of them."),
    ] = ()

    @property
    def allowed_attributes(self) -> frozenset[str] | None:
        """The user attributes that events may hold; None: all of them."""
        return frozenset(self.attributes) or None


class Polling(Group, frozen=True, kw_only=True):
    """How often Cognito is asked."""

    max_rps: Annotated[
        float,
        Env("MAX_RPS", "requests per second"),
        Meta(
            ge=0.1,
            le=1000,
            description="Upper limit of ListUsers requests per second, all listings together; an account's default "
            "quota is 30.",
        ),
    ] = 10
    min_seconds: Annotated[
        float,
        Env("POLL_MIN_SECONDS", _SECONDS),
        Meta(ge=0.01, le=86_400, description="The wait after a sweep that found changes."),
    ] = 1
    max_seconds: Annotated[
        float,
        Env("POLL_MAX_SECONDS", _SECONDS),
        Meta(
            ge=0.01,
            le=86_400,
            description="The longest wait between sweeps, reached step by step while nothing changes.",
        ),
    ] = 32


class CognitoClient(Group, frozen=True, kw_only=True):
    """How long a request to Cognito may take."""

    connect_timeout_s: Annotated[
        float,
        Env("COGNITO_CONNECT_TIMEOUT_SECONDS", _SECONDS),
        Meta(gt=0, le=600, description="How long connecting to Cognito may take."),
    ] = 5
    read_timeout_s: Annotated[
        float,
        Env("COGNITO_READ_TIMEOUT_SECONDS", _SECONDS),
        Meta(gt=0, le=600, description="How long Cognito may stay silent within a request."),
    ] = 20


class Batch(Group, frozen=True, kw_only=True):
    """How many events travel together in batched format."""

    size: Annotated[
        int, Env("DELIVERY_BATCH_SIZE"), Meta(ge=1, le=10_000, description="The most events in one batched request.")
    ] = 100
    seconds: Annotated[
        float,
        Env("DELIVERY_BATCH_SECONDS", _SECONDS),
        Meta(ge=0, le=60, description="The longest that an event waits for its batch to fill."),
    ] = 0.1


class DeliverySpec(Group, frozen=True, kw_only=True):
    """How events are sent, with the names of Knative's DeliverySpec."""

    format: Annotated[
        Literal["binary", "structured", "batched", "json"],
        Env("DELIVERY_FORMAT", parse=values.delivery_format),
        Meta(description="The CloudEvents content mode of an HTTP sink; `json` is Knative's word for structured."),
    ] = "binary"
    batch: Batch = Batch()
    concurrency: Annotated[
        int,
        Env("DELIVERY_CONCURRENCY"),
        Meta(
            ge=1,
            le=256,
            description="Requests to the sink in flight; events of one user are never in flight together.",
        ),
    ] = 8
    retry: Annotated[
        int,
        Env("DELIVERY_RETRY"),
        Meta(
            ge=0,
            le=1000,
            description="Attempts after the first one, before an event is dead-lettered or stays undelivered.",
        ),
    ] = 3
    backoff_policy: Annotated[
        Literal["linear", "exponential"],
        Env("DELIVERY_BACKOFF_POLICY"),
        Meta(description="How the waits between attempts grow."),
    ] = "exponential"
    backoff_delay: Annotated[
        Duration,
        Env("DELIVERY_BACKOFF_DELAY", _DURATION_WORDS, values.duration(zero=True)),
        Meta(description="The unit of the waits between attempts."),
    ] = "PT0.2S"
    timeout: Annotated[
        PositiveDuration | None,
        Env("DELIVERY_TIMEOUT", _DURATION_WORDS, values.duration(zero=False)),
        Meta(description="The time that one attempt may take; overrides K_SINK_TIMEOUT (30 seconds)."),
    ] = None
    retry_after_max: Annotated[
        Duration | None,
        Env("DELIVERY_RETRY_AFTER_MAX", _DURATION_WORDS, values.duration(zero=True)),
        Meta(description="The most that a Retry-After of the sink is honoured for; PT0S ignores it, empty means PT5M."),
    ] = None

    @property
    def backoff_delay_s(self) -> float:
        """`backoff_delay` in seconds."""
        return parse_duration(self.backoff_delay)

    @property
    def retry_after_max_s(self) -> float | None:
        """`retry_after_max` in seconds."""
        return None if self.retry_after_max is None else parse_duration(self.retry_after_max)


class HttpSettings(Group, frozen=True, kw_only=True):
    """What an HTTP sink needs beside its address."""

    timeout_s: Annotated[
        float,
        Env("K_SINK_TIMEOUT", _SECONDS),
        Meta(gt=0, le=3600, description="The time that one delivery attempt may take."),
    ] = 30
    ca_certs: Annotated[
        str,
        Env("K_CA_CERTS", "PEM text", hidden=True),
        Meta(
            description="Certificate authorities to trust for the sink, besides the system's and those mounted at "
            "/knative-custom-certs."
        ),
    ] = ""
    audience: Annotated[
        str,
        Env("K_AUDIENCE"),
        Meta(description="The audience of the sink's OIDC token, as SinkBinding announces it. Informational."),
    ] = ""
    headers: Annotated[
        Mapping[str, Secret],
        Env("DELIVERY_HEADERS", "JSON object", values.headers, secret=True),
        Meta(description='Headers for every request to an HTTP sink: `{"X-Api-Key":"..."}`.'),
    ] = msgspec.field(default_factory=dict)
    token_file: Annotated[
        str,
        Env("DELIVERY_TOKEN_FILE", "path"),
        Meta(
            description="A file with a bearer token for an HTTP sink, read again when it changes; empty: `/oidc/token` "
            "if that exists."
        ),
    ] = ""


class Servers(Group, frozen=True, kw_only=True):
    """Where this process answers."""

    health_address: Annotated[
        Address,
        Env("HEALTH_ADDRESS", "HOST:PORT", values.address),
        Meta(description="Where /health, /ready and /live answer; port 0 takes a free one."),
    ] = Address("0.0.0.0", 8080)  # noqa: S104 - the original listens on all interfaces, for the probes
    status_address: Annotated[
        Address | None,
        Env("STATUS_ADDRESS", "HOST:PORT or `off`", values.address_or_off),
        Meta(description="Where the [status page](status-page.md) is; port 0 takes a free one. The image sets `off`."),
    ] = Address("127.0.0.1", 8081)
    status_show_users: Annotated[
        bool,
        Env("STATUS_SHOW_USERS"),
        Meta(description="Show usernames on the status page; otherwise a hash stands for each."),
    ] = False


class MetricsOptions(Group, frozen=True, kw_only=True):
    """Where metrics go."""

    port: Annotated[
        int,
        Env("METRICS_PROMETHEUS_PORT", "port"),
        Meta(ge=0, le=65_535, description="Where Prometheus finds /metrics; 0: nowhere."),
    ] = 9090
    host: Annotated[
        str,
        Env("METRICS_PROMETHEUS_HOST", "host"),
        Meta(description="The address on which Prometheus finds it."),
    ] = "0.0.0.0"  # noqa: S104 - as the original, for scrapers
    emf: Annotated[
        bool,
        Env("METRICS_EMF"),
        Meta(description="Write metrics as lines in CloudWatch's Embedded Metric Format to stdout."),
    ] = False


class Settings(Group, frozen=True, kw_only=True):
    """The whole configuration, read and checked."""

    pool: Annotated[PoolArn, Env("ARN", "ARN of a user pool", values.pool), Meta(description="The user pool to read.")]
    sink: Annotated[
        str,
        Env("K_SINK", "sink", values.sink, hidden=True),
        Meta(
            description="Where events go: an http(s) URL, the ARN of an EventBridge event bus or of an SQS queue, "
            "`file:///path` or `stdout:`."
        ),
    ]
    extensions: Annotated[
        Mapping[str, str],
        Env("K_CE_OVERRIDES", "JSON object", values.extensions),
        Meta(description='Extensions to set on every event: `{"extensions":{"name":"value"}}`.'),
    ] = msgspec.field(default_factory=dict)
    http: HttpSettings = HttpSettings()
    identity: Identity = Identity()
    access: Access = Access()
    state: StateOptions = StateOptions()
    events: Events = Events()
    polling: Polling = Polling()
    cognito: CognitoClient = CognitoClient()
    delivery: DeliverySpec = DeliverySpec()
    dead_letter_sink: Annotated[
        str,
        Env("DELIVERY_DEAD_LETTER_SINK", "sink", values.sink, hidden=True),
        Meta(
            description="Where events go that the sink does not take; empty: they stay undelivered and are tried again."
        ),
    ] = ""
    servers: Servers = Servers()
    metrics: MetricsOptions = MetricsOptions()
    log_level: Annotated[
        str,
        Env("LOG_LEVEL", "`debug`, `info`, `warning` or `error`", values.one_of("debug", "info", "warning", "error")),
        Meta(
            description="What is logged, on stderr; empty: the level of Knative's K_LOGGING_CONFIG, else info.",
        ),
    ] = ""
    traces: TraceSettings | None = None
    #: Whether the address of the status page was set: then listening there must succeed.
    status_required: bool = False
    #: A line for everything that was set and has no effect.
    ignored: tuple[str, ...] = ()

    @property
    def attempt_timeout_s(self) -> float:
        """How long one delivery attempt may take: DELIVERY_TIMEOUT, else K_SINK_TIMEOUT."""
        given = self.delivery.timeout
        return self.http.timeout_s if given is None else parse_duration(given)
