"""The documents of a manifest, as types: the single source of its validation and of the published JSON Schema.

A source has the shape of TriggerMesh's `AWSCognitoUserPoolSource` (CRD `sources.triggermesh.io/v1alpha1`: arn, sink,
auth, adapterOverrides); `polling`, `delivery`, `state`, `events`, `credentials` and `network` are ours. `delivery` has
the names of Knative's DeliverySpec. deployment.py has what several sources share on AWS.

YAML has the names in camelCase. Every field that a type does not know is refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from adapter.config.fields import Env, Group
from adapter.config.groups import DeliverySpec, Events, Polling, like

API_VERSION = "sources.triggermesh.io/v1alpha1"
KIND = "AWSCognitoUserPoolSource"
DEPLOYMENT_API_VERSION = "cognito-source/v1alpha1"
DEPLOYMENT_KIND = "CognitoSourceDeployment"

_PARTITION = r"aws(-[a-z]+)*"
_REGION = r"[a-z]{2,4}(-[a-z]+)+-[0-9]"
#: Paths and names of IAM, without the characters that mean something to Terraform.
_IAM = r"[A-Za-z0-9_+=,.@/-]+"


Name = Annotated[
    str,
    like(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "lower-case letters, digits and dashes, at most 63", "customers"),
]
ObjectName = Annotated[
    str,
    like(
        r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", "lower-case letters, digits, dashes and dots, at most 253", "customers"
    ),
]
PoolArn = Annotated[
    str,
    Meta(
        description="The user pool's ARN.",
        examples=["arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"],
        extra_json_schema={
            "pattern": rf"^arn:{_PARTITION}:cognito-idp:{_REGION}:[0-9]{{12}}:userpool/[A-Za-z0-9_-]+_[0-9a-zA-Z]+$"
        },
    ),
]
RoleArn = Annotated[
    str,
    like(
        rf"arn:{_PARTITION}:iam::[0-9]{{12}}:role/{_IAM}", "an IAM role's ARN", "arn:aws:iam::123456789012:role/reader"
    ),
]
PolicyArn = Annotated[
    str,
    like(
        rf"arn:{_PARTITION}:iam::([0-9]{{12}}|aws):policy/{_IAM}",
        "an IAM policy's ARN",
        "arn:aws:iam::123456789012:policy/boundary",
    ),
]
SecretArn = Annotated[
    str,
    like(
        rf"arn:{_PARTITION}:secretsmanager:[a-z0-9-]+:[0-9]{{12}}:secret:[A-Za-z0-9_/+=.@-]+-[A-Za-z0-9]{{6}}",
        "a secret's full ARN, with its six random characters",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:cognito-AbCdEf",
    ),
]
BusArn = Annotated[
    str,
    like(
        rf"arn:{_PARTITION}:events:[a-z0-9-]+:[0-9]{{12}}:event-bus/[A-Za-z0-9_./-]{{1,256}}",
        "an event bus's ARN",
        "arn:aws:events:eu-central-1:123456789012:event-bus/users",
    ),
]
QueueArn = Annotated[
    str,
    like(
        rf"arn:{_PARTITION}:sqs:[a-z0-9-]+:[0-9]{{12}}:[A-Za-z0-9_-]{{1,80}}(\.fifo)?",
        "a queue's ARN",
        "arn:aws:sqs:eu-central-1:123456789012:users",
    ),
]
KeyArn = Annotated[
    str,
    like(
        rf"arn:{_PARTITION}:kms:[a-z0-9-]+:[0-9]{{12}}:key/[A-Za-z0-9_-]+",
        "a KMS key's ARN",
        "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    ),
]
TopicArn = Annotated[
    str,
    like(
        rf"arn:{_PARTITION}:sns:[a-z0-9-]+:[0-9]{{12}}:[A-Za-z0-9_-]{{1,256}}(\.fifo)?",
        "an SNS topic's ARN",
        "arn:aws:sns:eu-central-1:123456789012:alarms",
    ),
]
Uri = Annotated[str, like(r"[^\s]+", "an http or https address", "https://example.com/events")]
EnvName = Annotated[str, like(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable", "LOG_LEVEL")]
Quantity = (
    Annotated[
        str,
        like(
            r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][0-9]{1,2}|n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?",
            "a Kubernetes quantity",
            "250m",
        ),
    ]
    | Annotated[float, Meta(ge=0)]
    | Annotated[int, Meta(ge=0)]
)
Region = Annotated[str, like(_REGION, "an AWS region", "eu-central-1")]
Text = Annotated[str, Meta(min_length=1, extra={"expected": "a text that is not empty"})]


class Reference(Group, frozen=True, kw_only=True):
    """A Kubernetes object that can receive events; means nothing outside Kubernetes."""

    api_version: Text | None = None
    kind: Text
    name: Text
    namespace: Text | None = None
    group: Text | None = None
    address: Text | None = None


class EventBridge(Group, frozen=True, kw_only=True):
    """An Amazon EventBridge bus: an existing one by ARN, or one that the deployment creates by name."""

    event_bus_arn: BusArn | None = None
    create: Annotated[str, like(r"[A-Za-z0-9_.-]{1,200}", "the name of an event bus", "users")] | None = None


class Queue(Group, frozen=True, kw_only=True):
    """An Amazon SQS queue: an existing one by ARN, or one that the deployment creates by name."""

    queue_arn: QueueArn | None = None
    create: Annotated[str, like(r"[A-Za-z0-9_-]{1,75}(\.fifo)?", "the name of a queue", "users")] | None = None


class Sink(Group, frozen=True, kw_only=True):
    """Where events go: exactly one of uri, ref, eventBridge and sqs (uri beside ref: a path, as Knative has it)."""

    uri: Uri | None = None
    ref: Reference | None = None
    event_bridge: EventBridge | None = None
    sqs: Queue | None = None
    ca_certs: Annotated[Text | None, Env("K_CA_CERTS")] = msgspec.field(default=None, name="CACerts")
    audience: Annotated[Text | None, Env("K_AUDIENCE")] = None


class SecretKey(Group, frozen=True, kw_only=True):
    """A key of a Kubernetes secret."""

    name: Text
    key: Text


class SecretValue(Group, frozen=True, kw_only=True):
    """A value, or the Kubernetes secret that holds it; the secret wins if both are given."""

    value: Text | None = None
    value_from_secret: SecretKey | None = None


class AuthCredentials(Group, frozen=True, kw_only=True):
    """An access key."""

    access_key_id: SecretValue = msgspec.field(name="accessKeyID")
    secret_access_key: SecretValue
    session_token: SecretValue | None = None
    assume_iam_role: RoleArn | None = None


class AuthIam(Group, frozen=True, kw_only=True):
    """IAM roles for service accounts on EKS."""

    role_arn: RoleArn | None = None
    service_account: Text | None = None


class Auth(Group, frozen=True, kw_only=True):
    """How the original authenticates: exactly one of the three."""

    credentials: AuthCredentials | None = None
    iam_role: RoleArn | None = None
    iam: AuthIam | None = None


class EnvVar(Group, frozen=True, kw_only=True):
    """One environment variable of the adapter."""

    name: EnvName
    value: str = ""
    value_from: dict[str, Any] | None = None


class Resources(Group, frozen=True, kw_only=True):
    """CPU and memory, as Kubernetes writes them."""

    limits: dict[str, Quantity] = msgspec.field(default_factory=dict)
    requests: dict[str, Quantity] = msgspec.field(default_factory=dict)
    claims: list[Any] = msgspec.field(default_factory=list)


class AdapterOverrides(Group, frozen=True, kw_only=True):
    """How the adapter runs. tolerations, nodeSelector, affinity and public mean nothing outside Kubernetes."""

    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    env: tuple[EnvVar, ...] = ()
    resources: Resources = Resources()
    tolerations: list[dict[str, Any]] | None = None
    node_selector: dict[str, str] | None = None
    affinity: dict[str, Any] | None = None
    public: bool | None = None
    #: Ours: the processor of the task on AWS.
    architecture: Literal["X86_64", "ARM64"] = "X86_64"


class Delivery(DeliverySpec, frozen=True, kw_only=True):
    """How events are sent, with the names of Knative's DeliverySpec."""

    dead_letter_sink: Sink | None = None
    headers_secret_arn: SecretArn | None = None


