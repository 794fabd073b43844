"""The plans, tried on a model of an account: any state, cut off anywhere, any number of times."""

from __future__ import annotations

import ast
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import iam
from adapter.arn import PoolArn
from iam import names
from iam.bootstrap import Wanted, plan_bootstrap
from iam.errors import RefusedError
from iam.keys import KeyState
from iam.names import Home
from iam.observe import Observed, PolicyState, UserState
from iam.plan import (
    CreateKey,
    CreateSecret,
    CreateUser,
    DeactivateKey,
    DeleteKey,
    Plan,
    PromoteKey,
    SecretRef,
    SetBoundary,
    Step,
    UpdatePolicy,
    VerifyKey,
    Wait,
    duration_text,
)
from iam.policy import policy_documents
from iam.revoke import plan_revoke
from iam.rotate import Keyring, plan_rotation
from iam.secret import CURRENT, PENDING, PREVIOUS, SecretState, version_id

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
POOL = PoolArn("aws", "eu-central-1", "123456789012", "eu-central-1_AbCdEfGhI")
HOME = Home("aws", "123456789012")
USER_ARN = HOME.user(names.DEFAULT_PATH, "reader")
SECRET_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:cognito-source/reader-AbCdEf"
RING = Keyring(
    user="reader",
    user_arn=USER_ARN,
    secret=SecretRef("cognito-source/reader", "eu-central-1", SECRET_ARN),
    pools=(POOL,),
)
OURS = {names.MANAGED_BY: names.BY_CLI}


class Account:
    """A user's keys and its secret's labels, behaving as AWS does. Breaking AWS's rules or ours fails the test."""

    def __init__(self, keys: dict[str, bool], labels: dict[str, str]) -> None:
        self.keys = dict(keys)
        self.labels = dict(labels)
        self.made = 0

    def working(self) -> bool:
        return self.keys.get(self.labels.get(CURRENT, ""), False)

    def look(self) -> Observed:
        states = {key: KeyState(key, active, NOW) for key, active in self.keys.items()}
        stages: dict[str, tuple[str, ...]] = {}
        for label, key in self.labels.items():
            stages[version_id(key)] = (*stages.get(version_id(key), ()), label)
        current, pending, previous = (states.get(self.labels.get(each, "")) for each in (CURRENT, PENDING, PREVIOUS))
        return Observed(
            user=UserState("reader", USER_ARN, names.DEFAULT_PATH, OURS, keys=tuple(states.values())),
            secret=SecretState(SECRET_ARN, "eu-central-1", stages, OURS, changed=NOW),
            current=current,
            pending=pending if pending != current else None,
            previous=previous if previous not in (current, pending) else None,
        )

    def do(self, step: Step) -> None:
        match step:
            case CreateKey():
                assert len(self.keys) < 2, "AWS refuses a third key"
                self.made += 1
                key = f"AKIANEW{self.made}"
                self.keys[key] = True
                self.labels[PENDING] = key
                self.labels.setdefault(CURRENT, key)
            case VerifyKey():
                assert self.keys.get(self.labels.get(step.stage, "")), f"the {step.stage} key can't work"
            case PromoteKey():
                if self.labels[CURRENT] != self.labels[PENDING]:
                    self.labels[PREVIOUS] = self.labels[CURRENT]
                    self.labels[CURRENT] = self.labels[PENDING]
            case DeactivateKey():
                self.keys[step.key_id] = False
            case DeleteKey():
                del self.keys[step.key_id]
            case _:
                assert isinstance(step, Wait)


@st.composite
def accounts(draw: Any) -> Account:
    keys = draw(st.dictionaries(st.sampled_from(["AKIA1", "AKIA2"]), st.booleans()))
    holders = st.sampled_from([*keys, "AKIAGONE1", "AKIAGONE2"])
    labels: dict[str, str] = draw(st.dictionaries(st.sampled_from([PENDING, PREVIOUS]), holders))
    # AWS lets no secret with a value be without AWSCURRENT, and no version be both current and previous.
    filled = draw(st.booleans())
    if labels or filled:
        labels[CURRENT] = draw(holders)
        if labels.get(PREVIOUS) == labels[CURRENT]:
            del labels[PREVIOUS]
    return Account(keys, labels)


def rotation(account: Account) -> Plan:
    return plan_rotation(RING, account.look(), NOW, grace_s=300, every_s=None)


