"""examples/kubernetes: valid by Kubernetes' own schemas, and what they set is what the adapter and the image expect."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from adapter import manifest
from adapter.config.settings import load
from adapter.config.values import Address
from adapter.errors import ConfigError
from adapter.observability.health import Health, HealthServer
from adapter.state.url import DynamoUrl, SqliteUrl, parse_state_url
from adapter.version import VERSION
from tests.deploy.test_image_contents import of
from tests.emulator.pod import ask, effective, reconciled
from tests.support.kubernetes import SCHEMAS, Resource, bound, environment, made_of
from tools.docs.site.markdown import blocks

FOLDER = Path(__file__).parents[2] / "examples" / "kubernetes"
#: The oldest Kubernetes that the manifests are for, and the newest that the package knows.
VERSIONS = ("1.29", "1.37")
SECRETS = {"partners-aws-key": {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary"}}


def resources() -> dict[str, list[Resource]]:
    return {file.name: list(yaml.safe_load_all(file.read_text())) for file in sorted(FOLDER.glob("*.yaml"))}


ALL = [each for found in resources().values() for each in found]
CORE = [
    each
    for each in ALL
    if (each["apiVersion"], each["kind"]) not in SCHEMAS and "triggermesh" not in each["apiVersion"]
]
OURS = {(each["kind"], each["metadata"]["name"]): each for each in ALL}
DEPLOYMENTS = [each for each in ALL if each["kind"] == "Deployment"] + [
    made_of(each) for each in ALL if each["kind"] == "ContainerSource"
]


def name_of(resource: Resource) -> str:
    return f"{resource['kind']}-{resource['metadata']['name']}"


def pod_of(deployment: Resource) -> Resource:
    spec: Resource = deployment["spec"]["template"]["spec"]
    return spec


def container_of(deployment: Resource) -> Resource:
    (container,) = pod_of(deployment)["containers"]
    found: Resource = container
    return found


def settings_of(deployment: Resource) -> dict[str, str]:
    """The container's variables, with a sink as Knative would set it."""
    return environment(bound(deployment, sink="http://sink.example/", overrides=None), SECRETS)


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_accepts_them_strictly(version: str) -> None:
    for resource in [*CORE, *(each for each in DEPLOYMENTS if each not in CORE)]:
        kubernetes_validate.validate(resource, version, strict=True)


def test_a_mistake_would_be_found() -> None:
    wrong = json.loads(json.dumps(next(each for each in CORE if each["kind"] == "Deployment")))
    container_of(wrong)["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


@pytest.mark.parametrize(
    "resource", [each for each in ALL if (each["apiVersion"], each["kind"]) in SCHEMAS], ids=name_of
)
def test_custom_resources_have_the_fields_of_their_definitions(resource: Resource) -> None:
    jsonschema.validate(resource, SCHEMAS[resource["apiVersion"], resource["kind"]])


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=name_of)
def test_the_adapter_accepts_the_environment(deployment: Resource) -> None:
    settings = load(settings_of(deployment))
    assert (settings.identity.namespace, settings.metrics.port) == ("crm", 9092)
    assert settings.identity.name in deployment["metadata"]["name"]


def test_what_a_sink_binding_sets_wins() -> None:
    binding = next(each for each in ALL if each["kind"] == "SinkBinding")
    subject = OURS[binding["spec"]["subject"]["kind"], binding["spec"]["subject"]["name"]]
    there = bound(
        subject, sink="https://broker.example/crm", overrides=binding["spec"]["ceOverrides"], ca_certs="-----BEGIN-----"
    )
    settings = load(environment(there, SECRETS))
    assert (settings.sink, settings.http.ca_certs) == ("https://broker.example/crm", "-----BEGIN-----")
    assert settings.extensions == {"team": "identity"}