class DynamoDb(Group, frozen=True, kw_only=True):
    """The table that remembers what was reported."""

    table_name: (
        Annotated[str, like(r"[A-Za-z0-9_.-]{3,255}", "the name of a table", "cognito-source-customers")] | None
    ) = None
    point_in_time_recovery: bool = True
    deletion_protection: bool = True


class State(Group, frozen=True, kw_only=True):
    """Where the adapter remembers users: DynamoDB on AWS, or a URL for a laptop or Kubernetes."""

    dynamodb: DynamoDb | None = None
    url: Annotated[
        Annotated[str, like(r"(sqlite|dynamodb)://[^\s]+", "a state URL", "sqlite:///cognito-source.db")] | None,
        Env("STATE_URL"),
    ] = None


class AssumeRole(Group, frozen=True, kw_only=True):
    """A role of the pool's account that is taken to call Cognito."""

    role_arn: RoleArn


class Credentials(Group, frozen=True, kw_only=True):
    """Who calls Cognito when this is deployed on AWS."""

    mode: Literal["minted", "terraform", "existing", "role"] = "minted"
    secret_arn: Annotated[SecretArn | None, Env("CREDENTIALS_SECRET_ARN")] = None
    assume_role: RoleArn | AssumeRole | None = None
    user_name: Annotated[str, like(r"[A-Za-z0-9_+=,.@-]{1,64}", "the name of an IAM user", "cognito-source")] | None = (
        None
    )
    user_path: Annotated[str, like(rf"/({_IAM}/)?", "an IAM path", "/cognito-source/")] = "/cognito-source/"
    permissions_boundary_arn: PolicyArn | None = None
    recovery_window_days: Literal[0] | Annotated[int, Meta(ge=7, le=30)] = 0


