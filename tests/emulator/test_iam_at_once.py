"""Two runs of `python -m iam` at once, and people who change things meanwhile: no key that somebody needs is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from iam.secret import version_id
from tests.emulator.iam_world import NAME, CallFault, IamWorld, world

__all__ = ["world"]

ROOT = Path(__file__).resolve().parents[2]
SECRET = f"cognito-source/{NAME}"
ANOTHER_RUN = "another run, or a person, has just made the key"


@pytest.fixture
def user(world: IamWorld) -> IamWorld:
    world.bootstrap()
    return world


def meanwhile(world: IamWorld, before: str, *command: str) -> list[str]:
    """Do another run right before the next call of this action; what that run prints is told."""
    told: list[str] = []

    def other_run(action: str) -> None:
        if action == before:
            world.before = lambda _: None
            calls = world.calls
            told.append(world.run(*command, ok=False).stderr)
            world.calls = calls

    world.before = other_run
    return told


def settled(world: IamWorld) -> None:
    """After all, one key that works; a run of the same command has nothing against it."""
    world.clock.slept += 3_600
    world.run("rotate", NAME)
    assert world.works(world.secret())
    assert list(world.key_states()) == [world.secret().key_id]


def move_label(world: IamWorld, to: str, away_from: str) -> None:
    world.client("secretsmanager").update_secret_version_stage(
        SecretId=SECRET, VersionStage="AWSCURRENT", MoveToVersionId=to, RemoveFromVersionId=away_from
    )


def test_a_rotation_during_another_leaves_the_other_s_new_key_alone_and_says_so(user: IamWorld) -> None:
    old = user.secret()
    told = meanwhile(user, "secretsmanager:PutSecretValue", "rotate", NAME)
    user.run("rotate", NAME)
    assert "which is not in the secret, and it is new: perhaps another run is at work" in told[0]
    assert user.secret() != old
    assert user.works(user.secret())
    settled(user)


def test_a_rotation_that_another_one_overtakes_keeps_the_other_s_key(user: IamWorld) -> None:
    meanwhile(user, "iam:CreateAccessKey", "rotate", NAME)
    late = user.run("rotate", NAME, ok=False)
    assert late.exit_code == 1
    assert ANOTHER_RUN in late.stderr or "has changed which version" in late.stderr
    assert user.works(user.secret())
    settled(user)


@pytest.mark.parametrize("action", ["iam:CreateAccessKey", "secretsmanager:PutSecretValue"])
def test_of_two_first_keys_made_at_once_one_stays(world: IamWorld, action: str) -> None:
    bootstrap = ("bootstrap", world.pool, "--name", NAME)
    told = meanwhile(world, action, *bootstrap)
    first = world.run(*bootstrap, ok=False)
    told.append(first.stderr)
    assert any(ANOTHER_RUN in each or "perhaps another run is at work" in each for each in told)
    assert world.works(world.secret())
    assert list(world.key_states()) == [world.secret().key_id]


@pytest.mark.parametrize("action", ["iam:CreatePolicy", "iam:CreateUser", "secretsmanager:CreateSecret"])
def test_what_another_bootstrap_has_just_made_is_said_to_be_another_run_s(world: IamWorld, action: str) -> None:
    bootstrap = ("bootstrap", world.pool, "--name", NAME)
    meanwhile(world, action, *bootstrap)
    late = world.run(*bootstrap, ok=False)
    assert late.exit_code == 1
    assert "perhaps another run is at work: run the command again when it has ended" in late.stderr
    world.run(*bootstrap)
    assert list(world.key_states()) == [world.secret().key_id]


@pytest.mark.parametrize("command", ["rotate", "bootstrap"])
def test_a_new_key_that_a_person_made_is_not_deleted(user: IamWorld, command: str) -> None:
    if command == "bootstrap":
        user.client("iam").update_access_key(UserName=NAME, AccessKeyId=user.secret().key_id, Status="Inactive")
    made = user.client("iam").create_access_key(UserName=NAME)["AccessKey"]["AccessKeyId"]
    before = user.snapshot()
    arguments = [NAME] if command == "rotate" else [user.pool, "--name", NAME]
    refused = user.run(command, *arguments, ok=False)
    assert refused.exit_code == 2
    assert f"{NAME} has the key {made}, which is not in the secret, and it is new" in refused.stderr
    assert f"`aws iam delete-access-key --user-name {NAME} --access-key-id {made}`" in refused.stderr
    assert user.snapshot() == before
    settled(user)


def test_a_key_whose_last_use_can_not_be_seen_is_not_deleted(user: IamWorld) -> None:
    made = user.client("iam").create_access_key(UserName=NAME)["AccessKey"]["AccessKeyId"]
    user.clock.slept = 3_600
    user.run("rotate", NAME, "--check", ok=False)
    user.fault = CallFault([action for action, _ in user.calls].index("iam:GetAccessKeyLastUsed"), "AccessDenied")
    refused = user.run("rotate", NAME, ok=False)
    assert refused.exit_code == 2
    assert "its last use can't be seen (iam:GetAccessKeyLastUsed: AccessDenied)" in refused.stderr
    assert made in user.key_states()


def test_a_key_that_a_person_makes_while_the_answer_to_ours_is_lost_is_not_taken_for_ours(world: IamWorld) -> None:
    """Nothing new of ours is there: the other key is stored by its own run while this one waits."""
    world.bootstrap()
    old = world.secret()
    iam, secrets = world.client("iam"), world.client("secretsmanager")
    made: list[str] = []

    def other_run(action: str) -> None:
        if action == "iam:CreateAccessKey":
            made.append(iam.create_access_key(UserName=NAME)["AccessKey"]["AccessKeyId"])

    def stores(_: float) -> None:
        value = '{"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}'
        secrets.put_secret_value(
            SecretId=SECRET, SecretString=value, VersionStages=["AWSPENDING"], ClientRequestToken=version_id(made[0])
        )

    world.before, world.clock.during_sleep = other_run, stores
    world.fault = CallFault(at_creation(world), "ReadTimeoutError")
    world.run("rotate", NAME, ok=False)
    assert made[0] in world.key_states()
    assert world.key_states()[old.key_id] == "Active"


def at_creation(world: IamWorld) -> int:
    """The number of the call that makes a key, in a rotation of this world."""
    found: list[int] = []
    before = world.before

    def stop(action: str) -> None:
        if action == "iam:CreateAccessKey":
            found.append(len(world.calls) - 1)
            raise KeyboardInterrupt

    world.before = stop
    world.run("rotate", NAME, ok=False)
    world.before = before
    return found[0]


def test_a_label_that_somebody_moves_before_the_new_key_is_current_is_left(user: IamWorld) -> None:
    moved = "elsewhere-" * 4

    def move(action: str) -> None:
        if action == "cognito-idp:ListUsers":
            user.before = lambda _: None
            user.client("secretsmanager").put_secret_value(
                SecretId=SECRET, SecretString="{}", VersionStages=["AWSCURRENT"], ClientRequestToken=moved
            )

    user.before = move
    refused = user.run("rotate", NAME, ok=False)
    assert refused.exit_code == 1
    assert "another run, or a person, has changed which version of" in refused.stderr
    assert "AWSCURRENT" in user.stages()[moved]


def test_a_key_that_somebody_makes_current_again_during_the_grace_period_is_kept(user: IamWorld) -> None:
    old = user.secret()

    def roll_back(seconds: float) -> None:
        if seconds > 60:
            move_label(user, version_id(old.key_id), version_id(user.secret().key_id))

    user.clock.during_sleep = roll_back
    refused = user.run("rotate", NAME, ok=False)
    assert refused.exit_code == 1
    assert (
        f"the key {old.key_id} is AWSCURRENT again: the label was moved back meanwhile; it was kept" in refused.stderr
    )
    assert user.secret() == old
    assert user.works(old)


@pytest.mark.parametrize("command", ["bootstrap", "rotate"])
def test_a_run_that_is_interrupted_before_the_key_is_stored_takes_the_key_back(world: IamWorld, command: str) -> None:
    if command == "rotate":
        world.bootstrap()
    before = set(world.key_states()) if command == "rotate" else set()

    def interrupt(action: str) -> None:
        if action == "secretsmanager:PutSecretValue":
            raise KeyboardInterrupt

    world.before = interrupt
    done = world.bootstrap(ok=False) if command == "bootstrap" else world.run("rotate", NAME, ok=False)
    assert done.exit_code == 130
    assert set(world.key_states()) == before


def test_two_mints_at_once_leave_a_secret_with_a_working_key(world: IamWorld) -> None:
    world.client("iam").create_user(UserName=NAME)
    world.client("secretsmanager").create_secret(Name=SECRET)
    document = world.run("policy", world.pool).stdout
    world.client("iam").put_user_policy(UserName=NAME, PolicyName="list", PolicyDocument=document)
    mint = ("mint", "--user-name", NAME, "--secret-id", SECRET)
    told = meanwhile(world, "iam:CreateAccessKey", *mint)
    late = world.run(*mint, ok=False)
    assert told == [""]
    assert late.exit_code == 1
    assert ANOTHER_RUN in late.stderr
    assert world.works(world.secret())
    assert list(world.key_states()) == [world.secret().key_id]


def test_a_process_that_is_told_to_stop_ends_as_an_interrupted_one(user: IamWorld) -> None:
    """As `docker stop` and schedulers end it: in the grace period, where it waits for minutes."""
    environment = {"PATH": os.environ["PATH"], **user.aws.environment()}
    command = [sys.executable, "-m", "iam", "rotate", NAME, "--grace", "1h"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("- wait"):
                process.send_signal(signal.SIGTERM)
                break
        rest = process.stderr.read()
    assert process.returncode == 130
    assert rest == "interrupted; run the same command to continue\n"
    assert user.works(user.secret())
