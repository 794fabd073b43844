"""Where secrets live after the plan, and whether the plan itself (or Terraform's state) holds any in clear."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from plan_review.plan.leaks import is_secret_name
from plan_review.plan.model import Action, Change, Phase, Plan
from plan_review.plan.values import Unknown, get, is_empty

#: Types that keep secrets, and in what.
_STORES: Mapping[str, str] = {
    "aws_secretsmanager_secret": "Secrets Manager",
    "aws_ssm_parameter": "SSM Parameter Store",
    "aws_kms_key": "KMS key (protects what is encrypted with it)",
    "aws_iam_access_key": "long-lived access key of an IAM user",
    "aws_key_pair": "public half of an SSH key",
}
#: Attributes that are only known after apply and then stand in Terraform's state in clear.
_IN_STATE: Mapping[str, tuple[str, ...]] = {
    "aws_iam_access_key": ("secret", "ses_smtp_password_v4"),
    "aws_secretsmanager_secret_version": ("secret_string", "secret_binary"),
    "aws_ssm_parameter": ("value",),
    "random_password": ("result",),
    "tls_private_key": ("private_key_pem",),
    "aws_iam_user_login_profile": ("password",),
    "aws_db_instance": ("password",),
    "aws_rds_cluster": ("master_password",),
    "aws_cognito_user_pool_client": ("client_secret",),
}
_KNOWN = frozenset({*_STORES, *_IN_STATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainSecret:
    """A secret that the plan file holds in clear. The value itself is nowhere in the review."""

    plan: str
    address: str
    path: str
    why: str
    #: It is still there after apply (False: the plan removes it).
    after: bool
    #: Terraform masks it on the screen; the file holds it all the same.
    marked: bool


@dataclass(frozen=True, slots=True)
class Secrecy:
    """The secrets' part of a review."""

    #: "aws_secretsmanager_secret.key: Secrets Manager, encrypted with ...".
    stores: tuple[tuple[str, str], ...]
    plain: tuple[PlainSecret, ...]
    #: Addresses whose secret Terraform writes into its state.
    in_state: tuple[tuple[str, str], ...]


def secrecy(plan: Plan) -> Secrecy:
    """Look through everything that the plan holds."""
    everything = (*plan.changes, *plan.deferred, *plan.outputs)
    plain = [p for change in everything for p in _plain(change)]
    plain += [p for change in plan.drift for p in _plain(change) if not p.marked]
    plain += [
        PlainSecret(
            plan=plan.label,
            address="configuration" if not leak.path.startswith("var.") else "input variable",
            path=leak.path,
            why=leak.why,
            after=True,
            marked="sensitive" in leak.why,
        )
        for leak in plan.leaks
    ]
    managed = [c for c in plan.changes if c.managed and c.exists(Phase.AFTER) and c.type in _KNOWN]
    return Secrecy(
        tuple((c.label, _store(c)) for c in managed if c.type in _STORES and _keeps_secret(c)),
        tuple(dict.fromkeys(plain)),
        tuple((c.label, attribute) for c in managed for attribute in _state_attributes(c)),
    )


def _keeps_secret(change: Change) -> bool:
    return change.type != "aws_ssm_parameter" or get(change.after, "type") == "SecureString"


def _store(change: Change) -> str:
    kind = _STORES[change.type]
    if change.type == "aws_secretsmanager_secret":
        key = get(change.after, "kms_key_id")
        encrypted = "a customer key" if isinstance(key, Unknown) or key else "AWS's own key"
        return f"{kind}, encrypted with {encrypted}"
    return kind


def _plain(change: Change) -> Iterator[PlainSecret]:
    for path in change.sides.sensitive_known:
        if change.action is not Action.NOOP and _worth_telling(change, path):
            yield PlainSecret(
                plan=change.plan,
                address=change.address,
                path=path,
                why="a sensitive value",
                after=True,
                marked=True,
            )
    left = {leak.path for leak in change.sides.leaks_after}
    for leak in change.sides.leaks_after:
        yield _found(change, leak.path, leak.why, after=True)
    for leak in change.sides.leaks_before:
        if leak.path not in left:
            yield _found(change, leak.path, leak.why, after=False)


def _found(change: Change, path: str, why: str, *, after: bool) -> PlainSecret:
    return PlainSecret(plan=change.plan, address=change.address, path=path, why=why, after=after, marked=False)


def _worth_telling(change: Change, path: str) -> bool:
    """An empty map that is marked sensitive as a whole holds nothing."""
    value = get(change.after, *(path.split(".")[:1]))
    return not is_empty(value)


def _state_attributes(change: Change) -> Iterator[str]:
    for attribute in _IN_STATE.get(change.type, ()):
        value = get(change.after, attribute)
        if change.type == "aws_ssm_parameter" and not _keeps_secret(change):
            continue
        if change.type == "aws_iam_access_key" and not is_empty(get(change.after, "pgp_key")):
            continue
        if not is_empty(value) and (isinstance(value, Unknown) or is_secret_name(attribute) or attribute == "value"):
            yield attribute
            return
