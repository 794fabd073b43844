"""The steps that bring what is there already up to what is asked for: its tags, and the KMS key of its secret. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from iam.plan import Permission, SecretRef, Step


@dataclass(frozen=True, kw_only=True)
class SetTags(Step):
    """Tags for a user, a policy or a secret: those that it lacks or has with another value, and no others."""

    #: What tags this kind of thing, as `service:Operation`.
    action: str
    what: str
    arn: str
    tags: Mapping[str, str]
    region: str | None = None

    def _sentence(self) -> str:
        return f"tag {self.what}: {', '.join(f'{key}={value}' for key, value in sorted(self.tags.items()))}"

    def _needs(self) -> tuple[Permission, ...]:
        return (Permission(self.action, self.arn),)


@dataclass(frozen=True, kw_only=True)
class SetKmsKey(Step):
    """Another KMS key for a secret; AWS encrypts the labelled versions with it again.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_update-encryption-key.html
    """

    secret: SecretRef
    kms_key: str

    def _sentence(self) -> str:
        return (
            f"encrypt the secret {self.secret.name} with {self.kms_key};"
            " whoever reads it needs kms:Decrypt on that key from then on"
        )

    def _needs(self) -> tuple[Permission, ...]:
        actions = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey") if self.kms_key.startswith("arn:") else ()
        return (
            Permission("secretsmanager:UpdateSecret", self.secret.arn),
            *(Permission(action, self.kms_key) for action in actions),
        )


def lacking(asked: Mapping[str, str], there: Mapping[str, str]) -> dict[str, str]:
    """The tags that are not there, or with another value."""
    return {key: value for key, value in asked.items() if there.get(key) != value}


def is_same_kms_key(asked: str, there: str | None) -> bool:
    """Whether two names are the same key's, as far as names tell: an alias and an id can't be compared.

    Secrets Manager shows no key for a secret that AWS's own key encrypts.
    """
    return _bare(asked) == _bare(there or "alias/aws/secretsmanager")


def _bare(name: str) -> str:
    """`alias/NAME` or the key's id, out of an ARN or as it is."""
    resource = name.split(":", 5)[-1] if name.startswith("arn:") else name
    return resource.removeprefix("key/")
