"""Three rotations by `python -m iam rotate` under an adapter that polls ten times a second: nobody notices."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

from tests.emulator.iam_leaks import leaks
from tests.emulator.iam_world import NAME, IamWorld, world
from tests.emulator.process import adapter, settings
from tests.support import RecordingSink, wait_until

__all__ = ["world"]

ROTATIONS = 3
#: Between two new users, in seconds: some in every phase of every rotation.
PAUSE_S = 0.1


def test_no_sweep_fails_and_no_event_is_lost_while_the_key_is_rotated(world: IamWorld, tmp_path: Path) -> None:
    world.bootstrap()
    first = world.secret()
    secret_arn = world.client("secretsmanager").describe_secret(SecretId=f"cognito-source/{NAME}")["ARN"]
    pool_id, cognito = world.pool.rpartition("/")[2], world.client("cognito-idp")
    created: list[str] = []
    stop = threading.Event()

    def sign_up() -> None:
        while not stop.wait(PAUSE_S):
            name = f"user-{len(created)}"
            cognito.admin_create_user(UserPoolId=pool_id, Username=name, MessageAction="SUPPRESS")
            created.append(name)

    with RecordingSink.start() as sink:
        own = settings(world.aws, world.pool, sink.url, POLL_MIN_SECONDS="0.1", POLL_MAX_SECONDS="0.1")
        profile = tmp_path / "credentials"
        profile.write_text(
            f"[default]\naws_access_key_id = {own['AWS_ACCESS_KEY_ID']}\n"
            f"aws_secret_access_key = {own['AWS_SECRET_ACCESS_KEY']}\n"
        )
        given = {
            **own,
            # As ECS gives it: the key of the moment when the task started, and where to find the next one.
            "AWS_ACCESS_KEY_ID": first.key_id,
            "AWS_SECRET_ACCESS_KEY": first.secret,
            "CREDENTIALS_SECRET_ARN": secret_arn,
            "AWS_SHARED_CREDENTIALS_FILE": str(profile),
        }
        seen = {first.secret}

        def more_than(before: int) -> bool:
            return len(created) > before

        with adapter(given, tmp_path / "adapter") as running:
            running.wait_for("baseline_done")
            signing_up = threading.Thread(target=sign_up)
            signing_up.start()
            try:
                for number in range(1, ROTATIONS + 1):
                    before = len(created)
                    world.run("rotate", NAME, "--grace", "1s")
                    seen.add(world.secret().secret)
                    # However fast the rotation was, somebody signs up in each round.
                    wait_until(partial(more_than, before), timeout_s=60)
                    # It noticed: the key that it had is gone.
                    running.wait_for("credentials_reloaded", times=number)
            finally:
                stop.set()
                signing_up.join()
            wait_until(lambda: {event["partitionkey"] for event in sink.events} >= set(created), timeout_s=60)
            assert running.terminate() == 0
        actions = running.actions()
    assert len(seen) == ROTATIONS + 1
    assert len(created) >= ROTATIONS
    assert [line for line in running.err.splitlines() if "sweep_failed" in line] == []
    assert actions.count("credentials_reloaded") == ROTATIONS
    assert leaks(running.err + running.out, seen) == []
