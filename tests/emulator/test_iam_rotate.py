"""`python -m iam rotate`: a new key without a moment in which none works."""

from __future__ import annotations

import json

import pytest

from iam.secret import version_id
from tests.emulator.iam_world import NAME, IamWorld, world

__all__ = ["world"]

DENY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "cognito-idp:*", "Resource": "*"}]}
)


@pytest.fixture
def user(world: IamWorld) -> IamWorld:
    world.bootstrap()
    return world


def test_the_key_is_replaced_and_the_old_one_is_gone(user: IamWorld) -> None:
    old = user.secret()
    done = user.run("rotate", NAME)
    new = user.secret()
    assert user.key_states() == {new.key_id: "Active"}
    assert new != old
    assert user.works(new)
    assert not user.works(old)
    assert user.clock.slept >= 300
    assert new.secret not in done.output
    assert old.secret not in done.output


def test_the_current_key_works_at_every_call_of_a_rotation_and_there_are_never_three(user: IamWorld) -> None:
    working: list[bool] = []
    counts: set[int] = set()

    def look(_: str) -> None:
        working.append(user.works(user.secret()))
        counts.add(len(user.key_states()))

    user.before = look
    user.run("rotate", NAME)
    assert len(working) > 20
    assert all(working)
    assert counts == {1, 2}


def test_what_another_run_put_into_the_secret_meanwhile_does_not_become_current(user: IamWorld) -> None:
    old = user.secret()

    def interfere(action: str) -> None:
        if action == "secretsmanager:UpdateSecretVersionStage":
            user.client("secretsmanager").put_secret_value(
                SecretId=f"cognito-source/{NAME}", SecretString="{}", VersionStages=["AWSPENDING"]
            )

    user.before = interfere
    user.run("rotate", NAME)
    assert user.secret() != old
    assert user.works(user.secret())


def test_the_old_key_goes_on_working_for_the_grace_period(user: IamWorld) -> None:
    old = user.secret()
    seen: list[bool] = []
    user.clock.during_sleep = lambda seconds: seen.append(user.works(old)) if seconds > 60 else None
    user.run("rotate", NAME, "--grace", "15m")
    assert seen == [True]
    assert not user.works(old)


def test_a_new_key_that_can_not_list_the_pool_never_becomes_current(user: IamWorld) -> None:
    old = user.secret()
    user.before = lambda action: (
        user.client("iam").put_user_policy(UserName=NAME, PolicyName="deny", PolicyDocument=DENY)
        if action == "iam:CreateAccessKey"
        else None
    )
    failed = user.run("rotate", NAME, ok=False)
    assert failed.exit_code == 1
    assert "the AWSPENDING key still can't list" in failed.stderr
    assert user.secret() == old
    assert user.key_states()[old.key_id] == "Active"
    user.client("iam").delete_user_policy(UserName=NAME, PolicyName="deny")
    user.run("rotate", NAME)
    assert len(user.key_states()) == 1
    assert user.works(user.secret())


def test_the_old_key_is_made_active_again_when_the_new_one_stops_working(user: IamWorld) -> None:
    old = user.secret()

    def deny_after_deactivation(action: str) -> None:
        if action == "iam:UpdateAccessKey":
            user.client("iam").put_user_policy(UserName=NAME, PolicyName="deny", PolicyDocument=DENY)

    user.before = deny_after_deactivation
    assert user.run("rotate", NAME, ok=False).exit_code == 1
    assert user.key_states()[old.key_id] == "Active"


def test_a_key_is_rotated_only_when_it_is_due(user: IamWorld) -> None:
    key = user.secret()
    early = user.run("rotate", NAME, "--every", "90d")
    assert user.secret() == key
    assert "nothing to do" in early.stderr
    assert "in 90 d" in early.stderr
    user.clock.slept = 91 * 86_400
    user.run("rotate", NAME, "--every", "90d")
    assert user.secret() != key


def test_a_scheduler_learns_by_the_exit_code_whether_one_is_due(user: IamWorld) -> None:
    before = user.snapshot()
    assert user.run("rotate", NAME, "--every", "90d", "--check").exit_code == 0
    user.clock.slept = 91 * 86_400
    due = user.run("rotate", NAME, "--every", "90d", "--check", ok=False)
    assert due.exit_code == 3
    assert "create an access key" in due.stdout
    assert user.snapshot() == before


def test_an_unfinished_rotation_is_due_whatever_the_age(user: IamWorld) -> None:
    user.before = lambda action: _raise() if action == "iam:UpdateAccessKey" else None
    user.run("rotate", NAME, ok=False)
    user.before = lambda _: None
    assert user.run("rotate", NAME, "--every", "90d", "--check", ok=False).exit_code == 3