@given(accounts(), st.lists(st.integers(0, 8), max_size=5))
def test_a_rotation_cut_off_anywhere_never_loses_the_working_key_and_ends_with_one(
    account: Account, cuts: list[int]
) -> None:
    had_one = account.working()
    for cut in [*cuts, None]:
        for step in rotation(account).steps[:cut]:
            account.do(step)
            had_one = had_one or account.working()
            assert account.working() == had_one, f"no working key after: {step.sentence}"
            assert len(account.keys) <= 2
    assert account.working()
    assert list(account.keys) == [account.labels[CURRENT]]


@given(accounts())
def test_what_a_rotation_leaves_needs_nothing_but_the_next_rotation(account: Account) -> None:
    for step in rotation(account).steps:
        account.do(step)
    again = plan_rotation(RING, account.look(), NOW, grace_s=300, every_s=86_400)
    assert again.steps == ()
    assert "nothing to do" in again.remarks[0]


@given(accounts(), st.integers(0, 8))
def test_bootstrap_carries_on_from_any_state_of_the_keys(account: Account, cut: int) -> None:
    wanted = Wanted(name="reader", pools=(POOL,), region="eu-central-1", secret_name="cognito-source/reader")
    had_one = account.working()
    for limit in (cut, None):
        found = account.look()
        tags = {**OURS, names.SECRET_TAG: "eu-central-1/cognito-source/reader"}
        policy = PolicyState(HOME.policy(names.DEFAULT_PATH, "reader-list-users"), "reader-list-users", {}, OURS)
        attached = {policy.arn: policy.name}
        assert found.user
        user = UserState("reader", USER_ARN, names.DEFAULT_PATH, tags, keys=found.user.keys, attached=attached)
        policy = PolicyState(policy.arn, policy.name, policy_documents([POOL])[0], OURS)
        states = Observed(user, (policy,), found.secret, found.current, found.pending, found.previous)
        for step in plan_bootstrap(wanted, states).steps[:limit]:
            account.do(step)
            had_one = had_one or account.working()
            assert account.working() == had_one
    assert account.working()


def test_the_grace_period_that_has_passed_already_is_not_waited_for_again() -> None:
    account = Account({"AKIA1": True, "AKIA2": True}, {CURRENT: "AKIA2", PREVIOUS: "AKIA1"})
    waits = [
        sum(step.seconds for step in plan.steps if isinstance(step, Wait))
        for minutes in (0, 3, 10)
        for plan in [
            plan_rotation(RING, account.look(), NOW + dt.timedelta(minutes=minutes), grace_s=300, every_s=None)
        ]
    ]
    assert waits == [300, 120, 0]


def test_the_due_date_is_told_and_kept() -> None:
    account = Account({"AKIA1": True}, {CURRENT: "AKIA1"})
    every = 90 * 86_400
    early = plan_rotation(RING, account.look(), NOW + dt.timedelta(days=89), grace_s=0, every_s=every)
    assert early.remarks == ("nothing to do: the key AKIA1 is due on 2027-02-21, in 1 d",)
    assert plan_rotation(RING, account.look(), NOW + dt.timedelta(days=90), grace_s=0, every_s=every).changes


def test_a_key_that_somebody_uses_elsewhere_is_named_and_kept() -> None:
    found = Account({"AKIA1": True, "AKIA2": True}, {CURRENT: "AKIA1"}).look()
    used = Observed(found.user, (), found.secret, found.current, used={"AKIA2": "2026-11-01 (s3, eu-central-1)"})
    with pytest.raises(RefusedError, match="AKIA2, which is not in the secret and was last used 2026-11-01"):
        plan_rotation(RING, used, NOW, grace_s=0, every_s=None)


def wanted(**more: object) -> Wanted:
    given_: dict[str, object] = {
        "name": "reader",
        "pools": (POOL,),
        "region": "eu-central-1",
        "secret_name": "cognito-source/reader",
    }
    return Wanted(**(given_ | more))  # type: ignore[arg-type] # each test gives values of the right types


def test_in_an_empty_account_everything_is_made_in_an_order_that_can_be_resumed() -> None:
    plan = plan_bootstrap(wanted(), Observed())
    kinds = [type(step).__name__ for step in plan.steps]
    assert kinds == [
        "CreatePolicy",
        "CreateUser",
        "AttachPolicy",
        "CreateSecret",
        "CreateKey",
        "VerifyKey",
        "PromoteKey",
    ]


