"""The plan of `bootstrap`: from what is wanted and what is there to the steps in between. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapter.arn import PoolArn
from iam import names
from iam.errors import RefusedError
from iam.names import BY_CLI, BY_STACK, Home
from iam.observe import Observed, PolicyState, UserState
from iam.plan import (
    AttachPolicy,
    CreatePolicy,
    CreateSecret,
    CreateUser,
    DeletePolicy,
    DetachPolicy,
    Plan,
    RestoreSecret,
    SecretRef,
    SetBoundary,
    Step,
    UpdatePolicy,
)
from iam.policy import policy_documents
from iam.rotate import Keyring, first_key
from iam.secret import SecretState
from iam.updates import SetKmsKey, SetTags, is_same_kms_key, lacking

#: Versions that a managed policy may have: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
POLICY_VERSIONS = 5
DESCRIPTION = "Access key of a cognito-source: cognito-idp:ListUsers and nothing else"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What `bootstrap` is asked for. `region` is the secret's. `path` None: as it is, or our default."""

    name: str
    pools: tuple[PoolArn, ...]
    region: str
    secret_name: str
    path: str | None = None
    boundary: str | None = None
    kms_key: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    verify_wait_s: float = 120.0

    @property
    def home(self) -> Home:
        """The account of the pools."""
        return Home(self.pools[0].partition, self.pools[0].account)

    def user_path(self, user: UserState | None) -> str:
        """The path that the user and its policies go under."""
        return self.path or (user.path if user else names.DEFAULT_PATH)


def plan_bootstrap(wanted: Wanted, found: Observed) -> Plan:
    """The steps that are missing; none that changes anything when all is there already.

    Raises:
        RefusedError: something of these names exists and is not ours; all such things are named.
        PolicyError: the pools don't fit into the policies of one user.
    """
    _refuse_foreign(wanted, found)
    ref = secret_ref(wanted.home, wanted.secret_name, wanted.region, found.secret, wanted.kms_key)
    path = wanted.user_path(found.user)
    user_arn = wanted.home.user(path, wanted.name)
    # The policy first: it is found by its name under any path, and the user's tag tells the secret. So whatever a run
    # that is cut off leaves, `status` and `revoke` see it.
    policies = _policy_steps(wanted, found, path, user_arn)
    steps: list[Step] = [*policies.write]
    if found.user is None:
        tags = _tags(wanted) | {names.SECRET_TAG: names.secret_tag(wanted.region, wanted.secret_name)}
        steps.append(CreateUser(arn=user_arn, path=path, name=wanted.name, boundary=wanted.boundary, tags=tags))
    elif wanted.boundary and found.user.boundary != wanted.boundary:
        steps.append(SetBoundary(user_arn=user_arn, user=wanted.name, boundary=wanted.boundary))
    steps += [*policies.attach, *policies.remove]
    steps += _secret_steps(wanted, found.secret, ref)
    steps += _tag_steps(wanted, found)
    keyring = Keyring(user=wanted.name, user_arn=user_arn, secret=ref, pools=wanted.pools, wait_s=wanted.verify_wait_s)
    steps += first_key(keyring, found)
    return Plan(tuple(steps))


def secret_ref(home: Home, name: str, region: str, state: SecretState | None, kms_key: str | None = None) -> SecretRef:
    """A secret by its name, with its true ARN when it exists."""
    if state is None:
        return SecretRef(name, region, home.secret(region, name), kms_key)
    return SecretRef(name, state.region, state.arn, state.kms_key)


def _secret_steps(wanted: Wanted, state: SecretState | None, ref: SecretRef) -> list[Step]:
    if state is None:
        return [CreateSecret(secret=ref, description=DESCRIPTION, tags=_tags(wanted))]
    steps: list[Step] = [RestoreSecret(secret=ref)] if state.deleted else []
    if wanted.kms_key and not is_same_kms_key(wanted.kms_key, state.kms_key):
        steps.append(SetKmsKey(secret=ref, kms_key=wanted.kms_key))
    return steps


