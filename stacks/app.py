"""The stacks of a deployment, put together from their parts."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from stacks.base import Home, output, set_up
from stacks.bindings import App, DataAwsPartition, EcrLifecyclePolicy, EcrRepository, EcsCluster, TerraformStack
from stacks.credentials import add_credentials
from stacks.inputs import Inputs, SinkInputs
from stacks.network import DefaultVpc, add_network
from stacks.service import ServiceParts, add_service
from stacks.storage import add_table


class AdapterStack(TerraformStack):
    """Everything that runs: credentials, state, network, service."""

    def __init__(self, scope: App, name: str, inputs: Inputs) -> None:
        super().__init__(scope, name)
        home = set_up(self, inputs)
        default_vpc = DefaultVpc(self)
        image, repository_arn = _image(self, inputs, home)
        cluster = EcsCluster(
            self,
            "cluster",
            name=inputs.name,
            setting=[{"name": "containerInsights", "value": inputs.shared.container_insights}],
        )
        for source in inputs.sources:
            add_service(
                self,
                inputs,
                home,
                source,
                ServiceParts(
                    cluster=cluster,
                    image=image,
                    repository_arn=repository_arn,
                    credentials=add_credentials(self, inputs, source, ""),
                    table=add_table(self, source, ""),
                    place=add_network(self, source, default_vpc),
                    sink_target=_target(source.sink),
                    dead_letter_target=_target(source.dead_letter_sink) if source.dead_letter_sink else "",
                ),
            )
        output(self, "cluster-name", cluster.name, "ECS cluster of all sources.")


def build(app: App, inputs: Inputs) -> None:
    """Add all stacks to the app."""
    AdapterStack(app, inputs.name, inputs)


def _target(sink: SinkInputs) -> str:
    return sink.url or sink.arn


def _image(stack: TerraformStack, inputs: Inputs, home: Home) -> tuple[str, str]:
    if inputs.shared.image.uri:
        return inputs.shared.image.uri, ""
    partition = DataAwsPartition(stack, "partition")
    tag = inputs.shared.image.registry.tag or _version()
    registry = f"{home.account}.dkr.ecr.{home.region}.{partition.dns_suffix}"
    return f"{registry}/{inputs.name}:{tag}", home.arn("ecr", f"repository/{inputs.name}")


def _version() -> str:
    try:
        return version("cognito-source")
    except PackageNotFoundError:
        return "latest"


__all__ = ["AdapterStack", "EcrLifecyclePolicy", "EcrRepository", "build"]
