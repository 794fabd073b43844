"""What a manifest must fulfil beyond the types of its fields, and what it asks for in vain."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from adapter.arn import ArnError, parse_pool_arn
from adapter.config.settings import problems_of, unknown
from adapter.errors import ConfigError
from adapter.manifest.deployment import DeploymentSpec
from adapter.manifest.document import Path, YamlDocument
from adapter.manifest.environment import PlacedText, placed
from adapter.manifest.spec import Auth, Network, SecretValue, Sink, SourceSpec
from adapter.net.trust import Bundle, TrustStore

#: Variables that the source itself sets: an override of one is refused (the original lets the source win silently).
_RESERVED = ("ARN", "K_SINK", "NAME", "NAMESPACE", "K_COMPONENT")
#: Variables that Kubernetes or the deployment may set: a sink by reference, a key in a secret.
_ELSEWHERE = frozenset({"K_SINK", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"})
#: Stands for a bus or a queue that the deployment creates.
_CREATED = "arn:aws:sqs:us-east-1:000000000000:created"
Finding = tuple[Path, str]


def source_problems(spec: SourceSpec) -> Iterator[Finding]:
    """Contradictions within one source."""
    try:
        parse_pool_arn(spec.arn)
    except ArnError as error:
        yield ("spec", "arn"), str(error)
    yield from _sink(spec.sink, ("spec", "sink"))
    if spec.delivery.dead_letter_sink is not None:
        yield from _sink(spec.delivery.dead_letter_sink, ("spec", "delivery", "deadLetterSink"))
    if spec.auth is not None:
        yield from _auth(spec.auth)
    if spec.state.url is not None and spec.state.dynamodb is not None:
        yield ("spec", "state"), "found both dynamodb and url; expected one of them"
    if (spec.credentials.mode == "existing") != (spec.credentials.secret_arn is not None):
        found = "a secret" if spec.credentials.secret_arn else "nothing"
        wanted = "expected secretArn with mode existing, and only there"
        yield ("spec", "credentials", "secretArn"), f"found {found} with mode {spec.credentials.mode}; {wanted}"
    seen: set[str] = set()
    for index, each in enumerate(spec.adapter_overrides.env):
        path: Path = ("spec", "adapterOverrides", "env", index, "name")
        if each.name in _RESERVED:
            yield path, f"found {each.name}, which the source itself sets; remove it"
        elif each.name in seen:
            yield path, f"found {each.name} a second time; keep one of them"
        seen.add(each.name)
    if spec.network is not None:
        yield from network_problems(spec.network, ("spec", "network"))


def refused_settings(name: str, namespace: str, spec: SourceSpec) -> Iterator[Finding]:
    """What the adapter would refuse at its start, as its own reader finds it, at the place in the manifest."""
    made = placed(name, namespace, spec)
    certificates = made.get("K_CA_CERTS")
    if certificates is not None and certificates.text.strip() and (spec.sink.uri or "").startswith("https:"):
        try:
            TrustStore([Bundle(name="K_CA_CERTS", text=certificates.text.encode("utf-8", "replace"))])
        except ConfigError as error:
            yield certificates.path, error.problems[0]
    if "K_SINK" not in made and (spec.sink.event_bridge or spec.sink.sqs):
        made["K_SINK"] = PlacedText(_CREATED, ("spec", "sink"))
    for problem in problems_of({variable: each.text for variable, each in made.items()}):
        if not any(variable in _ELSEWHERE and variable not in made for variable in problem.variables):
            yield next(made[variable].path for variable in problem.variables if variable in made), problem.text


def network_problems(network: Network, path: Path) -> Iterator[Finding]:
    """A VPC without subnets, subnets without their VPC, endpoints in a VPC that is not the manifest's."""
    if (network.vpc_id is None) != (not network.subnet_ids):
        yield path, "found one of vpcId and subnetIds; expected both, or neither for the default VPC"
    if network.vpc_endpoints and not (network.vpc_id and network.route_table_ids):
        yield (
            (*path, "vpcEndpoints"),
            "found true; expected vpcId, subnetIds and routeTableIds with it (of the subnets: for S3 and DynamoDB)",
        )
    if network.route_table_ids and not network.vpc_endpoints:
        yield (*path, "routeTableIds"), "found route tables; expected vpcEndpoints: true with them, or none"


def deployment_problems(spec: DeploymentSpec) -> Iterator[Finding]:
    """Contradictions within the deployment document."""
    if spec.backend.s3 is not None and spec.backend.hcp is not None:
        yield ("spec", "backend"), "found both s3 and hcp; expected one of them"
    if spec.encryption.create_key and spec.encryption.key_arn:
        yield ("spec", "encryption"), "found both createKey and keyArn; expected one of them"
    if spec.alarms.create_topic and spec.alarms.topic_arn:
        yield ("spec", "alarms"), "found both createTopic and topicArn; expected one of them"
    yield from network_problems(spec.network, ("spec", "network"))


