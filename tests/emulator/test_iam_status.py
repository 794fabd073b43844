"""`python -m iam status` and `revoke`: what is seen, whatever of it can't be read, and what is left behind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iam.errors import AwsError
from tests.emulator.iam_world import NAME, IamWorld, world

__all__ = ["world"]
SECRET = f"cognito-source/{NAME}"


@pytest.fixture
def user(world: IamWorld) -> IamWorld:
    world.bootstrap()
    return world


def rows(world: IamWorld, *more: str, ok: bool = True) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(world.run("status", "--output", "json", *more, ok=ok).stdout)
    return found


def allow(world: IamWorld, action: str) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}
    world.client("iam").put_user_policy(UserName=NAME, PolicyName="more", PolicyDocument=json.dumps(document))


def schedule_deletion(world: IamWorld) -> None:
    world.client("secretsmanager").delete_secret(SecretId=SECRET, RecoveryWindowInDays=7)


def by_hand(world: IamWorld) -> None:
    """The key in the secret as somebody writes it there by hand: a version that is not ours."""
    key = world.secret()
    value = {"AWS_ACCESS_KEY_ID": key.key_id, "AWS_SECRET_ACCESS_KEY": key.secret}
    world.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=json.dumps(value))


def test_status_shows_every_user_that_we_made_and_no_other(user: IamWorld) -> None:
    other = user.aws.create_pool("other", "us-west-2")
    user.run("bootstrap", other, "--name", "second", "--path", "/elsewhere/")
    user.client("iam").create_user(UserName="stranger", Path="/cognito-source/")
    user.client("iam").create_user(UserName="third")
    rows = json.loads(user.run("status", "--output", "json").stdout)
    assert [(row["user"].rpartition("/")[2], row["pools"]) for row in rows] == [
        (NAME, [user.pool]),
        ("second", [other]),
    ]
    key = user.secret()
    assert [(each["key_id"], each["place"], each["active"]) for each in rows[0]["keys"]] == [
        (key.key_id, "AWSCURRENT", True)
    ]
    screen = user.run("status").stdout
    assert key.key_id in screen
    assert "rotate by" in screen
    assert key.secret not in screen


def test_status_of_an_account_without_our_users_says_so(world: IamWorld) -> None:
    assert world.run("status").stdout == "no user of this tool in the account\n"
    assert world.run("status", "--output", "json").stdout == "[]\n"


def test_revoke_removes_everything_that_bootstrap_made(world: IamWorld) -> None:
    before = world.snapshot()
    world.bootstrap()
    key = world.secret()
    world.run("revoke", NAME, "--yes")
    after = world.snapshot()
    assert after["users"] == before["users"] == {}
    assert after["policies"] == []
    assert not world.works(key)
    deleted = world.client("secretsmanager").describe_secret(SecretId=f"cognito-source/{NAME}")
    assert deleted["DeletedDate"] is not None


def test_revoke_asks_first_and_no_means_no(user: IamWorld) -> None:
    before = user.snapshot()
    done = user.run("revoke", NAME, ok=False, text="n\n")
    assert done.exit_code == 1
    assert "Do this? [y/N]" in done.stderr
    assert user.snapshot() == before
    user.run("revoke", NAME, text="y\n")
    assert user.snapshot()["users"] == {}


def test_a_dry_run_of_revoke_changes_nothing(user: IamWorld) -> None:
    before = user.snapshot()
    assert "delete the IAM user" in user.run("revoke", NAME, "--dry-run").stdout
    assert user.snapshot() == before


@pytest.mark.parametrize("tags", [[], [{"Key": "ManagedBy", "Value": "cdktf"}]])
def test_revoke_refuses_what_bootstrap_did_not_make(world: IamWorld, tags: list[dict[str, str]]) -> None:
    world.client("iam").create_user(UserName=NAME, Tags=tags)
    before = world.snapshot()
    done = world.run("revoke", NAME, "--yes", ok=False)
    assert done.exit_code == 2
    assert world.snapshot() == before


def test_revoke_refuses_a_user_that_was_given_more(user: IamWorld) -> None:
    allow(user, "s3:ListBucket")
    before = user.snapshot()
    done = user.run("revoke", NAME, "--yes", ok=False)
    assert done.exit_code == 2
    assert "the user has more than we gave it (inline policy more)" in done.stderr
    assert user.snapshot() == before


def test_revoke_again_ends_well_and_says_what_it_looked_for(user: IamWorld) -> None:
    user.run("revoke", NAME, "--yes")
    before = user.snapshot()
    for arguments in ([NAME, "--yes"], ["--yes"], [NAME]):
        again = user.run("revoke", *arguments)
        assert "nothing to do: there is no" in again.stderr
    assert json.loads(user.run("revoke", NAME, "--output", "json").stdout) == {"user": None, "changes": []}
    assert user.snapshot() == before


@pytest.mark.parametrize("path", [None, "/elsewhere/"])
def test_a_bootstrap_that_stops_after_any_step_is_seen_and_revoked_or_finished(
    world: IamWorld, path: str | None
) -> None:
    more = ["--path", path] if path else []
    world.bootstrap(*more)
    changes = [number for number, (action, _) in enumerate(world.calls) if "Simulate" not in action][1:]
    for stop in changes:
        for ending in ("revoke", "bootstrap"):
            world.start_again()
            stopped = stops_before(world, stop, *more)
            if not stopped:
                continue
            left = world.snapshot()
            if left["users"] or left["policies"] or left["secrets"]:
                assert [row["user"].rpartition("/")[2] for row in rows(world)] == [NAME], stopped
            if ending == "revoke":
                world.run("revoke", NAME, "--yes")
                assert world.snapshot()["users"] == {}, stopped
                assert world.snapshot()["policies"] == [], stopped
                assert rows(world) == []
                world.run("revoke", NAME, "--yes")
            else:
                world.bootstrap(*more)
                assert world.works(world.secret()), stopped


def stops_before(world: IamWorld, number: int, *more: str) -> str:
    """A bootstrap that is killed right before a call that changes something; which one, empty when it only looks."""
    stopped = ""

    def kill(action: str) -> None:
        nonlocal stopped
        if len(world.calls) - 1 == number and action.split(":")[1].startswith(("Create", "Attach", "Put", "Update")):
            stopped = action
            raise KeyboardInterrupt

    world.before = kill
    world.bootstrap(*more, ok=False)
    world.before = lambda _: None
    return stopped


def test_a_secret_that_an_older_version_left_without_a_user_is_revoked(world: IamWorld) -> None:
    tags = [{"Key": "cognito-source:managed-by", "Value": "iam"}]
    world.client("secretsmanager").create_secret(Name=SECRET, Tags=tags)
    assert "delete the secret" in world.run("revoke", NAME, "--yes").stderr
    assert world.client("secretsmanager").describe_secret(SecretId=SECRET)["DeletedDate"]


def test_a_stranger_s_secret_of_the_name_that_ours_would_have_is_left_alone(world: IamWorld) -> None:
    world.client("secretsmanager").create_secret(Name=SECRET)
    assert "nothing to do" in world.run("revoke", NAME, "--yes").stderr
    assert "DeletedDate" not in world.client("secretsmanager").describe_secret(SecretId=SECRET)


@pytest.mark.parametrize("foreign_version", [False, True])
@pytest.mark.parametrize("command", ["revoke", "rotate", "bootstrap", "status", "verify"])
def test_a_secret_that_is_scheduled_for_deletion_blocks_nothing(
    user: IamWorld, command: str, *, foreign_version: bool
) -> None:
    if foreign_version:
        by_hand(user)
    old = user.secret()
    schedule_deletion(user)
    if command == "revoke":
        user.run("revoke", NAME, "--yes")
        assert user.snapshot()["users"] == {}
    elif command == "rotate":
        user.run("rotate", NAME)
        assert user.works(user.secret())
        assert user.secret() != old
    elif command == "bootstrap":
        user.bootstrap()
        assert user.secret() == old
    elif command == "status":
        (row,) = rows(user)
        assert row["remarks"] == ["the secret is scheduled for deletion: bootstrap and rotate restore it"]
    else:
        done = user.run("verify", NAME, ok=False)
        assert done.exit_code == 1
        assert "is scheduled for deletion: bootstrap and rotate restore it" in done.stderr


def test_a_dry_run_with_a_secret_that_must_be_restored_first_says_so(user: IamWorld) -> None:
    by_hand(user)
    schedule_deletion(user)
    before = user.snapshot()
    for command in (["rotate", NAME], ["bootstrap", user.pool, "--name", NAME]):
        printed = user.run(*command, "--dry-run").stdout
        assert "the rest is planned when it can be read again" in printed
        assert "restore the secret" in printed
    assert user.snapshot() == before


@pytest.mark.parametrize(
    ("action", "lost"),
    [
        ("secretsmanager:DescribeSecret", "secret"),
        ("iam:ListAttachedUserPolicies", "keys"),
        ("iam:GetPolicy", "pools"),
        ("iam:GetAccessKeyLastUsed", ""),
    ],
)
def test_what_can_not_be_read_of_one_user_hides_nothing_of_the_others(user: IamWorld, action: str, lost: str) -> None:
    other = user.aws.create_pool("other", "us-west-2")
    user.run("bootstrap", other, "--name", "second")
    failed: list[str] = []

    def refuse(called: str) -> None:
        if called == action and not failed:
            failed.append(called)
            raise AwsError(called, "it", "AccessDenied")

    user.before = refuse
    done = user.run("status", "--output", "json", ok=False)
    assert done.exit_code == 1
    assert "not everything could be read" in done.stderr
    first, second = json.loads(done.stdout)
    assert first["problems"]
    assert f"not permitted: {action}" in first["problems"][0]
    assert not lost or not first[lost]
    assert second["problems"] == []
    assert second["pools"] == [other]
    failed.clear()
    assert "not read    not permitted" in user.run("status", ok=False).stdout


@pytest.mark.parametrize("action", ["iam:ListUsers", "iam:ListPolicies"])
def test_a_listing_that_fails_is_said_and_the_other_one_is_used(user: IamWorld, action: str) -> None:
    user.before = lambda called: refused(called) if called == action else None
    done = user.run("status", ok=False)
    assert done.exit_code == 1
    assert f"note: not all users can be seen: not permitted: {action}" in done.stderr
    assert user.secret().key_id in done.stdout
    user.before = lambda called: refused(called) if called in ("iam:ListUsers", "iam:ListPolicies") else None
    nothing = user.run("status", ok=False)
    assert (nothing.exit_code, nothing.stdout) == (1, "")


def refused(action: str) -> None:
    raise AwsError(action, "*", "AccessDenied")


def test_a_name_that_is_none_of_ours_is_said(user: IamWorld) -> None:
    done = user.run("status", "nobody")
    assert (done.stdout, done.stderr) == ("", "note: there is no user nobody, or this tool did not create it\n")


@pytest.mark.parametrize("command", [["rotate"], ["verify"], ["revoke", "--yes"]])
def test_the_name_may_be_left_out_with_one_user(user: IamWorld, command: list[str]) -> None:
    user.client("iam").create_user(UserName="stranger", Path="/cognito-source/")
    done = user.run(*command)
    assert f": {NAME}\n" in done.stderr
    assert (NAME in user.snapshot()["users"]) == (command[0] != "revoke")


@pytest.mark.parametrize("command", [["rotate"], ["verify"], ["revoke", "--yes"]])
def test_several_users_are_listed_when_the_name_is_left_out(user: IamWorld, command: list[str]) -> None:
    user.run("bootstrap", user.pool, "--name", "second", "--path", "/elsewhere/")
    before = user.snapshot()
    done = user.run(*command, ok=False)
    assert done.exit_code == 2
    assert done.stderr.endswith(f"give the NAME of one:\n  {NAME}\n  second\n")
    assert user.snapshot() == before


def test_the_name_is_needed_when_the_account_can_not_be_seen_whole(user: IamWorld) -> None:
    user.before = lambda called: refused(called) if called == "iam:ListPolicies" else None
    done = user.run("revoke", "--yes", ok=False)
    assert done.exit_code == 2
    assert "give a NAME: which users there are could not be seen whole" in done.stderr


def test_without_any_user_the_commands_say_how_to_make_one(world: IamWorld) -> None:
    for command in ("rotate", "verify"):
        done = world.run(command, ok=False)
        assert done.exit_code == 2
        assert "`python -m iam bootstrap` creates one" in done.stderr