def test_the_rest_of_the_grace_period_is_waited_for_by_the_run_that_carries_on(user: IamWorld) -> None:
    old = user.secret()
    user.clock.during_sleep = lambda seconds: _raise() if seconds > 60 else None
    interrupted = user.run("rotate", NAME, "--grace", "1h", ok=False)
    assert interrupted.exit_code == 130
    assert interrupted.stderr.endswith("interrupted; run the same command to continue\n")
    assert user.works(old)
    assert user.works(user.secret())
    user.clock.during_sleep = lambda _: None
    user.clock.slept = 1_800
    user.run("rotate", NAME, "--grace", "1h")
    assert 3_540 < user.clock.slept < 3_620
    assert list(user.key_states()) == [user.secret().key_id]


def test_a_dry_run_of_a_rotation_changes_nothing(user: IamWorld) -> None:
    before = user.snapshot()
    assert "deactivate the key" in user.run("rotate", NAME, "--dry-run").stdout
    assert user.snapshot() == before


def test_a_key_of_a_failed_run_is_deleted_to_make_room(user: IamWorld) -> None:
    lost = user.client("iam").create_access_key(UserName=NAME)["AccessKey"]["AccessKeyId"]
    user.clock.slept = 3_600
    user.run("rotate", NAME)
    assert lost not in user.key_states()
    assert list(user.key_states()) == [user.secret().key_id]


def test_a_second_key_that_somebody_uses_is_not_deleted(user: IamWorld) -> None:
    made = user.client("iam").create_access_key(UserName=NAME)["AccessKey"]
    user.aws.client_with("cognito-idp", made["AccessKeyId"], made["SecretAccessKey"]).list_users(
        UserPoolId=user.pool.rpartition("/")[2]
    )
    before = user.snapshot()
    refused = user.run("rotate", NAME, ok=False)
    assert refused.exit_code == 2
    assert f"{NAME} has the key {made['AccessKeyId']}, which is not in the secret and was last used" in refused.stderr
    assert user.snapshot() == before


def test_a_key_that_was_deactivated_by_hand_is_replaced(user: IamWorld) -> None:
    old = user.secret()
    user.client("iam").update_access_key(UserName=NAME, AccessKeyId=old.key_id, Status="Inactive")
    user.run("rotate", NAME)
    assert user.works(user.secret())
    assert list(user.key_states()) == [user.secret().key_id]


def test_a_user_of_nobody_s_making_is_refused(world: IamWorld) -> None:
    world.client("iam").create_user(UserName=NAME)
    refused = world.run("rotate", NAME, "--secret-id", "any", ok=False)
    assert refused.exit_code == 2


def test_a_minted_key_of_a_stack_is_rotated_too(world: IamWorld) -> None:
    iam, tags = world.client("iam"), [{"Key": "ManagedBy", "Value": "cdktf"}]
    iam.create_user(UserName=NAME, Tags=tags)
    document = world.run("policy", world.pool).stdout
    arn = iam.create_policy(PolicyName=f"{NAME}-list-users", PolicyDocument=document, Tags=tags)["Policy"]["Arn"]
    iam.attach_user_policy(UserName=NAME, PolicyArn=arn)
    secret = world.client("secretsmanager").create_secret(Name=f"cognito-source/{NAME}", Tags=tags)["ARN"]
    world.run("mint", "--user-name", NAME, "--secret-id", secret)
    old = world.secret()
    world.run("rotate", NAME, "--secret-id", secret)
    assert world.secret() != old
    assert world.works(world.secret())


def test_a_key_that_may_only_take_a_role_is_tried_as_far_as_that_goes(world: IamWorld) -> None:
    iam, tags = world.client("iam"), [{"Key": "ManagedBy", "Value": "cdktf"}]
    iam.create_user(UserName=NAME, Tags=tags)
    secret = world.client("secretsmanager").create_secret(Name=f"cognito-source/{NAME}", Tags=tags)["ARN"]
    world.run("mint", "--user-name", NAME, "--secret-id", secret)
    old = world.secret()
    done = world.run("rotate", NAME, "--secret-id", secret)
    assert "new keys are tried with sts:GetCallerIdentity only" in done.stderr
    assert world.secret() != old
    assert list(world.key_states()) == [world.secret().key_id]


def test_a_key_in_terraform_s_state_is_left_to_terraform(world: IamWorld) -> None:
    iam, tags = world.client("iam"), [{"Key": "ManagedBy", "Value": "cdktf"}]
    iam.create_user(UserName=NAME, Tags=tags)
    key = iam.create_access_key(UserName=NAME)["AccessKey"]
    value = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    secret = world.client("secretsmanager").create_secret(
        Name=f"cognito-source/{NAME}", Tags=tags, SecretString=json.dumps(value)
    )["ARN"]
    refused = world.run("rotate", NAME, "--secret-id", secret, ok=False)
    assert refused.exit_code == 2
    assert "Terraform's state" in refused.stderr


def test_the_labels_end_as_secrets_manager_s_own_rotation_leaves_them(user: IamWorld) -> None:
    old = user.secret()
    user.run("rotate", NAME)
    stages = user.stages()
    assert "AWSCURRENT" in stages[version_id(user.secret().key_id)]
    assert "AWSPREVIOUS" in stages[version_id(old.key_id)]


def _raise() -> None:
    raise KeyboardInterrupt
