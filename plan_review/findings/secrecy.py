"""Where secrets live after the plan, and whether the plan itself (or Terraform's state) holds any in plaintext."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from plan_review.plan.addresses import HIDDEN_KEY, bare_address
from plan_review.plan.leaks import Leak, is_secret_name
from plan_review.plan.model import Change, Invocation, Phase, Plan
from plan_review.plan.values import Unknown, get, is_empty

#: Types that keep secrets, and in what.
_STORES: Mapping[str, str] = {
    "aws_secretsmanager_secret": "Secrets Manager",
    "aws_ssm_parameter": "SSM Parameter Store",
    "aws_kms_key": "KMS key (protects what is encrypted with it)",
    "aws_iam_access_key": "long-lived access key of an IAM user",
    "aws_key_pair": "public half of an SSH key",
}
#: Attributes that are only known after apply and then stand in Terraform's state in plaintext.
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
#: Terraform masks it on the screen.
_MARKED = "a sensitive value"
_INDEX = re.compile(r"\[[^\]]*\]")
_KNOWN = frozenset({*_STORES, *_IN_STATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainSecret:
    """A secret that the plan file holds in plaintext. The value itself is nowhere in the review."""

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
    """Look through everything that the plan's file holds, whatever happens to it."""
    found: dict[tuple[str, str], PlainSecret] = {}
    for change in (*plan.objects, *plan.outputs, *plan.drift, *plan.copies):
        for secret in _plain(change):
            found.setdefault((secret.address, secret.path), secret)
    for invocation in plan.invocations:
        for secret in _of_action(invocation):
            found.setdefault((secret.address, secret.path), secret)
    known = {_written_as(secret) for secret in found.values()}
    # A variable without a value has its default, which the configuration repeats.
    known |= {f"{leak.path}.default" for leak in plan.leaks}
    literals = [_literal(plan, leak) for leak in plan.leaks if leak.path not in known]
    managed = [c for c in plan.changes if c.managed and c.exists(Phase.AFTER) and c.type in _KNOWN]
    return Secrecy(
        tuple((c.label, _store(c)) for c in managed if c.type in _STORES and _keeps_secret(c)),
        (*found.values(), *dict.fromkeys(literals)),
        tuple((c.label, attribute) for c in managed for attribute in _state_attributes(c)),
    )


def _written_as(secret: PlainSecret) -> str:
    """Where a literal of the configuration stands that ends up in this place."""
    return f"{bare_address(secret.address)}.{_INDEX.sub('', secret.path)}"


def _literal(plan: Plan, leak: Leak) -> PlainSecret:
    return PlainSecret(
        plan=plan.label,
        address="input variable" if leak.path.startswith("var.") else "configuration",
        path=leak.path,
        why=leak.why,
        after=True,
        marked="sensitive" in leak.why,
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
    if HIDDEN_KEY in change.address:
        yield _secret(change, "its address", "a key that looks like a secret", after=change.exists(Phase.AFTER))
    sides = change.sides
    for path in sides.sensitive_after:
        yield _secret(change, path, _MARKED, after=True)
    for leak in sides.leaks_after:
        yield _secret(change, leak.path, leak.why, after=True)
    for path in sides.sensitive_before:
        yield _secret(change, path, _MARKED, after=False)
    for leak in sides.leaks_before:
        yield _secret(change, leak.path, leak.why, after=False)


def _of_action(invocation: Invocation) -> Iterator[PlainSecret]:
    for path in invocation.sensitive:
        yield _secret(invocation, path, _MARKED, after=True)
    for leak in invocation.leaks:
        yield _secret(invocation, leak.path, leak.why, after=True)


def _secret(holder: Change | Invocation, path: str, why: str, *, after: bool) -> PlainSecret:
    return PlainSecret(plan=holder.plan, address=holder.address, path=path, why=why, after=after, marked=why == _MARKED)


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
