"""The stacks of a deployment, put together from their parts.

What runs is one stack, one plan: everything can be reviewed before anything exists. (Stacks that refer to each other
read each other's state, so that the second one can't be planned before the first is deployed.) The registry is apart,
for an image has to be pushed between it and the rest; its name is known in advance, so that nothing refers to it.
"""

from __future__ import annotations

from stacks.base import output, set_up
from stacks.bindings import App, EcsCluster, TerraformStack
from stacks.credentials import add_credentials
from stacks.encryption import add_key
from stacks.endpoints import add_endpoints
from stacks.inputs import Inputs
from stacks.network import DefaultVpc, add_network
from stacks.observability import Watched, add_observability
from stacks.registry import RegistryStack, image_of
from stacks.service import ServiceParts, add_service
from stacks.sinks import Sinks
from stacks.storage import add_table


class AdapterStack(TerraformStack):
    """Everything that runs: credentials, state, network, services, alarms."""

    def __init__(self, scope: App, name: str, inputs: Inputs) -> None:
        super().__init__(scope, name)
        home = set_up(self, inputs)
        key_arn = add_key(self, inputs, home)
        sinks = Sinks(self, key_arn)
        default_vpc = DefaultVpc(self)
        cluster = EcsCluster(
            self,
            "cluster",
            name=inputs.name,
            setting=[{"name": "containerInsights", "value": inputs.shared.container_insights}],
        )
        watched: list[Watched] = []
        groups: dict[str, list[str]] = {}
        for source in inputs.sources:
            place = add_network(self, source, default_vpc)
            groups[source.name] = place.security_group_ids
            parts = ServiceParts(
                cluster=cluster,
                image=image_of(inputs, home),
                credentials=add_credentials(self, inputs, source, key_arn),
                table=add_table(self, source, key_arn),
                place=place,
                sink_target=sinks.target(source.sink),
                dead_letter_target=sinks.target(source.dead_letter_sink),
                sink_statements=sinks.statements([source.sink, source.dead_letter_sink]),
                kms_key_arn=key_arn,
            )
            watched.append(add_service(self, inputs, home, source, parts))
        add_endpoints(self, inputs, groups)
        add_observability(self, inputs, home, cluster.name, watched, key_arn)
        output(self, "cluster-name", cluster.name, "ECS cluster of all sources.")


def build(app: App, inputs: Inputs) -> None:
    """Add all stacks to the app: `NAME`, and `NAME-registry` unless the manifest names an image."""
    if not inputs.shared.image.uri:
        RegistryStack(app, f"{inputs.name}-registry", inputs)
    AdapterStack(app, inputs.name, inputs)
