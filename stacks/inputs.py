"""What the stacks are built from: the manifest, checked for what AWS needs. Pure values, no cdktf."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from adapter.arn import PoolArn
from adapter.config.opentelemetry import read as read_traces
from adapter.errors import ConfigError
from adapter.manifest import Manifest, Source, assumed_role, environment
from adapter.manifest.deployment import DeploymentSpec
from adapter.manifest.spec import Credentials, DynamoDb, Network, Sink
from stacks.names import fit
from stacks.sizing import TaskSize, task_size

#: Variables that would put a secret into the task definition, where everybody who may read it sees it; what instead.
_SECRET_VARIABLES = {
    **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "spec.credentials"),
    "DELIVERY_HEADERS": "spec.delivery.headersSecretArn",
    **dict.fromkeys(
        ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
        "a collector that takes traces from this network without a key",
    ),
}
#: Variables that the deployment decides itself.
_DECIDED = frozenset(
    {"STATE_URL", "CREDENTIALS_SECRET_ARN", "METRICS_EMF", "HEALTH_ADDRESS", "DELIVERY_DEAD_LETTER_SINK"}
)
#: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
_TAG_KEY = re.compile(r"(?!aws:)[\w\s.:/=+@-]{1,128}")
_TAG_VALUE = re.compile(r"[\w\s.:/=+@-]{0,256}")


@dataclass(frozen=True, kw_only=True)
class SinkInputs:
    """Where events go: an address, or a bus or queue that exists (`arn`) or is to be created (`create`)."""

    kind: str
    url: str = ""
    arn: str = ""
    create: str = ""

    @property
    def port(self) -> int:
        """The TCP port of the sink."""
        if self.kind != "http":
            return 443
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)


@dataclass(frozen=True, kw_only=True)
class SourceInputs:
    """One source as the stacks need it. `name` has no dots: ECS and Terraform allow none."""

    name: str
    full_name: str
    pool: PoolArn
    environment: dict[str, str] = field(repr=False)
    credentials: Credentials
    assumed_role: str
    sink: SinkInputs
    dead_letter_sink: SinkInputs | None
    headers_secret_arn: str
    table_name: str
    point_in_time_recovery: bool
    deletion_protection: bool
    network: Network
    size: TaskSize
    architecture: str
    tags: dict[str, str]

    @property
    def collector_ports(self) -> set[int]:
        """The TCP port of the collector that OTEL_* variables send traces to; empty without traces."""
        wanted, _ = read_traces(self.environment, None)
        parts = urlsplit(wanted.endpoint if wanted is not None else "")
        # One within the task, or none at all, is reached without leaving.
        if not parts.hostname or parts.hostname in {"localhost", "127.0.0.1", "::1"}:
            return set()
        return {parts.port or (443 if parts.scheme == "https" else 80)}


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Everything that is deployed. `warnings` are what was asked for in vain, one line each."""

    name: str
    region: str
    partition: str
    accounts: tuple[str, ...]
    sources: tuple[SourceInputs, ...]
    shared: DeploymentSpec
    warnings: tuple[str, ...] = ()


def inputs_from(manifest: Manifest) -> Inputs:
    """What to deploy for a manifest.

    Raises:
        ConfigError: something can't be deployed; one line per problem, with the place in the file.
    """
    name = manifest.deployment.metadata.name
    shared = manifest.deployment.spec
    problems = [line for source in manifest.sources for line in _problems(source)]
    problems += _homes(manifest)
    problems += _same_names(manifest)
    problems += [
        f"{manifest.file}: spec.tags: found the tag {key!a}; expected letters, digits, spaces and _.:/=+-@"
        for key, value in shared.tags.items()
        if not _TAG_KEY.fullmatch(key) or not _TAG_VALUE.fullmatch(value)
    ]
    if problems:
        raise ConfigError(problems)
    warnings = list(manifest.warnings)
    sources = tuple(_source(source, name, shared, warnings) for source in manifest.sources)
    return Inputs(
        name=name,
        region=shared.region or sources[0].pool.region,
        partition=sources[0].pool.partition,
        # Without a role in between, the user must be made in the account of its pool.
        accounts=tuple(sorted({each.pool.account for each in sources if not each.assumed_role})),
        sources=sources,
        shared=shared,
        warnings=tuple(warnings),
    )


def _source(source: Source, deployment: str, shared: DeploymentSpec, warnings: list[str]) -> SourceInputs:
    spec = source.spec
    table = spec.state.dynamodb
    name = source.name.replace(".", "-")
    full_name = fit(f"{deployment}-{name}", 200)
    variables = {k: literal(v) for k, v in environment(source).items() if k not in {*_SECRET_VARIABLES, *_DECIDED}}
    variables.pop("K_SINK", None)
    size, note = task_size(spec.adapter_overrides.resources)
    if note:
        warnings.append(source.problem("spec.adapterOverrides.resources", note))
    return SourceInputs(
        name=name,
        full_name=full_name,
        pool=source.pool,
        environment=variables,
        credentials=spec.credentials,
        assumed_role=assumed_role(spec),
        sink=_sink(spec.sink),
        dead_letter_sink=_sink(spec.delivery.dead_letter_sink) if spec.delivery.dead_letter_sink else None,
        headers_secret_arn=spec.delivery.headers_secret_arn or "",
        table_name=(table.table_name if table and table.table_name else fit(full_name, 255)),
        point_in_time_recovery=table.point_in_time_recovery if table else True,
        deletion_protection=table.deletion_protection if table else True,
        network=spec.network or shared.network,
        size=size,
        architecture=spec.adapter_overrides.architecture,
        tags=_tags(source, warnings),
    )


