"""The plan value: a list of steps, each a plain record that says what it does and which permissions it takes.

A command computes its steps from what is wanted and what is there, without touching AWS. `--dry-run` prints them and
`iam.apply` executes them: the same value, so a preview can't differ from the work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from adapter.arn import PoolArn
from iam.policy import LIST_USERS


class Permission(NamedTuple):
    """One action on one resource."""

    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A secret that may not exist yet. `arn` ends with `-??????` until it does; `name` is what AWS finds it by."""

    name: str
    region: str
    arn: str
    kms_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to do."""

    #: Whether the step changes anything in the account.
    changes: ClassVar[bool] = True

    @property
    def sentence(self) -> str:
        """What the step does, for a person."""
        return self._sentence()

    @property
    def needs(self) -> tuple[Permission, ...]:
        """What the caller must be permitted."""
        return self._needs()

    def _sentence(self) -> str:
        raise NotImplementedError

    def _needs(self) -> tuple[Permission, ...]:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class CreateSecret(Step):
    """An empty secret."""

    secret: SecretRef
    description: str
    tags: Mapping[str, str]

    def _sentence(self) -> str:
        key = f", encrypted with {self.secret.kms_key}" if self.secret.kms_key else ""
        return f"create the secret {self.secret.name} in {self.secret.region}{key}"

    def _needs(self) -> tuple[Permission, ...]:
        return (
            Permission("secretsmanager:CreateSecret", self.secret.arn),
            Permission("secretsmanager:TagResource", self.secret.arn),
        )


@dataclass(frozen=True, kw_only=True)
class RestoreSecret(Step):
    """Take a secret back that is scheduled for deletion."""

    secret: SecretRef

    def _sentence(self) -> str:
        return f"restore the secret {self.secret.name}, which is scheduled for deletion"

    def _needs(self) -> tuple[Permission, ...]:
        return (Permission("secretsmanager:RestoreSecret", self.secret.arn),)


@dataclass(frozen=True, kw_only=True)
class CreatePolicy(Step):
    """A managed policy that allows ListUsers on pools."""

    arn: str
    path: str
    name: str
    document: Mapping[str, Any]
    tags: Mapping[str, str]

    def _sentence(self) -> str:
        return f"create the policy {self.name}: {LIST_USERS} on {_count(_pools_in(self.document), 'pool')}"

    def _needs(self) -> tuple[Permission, ...]:
        return (Permission("iam:CreatePolicy", self.arn), Permission("iam:TagPolicy", self.arn))


@dataclass(frozen=True, kw_only=True)
class UpdatePolicy(Step):
    """A new default version of a managed policy; `drops` is the version that makes room for it (five at most)."""

    arn: str
    document: Mapping[str, Any]
    drops: str | None = None

    def _sentence(self) -> str:
        room = f" (its version {self.drops} makes room)" if self.drops else ""
        return f"change the policy {self.arn}: {LIST_USERS} on {_count(_pools_in(self.document), 'pool')}{room}"

    def _needs(self) -> tuple[Permission, ...]:
        drop = (Permission("iam:DeletePolicyVersion", self.arn),) if self.drops else ()
        return (*drop, Permission("iam:CreatePolicyVersion", self.arn))


@dataclass(frozen=True, kw_only=True)
class CreateUser(Step):
    """An IAM user without any permission."""

    arn: str
    path: str
    name: str
    boundary: str | None
    tags: Mapping[str, str]

    def _sentence(self) -> str:
        boundary = f", with the permissions boundary {self.boundary}" if self.boundary else ""
        return f"create the IAM user {self.name} under {self.path}{boundary}"

    def _needs(self) -> tuple[Permission, ...]:
        return (Permission("iam:CreateUser", self.arn), Permission("iam:TagUser", self.arn))


@dataclass(frozen=True, kw_only=True)
class SetBoundary(Step):
    """Another permissions boundary for a user."""

    user_arn: str
    user: str
    boundary: str

    def _sentence(self) -> str:
        return f"set the permissions boundary of {self.user} to {self.boundary}"

    def _needs(self) -> tuple[Permission, ...]:
        return (Permission("iam:PutUserPermissionsBoundary", self.user_arn),)


@dataclass(frozen=True, kw_only=True)
class AttachPolicy(Step):
    """Give a user a policy."""

    user_arn: str
    user: str
    policy_arn: str

    def _sentence(self) -> str:
        return f"attach the policy {self.policy_arn} to {self.user}"

    def _needs(self) -> tuple[Permission, ...]:
        return (Permission("iam:AttachUserPolicy", self.user_arn),)


@dataclass(frozen=True, kw_only=True)
class DetachPolicy(Step):
    """Take a policy from a user."""

    user_arn: str
    user: str
    policy_arn: str

    def _sentence(self) -> str:
        return f"detach the policy {self.policy_arn} from {self.user}"

    def _needs(self) -> tuple[Permission, ...]:
        return (Permission("iam:DetachUserPolicy", self.user_arn),)


@dataclass(frozen=True, kw_only=True)
class DeletePolicy(Step):
    """Delete a policy; `versions` are those that are not its default."""

    arn: str
    versions: tuple[str, ...] = ()

    def _sentence(self) -> str:
        return f"delete the policy {self.arn}"

    def _needs(self) -> tuple[Permission, ...]:
        versions = (Permission("iam:DeletePolicyVersion", self.arn),) if self.versions else ()
        return (*versions, Permission("iam:DeletePolicy", self.arn))


@dataclass(frozen=True, kw_only=True)
class CreateKey(Step):
    """A new access key, straight into the secret as its AWSPENDING version.

    `known` are the keys that the user had when the plan was made: any other one is a sign of another run.
    """

    user_arn: str
    user: str
    secret: SecretRef
    known: frozenset[str] = frozenset()

    def _sentence(self) -> str:
        return f"create an access key of {self.user} and put it straight into the secret, as AWSPENDING"

    def _needs(self) -> tuple[Permission, ...]:
        return (
            Permission("iam:CreateAccessKey", self.user_arn),
            Permission("iam:DeleteAccessKey", self.user_arn),
            Permission("secretsmanager:PutSecretValue", self.secret.arn),
            *_kms("kms:GenerateDataKey", self.secret),
        )


@dataclass(frozen=True, kw_only=True)
class VerifyKey(Step):
    """List every pool with the key in the secret, and wait until AWS knows the key everywhere.

    Without a pool (a key that may only take a role) AWS must know the key, no more. When it fails, `reactivate` is the
    key to make active again. `retires` is the key that goes next: it must not be the one with the label.
    """

    changes: ClassVar[bool] = False
    secret: SecretRef
    stage: str
    pools: tuple[PoolArn, ...]
    wait_s: float
    user_arn: str = ""
    user: str = ""
    reactivate: str | None = None
    retires: str | None = None

    def _sentence(self) -> str:
        doing = f"list {_count(len(self.pools), 'pool')}" if self.pools else "ask who is calling"
        return f"{doing} with the {self.stage} key, for {self.wait_s:.0f} s at most"

    def _needs(self) -> tuple[Permission, ...]:
        return (Permission("secretsmanager:GetSecretValue", self.secret.arn), *_kms("kms:Decrypt", self.secret))


@dataclass(frozen=True, kw_only=True)
class PromoteKey(Step):
    """Make the AWSPENDING key AWSCURRENT in the place of the version that was, if any."""

    secret: SecretRef
    replaces: str | None = None

    def _sentence(self) -> str:
        return f"make the AWSPENDING key of the secret {self.secret.name} AWSCURRENT"

    def _needs(self) -> tuple[Permission, ...]:
        return (Permission("secretsmanager:UpdateSecretVersionStage", self.secret.arn),)


@dataclass(frozen=True, kw_only=True)
class Wait(Step):
    """Give whoever still uses the old key time to read the new one."""

    changes: ClassVar[bool] = False
    seconds: float

    def _sentence(self) -> str:
        return f"wait {duration_text(self.seconds)}: whoever still uses the old key reads the new one"

    def _needs(self) -> tuple[Permission, ...]:
        return ()


@dataclass(frozen=True, kw_only=True)
class DeactivateKey(Step):
    """Stop a key from working; it can be made active again."""

    user_arn: str
    user: str
    key_id: str

    def _sentence(self) -> str:
        return f"deactivate the key {self.key_id}"

    def _needs(self) -> tuple[Permission, ...]:
        return (Permission("iam:UpdateAccessKey", self.user_arn),)


@dataclass(frozen=True, kw_only=True)
class DeleteKey(Step):
    """Delete a key for good."""

    user_arn: str
    user: str
    key_id: str
    why: str = ""

    def _sentence(self) -> str:
        return f"delete the key {self.key_id}" + (f" ({self.why})" if self.why else "")

    def _needs(self) -> tuple[Permission, ...]:
        return (Permission("iam:DeleteAccessKey", self.user_arn),)


@dataclass(frozen=True, kw_only=True)
class DeleteSecret(Step):
    """Schedule a secret for deletion."""

    secret: SecretRef
    recovery_days: int

    def _sentence(self) -> str:
        return f"delete the secret {self.secret.name}; it can be restored for {self.recovery_days} days"

    def _needs(self) -> tuple[Permission, ...]:
        return (Permission("secretsmanager:DeleteSecret", self.secret.arn),)


@dataclass(frozen=True, kw_only=True)
class DeleteUser(Step):
    """Delete an IAM user that has nothing left."""

    user_arn: str
    user: str

    def _sentence(self) -> str:
        return f"delete the IAM user {self.user}"

    def _needs(self) -> tuple[Permission, ...]:
        return (Permission("iam:DeleteUser", self.user_arn),)


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in order, and remarks for the person who reads them."""

    steps: tuple[Step, ...]
    remarks: tuple[str, ...] = field(default=())

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that change something."""
        return tuple(step for step in self.steps if step.changes)

    @property
    def needs(self) -> tuple[Permission, ...]:
        """What the caller must be permitted, without doubles, in order."""
        return tuple(dict.fromkeys(need for step in self.steps for need in step.needs))


def duration_text(seconds: float) -> str:
    """A duration for a person: `90 d`, `5 min`, `12 s`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size and (seconds % size == 0 or seconds >= 10 * size):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _pools_in(document: Mapping[str, Any]) -> int:
    resources = document["Statement"][0]["Resource"]
    return 1 if isinstance(resources, str) else len(resources)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _kms(action: str, secret: SecretRef) -> tuple[Permission, ...]:
    """Needed with a customer's key only; an alias tells neither the key nor its account."""
    return (Permission(action, secret.kms_key),) if secret.kms_key and secret.kms_key.startswith("arn:") else ()