class Network(Group, frozen=True, kw_only=True):
    """Where the task runs. Nothing given: the account's default VPC."""

    vpc_id: Annotated[str, like(r"vpc-[0-9a-f]+", "a VPC's id", "vpc-0123456789abcdef0")] | None = None
    subnet_ids: tuple[Annotated[str, like(r"subnet-[0-9a-f]+", "a subnet's id", "subnet-0123456789abcdef0")], ...] = ()
    security_group_ids: tuple[
        Annotated[str, like(r"sg-[0-9a-f]+", "a security group's id", "sg-0123456789abcdef0")], ...
    ] = ()
    assign_public_ip: bool | None = None
    vpc_endpoints: bool = False
    route_table_ids: tuple[
        Annotated[str, like(r"rtb-[0-9a-f]+", "a route table's id", "rtb-0123456789abcdef0")], ...
    ] = ()


class SourceSpec(Group, frozen=True, kw_only=True):
    """One user pool, and where its events go."""

    arn: Annotated[PoolArn, Env("ARN")]
    sink: Sink
    auth: Auth | None = None
    adapter_overrides: AdapterOverrides = AdapterOverrides()
    polling: Polling = Polling()
    delivery: Delivery = Delivery()
    state: State = State()
    events: Events = Events()
    credentials: Credentials = Credentials()
    network: Network | None = None


class Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A document's name; what else Kubernetes keeps here (uid, resourceVersion, ...) is accepted and unused."""

    name: ObjectName
    namespace: Name = "default"
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class SourceDocument(Group, frozen=True, kw_only=True):
    """One source of events."""

    api_version: Literal["sources.triggermesh.io/v1alpha1"]
    kind: Literal["AWSCognitoUserPoolSource"]
    metadata: Metadata
    spec: SourceSpec
    status: dict[str, Any] | None = None