def test_a_deployment_without_a_binding_has_a_sink_of_its_own() -> None:
    for deployment in (each for each in ALL if each["kind"] == "Deployment"):
        load(environment(deployment, SECRETS))


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=name_of)
def test_probes_and_ports_are_those_of_the_adapter(deployment: Resource) -> None:
    container = container_of(deployment)
    settings = load(settings_of(deployment))
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports == {"health": settings.servers.health_address.port, "metrics": settings.metrics.port}
    probes = {name: each for name, each in container.items() if name.endswith("Probe")}
    assert {probe["httpGet"]["port"] for probe in probes.values()} == {"health"}
    health = Health()
    health.polled()
    with HealthServer(health, Address("127.0.0.1", 0)) as server:
        assert {ask(server.port, probe["httpGet"]["path"])[0] for probe in probes.values()} == {204}


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=name_of)
def test_the_state_lasts_and_everything_else_is_read_only(deployment: Resource) -> None:
    pod, container = pod_of(deployment), container_of(deployment)
    user, _, _ = of("USER")[0].partition(":")
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsNonRoot"]) == (int(user), True)
    assert container["securityContext"]["readOnlyRootFilesystem"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    mounts = {each["mountPath"]: volumes[each["name"]] for each in container["volumeMounts"]}
    assert "emptyDir" in mounts["/tmp"]
    url = parse_state_url(load(settings_of(deployment)).state.url)
    if isinstance(url, SqliteUrl):
        claim = mounts[str(url.path.parent)]["persistentVolumeClaim"]["claimName"]
        assert ("PersistentVolumeClaim", claim) in OURS
        assert pod["securityContext"]["fsGroup"] == int(user)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=name_of)
def test_an_update_comes_to_its_end(deployment: Resource) -> None:
    """The new pod is not ready before the old one is gone, and its volume can't be had before: so it must go first."""
    url = parse_state_url(load(settings_of(deployment)).state.url)
    rolling = deployment["spec"].get("strategy", {}).get("type", "RollingUpdate") == "RollingUpdate"
    if rolling:
        assert isinstance(url, DynamoUrl)
        assert "readinessProbe" not in container_of(deployment)
    assert deployment["spec"].get("replicas", 1) == 1


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=name_of)
def test_nothing_that_kubernetes_adds_reaches_the_environment(deployment: Resource) -> None:
    """A Service named metrics-prometheus would become METRICS_PROMETHEUS_PORT=tcp://..., and stop the adapter."""
    with pytest.raises(ConfigError, match="METRICS_PROMETHEUS_PORT"):
        load({**settings_of(deployment), "METRICS_PROMETHEUS_PORT": "tcp://10.0.0.1:9090"})
    assert pod_of(deployment)["enableServiceLinks"] is False
    assert pod_of(deployment)["automountServiceAccountToken"] is False
    assert ("ServiceAccount", pod_of(deployment)["serviceAccountName"]) in OURS


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=name_of)
def test_selectors_find_the_pods(deployment: Resource) -> None:
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    policy, monitor = OURS["NetworkPolicy", "cognito-source"], OURS["PodMonitor", "cognito-source"]
    for selector in (policy["spec"]["podSelector"], monitor["spec"]["selector"]):
        assert selector["matchLabels"].items() <= labels.items()
    assert container_of(deployment)["image"].endswith(f":{VERSION}")


def test_the_source_for_triggermesh_is_the_originals_and_its_overrides_reach_the_adapter() -> None:
    file = FOLDER / "triggermesh-source.yaml"
    (source,) = manifest.load(file)
    assert source.name == "customers"
    spec: dict[str, Any] = yaml.safe_load(file.read_text())["spec"]
    overrides = [(each["name"], each["value"]) for each in spec["adapterOverrides"]["env"]]
    settings = load(effective(reconciled(spec["arn"], "http://broker.example/crm/default", overrides)))
    assert isinstance(parse_state_url(settings.state.url), DynamoUrl)
    assert settings.events.deleted is False
    assert settings.http.timeout_s == 30


def test_the_networks_policy_lets_out_what_the_adapter_calls() -> None:
    policy = next(each for each in ALL if each["kind"] == "NetworkPolicy")
    ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
    assert {53, 443, 80, 8080} <= ports
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_the_guide_and_the_list_name_what_is_there() -> None:
    listed = set(re.findall(r"\]\((\S+\.yaml)\)", (FOLDER / "README.md").read_text()))
    assert listed == {path.name for path in FOLDER.glob("*.yaml")}
    guide = (FOLDER.parents[1] / "docs/kubernetes.md").read_text()
    assert listed == set(re.findall(r"\]\(\.\./examples/kubernetes/(\S+\.yaml)\)", guide))
    scripts = "".join(block.text for block in blocks(guide) if block.info == "sh")
    assert set(re.findall(r"--filename examples/kubernetes/(\S+)", scripts)) <= listed
    for kind, name in re.findall(r" (deployment)/(cognito-source\S+)", scripts):
        assert (kind.title(), name) in OURS
    (snippet,) = [block.text for block in blocks(guide) if block.info == "yaml"]
    assert snippet in (FOLDER / "triggermesh-source.yaml").read_text()
    labels = {each["metadata"]["labels"]["app.kubernetes.io/name"] for each in ALL if each["kind"] == "Deployment"}
    assert labels == set(re.findall(r"app\.kubernetes\.io/name=(\S+)", scripts))
