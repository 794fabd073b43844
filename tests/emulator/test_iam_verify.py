"""`python -m iam verify`, `status` and `revoke`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.emulator.iam_world import NAME, CallFault, IamWorld, world

__all__ = ["world"]


@pytest.fixture
def user(world: IamWorld) -> IamWorld:
    world.bootstrap()
    return world


def checks(world: IamWorld, *more: str, ok: bool = True) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(world.run("verify", NAME, "--output", "json", *more, ok=ok).stdout)
    return found


def wrong(found: list[dict[str, Any]]) -> list[str]:
    return [each["what"] for each in found if not each["ok"]]


def allow(world: IamWorld, action: str, resource: str = "*") -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}
    world.client("iam").put_user_policy(UserName=NAME, PolicyName="more", PolicyDocument=json.dumps(document))


def test_a_fresh_key_can_do_the_one_thing_and_nothing_else(user: IamWorld) -> None:
    found = checks(user)
    assert wrong(found) == []
    assert {(each["what"], each["found"]) for each in found} >= {
        ("cognito-idp:ListUsers", "allowed"),
        ("cognito-idp:ListUsers", "denied"),
        ("cognito-idp:DescribeUserPool", "denied"),
        ("cognito-idp:AdminGetUser", "denied"),
        ("iam:GetUser", "denied"),
    }
    (sts,) = [each for each in found if each["what"] == "sts:GetCallerIdentity"]
    assert sts["expected"] == "allowed (AWS allows it to everyone)"


def test_verify_changes_nothing(user: IamWorld) -> None:
    before = user.snapshot()
    user.run("verify", NAME)
    assert user.snapshot() == before
    assert not [action for action, _ in user.calls if action.split(":")[1].startswith(("Create", "Put", "Delete"))]


def test_the_table_is_for_people(user: IamWorld) -> None:
    table = user.run("verify", NAME).stdout
    assert "ok  cognito-idp:ListUsers" in table
    assert max(len(line) for line in table.splitlines()) < 240


@pytest.mark.parametrize("action", ["cognito-idp:*", "cognito-idp:DescribeUserPool", "iam:GetUser"])
def test_a_key_that_may_do_more_is_found_out(user: IamWorld, action: str) -> None:
    allow(user, action)
    done = user.run("verify", NAME, ok=False)
    assert done.exit_code == 1
    assert "WRONG" in done.stdout
    found = wrong(checks(user, ok=False))
    assert "policies and groups that we did not make" in found
    assert len(found) >= 2


def test_a_key_that_may_list_every_pool_is_found_out(user: IamWorld) -> None:
    allow(user, "cognito-idp:ListUsers")
    (other,) = [each for each in checks(user, ok=False) if each["what"] == "cognito-idp:ListUsers" and not each["ok"]]
    assert (other["expected"], other["found"]) == ("denied", "allowed")


def test_a_key_that_may_do_too_little_is_found_out(user: IamWorld) -> None:
    arn = user.client("iam").list_attached_user_policies(UserName=NAME)["AttachedPolicies"][0]["PolicyArn"]
    user.client("iam").detach_user_policy(UserName=NAME, PolicyArn=arn)
    found = checks(user, "--pool", user.pool, ok=False)
    assert wrong(found) == ["cognito-idp:ListUsers", "IAM's simulation of every cognito-idp action"]
    assert {each["found"] for each in found if not each["ok"]} == {"denied", "none"}


def test_an_inactive_key_is_found_out(user: IamWorld) -> None:
    key = user.secret()
    user.client("iam").update_access_key(UserName=NAME, AccessKeyId=key.key_id, Status="Inactive")
    found = checks(user, ok=False)
    assert "key refused: UnrecognizedClientException" in {each["found"] for each in found}
    (row,) = [each for each in found if each["what"] == "key"]
    assert row["found"].startswith("inactive, AWSCURRENT")
    assert not row["ok"]


def test_a_second_key_outside_the_secret_is_found_out(user: IamWorld) -> None:
    made = user.client("iam").create_access_key(UserName=NAME)["AccessKey"]["AccessKeyId"]
    rows = {each["resource"]: each for each in checks(user, ok=False) if each["what"] == "key"}
    assert not rows[made]["ok"]
    assert "in no version of the secret" in rows[made]["found"]


def test_a_foreign_policy_and_a_group_are_found_out(user: IamWorld) -> None:
    iam = user.client("iam")
    iam.create_group(GroupName="admins")
    iam.add_user_to_group(GroupName="admins", UserName=NAME)
    (row,) = [each for each in checks(user, ok=False) if each["what"].startswith("policies and groups")]
    assert row["found"] == "group admins"


SIMULATED = "IAM's simulation of every cognito-idp action"
GRANTS = "policies and groups that we did not make"


def test_a_no_of_the_organization_s_policies_in_the_simulation_is_not_known(user: IamWorld) -> None:
    user.organization_denies("*", {"StringNotEquals": {"aws:RequestedRegion": "eu-central-1"}})
    done = user.run("verify", NAME, "--output", "json")
    (row,) = [each for each in json.loads(done.stdout) if not each["known"]]
    assert row["what"] == SIMULATED
    assert row["found"].startswith("not known: ")
    assert "note: 1 of " in done.stderr
    (line,) = [line for line in user.run("verify", NAME).stdout.splitlines() if SIMULATED in line]
    assert line.startswith("?")


def test_what_the_simulation_allows_too_much_is_wrong_whatever_the_organization_says(user: IamWorld) -> None:
    user.organization_denies("cognito-idp:List*", {"Bool": {"aws:SecureTransport": "false"}})
    allow(user, "cognito-idp:DescribeRiskConfiguration")
    assert SIMULATED in wrong(checks(user, ok=False))


@pytest.mark.parametrize(
    ("action", "what"),
    [
        ("iam:SimulatePrincipalPolicy", SIMULATED),
        ("iam:ListUserPolicies", GRANTS),
        ("iam:ListGroupsForUser", GRANTS),
        ("iam:GetAccessKeyLastUsed", None),
    ],
)
def test_what_may_not_be_looked_at_is_said_and_stops_no_other_check(
    user: IamWorld, action: str, what: str | None
) -> None:
    user.run("verify", NAME)
    user.fault = CallFault([name for name, _ in user.calls].index(action), "AccessDenied")
    found = checks(user)
    assert [each["what"] for each in found if not each["known"]] == ([what] if what else [])
    assert any(f"{action}: AccessDenied" in each["found"] for each in found)


def test_a_secret_with_something_else_in_it_is_one_line(user: IamWorld) -> None:
    user.client("secretsmanager").put_secret_value(SecretId=f"cognito-source/{NAME}", SecretString="hello")
    done = user.run("verify", NAME, ok=False)
    assert done.exit_code == 1
    assert "is not a JSON object with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in done.stderr
    assert "hello" not in done.output


def test_a_user_that_does_not_exist_is_one_line(world: IamWorld) -> None:
    for command in ("verify", "rotate"):
        done = world.run(command, "nobody", ok=False)
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr.startswith("error: there is no IAM user nobody")


def test_the_policy_command_prints_json_and_calls_nothing(world: IamWorld) -> None:
    done = world.run("policy", world.pool)
    assert world.calls == []
    assert done.stderr == ""
    assert json.loads(done.stdout)["Statement"][0]["Resource"] == world.pool


def test_the_policy_of_hundreds_of_pools_is_a_list(world: IamWorld) -> None:
    arns = [f"arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_{n:09}" for n in range(200)]
    documents = json.loads(world.run("policy", *arns).stdout)
    assert sum(len(each["Statement"][0]["Resource"]) for each in documents) == 200