def _tags(source: Source, warnings: list[str]) -> dict[str, str]:
    overrides = source.spec.adapter_overrides
    tags: dict[str, str] = {}
    for field_name, pairs in (("annotations", overrides.annotations), ("labels", overrides.labels)):
        for key, value in pairs.items():
            if _TAG_KEY.fullmatch(key) and _TAG_VALUE.fullmatch(value):
                tags[key] = value
            else:
                path = ("spec", "adapterOverrides", field_name, key)
                warnings.append(source.document.problem(path, "left out: AWS allows no such tag"))
    return tags | {"Source": source.name}


def _sink(sink: Sink) -> SinkInputs:
    if sink.event_bridge is not None:
        return SinkInputs(kind="bus", arn=sink.event_bridge.event_bus_arn or "", create=sink.event_bridge.create or "")
    if sink.sqs is not None:
        return SinkInputs(kind="queue", arn=sink.sqs.queue_arn or "", create=sink.sqs.create or "")
    return SinkInputs(kind="http", url=literal(sink.uri or ""))


def _problems(source: Source) -> Iterator[str]:
    """What runs on a laptop or on Kubernetes, but not on Fargate."""
    spec = source.spec
    for path, sink in (("spec.sink", spec.sink), ("spec.delivery.deadLetterSink", spec.delivery.dead_letter_sink)):
        if sink is None:
            continue
        if sink.ref is not None:
            yield source.problem(
                f"{path}.ref", "found a Kubernetes object; expected uri, eventBridge or sqs to deploy on AWS"
            )
        elif sink.uri is not None and urlsplit(sink.uri).scheme not in ("http", "https"):
            yield source.problem(
                f"{path}.uri", "found a sink of one machine; expected http, https, eventBridge or sqs to deploy on AWS"
            )
    given = spec.auth.credentials if spec.auth else None
    for name, value in (
        ("accessKeyID", given.access_key_id if given else None),
        ("secretAccessKey", given.secret_access_key if given else None),
        ("sessionToken", given.session_token if given else None),
    ):
        if value is not None and value.value is not None:
            yield source.problem(
                f"spec.auth.credentials.{name}.value",
                "found a value in plaintext, which would end up in Terraform's state; expected none: remove"
                " auth.credentials (a key is minted) or use spec.credentials with mode existing and secretArn",
            )
    for index, each in enumerate(spec.adapter_overrides.env):
        place = ("spec", "adapterOverrides", "env", index, "name")
        if each.name in _SECRET_VARIABLES:
            yield source.document.problem(
                place,
                f"found {each.name}, a secret in plaintext; expected {_SECRET_VARIABLES[each.name]}",
            )
        elif each.name in _DECIDED:
            yield source.document.problem(
                place, f"found {each.name}, which the deployment sets from other fields; remove it"
            )
    if spec.state.url is not None:
        yield source.problem("spec.state.url", "found a URL; expected spec.state.dynamodb to deploy on AWS")


def _homes(manifest: Manifest) -> Iterator[str]:
    first = manifest.sources[0].pool
    for source in manifest.sources[1:]:
        pool = source.pool
        if pool.partition != first.partition:
            yield source.problem(
                "spec.arn", f"found the partition {pool.partition}; expected {first.partition} as in document 1"
            )
        if pool.region != first.region and manifest.deployment.spec.region is None:
            yield source.problem(
                "spec.arn",
                f"found the region {pool.region} beside {first.region}; expected the region to deploy to in spec.region"
                " of a CognitoSourceDeployment document",
            )
    direct = [each for each in manifest.sources if not assumed_role(each.spec)]
    for source in direct[1:]:
        if source.pool.account != direct[0].pool.account:
            yield source.problem(
                "spec.arn",
                f"found the account {source.pool.account} beside {direct[0].pool.account}; expected one account, or"
                " spec.credentials.assumeRole with a role of the pool's account",
            )


def _same_names(manifest: Manifest) -> Iterator[str]:
    """Sources that would make something of the same name."""
    names: dict[str, Callable[[Source], str | None]] = {
        "metadata.name": lambda source: source.name.replace(".", "-"),
        "spec.credentials.userName": lambda source: source.spec.credentials.user_name,
        "spec.state.dynamodb.tableName": lambda source: (source.spec.state.dynamodb or DynamoDb()).table_name,
    }
    for path, name_of in names.items():
        first: dict[str, Source] = {}
        for source in manifest.sources:
            name = name_of(source)
            if name is not None and first.setdefault(name, source) is not source:
                number = first[name].document.number
                yield source.problem(
                    path, f"found {name}, which document {number} has on AWS too; expected another name"
                )


def literal(text: str) -> str:
    """Free text for Terraform: what looks like a template (`${...}`, `%{...}`) stays text."""
    return text.replace("${", "$${").replace("%{", "%%{")
