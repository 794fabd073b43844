"""A validated manifest."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapter.arn import PoolArn, parse_pool_arn
from adapter.manifest.deployment import DeploymentDocument
from adapter.manifest.document import Path, YamlDocument
from adapter.manifest.spec import SourceSpec

#: What a manifest without a deployment document shares: the defaults.
NO_DEPLOYMENT = DeploymentDocument(api_version="cognito-source/v1alpha1", kind="CognitoSourceDeployment")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One user pool and where its events go.

    `warnings` names what the manifest asks for and only Kubernetes can give, one line each.
    """

    name: str
    namespace: str
    spec: SourceSpec = field(repr=False)
    document: YamlDocument = field(repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def pool(self) -> PoolArn:
        """The user pool."""
        return parse_pool_arn(self.spec.arn)

    def problem(self, path: str, message: str) -> str:
        """One line about a field of this source; `path` is like `spec.sink.uri`."""
        parts: Path = tuple(path.split("."))
        return self.document.problem(parts, message)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A manifest file: its sources (one at least) and what they share on AWS."""

    file: str
    sources: tuple[Source, ...]
    deployment: DeploymentDocument = NO_DEPLOYMENT

    @property
    def warnings(self) -> tuple[str, ...]:
        """What has no meaning outside Kubernetes, one line each."""
        return tuple(line for source in self.sources for line in source.warnings)