def warnings(document: YamlDocument, spec: SourceSpec) -> Iterator[str]:
    """What only Kubernetes can give, one line each."""

    def note(path: Path, message: str) -> str:
        return document.problem(path, f"{message} (means something on Kubernetes only)")

    if spec.sink.ref is not None:
        yield note(("spec", "sink", "ref"), f"the {spec.sink.ref.kind} {spec.sink.ref.name} can't be looked up here")
    dead = spec.delivery.dead_letter_sink
    if dead is not None and dead.ref is not None:
        yield note(
            ("spec", "delivery", "deadLetterSink", "ref"),
            f"the {dead.ref.kind} {dead.ref.name} can't be looked up here",
        )
    if spec.auth is not None:
        given = spec.auth.credentials
        for name, value in _keys(spec.auth):
            if value.value_from_secret is not None:
                secret = value.value_from_secret
                yield note(
                    ("spec", "auth", "credentials", name, "valueFromSecret"),
                    f"the secret {secret.name} can't be read here; on AWS spec.credentials decides",
                )
        if given is None:
            which = "iamRole" if spec.auth.iam_role else "iam"
            yield note(("spec", "auth", which), "a role for a Kubernetes service account is not used here")
    overrides = spec.adapter_overrides
    for field, given_here in (
        ("tolerations", overrides.tolerations is not None),
        ("nodeSelector", overrides.node_selector is not None),
        ("affinity", overrides.affinity is not None),
        ("public", overrides.public is not None),
    ):
        if given_here:
            yield note(("spec", "adapterOverrides", field), "not used here")
    resources = overrides.resources
    for part, asked in (("limits", resources.limits), ("requests", resources.requests)):
        for name in sorted(set(asked) - {"cpu", "memory"}):
            yield note(("spec", "adapterOverrides", "resources", part, name), "only cpu and memory are used")
    if resources.claims:
        yield note(("spec", "adapterOverrides", "resources", "claims"), "not used here")
    for index, each in enumerate(overrides.env):
        for line in unknown({each.name: each.value}):
            yield document.problem(("spec", "adapterOverrides", "env", index, "name"), line)
        if each.value_from is not None:
            yield note(
                ("spec", "adapterOverrides", "env", index, "valueFrom"),
                f"{each.name} is left out, as the original leaves it out; give its value",
            )


def _keys(auth: Auth) -> Iterator[tuple[str, SecretValue]]:
    if auth.credentials is not None:
        yield "accessKeyID", auth.credentials.access_key_id
        yield "secretAccessKey", auth.credentials.secret_access_key
        if auth.credentials.session_token is not None:
            yield "sessionToken", auth.credentials.session_token


def _sink(sink: Sink, path: Path) -> Iterator[Finding]:
    if sink.ref is not None and sink.uri is not None and sink.event_bridge is None and sink.sqs is None:
        return
    given = [
        name
        for name, value in (
            ("uri", sink.uri),
            ("ref", sink.ref),
            ("eventBridge", sink.event_bridge),
            ("sqs", sink.sqs),
        )
        if value is not None
    ]
    if len(given) != 1:
        yield path, f"found {' and '.join(given) or 'nothing'}; expected one of uri, ref, eventBridge, sqs"
    if sink.uri is not None and sink.ref is None:
        yield from _uri(sink.uri, (*path, "uri"))
    if sink.event_bridge is not None and (sink.event_bridge.event_bus_arn is None) == (
        sink.event_bridge.create is None
    ):
        yield (*path, "eventBridge"), "expected one of eventBusArn (a bus that exists) and create (its name)"
    if sink.sqs is not None and (sink.sqs.queue_arn is None) == (sink.sqs.create is None):
        yield (*path, "sqs"), "expected one of queueArn (a queue that exists) and create (its name)"


def _uri(uri: str, path: Path) -> Iterator[Finding]:
    wanted = "expected an http or https address like https://example.com/events"
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        yield path, f"found an address that can't be read; {wanted}"
        return
    if parts.scheme in ("file", "stdout"):
        return
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        yield path, f"found {parts.scheme + ':' if parts.scheme else 'no scheme'}; {wanted}"
    elif parts.username or parts.password:
        yield path, f"found a name or password in the address; {wanted}, and delivery.headersSecretArn for secrets"


def _auth(auth: Auth) -> Iterator[Finding]:
    given = [
        name
        for name, value in (("credentials", auth.credentials), ("iamRole", auth.iam_role), ("iam", auth.iam))
        if value is not None
    ]
    if len(given) != 1:
        yield (
            ("spec", "auth"),
            f"found {' and '.join(given) or 'nothing'}; expected exactly one of credentials, iam, iamRole",
        )
    for name, value in _keys(auth):
        if value.value is None and value.value_from_secret is None:
            yield (
                ("spec", "auth", "credentials", name),
                "found neither value nor valueFromSecret; expected one of them",
            )
