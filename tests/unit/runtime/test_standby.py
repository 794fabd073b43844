"""The adapter that waits for another one's state: healthy as soon as it could do the work, ready only when it does."""

from __future__ import annotations

from adapter.errors import UnavailableError
from adapter.observability.health import Health
from adapter.runtime.standby import Standby
from tests.support import wait_until
from tests.support.rig import MemoryPool


def test_it_is_healthy_when_cognito_answers_and_not_ready() -> None:
    pool, health = MemoryPool(), Health()
    pool.faults.append(UnavailableError("Cognito failed", code="InternalErrorException"))
    health.problem("state", "another adapter holds it")
    standby = Standby(pool, health, again_s=0.01)
    standby.begin()
    standby.begin()
    wait_until(lambda: health.started)
    standby.end()
    assert health.unready() == ["state: another adapter holds it"]
    assert len(pool.requests) == 2


def test_it_stays_unhealthy_and_says_why_while_cognito_refuses() -> None:
    pool, health = MemoryPool(), Health()
    pool.faults.extend(UnavailableError("the key is refused", code="X") for _ in range(1000))
    standby = Standby(pool, health, again_s=0.01)
    standby.begin()
    wait_until(lambda: len(pool.requests) > 2)
    assert not health.started
    assert "cognito: the key is refused" in health.unready()
    standby.end()


def test_it_asks_no_more_when_the_state_is_ours() -> None:
    pool = MemoryPool()
    standby = Standby(pool, Health())
    standby.end()
    standby.begin()
    standby._thread.join(5)
    assert pool.requests == []
