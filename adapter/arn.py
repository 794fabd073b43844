"""Amazon Resource Names, as far as this project needs them.

Format: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html. A user pool's ARN is
`arn:PARTITION:cognito-idp:REGION:ACCOUNT:userpool/POOL_ID`
(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncognitouserpools.html).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

#: Partitions that have Amazon Cognito user pools, with the shape of their regions' names.
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]")
_ACCOUNT = re.compile(r"[0-9]{12}")
_PARTITION = re.compile(r"aws(-[a-z]+)*")
#: UserPoolIdType of the service's API: 1 to 55 characters.
_POOL_ID = re.compile(r"[\w-]+_[0-9a-zA-Z]+", re.ASCII)
_POOL_ID_MAX = 55
_EXAMPLE = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"


class ArnError(ValueError):
    """Not an ARN, or not one of the kind that is needed. The message is a sentence without the field's name."""


@dataclass(frozen=True, slots=True)
class Arn:
    """The six parts of an ARN. `resource` holds all that follows the fifth colon."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


@dataclass(frozen=True, slots=True)
class PoolArn:
    """A Cognito user pool."""

    partition: str
    region: str
    account: str
    pool_id: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:cognito-idp:{self.region}:{self.account}:userpool/{self.pool_id}"

    @property
    def home_region(self) -> str:
        """The region that the pool was created in, which its id begins with.

        A replica of multi-Region replication keeps the id, in another region
        (https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-multi-region.html).
        """
        return self.pool_id.rpartition("_")[0]

    def is_replica_of(self, other: PoolArn) -> bool:
        """Whether both are the same pool in two regions."""
        return replace(self, region=other.region) == other and self.region != other.region


def parse_arn(text: str) -> Arn:
    """Split an ARN of any service into its parts.

    Raises:
        ArnError: `text` does not have the six parts of an ARN.
    """
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[1] or not parts[2] or not parts[5]:
        raise ArnError(f"{text!r} is not an ARN; expected six parts like {_EXAMPLE}")
    return Arn(*parts[1:])


def parse_pool_arn(text: str) -> PoolArn:
    """Read a user pool's ARN and check every part of it.

    Raises:
        ArnError: something is wrong; the message says what was found and what was expected.
    """
    if any(c in text for c in "*?"):
        raise ArnError(f"{text!r} has a wildcard; name one user pool like {_EXAMPLE}")
    arn = parse_arn(text)
    kind, slash, pool_id = arn.resource.partition("/")
    if arn.service != "cognito-idp" or kind != "userpool" or not slash:
        raise ArnError(f"{text!r} is not a user pool's ARN; expected something like {_EXAMPLE}")
    if not _PARTITION.fullmatch(arn.partition):
        raise ArnError(f"{text!r} has the partition {arn.partition!r}; expected aws, aws-cn, aws-us-gov or the like")
    if not _REGION.fullmatch(arn.region):
        raise ArnError(f"{text!r} has the region {arn.region!r}; expected one like eu-central-1")
    if not _ACCOUNT.fullmatch(arn.account):
        raise ArnError(f"{text!r} has the account {arn.account!r}; expected 12 digits")
    if len(pool_id) > _POOL_ID_MAX or not _POOL_ID.fullmatch(pool_id):
        raise ArnError(f"{text!r} has the pool id {pool_id!r}; expected one like {arn.region}_AbCdEfGhI")
    return PoolArn(arn.partition, arn.region, arn.account, pool_id)


def are_replicas(one: str, other: str) -> bool:
    """Whether these are the ARNs of one pool in two regions; False also for what is no user pool's ARN."""
    try:
        return parse_pool_arn(one).is_replica_of(parse_pool_arn(other))
    except ArnError:
        return False
