"""A registry for the adapter's image; deployed before the image is pushed, and so a stack of its own.

Resource: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/ecr_repository
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from adapter.version import VERSION
from stacks.base import Home, output, set_up
from stacks.bindings import App, EcrLifecyclePolicy, EcrRepository, EcrRepositoryEncryptionConfiguration, TerraformStack
from stacks.inputs import Inputs

#: An image in ECR: account, region, repository.
_ECR = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.[a-z.]+/([^:@]+)")


@dataclass(frozen=True)
class ImageReference:
    """What the task definition names. `repository_arn` is "" for an image that is not in ECR."""

    uri: str
    repository_arn: str


class RegistryStack(TerraformStack):
    """An ECR repository: scanned on push, tags that never move, old images expire."""

    def __init__(self, scope: App, name: str, inputs: Inputs) -> None:
        super().__init__(scope, name)
        home = set_up(self, inputs)
        repository = EcrRepository(
            self,
            "repository",
            name=inputs.name,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration={"scan_on_push": True},
            # Without a key of the manifest: the one that AWS keeps for ECR in this account.
            encryption_configuration=[
                EcrRepositoryEncryptionConfiguration(encryption_type="KMS", kms_key=inputs.shared.encryption.key_arn)
            ],
            # Images are built from the sources again; without this, `cdktf destroy` stops at the first one.
            force_delete=True,
        )
        EcrLifecyclePolicy(
            self,
            "repository-lifecycle",
            repository=repository.name,
            policy=json.dumps(
                {
                    "rules": [
                        {
                            "rulePriority": 1,
                            "description": f"Keep the last {inputs.shared.image.registry.keep} images",
                            "selection": {
                                "tagStatus": "any",
                                "countType": "imageCountMoreThan",
                                "countNumber": inputs.shared.image.registry.keep,
                            },
                            "action": {"type": "expire"},
                        }
                    ]
                }
            ),
        )
        output(self, "image", own_image(inputs, home).uri, "Build and push the adapter's image under this name.")


def image_of(inputs: Inputs, home: Home) -> ImageReference:
    """The image of the manifest, or the one in our own registry."""
    uri = inputs.shared.image.uri
    if not uri:
        return own_image(inputs, home)
    elsewhere = _ECR.match(uri)
    if elsewhere is None:
        return ImageReference(uri, "")
    account, region, repository = elsewhere.groups()
    return ImageReference(uri, f"arn:{home.partition}:ecr:{region}:{account}:repository/{repository}")


def own_image(inputs: Inputs, home: Home) -> ImageReference:
    """The image in our own registry; its address is known before the registry exists."""
    # A tag never moves, so that a new version is a new tag.
    tag = inputs.shared.image.registry.tag or VERSION
    uri = f"{home.account}.dkr.ecr.{home.region}.{home.dns_suffix}/{inputs.name}:{tag}"
    return ImageReference(uri, home.arn("ecr", f"repository/{inputs.name}"))
