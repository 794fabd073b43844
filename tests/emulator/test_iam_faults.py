"""Every AWS call of every changing command fails in turn: nothing is lost, and the same command then finishes."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from adapter.arn import parse_pool_arn
from iam.policy import policy_documents
from tests.emulator.iam_world import NAME, CallFault, IamWorld, world

__all__ = ["world"]

#: One code for each way in which the commands tell errors apart, and what the network does.
CODES = ("AccessDenied", "NoSuchEntity", "EntityAlreadyExists", "UnrecognizedClientException", "ReadTimeoutError")
SECRET = f"cognito-source/{NAME}"
CHANGES = ("Create", "Put", "Update", "Delete", "Attach", "Detach", "Restore")


def prepare_nothing(world: IamWorld) -> None:
    world.start_again()


def prepare_key(world: IamWorld) -> None:
    world.start_again()
    world.bootstrap()


def prepare_empty_secret(world: IamWorld) -> None:
    """As a stack leaves it to `mint`: user, policy and secret, the second key slot taken by a failed run."""
    world.start_again()
    client = world.client("iam")
    client.create_user(UserName=NAME)
    client.create_access_key(UserName=NAME)
    document = json.dumps(policy_documents([parse_pool_arn(world.pool)])[0])
    client.put_user_policy(UserName=NAME, PolicyName="list", PolicyDocument=document)
    world.client("secretsmanager").create_secret(Name=SECRET)


COMMANDS: dict[str, tuple[Callable[[IamWorld], None], list[str]]] = {
    "bootstrap": (prepare_nothing, ["--name", NAME, "--wait", "5s"]),
    "rotate": (prepare_key, [NAME, "--grace", "1m", "--wait", "5s"]),
    "revoke": (prepare_key, [NAME, "--yes"]),
    "mint": (prepare_empty_secret, ["--user-name", NAME, "--secret-id", SECRET]),
}


def run(world: IamWorld, command: str, *, ok: bool) -> int:
    pool = [world.pool] if command == "bootstrap" else []
    return world.run(command, *pool, *COMMANDS[command][1], ok=ok).exit_code


def clean_run(world: IamWorld, command: str) -> list[str]:
    COMMANDS[command][0](world)
    run(world, command, ok=True)
    return [action for action, _ in world.calls]


def is_change(action: str) -> bool:
    return action.split(":")[1].startswith(CHANGES)


def finished(world: IamWorld, command: str) -> None:
    if command == "revoke":
        assert world.snapshot()["users"] == {}
        assert world.snapshot()["policies"] == []
        return
    key = world.secret()
    assert world.works(key)
    # Told wrongly that the useless key is gone, `mint` leaves it: a secret with a working key is its whole business.
    assert command == "mint" or world.key_states() == {key.key_id: "Active"}


def a_usable_key_is_there(world: IamWorld) -> bool:
    return NAME in world.snapshot()["users"] and world.works(world.secret())


def fails_then_finishes(world: IamWorld, command: str, fault: CallFault, action: str) -> None:
    COMMANDS[command][0](world)
    world.fault = fault
    code = run(world, command, ok=False)
    world.fault = None
    told = f"{command}: call {fault.at} ({action}) fails with {fault.code}{', too late' * fault.too_late}"
    assert code in (0, 1, 2), told
    if command == "rotate":
        assert a_usable_key_is_there(world), told
    run(world, command, ok=True)
    finished(world, command)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("command", COMMANDS)
def test_any_change_may_fail(world: IamWorld, command: str, code: str) -> None:
    actions = clean_run(world, command)
    changes = [(number, action) for number, action in enumerate(actions) if is_change(action)]
    assert len(changes) >= 3
    for number, action in changes:
        fails_then_finishes(world, command, CallFault(number, code), action)


@pytest.mark.parametrize("command", COMMANDS)
def test_any_call_that_only_looks_may_fail(world: IamWorld, command: str) -> None:
    """Each of them once, with one code after the other: a read that fails ends the run, whatever the code is."""
    for number, action in enumerate(clean_run(world, command)):
        if not is_change(action):
            fails_then_finishes(world, command, CallFault(number, CODES[number % len(CODES)]), action)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_answer_to_any_change_may_be_lost(world: IamWorld, command: str) -> None:
    actions = clean_run(world, command)
    for number, action in enumerate(actions):
        if is_change(action):
            fails_then_finishes(world, command, CallFault(number, "ReadTimeoutError", too_late=True), action)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_that_is_killed_before_any_change_is_finished_by_the_next(world: IamWorld, command: str) -> None:
    """Nothing can clean up after a kill, so a key that was made and not yet stored stays behind."""
    for number, action in enumerate(clean_run(world, command)):
        if not is_change(action):
            continue
        COMMANDS[command][0](world)

        def kill(_: str, at: int = number) -> None:
            if len(world.calls) - 1 == at:
                raise KeyboardInterrupt

        world.before = kill
        assert run(world, command, ok=False) == 130
        world.before = lambda _: None
        if command == "rotate":
            assert a_usable_key_is_there(world), action
        run(world, command, ok=True)
        finished(world, command)
