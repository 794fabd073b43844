"""The optional document with what all sources of a manifest share on AWS."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from adapter.config.fields import Group
from adapter.config.groups import like
from adapter.manifest.spec import KeyArn, Name, Network, Region, TopicArn

#: The retention periods that CloudWatch Logs knows, in days
#: (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html).
RetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]
Minutes = Annotated[int, Meta(ge=1, le=1440)]


class Registry(Group, frozen=True, kw_only=True):
    """A registry (Amazon ECR) of our own for the adapter's image."""

    tag: Annotated[str, like(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", "an image tag", "0.1.0")] | None = None
    keep: Annotated[int, Meta(ge=1, le=1000)] = 10


class Image(Group, frozen=True, kw_only=True):
    """The adapter's image: any reference that ECS can pull, or our own registry."""

    uri: (
        Annotated[str, like(r"[A-Za-z0-9_.:/@-]+", "an image reference", "registry.example.com/adapter:0.1.0")] | None
    ) = None
    registry: Registry = Registry()


class Encryption(Group, frozen=True, kw_only=True):
    """One customer key for the secrets, logs, tables, queues and buses; none: the keys that AWS owns."""

    create_key: bool = False
    key_arn: KeyArn | None = None


class Alarms(Group, frozen=True, kw_only=True):
    """CloudWatch alarms, and the topic that they notify."""

    enabled: bool = True
    topic_arn: TopicArn | None = None
    create_topic: bool = False
    sweep_minutes: Minutes = 15
    undelivered_minutes: Minutes = 15


class S3Backend(Group, frozen=True, kw_only=True):
    """Terraform's state in an S3 bucket, locked by a lock file beside it."""

    bucket: Annotated[str, like(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket's name", "terraform-state")]
    region: Region | None = None
    key_prefix: Annotated[str, like(r"[A-Za-z0-9_./-]+", "a folder", "cognito-source")] = "cognito-source"
    kms_key_arn: KeyArn | None = None


class HcpBackend(Group, frozen=True, kw_only=True):
    """Terraform's state in HCP Terraform; one workspace per stack, its name prefixed."""

    organization: Annotated[str, like(r"[A-Za-z0-9_-]+", "an organization", "example")]
    workspace_prefix: Annotated[str, like(r"[A-Za-z0-9_-]*", "letters, digits, - and _", "users-")] = ""
    hostname: Annotated[str, like(r"[A-Za-z0-9.:-]+", "a host's name", "app.terraform.io")] = "app.terraform.io"


class Backend(Group, frozen=True, kw_only=True):
    """Where Terraform keeps its state; nothing given: files beside main.py."""

    s3: S3Backend | None = None
    hcp: HcpBackend | None = None


class DeploymentSpec(Group, frozen=True, kw_only=True):
    """What the sources share."""

    region: Region | None = None
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    image: Image = Image()
    encryption: Encryption = Encryption()
    log_retention_days: RetentionDays = 365
    container_insights: Literal["disabled", "enabled", "enhanced"] = "disabled"
    network: Network = Network()
    alarms: Alarms = Alarms()
    backend: Backend = Backend()


class DeploymentMetadata(Group, frozen=True, kw_only=True):
    """The name that the names of everything begin with."""

    name: Name = "cognito-source"


class DeploymentDocument(Group, frozen=True, kw_only=True):
    """What all sources share; at most one in a manifest."""

    api_version: Literal["cognito-source/v1alpha1"]
    kind: Literal["CognitoSourceDeployment"]
    metadata: DeploymentMetadata = DeploymentMetadata()
    spec: DeploymentSpec = DeploymentSpec()
