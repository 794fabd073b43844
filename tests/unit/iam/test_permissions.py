"""Asking IAM beforehand whether the caller may do it, and what the errors of calls say."""

from __future__ import annotations

from typing import Any

import pytest

from iam.aws import AccessKey, Aws
from iam.errors import AwsError, RefusedError
from iam.permissions import check
from iam.plan import Permission

USER = "arn:aws:iam::123456789012:user/me"
NEEDS = (
    Permission("iam:CreateUser", "arn:aws:iam::123456789012:user/x"),
    Permission("iam:TagUser", "arn:aws:iam::123456789012:user/x"),
    Permission("secretsmanager:CreateSecret", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:x-??????"),
)


class Simulator:
    """IAM's policy simulation for one caller, a page of one result at a time."""

    def __init__(self, caller: str, denied: set[str], unknown: set[str] | None = None, role: str = "") -> None:
        self.caller = caller
        self.denied = denied
        self.unknown = unknown or set()
        self.role = role
        self.asked: list[str] = []

    def call(self, action: str, resource: str, /, region: str | None = None, **parameters: Any) -> dict[str, Any]:
        if action == "sts:GetCallerIdentity":
            return {"Arn": self.caller}
        if action == "iam:GetRole":
            if not self.role:
                raise AwsError(action, resource, "AccessDenied")
            return {"Role": {"Arn": self.role}}
        if not self.caller:
            raise AwsError(action, resource, "AccessDenied")
        self.asked.append(parameters["PolicySourceArn"])
        start = int(parameters.get("Marker", 0))
        names: list[str] = parameters["ActionNames"]
        name = names[start]
        decision = "implicitDeny" if name in self.denied | self.unknown else "allowed"
        result = {"EvalActionName": name, "EvalDecision": decision, "MissingContextValues": []}
        if name in self.unknown:
            result["MissingContextValues"] = ["aws:RequestTag/team"]
        more = start + 1 < len(names)
        return {"EvaluationResults": [result], "IsTruncated": more, "Marker": str(start + 1)}

    def signed_by(self, key: AccessKey) -> Aws:
        raise NotImplementedError


def test_a_caller_with_every_permission_passes() -> None:
    simulator = Simulator(USER, set())
    assert check(simulator, NEEDS) == ""
    assert set(simulator.asked) == {USER}


def test_every_missing_permission_is_named_with_its_resource() -> None:
    with pytest.raises(RefusedError) as caught:
        check(Simulator(USER, {"iam:TagUser", "secretsmanager:CreateSecret"}), NEEDS)
    assert str(caught.value) == (
        f"{USER} lacks permissions; nothing was changed. Missing:\n"
        "  iam:TagUser on arn:aws:iam::123456789012:user/x\n"
        "  secretsmanager:CreateSecret on arn:aws:secretsmanager:eu-central-1:123456789012:secret:x-??????"
    )


def test_a_denial_that_hangs_on_an_unknown_condition_is_not_certain() -> None:
    note = check(Simulator(USER, set(), unknown={"iam:CreateUser"}), NEEDS)
    assert note.startswith("IAM's simulation denies these")
    assert note.endswith("\n  iam:CreateUser on arn:aws:iam::123456789012:user/x")


def test_what_is_certain_and_what_is_not_are_told_apart() -> None:
    with pytest.raises(RefusedError) as caught:
        check(Simulator(USER, {"iam:TagUser"}, unknown={"iam:CreateUser"}), NEEDS)
    certain, perhaps = str(caught.value).split("\nPerhaps missing, too:\n")
    assert "iam:TagUser" in certain
    assert "iam:CreateUser" not in certain
    assert "iam:CreateUser" in perhaps


def test_the_role_behind_a_session_is_asked_about_with_its_path() -> None:
    session = "arn:aws-cn:sts::123456789012:assumed-role/Deployer/someone"
    simulator = Simulator(session, set(), role="arn:aws-cn:iam::123456789012:role/teams/Deployer")
    assert check(simulator, NEEDS) == ""
    assert set(simulator.asked) == {"arn:aws-cn:iam::123456789012:role/teams/Deployer"}


def test_a_role_that_can_not_be_looked_up_is_taken_to_have_no_path() -> None:
    simulator = Simulator("arn:aws:sts::123456789012:assumed-role/Deployer/someone", set())
    check(simulator, NEEDS)
    assert set(simulator.asked) == {"arn:aws:iam::123456789012:role/Deployer"}


def test_the_account_s_root_is_not_asked_about() -> None:
    simulator = Simulator("arn:aws:iam::123456789012:root", {"iam:CreateUser"})
    assert check(simulator, NEEDS) == ""
    assert simulator.asked == []


def test_a_caller_who_may_not_ask_is_told_so_and_goes_on() -> None:
    class Silent(Simulator):
        def call(self, action: str, resource: str, /, region: str | None = None, **parameters: Any) -> dict[str, Any]:
            if action == "iam:SimulatePrincipalPolicy":
                raise AwsError(action, resource, "AccessDenied")
            return super().call(action, resource, region, **parameters)

    assert check(Silent(USER, set()), NEEDS) == (
        "permissions could not be checked beforehand (iam:SimulatePrincipalPolicy: AccessDenied)"
    )


def test_nothing_to_do_needs_no_permission() -> None:
    assert check(Simulator("", set()), ()) == ""


def test_a_denied_call_says_what_to_grant() -> None:
    error = AwsError("iam:CreateUser", "arn:aws:iam::123456789012:user/x", "AccessDenied", "long sentence of AWS")
    assert str(error) == (
        "not permitted: iam:CreateUser on arn:aws:iam::123456789012:user/x (AWS: long sentence of AWS);"
        " grant it to the caller and run the command again"
    )


def test_another_failure_says_what_aws_said() -> None:
    error = AwsError("iam:CreateUser", "user/x", "LimitExceeded", "Cannot exceed quota for UsersPerAccount: 5000")
    assert str(error) == (
        "iam:CreateUser on user/x failed with LimitExceeded: Cannot exceed quota for UsersPerAccount: 5000"
    )


def test_a_key_never_shows_its_secret_half() -> None:
    assert "hidden" not in repr(AccessKey("AKIA1", "hidden"))
    assert "hidden" not in f"{AccessKey('AKIA1', 'hidden')}"
