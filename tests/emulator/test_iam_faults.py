"""Every AWS call of every changing command fails in turn: nothing is lost, and the same command then finishes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.emulator.iam_world import NAME, Fault, World, world

__all__ = ["world"]

#: One code for each way in which the commands tell errors apart, and what the network does.
CODES = ("AccessDenied", "NoSuchEntity", "EntityAlreadyExists", "UnrecognizedClientException", "ReadTimeoutError")
#: For calls that only look: being told wrongly that a thing is missing, and no answer.
CODES_OF_READS = ("NoSuchEntity", "ReadTimeoutError")
CHANGES = ("Create", "Put", "Update", "Delete", "Attach", "Detach", "Restore")


def prepare_nothing(world: World) -> None:
    world.start_again()


def prepare_key(world: World) -> None:
    world.start_again()
    world.bootstrap()


COMMANDS: dict[str, tuple[Callable[[World], None], list[str]]] = {
    "bootstrap": (prepare_nothing, ["--name", NAME, "--wait", "5s"]),
    "rotate": (prepare_key, [NAME, "--grace", "1m", "--wait", "5s"]),
    "revoke": (prepare_key, [NAME, "--yes"]),
}


def run(world: World, command: str, *, ok: bool) -> int:
    pool = [world.pool] if command == "bootstrap" else []
    return world.run(command, *pool, *COMMANDS[command][1], ok=ok).exit_code


def clean_run(world: World, command: str) -> list[str]:
    COMMANDS[command][0](world)
    run(world, command, ok=True)
    return [action for action, _ in world.calls]


def is_change(action: str) -> bool:
    return action.split(":")[1].startswith(CHANGES)


def finished(world: World, command: str) -> None:
    if command == "revoke":
        assert world.snapshot()["users"] == {}
        assert world.snapshot()["policies"] == []
        return
    key = world.secret()
    assert world.key_states() == {key.key_id: "Active"}
    assert world.works(key)


def a_usable_key_is_there(world: World) -> bool:
    return NAME in world.snapshot()["users"] and world.works(world.secret())


def fails_then_finishes(world: World, command: str, fault: Fault, action: str) -> None:
    COMMANDS[command][0](world)
    world.fault = fault
    code = run(world, command, ok=False)
    world.fault = None
    told = f"{command}: call {fault.at} ({action}) fails with {fault.code}{', too late' * fault.too_late}"
    assert code in (0, 1, 2), told
    if command == "rotate":
        assert a_usable_key_is_there(world), told
    if command != "revoke" or NAME in world.snapshot()["users"]:
        run(world, command, ok=True)
    finished(world, command)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("command", COMMANDS)
def test_any_call_may_fail(world: World, command: str, code: str) -> None:
    actions = clean_run(world, command)
    assert len([action for action in actions if is_change(action)]) >= 5
    for number, action in enumerate(actions):
        if is_change(action) or code in CODES_OF_READS:
            fails_then_finishes(world, command, Fault(number, code), action)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_answer_to_any_change_may_be_lost(world: World, command: str) -> None:
    actions = clean_run(world, command)
    for number, action in enumerate(actions):
        if is_change(action):
            fails_then_finishes(world, command, Fault(number, "ReadTimeoutError", too_late=True), action)
