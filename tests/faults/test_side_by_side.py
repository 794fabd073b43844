"""A large pool that is read in shards while it changes: nothing lost, nothing invented, no step back."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from adapter.arn import parse_pool_arn
from adapter.cognito.client import CognitoUserPool
from adapter.cognito.rate_limiter import RateLimiter
from tests.fake_cognito import ARN, Behaviour, FakeCognito
from tests.faults.test_service import session
from tests.support import wait_until
from tests.support.rig import MemorySink, Rig

USERS = 9_000  # 16 shards of 9 pages and a bit
CHANGES = 600


def form(data: dict[str, Any]) -> tuple[Any, ...]:
    """What of a user the test changes."""
    attributes = {pair["Name"]: pair["Value"] for pair in data["Attributes"]}
    return attributes.get("nickname"), data["Enabled"]


@pytest.mark.parametrize("seed", [1])
def test_a_pool_that_changes_while_it_is_read_in_shards_is_told_truly(
    seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dice = random.Random(seed)
    sink = MemorySink()
    forms: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    with FakeCognito(users=USERS, behaviour=Behaviour(latency_s=0.01)) as cognito:
        for name, value in cognito.environment().items():
            monkeypatch.setenv(name, value)
        pool = CognitoUserPool(session, parse_pool_arn(ARN), RateLimiter(10_000), attempts=1)
        now = {name: form(shown) for name, shown in cognito.shown().items()}
        before = dict(now)
        names = list(now)
        left = [CHANGES]

        def change(_: int) -> None:
            if not left[0]:
                return
            left[0] -= 1
            what, name = dice.choice(("create", "change", "disable", "enable", "delete")), dice.choice(names)
            if what == "create":
                name = f"new-{left[0]}"
                names.append(name)
                cognito.create(name)
                now[name] = (None, True)
            elif name not in now:
                return
            elif what == "delete":
                cognito.delete(name)
                del now[name]
                return
            elif what == "change":
                cognito.change(name, nickname=str(left[0]))
                now[name] = (str(left[0]), now[name][1])
            else:
                getattr(cognito, what)(name)
                now[name] = (now[name][0], what == "enable")
            forms[name].append(now[name])

        with Rig.start(pool, sink, tmp_path / "state.db", arn=ARN) as rig:
            assert rig.sweep()
            cognito.on_request(change)
            wait_until(lambda: rig.sweep() and not left[0], timeout_s=120)
            for _ in range(3):
                assert rig.sweep()
            told = len(sink.events)
            assert rig.sweep()
            assert len(sink.events) == told > CHANGES // 3
        stats = cognito.stats()
        assert stats["requests"] - stats["filtered"] < 2 * USERS // 60, "the pool was read as one listing"
        pool.close()

    has: dict[str, Any] = dict(before)
    at: dict[str, int] = defaultdict(lambda: -1)
    for event in sink.events:
        if event.attributes["changetype"] == "deleted":
            del has[event.key]
            continue
        has[event.key] = found = form(json.loads(event.data))
        assert found in forms[event.key], "a form that never was"
        assert found in forms[event.key][at[event.key] + 1 :], "a step back"
        at[event.key] = forms[event.key].index(found, at[event.key] + 1)
    assert has == now
    assert len({event.id for event in sink.events}) == len(sink.events)