def _tag_steps(wanted: Wanted, found: Observed) -> list[Step]:
    """The tags that are asked for, on all that is there already; what is made is made with them."""
    things = [(f"the policy {each.name}", "iam:TagPolicy", each.arn, each.tags, "") for each in found.policies]
    if found.user:
        things.append((f"the user {wanted.name}", "iam:TagUser", found.user.arn, found.user.tags, ""))
    if found.secret:
        state = found.secret
        name = f"the secret {wanted.secret_name}"
        things.append((name, "secretsmanager:TagResource", state.arn, state.tags, state.region))
    return [
        SetTags(action=action, what=what, arn=arn, tags=tags, region=region or None)
        for what, action, arn, there, region in things
        if (tags := lacking(wanted.tags, there))
    ]


@dataclass(frozen=True, slots=True)
class _PolicySteps:
    """What makes the policies, what gives them to the user, and what takes away those that are too many."""

    write: list[Step] = field(default_factory=list)
    attach: list[Step] = field(default_factory=list)
    remove: list[Step] = field(default_factory=list)


def _policy_steps(wanted: Wanted, found: Observed, path: str, user_arn: str) -> _PolicySteps:
    steps = _PolicySteps()
    existing = {policy.name: policy for policy in found.policies}
    attached = found.user.attached if found.user else {}
    for number, document in enumerate(policy_documents(wanted.pools), start=1):
        name = names.policy_name(wanted.name, number)
        there = existing.pop(name, None)
        arn = there.arn if there else wanted.home.policy(path, name)
        if there is None:
            steps.write.append(CreatePolicy(arn=arn, path=path, name=name, document=document, tags=_tags(wanted)))
        elif there.document != document:
            drops = there.spare[0] if len(there.spare) >= POLICY_VERSIONS - 1 else None
            steps.write.append(UpdatePolicy(arn=arn, document=document, drops=drops))
        if arn not in attached:
            steps.attach.append(AttachPolicy(user_arn=user_arn, user=wanted.name, policy_arn=arn))
    # From the last one on: what a cut-off run leaves is then still found, because no number is missing before it.
    for surplus in reversed(existing.values()):
        steps.remove.extend(remove_policy(surplus, user_arn, wanted.name, attached))
    return steps


def remove_policy(policy: PolicyState, user_arn: str, user: str, attached: Mapping[str, str]) -> list[Step]:
    """The steps that take a policy of ours away."""
    detach: list[Step] = []
    if policy.arn in attached:
        detach.append(DetachPolicy(user_arn=user_arn, user=user, policy_arn=policy.arn))
    return [*detach, DeletePolicy(arn=policy.arn, versions=policy.spare)]


def _refuse_foreign(wanted: Wanted, found: Observed) -> None:
    problems = [problem for what, tags in _existing(found) if (problem := foreign(what, tags)) is not None]
    user = found.user
    if user and names.managed_by(user.tags) == BY_CLI:
        recorded = user.tags.get(names.SECRET_TAG, "")
        asked = names.secret_tag(wanted.region, wanted.secret_name)
        if recorded != asked:
            problems.append(f"the user {user.name} keeps its key in {recorded or 'no secret'}, not in {asked}")
        if wanted.path and wanted.path != user.path:
            problems.append(f"the user {user.name} is under {user.path}, not under {wanted.path}")
    if problems:
        raise RefusedError("; ".join(problems))


def _existing(found: Observed) -> list[tuple[str, Mapping[str, str]]]:
    things: list[tuple[str, Mapping[str, str]]] = []
    if found.user:
        things.append((f"the user {found.user.name}", found.user.tags))
    things += [(f"the policy {policy.arn}", policy.tags) for policy in found.policies]
    if found.secret:
        things.append((f"the secret {found.secret.arn}", found.secret.tags))
    return things


def foreign(what: str, tags: Mapping[str, str]) -> str | None:
    """Why we keep our hands off something; None when we made it ourselves."""
    owner = names.managed_by(tags)
    if owner == BY_CLI:
        return None
    if owner == BY_STACK:
        return f"{what} is managed by a stack: change the manifest and deploy it instead"
    return f"{what} was not made by us (no tag {names.MANAGED_BY}={BY_CLI}); choose another name"


def _tags(wanted: Wanted) -> dict[str, str]:
    return {**wanted.tags, names.MANAGED_BY: BY_CLI}