def test_every_step_names_the_permission_that_it_takes() -> None:
    needs = plan_bootstrap(wanted(kms_key="arn:aws:kms:eu-central-1:123456789012:key/1"), Observed()).needs
    assert {each.action for each in needs} == {
        "secretsmanager:CreateSecret",
        "secretsmanager:TagResource",
        "iam:CreateUser",
        "iam:TagUser",
        "iam:CreatePolicy",
        "iam:TagPolicy",
        "iam:AttachUserPolicy",
        "iam:CreateAccessKey",
        "iam:DeleteAccessKey",
        "secretsmanager:PutSecretValue",
        "kms:GenerateDataKey",
        "secretsmanager:GetSecretValue",
        "kms:Decrypt",
        "secretsmanager:UpdateSecretVersionStage",
    }
    assert all(each.resource.startswith("arn:aws:") for each in needs)


def test_tags_of_the_caller_come_with_ours_on_all_that_is_made() -> None:
    plan = plan_bootstrap(wanted(tags={"team": "identity"}), Observed())
    made = [step for step in plan.steps if isinstance(step, CreateSecret | CreateUser)]
    assert len(made) == 2
    for step in made:
        assert step.tags["team"] == "identity"
        assert step.tags[names.MANAGED_BY] == names.BY_CLI


def test_a_boundary_that_the_user_lacks_is_set() -> None:
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    tags = {**OURS, names.SECRET_TAG: "eu-central-1/cognito-source/reader"}
    user = UserState("reader", USER_ARN, names.DEFAULT_PATH, tags)
    assert any(
        isinstance(step, SetBoundary) for step in plan_bootstrap(wanted(boundary=boundary), Observed(user)).steps
    )
    bound = UserState("reader", USER_ARN, names.DEFAULT_PATH, tags, boundary)
    assert not any(
        isinstance(step, SetBoundary) for step in plan_bootstrap(wanted(boundary=boundary), Observed(bound)).steps
    )


def test_the_oldest_version_of_a_full_policy_makes_room() -> None:
    arn = HOME.policy(names.DEFAULT_PATH, "reader-list-users")
    full = PolicyState(arn, "reader-list-users", {}, OURS, ("v1", "v2", "v3", "v4"))
    (update,) = [
        step for step in plan_bootstrap(wanted(), Observed(policies=(full,))).steps if isinstance(step, UpdatePolicy)
    ]
    assert update.drops == "v1"
    room = PolicyState(arn, "reader-list-users", {}, OURS, ("v1",))
    (update,) = [
        step for step in plan_bootstrap(wanted(), Observed(policies=(room,))).steps if isinstance(step, UpdatePolicy)
    ]
    assert update.drops is None


def test_everything_that_is_not_ours_is_named_in_one_refusal() -> None:
    foreign = {"team": "somebody"}
    found = Observed(
        UserState("reader", USER_ARN, "/", foreign),
        (PolicyState(HOME.policy("/", "reader-list-users"), "reader-list-users", {}, {"ManagedBy": "cdktf"}),),
        SecretState(SECRET_ARN, "eu-central-1", {}, foreign),
    )
    with pytest.raises(RefusedError) as caught:
        plan_bootstrap(wanted(), found)
    message = str(caught.value)
    assert "the user reader was not made by us" in message
    assert "the policy arn:aws:iam::123456789012:policy/reader-list-users is managed by a stack" in message
    assert f"the secret {SECRET_ARN} was not made by us" in message


def test_revoke_deletes_the_user_last() -> None:
    found = Account({"AKIA1": True, "AKIA2": False}, {CURRENT: "AKIA1"}).look()
    plan = plan_revoke(found, "cognito-source/reader", recovery_days=7)
    assert [type(step).__name__ for step in plan.steps] == [
        "DeactivateKey",
        "DeleteKey",
        "DeleteKey",
        "DeleteSecret",
        "DeleteUser",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (90, "90 s"), (3_600, "1 h"), (86_400, "1 d"), (7_776_000, "90 d")],
)
def test_durations_are_told_in_words(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_the_plans_import_no_boto3_and_read_no_clock_and_no_environment() -> None:
    folder = Path(iam.__file__).parent
    plans = ("policy", "plan", "updates", "bootstrap", "rotate", "revoke")
    for module in (*plans, "names", "errors", "denial", "credentials"):
        tree = ast.parse((folder / f"{module}.py").read_text(encoding="utf-8"))
        found = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        found |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert not found & {"boto3", "botocore", "os", "time", "cdktf", "click", "random", "secrets"}, module


def test_no_module_holds_a_partition_an_account_or_a_region() -> None:
    for path in Path(iam.__file__).parent.glob("*.py"):
        code = path.read_text(encoding="utf-8")
        assert not [each for each in ("arn:aws:", "eu-central-1", "us-east-1", "123456789012") if each in code], path
